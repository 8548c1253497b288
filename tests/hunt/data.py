"""Rows of every size: ordinary ones to train on, and odd ones that the conversion never sees."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hunt.containers import fitting

TRAINED, SAMPLES, UNSEEN = 300, 200, 10_000
CITIES = ("Zürich", "Lyon", "İzmir", "東京", "8", "08")

COLUMNS = {
    "normal": lambda g, n: g.normal(size=n),
    "skewed": lambda g, n: g.lognormal(0, 2, n),
    "rounded": lambda g, n: np.round(g.normal(5, 3, n), 1),
    "counts": lambda g, n: g.poisson(3, n).astype(float),
    "grid": lambda g, n: g.integers(0, 4, n).astype(float),
    "seconds": lambda g, n: 1.7e9 + g.integers(0, 300_000, n).astype(float),
    "identifiers": lambda g, n: 2.0**25 + g.integers(0, 2000, n),
    "powers": lambda g, n: 10.0 ** g.integers(0, 5, n),
    "tiny": lambda g, n: g.normal(size=n) * 1e-30,
    "large": lambda g, n: g.normal(size=n) * 1e12,
}


def numbers(
    generator: np.random.Generator, dtype: str, columns: Sequence[str], *, zeros: bool
) -> tuple[list[str], Any]:
    """Draw a matrix of two to five of the columns; `zeros` makes most of it zero."""
    kinds = [str(kind) for kind in generator.choice([*columns], size=generator.integers(2, 6))]
    rows = np.stack([COLUMNS[kind](generator, TRAINED + SAMPLES + UNSEEN) for kind in kinds], axis=1)
    if zeros:
        rows[generator.random(rows.shape) < 0.6] = 0.0
    return kinds, fitting(rows, dtype)


def targets(generator: np.random.Generator, rows: Any, *, regression: bool) -> Any:
    """Make answers that depend on every column."""
    values = np.nan_to_num(np.asarray(rows, dtype=np.float64))
    order = np.argsort(np.argsort(values, axis=0, kind="stable"), axis=0, kind="stable") / len(values)
    score = np.sin(order[:, 0] * 25) + order[:, 1:].sum(axis=1) + generator.normal(scale=0.1, size=len(values))
    if regression:
        return np.round(score - score.min(), 3)
    classes = int(generator.integers(2, 4))
    return np.digitize(score, np.quantile(score, np.arange(1, classes) / classes))


def table(generator: np.random.Generator) -> pd.DataFrame:
    """Draw a table of numbers of several dtypes, and texts."""
    count = TRAINED + SAMPLES + UNSEEN
    frame = {}
    for index, kind in enumerate(generator.choice([*COLUMNS], size=generator.integers(1, 4))):
        dtype = str(generator.choice(["float64", "float64", "int64", "int64", "float32", "int32"]))
        frame[f"n{index}"] = fitting(COLUMNS[str(kind)](generator, count), dtype)
    for index in range(generator.integers(1, 3)):
        frame[f"t{index}"] = generator.choice(CITIES[: generator.integers(2, 7)], count)
    return pd.DataFrame(frame)


def with_missing(generator: np.random.Generator, rows: Any) -> Any:
    """Make a twentieth of the values missing, in rows of floats."""
    rows = rows.copy()
    rows[generator.random(rows.shape) < 0.05] = np.nan
    return rows


def odd(generator: np.random.Generator, rows: Any, boundaries: Any) -> dict[str, Any]:
    """Make of ordinary unseen rows the kinds of rows to compare, in their dtype.

    Args:
        generator: for the choices.
        rows: ordinary rows [rows, columns].
        boundaries: rows on both sides of where the original's answers change.
    """
    part = len(rows) // 5
    found = {"ordinary": rows[: 2 * part]}
    found["boundaries"] = boundaries
    found["exact numbers"] = replaced(generator, rows[2 * part : 3 * part], "exact numbers")
    sized = replaced(generator, rows[3 * part : 4 * part], "magnitudes")
    # Those that a float32 cannot hold come last, where the comparison cuts them off in few calls.
    largest = np.nan_to_num(np.abs(sized.astype(np.float64))).max(axis=1)
    found["magnitudes"] = sized[np.argsort(largest, kind="stable")]
    if rows.dtype.kind == "f":
        missing = with_missing(generator, rows[4 * part :])
        found["missing"] = missing[np.argsort(np.isnan(missing).any(axis=1), kind="stable")]
    else:
        found["shuffled"] = generator.permuted(rows[4 * part :], axis=0)
    return found


def replaced(generator: np.random.Generator, rows: Any, kind: str) -> Any:
    """Put "exact numbers" or "magnitudes" into one column of each row."""
    draw = {"exact numbers": _exact, "magnitudes": _sized}[kind]
    rows = rows.copy()
    column = generator.integers(0, rows.shape[1], len(rows))
    drawn = draw(generator, rows[np.arange(len(rows)), column].astype(np.float64))
    rows[np.arange(len(rows)), column] = fitting(drawn, rows.dtype.name)
    return rows


def _exact(generator: np.random.Generator, values: Any) -> Any:
    """Exact powers of ten, two, and whole squares and cubes, and their neighbors."""
    count = len(values)
    power = generator.integers(-6, 16, count)
    small = generator.integers(0, 60, count).astype(float)
    kinds = np.stack([10.0**power, 2.0 ** (3 * power), small**2, small**3, np.round(values), np.zeros(count)])
    picked = kinds[generator.integers(0, len(kinds), count), np.arange(count)]
    side = generator.integers(-1, 2, count)
    moved = np.where(side == 0, picked, np.nextafter(picked, side * np.inf))
    return moved * generator.choice([1, 1, 1, -1], count)


def _sized(generator: np.random.Generator, values: Any) -> Any:
    """Numbers of every size, half of them within a float32's."""
    count = len(values)
    exponents = np.where(
        generator.random(count) < 0.5, generator.uniform(-8, 15, count), generator.uniform(-300, 15, count)
    )
    return generator.normal(size=count) * 10.0**exponents
