"""The answers that a text encoder must give: the library and ONNX Runtime alone, text by text, pooling in float64."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import Error
from sealift.model.frontend.tokenizer.declared import IDS, MASK, TYPES
from sealift.model.frontend.tokenizer.library import asked, open_tokenizer
from sealift_bundler.converters import Answers
from sealift_bundler.converters.encoders.head import LEAST_LENGTH, LEAST_MASK, pooled_output
from sealift_bundler.converters.encoders.settings import CLS, MEAN
from sealift_bundler.converters.encoders.source import TextEncoder
from sealift_bundler.converters.onnx import session_of
from sealift_bundler.errors import SourceError

_MADE = {"input_ids": IDS, "attention_mask": MASK, "token_type_ids": TYPES}


def token_inputs(encoder: TextEncoder) -> dict[str, str]:
    """Return the inputs of the graph that a tokenizer makes, by what they take.

    Raises:
        SourceError: the graph takes something else.
    """
    initializers = {tensor.name for tensor in encoder.ready.model.graph.initializer}
    names = [value.name for value in encoder.ready.model.graph.input if value.name not in initializers]
    found = {_MADE[name]: name for name in names if name in _MADE}
    others = sorted(set(names) - set(found.values()))
    if others or IDS not in found:
        raise SourceError(
            f"the graph takes {names!r:.200}; a tokenizer makes 'input_ids', and 'attention_mask' and 'token_type_ids' "
            "where they are wanted: export the graph with these inputs"
        )
    return {what: found[what] for what in (IDS, MASK, TYPES) if what in found}


class Reference:
    """What the original library gives, together with the graph as it was given."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._frontend = encoder.frontend
        self._inputs = token_inputs(encoder)
        self._output = pooled_output(encoder.ready.model, encoder.frontend.pooling).name
        self.session = session_of(encoder.ready)
        self.tokenizer = open_tokenizer(encoder.data, "this model")
        self.tokenizer.enable_truncation(encoder.frontend.max_tokens)
        self._dtypes = {node.name: _dtype(node) for node in self.session.get_inputs()}

    def answers(self, texts: Sequence[str]) -> Answers:
        """Answer each method for each text.

        Raises:
            SourceError: the library or the graph does not take a text.
        """
        vectors = np.stack([self.vector(text) for text in texts]).astype(np.float64)
        if not self._frontend.labels:
            if self._frontend.normalize:
                lengths = np.sqrt((vectors**2).sum(axis=1, keepdims=True))
                vectors = vectors / np.maximum(lengths, LEAST_LENGTH)
            return {"transform": vectors.astype(np.float32)}
        if vectors.shape[1] != len(self._frontend.labels):
            raise SourceError(f"the graph gives {vectors.shape[1]} scores; 'labels' names {len(self._frontend.labels)}")
        labels = np.array(self._frontend.labels, dtype=object)[vectors.argmax(axis=1)]
        exponents = np.exp(vectors - vectors.max(axis=1, keepdims=True))
        probabilities = exponents / exponents.sum(axis=1, keepdims=True)
        return {"predict": labels, "predict_proba": probabilities.astype(np.float32)}

    def vector(self, text: str) -> NDArray[Any]:
        """Return the pooled vector of one text, float64 [width].

        Raises:
            SourceError: the library or the graph does not take it.
        """
        encoding = asked(self._refused, self.tokenizer.encode, text)
        if not len(encoding):
            raise SourceError("a text has no token in it")
        found = self.run({IDS: encoding.ids, TYPES: encoding.type_ids, MASK: encoding.attention_mask})
        given = found[0].astype(np.float64)
        if self._frontend.pooling == MEAN:
            mask = np.array(encoding.attention_mask, dtype=np.float64)
            return np.asarray((given * mask[:, np.newaxis]).sum(axis=0) / max(mask.sum(), LEAST_MASK))
        return np.asarray(given[0] if self._frontend.pooling == CLS else given)

    def run(self, tokens: Mapping[str, Sequence[int]]) -> NDArray[Any]:
        """Run the graph on the tokens of one text.

        Raises:
            SourceError: it does not take them.
        """
        feeds = {name: np.array([tokens[what]], dtype=self._dtypes[name]) for what, name in self._inputs.items()}
        try:
            (found,) = self.session.run([self._output], feeds)
        except Exception as error:
            # ONNX Runtime's exceptions have no common class.
            count = len(tokens[IDS])
            reason = " ".join(str(error).split())[:300]
            raise SourceError(f"the graph does not take a text of {count:,} tokens: {reason}") from error
        return np.asarray(found)

    @staticmethod
    def _refused(reason: str) -> Error:
        return SourceError(f"the tokenizer does not take a text: {reason}")


def _dtype(node: Any) -> Any:
    kinds = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
    if node.type not in kinds or len(node.shape) != 2 or any(isinstance(size, int) for size in node.shape):
        raise SourceError(
            f"input {node.name!r} is {node.type} of shape {node.shape!r:.100}; expected int64 or int32 of any number "
            "of rows and tokens: export the graph with dynamic axes"
        )
    return kinds[node.type]
