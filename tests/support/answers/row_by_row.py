"""Answers row by row, where a row that is refused has none."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sealift.errors import Error, InputError


def row_by_row(answer: Callable[[Any], Any], rows: Any) -> list[Any]:
    """Return the answer for each row of an array; None where asking for it raises."""
    try:
        return list(answer(rows))
    except Exception as error:
        if isinstance(error, Error) and not isinstance(error, InputError):
            raise
        if len(rows) == 1:
            return [None]
    middle = len(rows) // 2
    return [*row_by_row(answer, rows[:middle]), *row_by_row(answer, rows[middle:])]


# A test asks for the wrong rows and for the refused ones, which are the same answers; thousands of calls make them.
_last: dict[str, Any] = {"asked": None, "answers": None}


def _both(original: Any, model: Any, rows: Any) -> tuple[list[Any], list[Any]]:
    asked = _last["asked"]
    if not (asked and asked[0] is original and asked[1] is model and asked[2] is rows):
        _last["answers"] = row_by_row(original.predict, rows), row_by_row(model.predict, rows)
        _last["asked"] = original, model, rows
    answers: tuple[list[Any], list[Any]] = _last["answers"]
    return answers


def wrong_rows(original: Any, model: Any, rows: Any) -> list[tuple[Any, ...]]:
    """Rows for which the model answers otherwise than the original, or at all where that raises."""
    expected, got = _both(original, model, rows)
    return [
        (row.tolist(), want, have)
        for row, want, have in zip(rows, expected, got, strict=True)
        if have is not None and (want is None or not np.isclose(have, want, 1e-5, 1e-5))
    ]


def refused_rows(original: Any, model: Any, rows: Any) -> int:
    """Count the rows that the model refuses and the original answers."""
    expected, got = _both(original, model, rows)
    return sum(have is None and want is not None for want, have in zip(expected, got, strict=True))


def boundary_rows(samples: Any, seed: int = 0) -> Any:
    """Rows on and beside what steps jump at: round numbers, powers, cubes, values of the samples; and far ones."""
    generator = np.random.default_rng(seed)
    round_ = [10.0 ** np.arange(-3, 9), 2.0 ** np.arange(-3, 31, 3), np.arange(1, 12) ** 3.0, np.arange(0.0, 30.0)]
    known = np.concatenate([*round_, generator.choice(samples.ravel(), 60), np.expm1(np.arange(5.0))])
    far = samples.max() * 10.0 ** np.arange(1, 16, 3)
    beside = (np.nextafter(known, -np.inf), np.nextafter(known, np.inf))
    values = np.concatenate([known, *beside, -known[::4], [0.0, -0.0, 1e-50, -1e-50, 1e-300], far, -far, [1e39, 1e155]])
    rows = samples[generator.integers(0, len(samples), len(values))].copy()
    rows[np.arange(len(values)), generator.integers(0, samples.shape[1], len(values))] = values
    return rows
