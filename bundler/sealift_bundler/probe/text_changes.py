"""Eight ways in which people write around a text model, and in which texts are written carelessly.

The first five keep a text readable and leave few of its letters to a model that counts words. Each change is the
same for the same text and seed.
"""

import re
from collections.abc import Callable

import numpy as np

Change = Callable[[str, np.random.Generator], str]

# Latin letters and those of other alphabets that look like them (Unicode TR 39, "confusables").
_ALIKE = str.maketrans(
    "aceijopsxyABCEHIJKMOPSTXY",
    "\u0430\u0441\u0435\u0456\u0458\u043e\u0440\u0455\u0445\u0443"
    "\u0410\u0412\u0421\u0415\u041d\u0406\u0408\u041a\u041c\u041e\u0420\u0405\u0422\u0425\u03a5",
)
_DIGITS = str.maketrans("aeiostAEIOST", "431057431057")
_FULL_WIDTH = {code: code + 0xFEE0 for code in (*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1))}
_WORD = re.compile(r"[^\W\d_]{2,}")
_ZERO_WIDTH = "\u200b"
_MARK = re.compile(r"[.!?]+")


def _homoglyphs(text: str, _: np.random.Generator) -> str:
    return text.translate(_ALIKE)


def _leet(text: str, _: np.random.Generator) -> str:
    return text.translate(_DIGITS)


def _zero_width(text: str, _: np.random.Generator) -> str:
    return _WORD.sub(lambda match: _ZERO_WIDTH.join(match[0]), text)


def _spaced(text: str, _: np.random.Generator) -> str:
    return _WORD.sub(lambda match: " ".join(match[0]), text)


def _full_width(text: str, _: np.random.Generator) -> str:
    return text.translate(_FULL_WIDTH)


def _case(text: str, _: np.random.Generator) -> str:
    return text.swapcase()


def _swapped(text: str, generator: np.random.Generator) -> str:
    """Swap two neighboring letters inside every word of four letters or more."""

    def swap(match: re.Match[str]) -> str:
        word = match[0]
        if len(word) < 4:
            return word
        at = 1 + int(generator.random() * (len(word) - 3))
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    return _WORD.sub(swap, text)


def _repeated(text: str, generator: np.random.Generator) -> str:
    """Write one letter of every word three times, and every mark at the end of a sentence as well."""

    def repeat(match: re.Match[str]) -> str:
        word = match[0]
        at = int(generator.random() * len(word))
        return word[:at] + 3 * word[at] + word[at + 1 :]

    return _MARK.sub(lambda match: 3 * match[0], _WORD.sub(repeat, text))


CHANGES: dict[str, Change] = {
    "homoglyphs": _homoglyphs,
    "leet": _leet,
    "zero-width characters": _zero_width,
    "spaced letters": _spaced,
    "full-width letters": _full_width,
    "case": _case,
    "swapped letters": _swapped,
    "repeated letters": _repeated,
}
