"""Feeds of a graph that takes text without zeros: rows of like length together, and answers back in their order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sealift.model.documents.description import TensorInput
from sealift.model.frontend.chunks import chunks, windows
from sealift.model.frontend.document import Frontend
from sealift.model.frontend.inputs import of_sparse
from sealift.model.frontend.ordered import Feeds, OrderedFeeds
from sealift.model.frontend.sparse import Counts, SparseCounter

# Makes the feeds of the other inputs, of the rows at some places of a window; None means all of them.
Others = Callable[[slice, NDArray[Any] | None], Feeds]

# Of all words that were seen before, whatever the number of counters.
_MEMO_BYTES = 32 << 20


class _Input(NamedTuple):
    column: str
    counter: SparseCounter
    counted: Callable[[Sequence[str]], Counts]
    columns: str
    counts: str
    dtype: str


class SparseInputs:
    """The inputs of a graph that sparse counters make."""

    def __init__(self, inputs: Sequence[TensorInput], frontends: Sequence[Frontend]) -> None:
        counters = {number: one for number, one in enumerate(frontends) if isinstance(one, SparseCounter)}
        made_by: dict[int, list[TensorInput]] = {}
        for tensor in inputs:
            if tensor.frontend in counters:
                made_by.setdefault(tensor.frontend, []).append(tensor)
        self._inputs = []
        self._weights: dict[str, int] = {}
        for number, tensors in made_by.items():
            counter = counters[number]
            columns, counts = of_sparse(tensors)
            name = columns.columns[0].name
            shortest, longest = counter.counter.analyzer.ngram_range
            self._weights[name] = self._weights.get(name, 0) + longest - shortest + 1
            count = counter.build(_MEMO_BYTES // len(made_by))
            self._inputs.append(_Input(name, counter, count, columns.name, counts.name, counts.dtype))

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self._inputs)

    def windows(self, strings: Mapping[str, Sequence[str]]) -> Iterator[slice]:
        """Yield the rows that are counted together."""
        return windows(strings, self._weights)

    def feeds(self, strings: Mapping[str, Sequence[str]], part: slice) -> Iterator[tuple[NDArray[Any] | None, Feeds]]:
        """Yield the feeds of each chunk of a window, with the places of its rows in it; None for all in order."""
        counted = [one.counted(strings[one.column][part]) for one in self._inputs]
        values = self._inputs[0].counter.values(counted[0].sizes)
        for one, found in zip(self._inputs[1:], counted[1:], strict=True):
            values = np.maximum(values, one.counter.values(found.sizes))
        for places in chunks(values):
            feeds: Feeds = {}
            for one, found in zip(self._inputs, counted, strict=True):
                feeds[one.columns], feeds[one.counts] = found.padded(places, one.counter.width, one.dtype)
            yield places, feeds


class SortedFeeds(OrderedFeeds):
    """The feeds of each chunk, once; afterwards, the way back from the answers to the order of the rows."""

    def __init__(self, inputs: SparseInputs, strings: Mapping[str, Sequence[str]], others: Others) -> None:
        super().__init__()
        self._inputs = inputs
        self._strings = strings
        self._others = others

    def __iter__(self) -> Iterator[Feeds]:
        """Yield feeds."""
        for part in self._inputs.windows(self._strings):
            for places, feeds in self._inputs.feeds(self._strings, part):
                rows = np.arange(part.start, part.stop) if places is None else part.start + places
                self.note(rows)
                others = self._others(part, places)
                if len(rows) % 2:
                    others = {name: np.concatenate([values, values[-1:]]) for name, values in others.items()}
                yield feeds | others
