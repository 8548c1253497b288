"""Values for edge rows: numbers around those of a column, and texts that a wrong tokenizer cuts elsewhere."""

import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FAR = "far"
NEAR_ZERO = "near zero"

_ROWS_A_COLUMN = 48
# So many times the range of the caller's numbers.
FAR_POWERS = (1.0, 1.5, 2.0, 3.0, 6.0, 9.0, 12.0, 15.0)
_POWERS = (10.0 ** np.arange(-6, 16), 2.0 ** np.arange(-10, 41), np.arange(1.0, 22.0) ** 3, np.arange(0.0, 33.0))
_ROUND = np.unique(np.concatenate([*_POWERS, *(-powers for powers in _POWERS)]))

_TEXTS = (
    "",
    " ",
    "a",
    "\t\n",
    "!?",
    "naïve café déjà vu, l'été à Orléans",
    "Übergrößenträger fährt Straßenbahn",
    "İstanbul'da ışık ILIK ılık",  # noqa: RUF001 - Turkish has both
    "Съешь ещё этих мягких французских булок",
    "東京都は日本の首都です。テスト",
    "emoji 😀 👩‍👩‍👧 ok 👍🏽",
    "e\u0301 combining, ﬁ ligature, ² and ½",
    "١٢٣ ४५६ digits",
    "UPPER lower MiXeD case",
    "under_score hyphen-ated it's e-mail@example.org",
    "no\u00a0break\u2003em space",
)


def some_of(values: NDArray[Any], count: int) -> NDArray[Any]:
    """At most `count` of the values, from all over."""
    return values if len(values) <= count else values[np.linspace(0, len(values) - 1, count).astype(int)]


def numbers_around(
    values: NDArray[Any], kind: str, generator: np.random.Generator
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Values around those of one column: both sides of likely thresholds, round numbers, extremes, far ones."""
    if kind == "bool":
        return
    known = np.unique(pd.to_numeric(pd.Series(values), errors="coerce").dropna().to_numpy(dtype=np.float64))
    known = known[np.isfinite(known)]
    if len(known) == 0:
        return
    low, high = float(known[0]), float(known[-1])
    span = max(high - low, abs(high), 1.0)
    far = np.outer(span * 10.0 ** np.array(FAR_POWERS), [1.0, -1.0]).ravel()
    # In the dtype of the rows: the original answers differently in another, and the loader refuses it.
    if kind == "int":
        dtype = values.dtype if values.dtype.kind in "iu" else np.dtype(np.int64)
        whole = np.array([0, -1, 1, low - 1, high + 1, low - 10 * span, high + 10 * span]).round()
        yield "extremes", _fitting(whole[np.abs(whole) < 2**53], dtype)
        large = np.array([2**24 - 1, 2**24 + 1, 2**24 + 3, 2**31 + 1, -(2**24) - 1], dtype=np.float64)
        yield "large integers", _fitting(large, dtype)
        yield FAR, _fitting(far[np.abs(far) < 2**53].round(), dtype)
        return
    dtype = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
    # Trees split half-way between neighbouring values.
    middle = (known[:-1] + known[1:]) / 2
    some = np.concatenate([known, middle])
    if len(some) > _ROWS_A_COLUMN // 3:
        some = generator.choice(some, size=_ROWS_A_COLUMN // 3, replace=False)
    beside = _with_neighbors(some, dtype)
    # Next to zero is farther from ordinary numbers than any sample.
    denormal = (beside != 0) & (np.abs(beside) < np.finfo(dtype).tiny)
    yield "thresholds", beside[~denormal]
    # Logarithms and roots of these are whole.
    inside = _ROUND[(low - span <= _ROUND) & (high + span >= _ROUND)]
    yield "round numbers", _with_neighbors(some_of(inside, _ROWS_A_COLUMN // 3), dtype)
    beyond = np.array([0.0, -0.0, -1.0, low - span, high + span, low - 100 * span, high + 100 * span])
    yield "extremes", beyond[np.abs(beyond) < np.finfo(dtype).max].astype(dtype)
    yield FAR, far[np.abs(far) < np.finfo(dtype).max].astype(dtype)
    near = np.array([1e-20, -1e-20, 1e-50, -1e-50, 1e-300]).astype(dtype)
    yield NEAR_ZERO, np.concatenate([near, np.unique(beside[denormal])])


def _with_neighbors(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Values, and the next smaller and the next larger number of each."""
    some = values.astype(dtype)
    below, above = (np.nextafter(some, np.array(end, dtype=dtype)) for end in (-np.inf, np.inf))
    return np.concatenate([some, below, above])


def _fitting(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The whole numbers among `values` that `dtype` holds."""
    bounds = np.iinfo(dtype)
    return values[(values >= bounds.min) & (values <= bounds.max)].astype(dtype)


def texts_around(some: list[str]) -> dict[str, list[str]]:
    """Texts by kind, most of them made from some of the caller's."""
    return {
        "empty and non-ASCII": list(_TEXTS),
        "upper case": [text.upper() for text in some],
        "joined": [f"{one} {other}" for one, other in zip(some, reversed(some), strict=True)],
        "accents": [_accented(text) for text in some],
        "cut": [text[: len(text) // 2] for text in some],
    }


def _accented(text: str) -> str:
    """Put accents on vowels: the same words to a person, other tokens to a wrong tokenizer."""
    return unicodedata.normalize("NFC", "".join(c + "\u0301" if c in "aeiouAEIOU" else c for c in text))
