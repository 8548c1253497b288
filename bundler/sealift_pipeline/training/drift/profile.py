"""What a run keeps of the rows that it learned from: shares and numbers, and no value of a text. Pure.

The profile travels with the model, so it names no category and no word: categories are counted in 32 bins by their
digest, and of words only those of five rows or more are kept, as twenty bits of their digest.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUMBERS, CATEGORIES, WORDS = "numbers", "categories", "words"
_STEPS = 20
_BINS = 32
_WORD_BITS = 20
_WORD_ROWS = 5
_MOST_WORDS = 5_000
_WORD = re.compile(r"\w+")
# More than this many words to a value, on average, is text.
_WORDS_OF_TEXT = 2.0
_DIGITS = 6


def profile_of(frame: Any, labels: Sequence[Any], *, numbers: bool = False) -> dict[str, Any]:
    """Return the profile of rows.

    Args:
        frame: a DataFrame, a 2-D array, or a list of texts.
        labels: one for each row.
        numbers: whether labels are what a regressor learns: then they are kept as a column of numbers is, and no label.
    """
    columns = {name: _column(values) for name, values in columns_of(frame).items()}
    of_labels = _column(labels) if numbers else shares(str(one) for one in labels)
    return {"columns": columns, "labels": of_labels, "rows": len(labels)}


def columns_of(frame: Any) -> dict[str, list[Any]]:
    """Return the columns of a frame by name; a list of texts is one column, `text`."""
    if hasattr(frame, "columns"):
        return {str(name): list(frame[name].tolist()) for name in frame.columns}
    if isinstance(frame, np.ndarray):
        return {str(place): list(frame[:, place].tolist()) for place in range(frame.shape[1])}
    return {"text": list(frame)}


def shares(values: Iterable[str]) -> dict[str, float]:
    """Return the share of each value."""
    counted = Counter(values)
    total = sum(counted.values())
    return {name: round(number / total, _DIGITS) for name, number in sorted(counted.items())}


def _column(values: Sequence[Any]) -> dict[str, Any]:
    numbers = as_numbers(values)
    if numbers is not None:
        edges = _edges(numbers)
        return {"edges": edges, "kind": NUMBERS, "missing": missing(values), "shares": number_shares(numbers, edges)}
    texts = [str(one) for one in values if one is not None]
    if sum(len(words_of(one)) for one in texts) > _WORDS_OF_TEXT * max(1, len(texts)):
        known = _known_words(texts)
        return {"kind": WORDS, "known": _gaps(known), "unseen": unseen_share(texts, known)}
    return {"kind": CATEGORIES, "shares": category_shares(texts)}


def as_numbers(values: Sequence[Any]) -> NDArray[np.float64] | None:
    """Return the finite numbers among values; None where anything else but a missing value is there."""
    if not all(value is None or isinstance(value, bool | int | float) for value in values):
        return None
    found = np.array([float("nan") if value is None else float(value) for value in values], dtype=np.float64)
    finite: NDArray[np.float64] = found[np.isfinite(found)]
    return finite


def missing(values: Sequence[Any]) -> float:
    """Return the share of values that are missing or not finite."""
    lacking = sum(1 for value in values if value is None or (isinstance(value, float) and not np.isfinite(value)))
    return round(lacking / max(1, len(values)), _DIGITS)


def _edges(numbers: NDArray[np.float64]) -> list[float]:
    """Return where the numbers can be cut into parts of about 5 %, with four digits: no number of a row is kept."""
    if not numbers.size:
        return []
    cuts = np.quantile(numbers, np.linspace(0, 1, _STEPS + 1)[1:-1])
    return sorted({float(f"{cut:.4g}") for cut in cuts})


def number_shares(numbers: NDArray[np.float64], edges: Sequence[float]) -> list[float]:
    """Return the share of the numbers up to each edge, and of those above the last."""
    counted = np.bincount(np.searchsorted(np.array(edges), numbers, side="left"), minlength=len(edges) + 1)
    return [round(float(one), _DIGITS) for one in counted / max(1, numbers.size)]


def category_shares(texts: Sequence[str]) -> list[float]:
    """Return the share of the texts that fall into each of the bins of their digests."""
    counted = Counter(_bits(text) % _BINS for text in texts)
    return [round(counted[place] / max(1, len(texts)), _DIGITS) for place in range(_BINS)]


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return _WORD.findall(text.casefold())


def _known_words(texts: Iterable[str]) -> list[int]:
    rows = Counter(word for text in texts for word in {_bits(word) for word in words_of(text)})
    often = sorted((-number, word) for word, number in rows.items() if number >= _WORD_ROWS)
    return sorted(word for _, word in often[:_MOST_WORDS])


def unseen_share(texts: Iterable[str], known: Iterable[int]) -> float:
    """Return the share of words, each counted as often as it stands there, that are not known."""
    familiar, seen, total = set(known), 0, 0
    for text in texts:
        for word in words_of(text):
            total += 1
            seen += _bits(word) in familiar
    return round(1 - seen / total, _DIGITS) if total else 0.0


def known_words(column: Mapping[str, Any]) -> list[int]:
    """Return the known words of a column of a profile."""
    return [int(one) for one in np.cumsum(column["known"])]


def _gaps(numbers: Sequence[int]) -> list[int]:
    """Return each number less the one before it: small ones look like nothing else, and compress well."""
    return [number - before for number, before in zip(numbers, [0, *numbers], strict=False)]


def _bits(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:4], "big") >> (32 - _WORD_BITS)
