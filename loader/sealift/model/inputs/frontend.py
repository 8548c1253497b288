r"""Count terms of text exactly as scikit-learn's vectorizers do, from a declaration in `frontend.json`.

ONNX's own tokenizer cannot agree with Python on words: `\w` means other characters there. So the
declaration carries the vectorizer's options and its vocabulary, and this module runs them with the
standard library alone. The graph takes over from the counts.
"""

import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sealift.errors import InputError, LimitError, UnsupportedVersionError
from sealift.limits import LIMITS
from sealift.model.documents.description import FRONTEND_FILE
from sealift.model.documents.fields import Fields
from sealift.model.inputs.hashing import place
from sealift_common.parsing.strict_json import parse as parse_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA = "sealift.frontend/1"

_WHITE_SPACES = re.compile(r"\s\s+")


class Analyzer(NamedTuple):
    """Rules that turn one text into terms; the options mean what they mean in scikit-learn's CountVectorizer."""

    analyzer: str
    lowercase: bool
    strip_accents: str | None
    token_pattern: str
    ngram_range: tuple[int, int]
    stop_words: frozenset[str] | None

    def build(self) -> Callable[[str], list[str]]:
        """Make the function from a text to its terms, in scikit-learn's order."""
        preprocess = self._preprocessor()
        if self.analyzer == "char":
            return lambda text: _char_ngrams(preprocess(text), self.ngram_range)
        if self.analyzer == "char_wb":
            return lambda text: _char_wb_ngrams(preprocess(text), self.ngram_range)
        find_tokens = re.compile(self.token_pattern).findall
        stop_words = self.stop_words

        def words(text: str) -> list[str]:
            tokens = find_tokens(preprocess(text))
            if stop_words is not None:
                tokens = [token for token in tokens if token not in stop_words]
            return _word_ngrams(tokens, self.ngram_range)

        return words

    def _preprocessor(self) -> Callable[[str], str]:
        strip = {None: None, "ascii": strip_accents_ascii, "unicode": strip_accents_unicode}[self.strip_accents]
        if strip is None:
            return str.lower if self.lowercase else str
        if not self.lowercase:
            return strip
        return lambda text: strip(text.lower())


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

    def build(self, dtype: str) -> "Callable[[Sequence[str]], NDArray[Any]]":
        """Make the function from texts to dense counts of shape [rows, terms] and NumPy dtype `dtype`."""
        import numpy as np

        analyze = self.analyzer.build()
        locate = self._locator()
        width, binary = self.width, self.binary

        def count(texts: Sequence[str]) -> "NDArray[Any]":
            counts = np.zeros((len(texts), width), dtype=dtype)
            found: list[int] = []
            sizes = []
            for text in texts:
                before = len(found)
                found += locate(analyze(text))
                sizes.append(len(found) - before)
            marked = np.array(found, dtype=np.int64)
            negative = marked < 0
            places = np.repeat(np.arange(len(texts)) * width, sizes) + np.where(negative, ~marked, marked)
            if binary:
                counts.reshape(-1)[places] = 1
            else:
                np.add.at(counts.reshape(-1), places, np.where(negative, -1, 1).astype(dtype))
            return counts

        return count

    def _locator(self) -> "Callable[[list[str]], list[int]]":
        """Make the function from terms to their columns; ~column is one that an occurrence lowers by 1."""
        if self.hashing is None:
            index_of = {term: index for index, term in enumerate(self.vocabulary)}
            return lambda terms: [index for index in map(index_of.get, terms) if index is not None]
        columns = self.hashing.columns
        if not self.hashing.alternate_sign:
            return lambda terms: [place(term, columns)[0] for term in terms]

        def signed(terms: list[str]) -> list[int]:
            found = (place(term, columns) for term in terms)
            return [column if sign > 0 else ~column for column, sign in found]

        return signed


def strip_accents_unicode(text: str) -> str:
    """Drop combining marks after compatibility decomposition."""
    if text.isascii():
        return text
    return "".join(
        character for character in unicodedata.normalize("NFKD", text) if not unicodedata.combining(character)
    )


def strip_accents_ascii(text: str) -> str:
    """Drop everything that has no ASCII form after compatibility decomposition."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


def _word_ngrams(tokens: list[str], ngram_range: tuple[int, int]) -> list[str]:
    shortest, longest = ngram_range
    if longest == 1:
        return tokens
    terms: list[str] = []
    if shortest == 1:
        terms.extend(tokens)
        shortest = 2
    for length in range(shortest, min(longest + 1, len(tokens) + 1)):
        terms.extend(" ".join(tokens[start : start + length]) for start in range(len(tokens) - length + 1))
    return terms


def _char_ngrams(text: str, ngram_range: tuple[int, int]) -> list[str]:
    text = _WHITE_SPACES.sub(" ", text)
    shortest, longest = ngram_range
    terms: list[str] = []
    if shortest == 1:
        terms.extend(text)
        shortest = 2
    for length in range(shortest, min(longest + 1, len(text) + 1)):
        terms.extend(text[start : start + length] for start in range(len(text) - length + 1))
    return terms


def _char_wb_ngrams(text: str, ngram_range: tuple[int, int]) -> list[str]:
    text = _WHITE_SPACES.sub(" ", text)
    shortest, longest = ngram_range
    terms: list[str] = []
    for bare in text.split():
        word = f" {bare} "
        for length in range(shortest, longest + 1):
            terms.append(word[:length])
            terms.extend(word[start : start + length] for start in range(1, len(word) - length + 1))
            if length >= len(word):  # a word shorter than the n-gram counts once
                break
    return terms


def parse(data: bytes) -> tuple[TermCounter, ...]:
    """Parse the bytes of a `frontend.json`.

    Raises:
        UnsupportedVersionError: the schema is one that this version does not know.
        LimitError: more columns, or a longer token pattern, than the limits.
        MalformedError: it does not have the form of the schema.
    """
    top = Fields(parse_json(data, FRONTEND_FILE), FRONTEND_FILE)
    schema = top.text("schema")
    if schema != SCHEMA:
        raise UnsupportedVersionError(f"{FRONTEND_FILE} has schema {schema[:80]!r}; this Sealift knows {SCHEMA!r}")
    if len(top.array("counters")) > LIMITS.frontend_counters:
        raise LimitError(
            f"{FRONTEND_FILE} has {len(top.array('counters')):,} counters; "
            f"expected at most {LIMITS.frontend_counters:,}"
        )
    counters = top.objects("counters", _counter)
    top.close()
    return counters


def _counter(fields: Fields) -> TermCounter:
    kind = fields.text("analyzer", allowed=("word", "char", "char_wb"))
    strip_accents = fields.optional_text("strip_accents")
    ngram_range = fields.array("ngram_range")
    stop_words = fields.optional_array("stop_words")
    vocabulary = fields.array("vocabulary")
    hashing = _hashing(fields.optional_object("hashing"))
    if strip_accents not in (None, "ascii", "unicode"):
        raise fields.refuse(f"has strip_accents {strip_accents[:80]!r}; expected null, 'ascii' or 'unicode'")
    if len(ngram_range) != 2 or not all(type(n) is int and 1 <= n <= 100 for n in ngram_range):
        raise fields.refuse(f"has ngram_range {ngram_range!r:.80}; expected two integers from 1 to 100")
    pattern = fields.text("token_pattern")
    _check_pattern(pattern, fields)
    analyzer = Analyzer(
        analyzer=kind,
        lowercase=fields.boolean("lowercase"),
        strip_accents=strip_accents,
        token_pattern=pattern,
        ngram_range=(ngram_range[0], ngram_range[1]),
        stop_words=None if stop_words is None else frozenset(_texts(stop_words, fields)),
    )
    counter = TermCounter(analyzer, tuple(_texts(vocabulary, fields)), fields.boolean("binary"), hashing)
    if hashing is not None and vocabulary:
        raise fields.refuse("has a vocabulary and hashing; expected one of them")
    fields.close()
    return counter


def _check_pattern(pattern: str, fields: Fields) -> None:
    if len(pattern) > LIMITS.token_pattern_chars:
        raise LimitError(
            f"{FRONTEND_FILE} has a token_pattern of {len(pattern):,} characters; "
            f"expected at most {LIMITS.token_pattern_chars:,}"
        )
    try:
        with warnings.catch_warnings():
            # A pattern of another Python's taste must not write to the application's stderr.
            warnings.simplefilter("ignore")
            groups = re.compile(pattern).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise fields.refuse(f"has a token_pattern that is not a regular expression: {error!r:.200}") from None
    if groups > 1:
        raise fields.refuse("has a token_pattern with more than one group")


def _hashing(fields: Fields | None) -> Hashing | None:
    if fields is None:
        return None
    hashing = Hashing(fields.integer("columns", at_least=1), fields.boolean("alternate_sign"))
    fields.close()
    if hashing.columns > LIMITS.frontend_columns:
        raise LimitError(
            f"{FRONTEND_FILE} hashes into {hashing.columns:,} columns; expected at most {LIMITS.frontend_columns:,}"
        )
    return hashing


def _texts(values: Iterable[Any], fields: Fields) -> Iterable[str]:
    for value in values:
        if not isinstance(value, str):
            raise fields.refuse(f"has {value!r:.80} among its words; expected strings")
        yield value


def check_text(texts: Sequence[Any], what: str) -> None:
    """Refuse anything that is not text, naming its row.

    Raises:
        InputError: a value is not a string.
    """
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"{what} row {row} is {text!r:.80} ({type(text).__name__}); expected a string")


__all__ = ["SCHEMA", "Analyzer", "TermCounter", "check_text", "parse"]
