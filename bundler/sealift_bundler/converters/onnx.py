"""Ready-made ONNX graphs: checked, described, and kept byte for byte, but for what `onnx_forms` names."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from sealift.model.documents.description import GRAPH_FILE, TensorInput, TensorOutput
from sealift.model.runtime.external_data import external_tensors
from sealift.model.runtime.session import give_weights
from sealift_bundler.converters import Answers, Candidate, Original, Rung
from sealift_bundler.converters.graph import DTYPE_OF_ELEMENT
from sealift_bundler.converters.onnx_forms import to_plain_form
from sealift_bundler.converters.onnx_weights import read_weights
from sealift_bundler.errors import ConversionError, SourceError
from sealift_bundler.samples.row_by_row import goes_by_rows

if TYPE_CHECKING:
    from sealift_bundler.samples.interfaces import Samples

# What a stock ONNX Runtime has kernels for.
_DOMAINS = frozenset(["", "ai.onnx", "ai.onnx.ml", "com.microsoft"])
# The first ONNX Runtime that knows an opset and an IR version.
_LOWEST = ((20, 9, "1.17.0"), (21, 10, "1.18.0"), (22, 10, "1.20.0"), (23, 11, "1.22.0"))


class ReadyMade:
    """A `.onnx` file as it is on disk, with the weights next to it."""

    def __init__(self, path: Path) -> None:
        try:
            self.graph = path.read_bytes()
        except OSError as error:
            raise SourceError(f"cannot read the model {str(path)!r}: {error.strerror}") from error
        self.model = _parsed(self.graph, repr(str(path)))
        self.weights, moved = read_weights(self.model, path)
        changed, self.classes = to_plain_form(self.model)
        self.ranks: dict[str, int] = {}
        if changed or moved:
            self.graph = self.model.SerializeToString(deterministic=True)

    @classmethod
    def of_bytes(cls, graph: bytes) -> "ReadyMade":
        """See an exporter's graph as a ready-made one; it keeps its weights inside."""
        made = cls.__new__(cls)
        made.graph, made.model, made.weights = graph, _parsed(graph, "the exported graph"), {}
        made.classes, made.ranks = None, {}
        return made


def _parsed(graph: bytes, what: str) -> onnx.ModelProto:
    try:
        return onnx.load_model_from_string(graph)
    except Exception as error:  # protobuf's DecodeError is of the C extension, without a stable name
        raise SourceError(f"{what} is not an ONNX model: {' '.join(str(error).split())[:200]}") from error


class OnnxConverter:
    """Takes a ready-made graph as it is; parity is with recorded answers."""

    def accepts(self, source: Any) -> bool:
        """Return whether `source` is a ready-made graph."""
        return isinstance(source, ReadyMade)

    def original(self, source: ReadyMade, samples: "Samples") -> Original:
        """Make the reference: the answers among the samples, or else those of ONNX Runtime here."""
        from sealift.model.runtime.onnx import onnxruntime

        if samples.interface != "tensors":
            raise SourceError("a ready-made model takes named tensors; give the samples as .npz or a dict of arrays")
        session = session_of(source)
        inputs = [node.name for node in session.get_inputs()]
        outputs = [node.name for node in session.get_outputs()]
        given = set(samples.rows)
        recorded = {name: values for name, values in samples.rows.items() if name in outputs}
        missing = [name for name in inputs if name not in given]
        extra = sorted(given - set(inputs) - set(outputs))
        if missing or extra:
            problem = f"missing {missing!r:.200}" if missing else f"not known to the model {extra!r:.200}"
            raise SourceError(f"the samples' tensors do not fit the model: {problem}; it takes {inputs!r:.300}")
        feeds = {name: np.asarray(samples.rows[name]) for name in inputs}
        samples.rows = feeds

        def run(rows: Mapping[str, Any]) -> Answers:
            try:
                return dict(zip(outputs, session.run(outputs, dict(rows)), strict=True))
            except Exception as error:
                # ONNX Runtime's exceptions have no common class.
                reason = " ".join(str(error).split())[:300]
                raise SourceError(f"the model does not run on the samples: {reason}") from error

        def answers(rows: Mapping[str, Any]) -> Answers:
            return recorded or run(rows)

        found = run(feeds)
        # A graph need not say how many dimensions a tensor has; its samples do.
        source.ranks = {name: np.ndim(values) for name, values in (*feeds.items(), *found.items())}
        free = all(not node.shape or _is_free(node.shape[0]) for node in session.get_inputs())
        samples.whole = not (free and goes_by_rows(run, feeds, {**found, **recorded}))
        reference = (
            "answers recorded by the user"
            if recorded
            else f"answers recorded from onnxruntime {onnxruntime.__version__} where the model was packed; "
            "a ready-made graph has no other original to be compared with"
        )
        producer = f"{source.model.producer_name} {source.model.producer_version}".strip()
        versions = {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}
        described = {"framework": "onnx", "versions": versions, "estimator": producer or "unknown producer"}
        kept = bool(recorded)
        return Original("tensors", (), answers, described, reference, recorded=kept, compared=kept)

    def rungs(self, source: ReadyMade, samples: "Samples") -> Iterable[Rung]:
        """Give the only rung: the graph as it is."""
        yield Rung("ready-made", partial(candidate_of, source))


def session_of(source: ReadyMade) -> Any:
    """Open a ready-made graph in ONNX Runtime, as it is.

    Raises:
        ConversionError: ONNX Runtime refuses it.
    """
    from sealift.model.runtime.onnx import onnxruntime

    _check(source.model)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    tensors = external_tensors(source.graph, {name: len(data) for name, data in source.weights.items()})
    shards = {name: memoryview(data) for name, data in source.weights.items()}
    kept = give_weights(onnxruntime, options, tensors, shards, GRAPH_FILE) if tensors else []
    try:
        session = onnxruntime.InferenceSession(source.graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # ONNX Runtime's exceptions have no common class.
        reason = " ".join(str(error).split())[:300]
        raise ConversionError(f"onnxruntime {onnxruntime.__version__} refuses the model: {reason}") from error
    session.sealift_weights = kept
    return session


def _check(model: onnx.ModelProto) -> None:
    local = {function.domain for function in model.functions}
    domains = {opset.domain for opset in model.opset_import} | {node.domain for node in model.graph.node}
    foreign = sorted(domains - _DOMAINS - local)
    used = {node.domain for node in model.graph.node}
    if any(domain in used for domain in foreign):
        raise ConversionError(
            f"the model has operators of the domain {foreign[0]!r}; expected those of a stock ONNX Runtime: "
            f"{sorted(_DOMAINS - {''})}"
        )
    for value in (*model.graph.input, *model.graph.output):
        kind = value.type.WhichOneof("value")
        if kind != "tensor_type":
            raise ConversionError(f"{value.name!r} is a {kind}, not a tensor; export the model without it")


def candidate_of(source: ReadyMade) -> Candidate:
    """Describe a ready-made graph."""
    _check(source.model)
    model = source.model
    initializers = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initializers]
    opsets = {opset.domain or "ai.onnx": opset.version for opset in model.opset_import}
    return Candidate(
        interface="tensors",
        graph=source.graph,
        inputs=tuple(TensorInput(value.name, *_type(value, source.ranks), (), None) for value in inputs),
        outputs=tuple(_output(value, source.ranks) for value in model.graph.output),
        classes=source.classes,
        opsets=opsets,
        ir_version=model.ir_version,
        onnxruntime=_lowest(opsets.get("ai.onnx", 1), model.ir_version),
        files=source.weights,
    )


def _lowest(opset: int, ir_version: int) -> str:
    from sealift.model.runtime.onnx import onnxruntime

    known = (version for opsets, ir, version in _LOWEST if opset <= opsets and ir_version <= ir)
    # Newer than our table: what was tried here is what is known to work.
    return next(known, onnxruntime.__version__)


def _is_free(dimension: Any) -> bool:
    """Return whether a dimension is of any length: without a name, ONNX Runtime gives None, or what the graph has."""
    return not isinstance(dimension, int) or dimension < 1


def _output(value: onnx.ValueInfoProto, ranks: Mapping[str, int]) -> TensorOutput:
    dtype, shape = _type(value, ranks)
    return TensorOutput(value.name, dtype, shape, "raw", "object" if dtype == "string" else dtype)


def _type(value: onnx.ValueInfoProto, ranks: Mapping[str, int]) -> tuple[str, tuple[int | str, ...]]:
    tensor = value.type.tensor_type
    dtype = DTYPE_OF_ELEMENT.get(tensor.elem_type)
    if dtype is None:
        raise ConversionError(f"{value.name!r} has the element type {tensor.elem_type}, which NumPy does not have")
    if not tensor.HasField("shape"):
        return dtype, tuple(f"d{index}" for index in range(ranks.get(value.name, 0)))
    shape = [
        # -1, as PaddlePaddle writes it, is any length as well.
        dimension.dim_value if dimension.dim_value > 0 else dimension.dim_param or f"d{index}"
        for index, dimension in enumerate(tensor.shape.dim)
    ]
    return dtype, tuple(shape)
