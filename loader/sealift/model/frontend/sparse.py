"""Count terms into the columns that a text has, without the zeros of all others.

The graph takes them as two tensors, [rows, terms]: the columns of each row in ascending order, int64, and the counts.
Rows are padded to the longest one, and by one place at least, with the column after the last one and the count zero.

The number of rows is even: ONNX Runtime's functions compute two numbers of float64 at once, and an odd one that is
left over in another way, so that the last bit of an answer would depend on the rows beside it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sealift.model.frontend.counter import TermCounter
from sealift.model.frontend.words import WordMemo

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Below, one text after the other is faster than arrays of all.
_FEW_TEXTS = 8
# The least number of values that a graph is taken to make of one term.
_LEAST_VALUES = 4


class Counts(NamedTuple):
    """Columns and counts of some texts, one text after the other; `sizes` says how many each of them has."""

    sizes: "NDArray[Any]"
    columns: "NDArray[Any]"
    counts: "NDArray[Any]"

    def padded(self, places: "NDArray[Any] | None", padding: int, dtype: str) -> "tuple[NDArray[Any], NDArray[Any]]":
        """Make the two tensors of the texts at `places`, of all where it is None; one more row makes odd ones even.

        Args:
            places: int64 [rows].
            padding: the column of a place without a term.
            dtype: the NumPy dtype of the counts.
        """
        import numpy as np

        sizes, chosen = self.sizes, (self.columns, self.counts)
        if places is not None:
            sizes = self.sizes[places]
            before = (np.cumsum(self.sizes) - self.sizes)[places] - (np.cumsum(sizes) - sizes)
            entries = np.repeat(before, sizes) + np.arange(int(sizes.sum()))
            chosen = self.columns[entries], self.counts[entries]
        shape = len(sizes) + len(sizes) % 2, int(sizes.max(initial=0)) + 1
        filled = np.zeros(shape, np.bool_)
        filled[: len(sizes)] = np.arange(shape[1]) < sizes[:, np.newaxis]
        columns, counts = np.full(shape, padding, np.int64), np.zeros(shape, dtype)
        columns[filled], counts[filled] = chosen
        return columns, counts


class SparseCounter(NamedTuple):
    """One declared vectorizer whose counts travel without zeros.

    `term_values` are the most values that the graph looks up for one term at a time, `row_values` the most that it
    makes of one row: they bound how many rows it is given together.
    """

    counter: TermCounter
    term_values: int
    row_values: int

    @property
    def width(self) -> int:
        """The number of columns."""
        return self.counter.width

    def values(self, sizes: "NDArray[Any]") -> "NDArray[Any]":
        """Return how many values the graph makes of texts that have so many different terms, int64 [texts]."""
        import numpy as np

        values: NDArray[Any] = np.maximum((sizes + 1) * max(self.term_values, _LEAST_VALUES), self.row_values)
        return values

    def build(self, memo_bytes: int) -> Callable[[Sequence[str]], Counts]:
        """Make the function from texts to their counts.

        Args:
            memo_bytes: memory for words that were seen before.
        """
        counter = self.counter
        locate = counter.locator()
        signed = counter.hashing is not None
        if counter.analyzer.analyzer == "char_wb":
            located: _Located = WordMemo(counter.analyzer, locate, memo_bytes, keep_all=signed).located
        else:
            located = _of_terms(counter.analyzer.build(), locate)
        width, binary = counter.width, counter.binary

        def count(texts: Sequence[str]) -> Counts:
            return _summed(*located(texts), width, signed=signed, binary=binary)

        if signed or counter.analyzer.analyzer == "char_wb":
            return count
        one_by_one = _of_few(counter)
        return lambda texts: one_by_one(texts) if len(texts) <= _FEW_TEXTS else count(texts)


# Of each occurrence of a term its column, as a locator gives it, and how many each text has.
_Located = Callable[[Sequence[str]], "tuple[NDArray[Any], NDArray[Any]]"]


def _of_terms(analyze: Callable[[str], list[str]], locate: "Callable[[list[str]], NDArray[Any]]") -> _Located:
    import numpy as np

    def located(texts: Sequence[str]) -> "tuple[NDArray[Any], NDArray[Any]]":
        terms: list[str] = []
        sizes = np.empty(len(texts), np.int64)
        for row, text in enumerate(texts):
            before = len(terms)
            terms += analyze(text)
            sizes[row] = len(terms) - before
        return locate(terms), sizes

    return located


def _of_few(counter: TermCounter) -> Callable[[Sequence[str]], Counts]:
    import numpy as np

    analyze, binary = counter.analyzer.build(), counter.binary
    get = dict(zip(counter.vocabulary, range(len(counter.vocabulary)), strict=True)).get

    def count(texts: Sequence[str]) -> Counts:
        sizes, columns = [], []
        counts: list[int] = []
        for text in texts:
            found = Counter(map(get, analyze(text)))
            found.pop(None, None)
            mine = sorted(found)  # type: ignore[type-var] # None is out
            sizes.append(len(mine))
            columns += mine
            counts += [1] * len(mine) if binary else map(found.__getitem__, mine)
        return Counts(np.array(sizes, np.int64), np.array(columns, np.int64), np.array(counts, np.int64))

    return count


def _summed(found: "NDArray[Any]", sizes: "NDArray[Any]", width: int, *, signed: bool, binary: bool) -> Counts:
    """Add up the occurrences of each column in each text, in the order of columns."""
    import numpy as np

    keys = np.repeat(np.arange(len(sizes)) * width, sizes)
    if signed:
        negative = found < 0
        keys = (keys + np.where(negative, ~found, found)) * 2 + negative
    else:
        known = found >= 0
        keys = keys[known] + found[known]
    keys.sort()
    places = keys >> 1 if signed else keys
    starts = np.flatnonzero(np.append(True, places[1:] != places[:-1])[: len(places)])
    if binary:
        counts = np.ones(len(starts), np.int64)
    elif signed:
        counts = np.add.reduceat(1 - 2 * (keys & 1), starts) if len(starts) else starts
    else:
        counts = np.diff(np.append(starts, len(keys)))
    places = places[starts]
    rows = places // max(width, 1)
    return Counts(np.bincount(rows, minlength=len(sizes)), places - rows * width, counts)
