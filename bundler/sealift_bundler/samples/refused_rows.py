"""Why the original does not take the samples, in the words of who gave them: which column, and what it wants there.

What a library raises names arrays inside a step, or nothing; so the original is asked about single rows, and about rows
with one value changed, until one makes the difference.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from sealift_bundler.samples.interfaces import Samples

# Each is one question to the original, which takes milliseconds.
_MOST_ROWS = 200
_MOST_COLUMNS = 200
_NAMED = 12
_VALUE_CHARS = 60
_FIX = "give values of the kind that it was trained on, or leave such rows out"

Ask = Callable[[Any], object]


def why_refused(ask: Ask, samples: Samples) -> str:
    """Say why `ask` raises for the samples.

    Args:
        ask: asks the original about rows in the form of `Samples.rows`; raises where it does not take them.
    """
    if samples.interface == "tensors":
        shapes = ", ".join(f"{name!r} {list(np.shape(values))}" for name, values in samples.rows.items())
        return f"the given tensors are {shapes}; compare their names and shapes with the inputs of the graph"
    taken, refused = _first_of_each(ask, samples)
    if refused is None:
        return (
            "it takes each row alone, and not all together; give fewer, and look for rows that do not belong together"
        )
    if samples.interface == "text":
        return f"row {refused} is {_shown(samples.rows[refused])}; {_FIX}"
    if taken is not None:
        return _of_two_rows(ask, samples, taken, refused)
    return _of_every_row(ask, samples)


def _first_of_each(ask: Ask, samples: Samples) -> tuple[int | None, int | None]:
    """Return the first row that is taken and the first that is not, of the first rows."""
    taken = refused = None
    for row in range(min(len(samples), _MOST_ROWS)):
        if _takes(ask, samples.take([row])):
            taken = row if taken is None else taken
        else:
            refused = row if refused is None else refused
        if taken is not None and refused is not None:
            break
    return taken, refused


def _of_two_rows(ask: Ask, samples: Samples, taken: int, refused: int) -> str:
    """Find the column whose value makes the difference between a row that is taken and one that is not."""
    wrong, right = samples.take([refused]), samples.take([taken])
    for place, column in enumerate(samples.columns[:_MOST_COLUMNS]):
        before, other = _value(wrong, place), _value(right, place)
        if _takes(ask, _with(wrong, place, other)):
            if _is_number(other) and isinstance(before, str) and not _is_number(before):
                return (
                    f"column {column.name!r} of row {refused} is {before[:_VALUE_CHARS]!r}, which is not a number, and "
                    "makes text of the whole column; correct it, or leave such rows out"
                )
            return (
                f"column {column.name!r} of row {refused} is {_shown(before)}; row {taken}, which it "
                f"takes, has {_shown(other)} there: {_FIX}"
            )
    return f"row {refused} is the first that it does not take, for more than one value; row {taken} is taken: {_FIX}"


def _of_every_row(ask: Ask, samples: Samples) -> str:
    """Find a column that is of another kind than the original takes."""
    row = samples.take([0])
    for place, column in enumerate(samples.columns[:_MOST_COLUMNS]):
        for other, said in _instead(column.kind, _value(row, place)):
            if _takes(ask, _with(row, place, other)):
                return (
                    f"column {column.name!r} holds {_shown(_value(row, place))} in every row tried; the model takes "
                    f"{said} there: {_FIX}"
                )
    kinds = ", ".join(f"{column.name!r} ({column.kind})" for column in samples.columns[:_NAMED])
    more = f" and {len(samples.columns) - _NAMED} more" if len(samples.columns) > _NAMED else ""
    return f"it takes none of the rows tried; they have the columns {kinds}{more}: compare them with the training data"


def _instead(kind: str | None, value: Any) -> Iterator[tuple[Any, str]]:
    if kind == "str":
        yield 0.0, "a number"
    else:
        yield "a", "text"
    if pd.isna(value):
        yield (0.0, "no missing value") if kind != "str" else ("a", "no missing value")


def _takes(ask: Ask, rows: Any) -> bool:
    try:
        ask(rows)
    except Exception:  # noqa: BLE001 - someone else's model: it raises whatever it likes
        return False
    return True


def _is_number(value: Any) -> bool:
    """Return whether a text reads as a number."""
    try:
        float(value if isinstance(value, str) else "")
    except ValueError:
        return False
    return True


def _value(row: Any, place: int) -> Any:
    return row.iloc[0, place] if isinstance(row, pd.DataFrame) else row[0, place]


def _with(row: Any, place: int, value: Any) -> Any:
    """Return the row with one other value."""
    if isinstance(row, pd.DataFrame):
        return row.assign(**{str(row.columns[place]): [value]})
    try:
        changed = row.copy()
        changed[0, place] = value
    except (ValueError, TypeError):
        return row
    return changed


def _shown(value: Any) -> str:
    text = repr(value.item() if hasattr(value, "item") else value)
    return f"{text[:_VALUE_CHARS]} ({type(value).__name__})"
