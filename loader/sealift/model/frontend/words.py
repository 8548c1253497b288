"""Columns of the terms of words: texts repeat words, so what a word comes to is remembered."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sealift.model.frontend.analyzer import Analyzer

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What a dictionary, a string and a bytes object take for one word beside their content.
_WORD_BYTES = 250
_CHARACTER_BYTES = 4


class WordMemo:
    """Locates the terms of words, with the words that it saw last in memory.

    Several threads may ask: each reads one dictionary that is only ever added to, and at the limit another takes its
    place. Where two add at once, the limit may be passed by what one of them adds.
    """

    def __init__(
        self, analyzer: Analyzer, locate: "Callable[[list[str]], NDArray[Any]]", most_bytes: int, *, keep_all: bool
    ) -> None:
        """Make an empty memo.

        Args:
            analyzer: of the kind "char_wb".
            locate: gives the columns of terms, -1 for a term that has none.
            most_bytes: what the memo may take.
            keep_all: whether each number that `locate` gives is a column.
        """
        self._analyzer = analyzer
        self._preprocess = analyzer.preprocessor()
        self._locate = locate
        self._keep_all = keep_all
        self._most_bytes = most_bytes
        self._bytes = 0
        self._columns_of: dict[str, bytes] = {}

    def located(self, texts: Sequence[str]) -> "tuple[NDArray[Any], NDArray[Any]]":
        """Return the columns of all terms, one text after the other, and how many each text has; both int64."""
        import numpy as np

        words: list[str] = []
        ends = np.empty(len(texts) + 1, np.int64)
        ends[0] = 0
        preprocess = self._preprocess
        for row, text in enumerate(texts, 1):
            words += preprocess(text).split()
            ends[row] = len(words)
        columns_of = self._columns_of
        parts: list[Any] = list(map(columns_of.get, words))
        new = {word for word, part in zip(words, parts, strict=True) if part is None}
        if new:
            fresh = self._fresh(list(new))
            parts = [fresh[word] if part is None else part for word, part in zip(words, parts, strict=True)]
            self._remember(fresh)
        found = np.frombuffer(b"".join(parts), "<i4").astype(np.int64)
        sizes = np.zeros(len(words) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)) // 4, out=sizes[1:])
        return found, np.diff(sizes[ends])

    def _fresh(self, words: list[str]) -> dict[str, bytes]:
        import numpy as np

        terms: list[str] = []
        ends = []
        of_word = self._analyzer.of_word
        for word in words:
            terms += of_word(word)
            ends.append(len(terms))
        located = self._locate(terms).astype("<i4")
        known = np.full(len(located), fill_value=True) if self._keep_all else located >= 0
        places = np.append(0, np.cumsum(known))[[0, *ends]].tolist()
        data = located[known].tobytes()
        return {
            word: data[4 * start : 4 * end] for word, start, end in zip(words, places[:-1], places[1:], strict=True)
        }

    def _remember(self, fresh: dict[str, bytes]) -> None:
        size = sum(_WORD_BYTES + _CHARACTER_BYTES * len(word) + len(data) for word, data in fresh.items())
        if self._bytes + size > self._most_bytes:
            self._columns_of, self._bytes = {}, 0
        if size <= self._most_bytes:
            self._columns_of.update(fresh)
            self._bytes += size
