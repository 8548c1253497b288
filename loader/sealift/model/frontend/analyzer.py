r"""Turn a text into terms exactly as scikit-learn's vectorizers do, with the standard library alone.

ONNX's own tokenizer cannot agree with Python on words: `\w` means other characters there.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

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
        preprocess = self.preprocessor()
        if self.analyzer == "char":
            return lambda text: _char_ngrams(preprocess(text), self.ngram_range)
        if self.analyzer == "char_wb":
            return lambda text: [term for word in preprocess(text).split() for term in self.of_word(word)]
        find_tokens = re.compile(self.token_pattern).findall
        stop_words = self.stop_words

        def words(text: str) -> list[str]:
            tokens = find_tokens(preprocess(text))
            if stop_words is not None:
                tokens = [token for token in tokens if token not in stop_words]
            return _word_ngrams(tokens, self.ngram_range)

        return words

    def preprocessor(self) -> Callable[[str], str]:
        """Make the function that changes case and accents of a text."""
        strip = {None: None, "ascii": strip_accents_ascii, "unicode": strip_accents_unicode}[self.strip_accents]
        if strip is None:
            return str.lower if self.lowercase else str
        if not self.lowercase:
            return strip
        return lambda text: strip(text.lower())

    def of_word(self, bare: str) -> list[str]:
        """Return the terms of one word of a text, where the analyzer is "char_wb"."""
        shortest, longest = self.ngram_range
        word = f" {bare} "
        terms: list[str] = []
        for length in range(shortest, longest + 1):
            terms.append(word[:length])
            terms += [word[start : start + length] for start in range(1, len(word) - length + 1)]
            if length >= len(word):  # a word shorter than the n-gram counts once
                break
        return terms


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
