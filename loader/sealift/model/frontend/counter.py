"""Count terms as scikit-learn's vectorizers do, into one column for each term: dense rows."""

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from sealift.model.frontend.analyzer import Analyzer
from sealift.model.frontend.hashing import Places

if TYPE_CHECKING:
    from numpy.typing import NDArray

Locator = Callable[[list[str]], "NDArray[Any]"]


class Hashing(NamedTuple):
    """Columns by the hash of a term, instead of a vocabulary."""

    columns: int
    alternate_sign: bool


class TermCounter(NamedTuple):
    """One declared vectorizer: an analyzer, its vocabulary or hashing, and whether only presence counts."""

    analyzer: Analyzer
    vocabulary: tuple[str, ...]
    binary: bool
    hashing: Hashing | None = None

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.vocabulary) if self.hashing is None else self.hashing.columns

    def locator(self) -> Locator:
        """Make the function from terms to their columns, int64.

        A term that is not in the vocabulary is at -1. With hashing, ~column is one that an occurrence lowers by 1.
        """
        import numpy as np

        if self.hashing is not None:
            return Places(self.hashing.columns, alternate_sign=self.hashing.alternate_sign).of
        get = dict(zip(self.vocabulary, range(len(self.vocabulary)), strict=True)).get
        return lambda terms: np.fromiter(map(get, terms, repeat(-1)), np.int64, len(terms))

    def build(self, dtype: str) -> "Callable[[Sequence[str]], NDArray[Any]]":
        """Make the function from texts to dense counts of shape [rows, terms] and NumPy dtype `dtype`."""
        import numpy as np

        analyze = self.analyzer.build()
        locate = self.locator()
        width, binary, signed = self.width, self.binary, self.hashing is not None

        def count(texts: Sequence[str]) -> "NDArray[Any]":
            counts = np.zeros((len(texts), width), dtype=dtype)
            terms = [analyze(text) for text in texts]
            marked = locate([term for of_text in terms for term in of_text])
            rows = np.repeat(np.arange(len(texts)) * width, [len(of_text) for of_text in terms])
            if not signed:
                rows, marked = rows[marked >= 0], marked[marked >= 0]
            negative = marked < 0
            places = rows + np.where(negative, ~marked, marked)
            if binary:
                counts.reshape(-1)[places] = 1
            else:
                np.add.at(counts.reshape(-1), places, np.where(negative, -1, 1).astype(dtype))
            return counts

        return count
