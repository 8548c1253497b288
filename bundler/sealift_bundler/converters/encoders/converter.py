"""Text encoders: the graph as it is, with pooling behind it and the loader's tokenizer before it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sealift.model.documents.description import Column, TensorInput
from sealift.model.frontend.tokenizer.declared import SUFFIX, TOKENIZER, DeclaredTokenizer
from sealift.model.frontend.tokenizer.library import library
from sealift_bundler.converters import Answers, Candidate, Original, Rung
from sealift_bundler.converters.encoders.head import with_head
from sealift_bundler.converters.encoders.proofs import beginning_is_enough, embedding_rows, require_length
from sealift_bundler.converters.encoders.reference import Reference, token_inputs
from sealift_bundler.converters.encoders.source import TEXT, TextEncoder
from sealift_bundler.converters.onnx import candidate_of
from sealift_bundler.errors import SourceError
from sealift_common.oci.layout import sha256

if TYPE_CHECKING:
    from sealift_bundler.samples.interfaces import Samples


class EncoderConverter:
    """Takes a ready-made graph with its tokenizer."""

    def accepts(self, source: Any) -> bool:
        """Return whether `source` is a graph with its tokenizer."""
        return isinstance(source, TextEncoder)

    def original(self, source: TextEncoder, samples: "Samples") -> Original:
        """Make the reference: recorded answers to the samples; to other texts those of the library and ONNX Runtime."""
        from sealift.model.runtime.onnx import onnxruntime

        reference = Reference(source)
        recorded = source.recorded

        def answers(texts: Any) -> Answers:
            if recorded and list(texts) == source.texts:
                computed = {} if set(recorded) == set(source.frontend.methods) else reference.answers(texts)
                return {name: recorded.get(name, computed.get(name)) for name in source.frontend.methods}
            return reference.answers(list(texts))

        versions = {"tokenizers": str(library().__version__), "onnxruntime": onnxruntime.__version__}
        said = "tokenizers {tokenizers} and onnxruntime {onnxruntime} alone, text by text".format(**versions)
        producer = f"{source.ready.model.producer_name} {source.ready.model.producer_version}".strip()
        described = {"framework": "onnx", "versions": versions, "estimator": producer or "unknown producer"}
        task = "classification" if source.frontend.labels else "transformation"
        by_user = f"answers recorded by the user; for other texts {said}"
        return Original(task, source.frontend.methods, answers, described, by_user if recorded else said)

    def rungs(self, source: TextEncoder, samples: "Samples") -> Iterable[Rung]:
        """Give the only rung: the graph as it is, with its head."""
        yield Rung("tokenizer", lambda: _candidate(source, samples))


def _candidate(source: TextEncoder, samples: "Samples") -> Candidate:
    ready = candidate_of(source.ready)
    reference = Reference(source)
    inputs = token_inputs(source)
    width = len(reference.vector("a text"))
    if width == 0:
        raise SourceError("the graph gives vectors of no numbers")
    require_length(source, reference)
    declared = DeclaredTokenizer(
        file=SUFFIX,
        digest=sha256(source.data),
        max_tokens=source.frontend.max_tokens,
        embedding_rows=embedding_rows(source, inputs, reference),
        inputs=inputs,
        prefix=True,
    )
    declared = declared._replace(prefix=beginning_is_enough(declared, source, samples.rows, reference))
    head = with_head(source.ready.model, source.frontend, inputs, width)
    column = Column(TEXT, "str", None)
    return replace(
        ready,
        interface="text",
        graph=head.model.SerializeToString(deterministic=True),
        inputs=tuple(_input(tensor, column) for tensor in ready.inputs),
        outputs=head.outputs,
        classes=head.classes,
        frontend={"frontends": [{"kind": TOKENIZER, **declared._asdict()}]},
        files={**ready.files, SUFFIX: source.data},
    )


def _input(tensor: TensorInput, column: Column) -> TensorInput:
    return tensor._replace(columns=(column,), frontend=0)
