"""Find the row that a model refuses, for ONNX Runtime names none."""

from collections.abc import Callable, Mapping
from typing import Any


def first_refused(count: int, refuses: Callable[[int], bool]) -> int:
    """Return the first refused row of `count` rows that are refused together; the model is asked log2(count) times.

    Args:
        count: at least 1.
        refuses: returns whether the first so many rows are refused.
    """
    good, bad = 0, count
    while bad - good > 1:
        middle = (good + bad) // 2
        if refuses(middle):
            bad = middle
        else:
            good = middle
    return good


def count_rows(rows: Any) -> int:
    """Return the number of rows of whatever a model takes."""
    if hasattr(rows, "num_rows"):
        return int(rows.num_rows)
    return len(next(iter(rows.values()))) if isinstance(rows, Mapping) else len(rows)


def first_rows(rows: Any, count: int) -> Any:
    """Return the first `count` rows of whatever a model takes: a table, an array, a list, or columns by name."""
    if isinstance(rows, Mapping):
        return {name: values[:count] for name, values in rows.items()}
    if hasattr(rows, "iloc"):
        return rows.iloc[:count]
    return rows.slice(0, count) if hasattr(rows, "slice") else rows[:count]
