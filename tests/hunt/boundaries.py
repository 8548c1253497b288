"""Where the original's answers change: found by asking it, so that no step of a pipeline hides them."""

from collections.abc import Callable
from typing import Any

import numpy as np

_LANES, _STEPS = 256, 32


def boundaries(ask: Callable[[Any], Any], rows: Any, generator: np.random.Generator, count: int) -> Any:
    """Find pairs of rows that differ as little as their dtype allows, or nearly, and whose answers differ most.

    Args:
        ask: the original; one number for each row.
        rows: ordinary rows [rows, columns] of floats or integers.
        generator: for the choices.
        count: rows to return.
    """
    low, high = (rows[generator.integers(0, len(rows), _LANES)] for _ in range(2))
    column = generator.integers(0, rows.shape[1], _LANES)
    lane = np.arange(_LANES)
    end = high[lane, column]
    high = low.copy()
    high[lane, column] = end
    first = ask(low)
    for _ in range(_STEPS):
        below, above = low[lane, column], high[lane, column]
        middle = _between(below, above)
        if ((middle == below) | (middle == above)).all():
            break
        # Both next middles are asked for at once: calls cost more than rows.
        inner = [_between(below, middle), middle, _between(middle, above)]
        probe = np.concatenate([low] * len(inner))
        for place, values in enumerate(inner):
            probe[place * _LANES + lane, column] = values
        same = ask(probe).reshape(len(inner), _LANES) == first
        for values, alike in (
            (middle, same[1]),
            (np.where(same[1], inner[2], inner[0]), np.where(same[1], same[2], same[0])),
        ):
            below, above = np.where(alike, values, below), np.where(alike, above, values)
        low[lane, column], high[lane, column] = below, above
    found = [low, high]
    if rows.dtype.kind == "f":
        for side in (-np.inf, np.inf):
            for near in (low, high):
                moved = near.copy()
                moved[lane, column] = np.nextafter(near[lane, column], np.array(side, dtype=rows.dtype))
                found.append(moved)
    every = np.concatenate(found)
    return every[np.resize(generator.permutation(len(every)), count)]


def _between(low: Any, high: Any) -> Any:
    if low.dtype.kind == "b":
        return low
    if low.dtype.kind == "f":
        return (low.astype(np.float64) / 2 + high.astype(np.float64) / 2).astype(low.dtype)
    return np.array([(int(a) + int(b)) // 2 for a, b in zip(low, high, strict=True)], dtype=low.dtype)
