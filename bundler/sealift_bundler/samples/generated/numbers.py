"""Numbers from the range of given ones, and none of them.

A whole number below 10,000 may be one of the given: a rating, a count, a flag. It is drawn from the range all the
same, and says nothing about the row it once stood in. Any other number is never one of the given.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

PLAIN = 10_000
_BINS = 8
# Digits after the first that the range can tell apart; more would look like a measurement.
_DIGITS = 4
_TRIES = 20

Draw = Callable[[], float]


def numbers_like(
    values: NDArray[Any], count: int, generator: np.random.Generator, *, outside: bool = True
) -> NDArray[Any]:
    """Draw numbers between those of `values`, in their dtype.

    Bounds are order statistics, so that a few extreme values do not empty the middle. Only `generator.random` is
    used: its stream is the same in every release of NumPy.

    Args:
        values: Any shape; bool, integers or floats. Values that are not finite are left out.
        count: How many to draw.
        generator: Where chance comes from.
        outside: Whether a whole number may lie beyond the range where every one inside is taken. False gives one
            of the given numbers there: for codes, which are of no meaning beyond their range.

    Returns:
        An array [count]; NaN everywhere where no value is finite.
    """
    flat = values.ravel()
    if flat.dtype.kind == "b":
        return np.array([generator.random() < 0.5 for _ in range(count)], dtype=flat.dtype)
    if flat.dtype.kind == "f":
        flat = flat[np.isfinite(flat)]
        if len(flat) == 0:
            return np.full(count, np.nan, dtype=values.dtype)
    ordered = np.sort(flat)
    bounds = [ordered[index * (len(ordered) - 1) // _BINS].item() for index in range(_BINS + 1)]
    known = set(np.unique(flat).tolist())
    draw, dtype = generator.random, values.dtype
    if flat.dtype.kind in "iu" or all(_is_exact(value, dtype) for value in known):
        return np.array([_whole(bounds, known, draw, dtype, outside=outside) for _ in range(count)], dtype)
    return np.array([_fraction(bounds, known, draw, dtype) for _ in range(count)], dtype)


def _range(bounds: list[Any], draw: Draw) -> tuple[Any, Any]:
    """Bounds to draw between: those of a bin, or where a bin is one value, wider ones."""
    index = int(draw() * _BINS)
    low, high = bounds[index], bounds[index + 1]
    if low < high or _is_plain(low):
        return low, high
    low, high = bounds[0], bounds[-1]
    if low < high:
        return low, high
    room = abs(low) // 10 + 1
    return low - room, high + room


def _is_plain(value: Any) -> bool:
    return bool(abs(value) < PLAIN and value == int(value))


def _is_exact(value: float, dtype: np.dtype[Any]) -> bool:
    """Return whether a float is a whole number that has whole neighbors."""
    return abs(value) < _exact(dtype) and value == int(value)


def _exact(dtype: np.dtype[Any]) -> int:
    return int(min(2 ** (np.finfo(dtype).nmant + 1), 2**63))


def _whole(bounds: list[Any], known: set[Any], draw: Draw, dtype: np.dtype[Any], *, outside: bool) -> Any:
    low, high = (int(bound) for bound in _range(bounds, draw))
    if dtype.kind in "iu":
        least, most = (int(bound) for bound in (np.iinfo(dtype).min, np.iinfo(dtype).max))
    else:
        least, most = -_exact(dtype), _exact(dtype)
    value = min(max(low + int(draw() * (high - low + 1)), least), most)
    if abs(value) < PLAIN or value not in known:
        return value
    lowest, highest = (least, most) if outside else (int(bounds[0]), int(bounds[-1]))
    for step in range(1, len(known) + 1):
        for other in (value + step, value - step):
            if lowest <= other <= highest and other not in known:
                return other
    return value


def _fraction(bounds: list[Any], known: set[Any], draw: Draw, dtype: np.dtype[Any]) -> Any:
    for _ in range(_TRIES):
        low, high = _range(bounds, draw)
        part = draw()
        # Not `high - low`, which may be infinite.
        exact = low * (1 - part) + high * part
        for value in (_rounded(exact, bounds), exact):
            made = dtype.type(value).item()
            if _is_plain(made) or made not in known:
                return made
    return np.nan


def _rounded(value: float, bounds: list[Any]) -> float:
    span = bounds[-1] - bounds[0]
    if not 0 < span < np.inf:
        return value
    return round(value, _DIGITS - 1 - int(np.floor(np.log10(span))))
