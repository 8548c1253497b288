"""Feeds of a graph that takes tokens: texts of as many tokens go together, so that none is padded."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sealift.model.documents.description import TensorInput
from sealift.model.frontend.ordered import Feeds, OrderedFeeds
from sealift.model.frontend.tokenizer.declared import IDS, MASK, DeclaredTokenizer
from sealift.model.frontend.tokenizer.encoder import Encoder, Tokens

# Texts that are looked at together: enough to find others of the same length, few enough to stay small.
_WINDOW_ROWS = 4096
# What one call of the graph takes; a text of more goes alone. Beyond, nothing is faster, and memory grows.
_BATCH_TOKENS = 2048


class TokenInputs:
    """The inputs of a graph that a tokenizer makes of one column of texts."""

    def __init__(self, inputs: Sequence[TensorInput], declared: DeclaredTokenizer, encoder: Encoder) -> None:
        self.column = inputs[0].columns[0].name
        self.encoder = encoder
        dtypes = {tensor.name: np.dtype(tensor.dtype) for tensor in inputs}
        self._inputs = [(what, name, dtypes[name]) for what, name in declared.inputs.items()]

    def feeds(self, texts: Sequence[Tokens]) -> Feeds:
        """Make the tensors of texts of as many tokens, each [rows, tokens]."""
        feeds: Feeds = {}
        for what, name, dtype in self._inputs:
            if what == MASK:
                feeds[name] = np.ones((len(texts), len(texts[0].ids)), dtype)
            else:
                feeds[name] = np.array([tokens.ids if what == IDS else tokens.types for tokens in texts], dtype)
        return feeds

    def of(self, strings: Mapping[str, Sequence[str]]) -> "TokenFeeds":
        """Make the feeds of all texts."""
        return TokenFeeds(self, strings)


class TokenFeeds(OrderedFeeds):
    """The feeds of each batch, once; afterwards, the way back from the answers to the order of the texts."""

    def __init__(self, inputs: TokenInputs, strings: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self._inputs = inputs
        self._texts = strings[inputs.column]

    def __iter__(self) -> Iterator[Feeds]:
        """Yield feeds."""
        for start in range(0, len(self._texts), _WINDOW_ROWS):
            yield from self._of_window(start)

    def _of_window(self, start: int) -> Iterator[Feeds]:
        found = self._inputs.encoder.encode(self._texts[start : start + _WINDOW_ROWS], start)
        lengths = np.fromiter((len(tokens.ids) for tokens in found), np.int64, len(found))
        order = np.argsort(lengths, kind="stable")
        place = 0
        while place < len(order):
            length = int(lengths[order[place]])
            same = int(np.searchsorted(lengths[order], length, "right"))
            rows = order[place : min(same, place + max(1, _BATCH_TOKENS // length))]
            place += len(rows)
            self.note(start + rows)
            yield self._inputs.feeds([found[row] for row in rows])
