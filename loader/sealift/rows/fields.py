"""A field of a CSV file as a number or a text, as pandas would read it."""

import math

from sealift.errors import InputError
from sealift.model.documents.description import Column

# What pandas reads as missing in a CSV field.
_MISSING_NUMBERS = ("NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN")
_NOTHING = ("", "NA", "N/A", "n/a", "<NA>", "#NA", "#N/A", "#N/A N/A", "null", "NULL", "None")
MISSING = frozenset(_NOTHING + _MISSING_NUMBERS)
_BOOLEANS = {"true": 1.0, "True": 1.0, "TRUE": 1.0, "false": 0.0, "False": 0.0, "FALSE": 0.0}
# From here on, float64 does not hold every integer.
_EXACT = 2.0**53


def text(field: str) -> str | None:
    """Return the text, or None where it stands for a missing one."""
    return None if field in MISSING else field


def number(field: str, column: Column | None, what: str) -> float | int:
    """Return the number; NaN where it is missing, 1.0 and 0.0 for booleans, an int where the model takes NumPy's.

    Args:
        field: the text of the field.
        column: what the model takes there, if it has names.
        what: the field's place, for errors.

    Raises:
        InputError: it is not a number, or an integer that float64 cannot hold where the model takes integers.
    """
    try:
        value = float(field)
    except ValueError:
        if field in MISSING:
            return math.nan
        if field in _BOOLEANS:
            return _BOOLEANS[field]
        raise InputError(f"{what} is {field[:80]!r}; expected a number") from None
    if "_" in field:
        # Python's own way to write a number, which pandas reads as text.
        raise InputError(f"{what} is {field[:80]!r}; expected a number")
    if column is None or column.kind != "int":
        return value
    if is_whole(column):
        return _integer(field, value)
    if not -_EXACT < value < _EXACT and not _is_exact(field, value):
        raise InputError(f"{what} is {field[:80]!r}, an integer that is not exact as float64; give .parquet instead")
    return value


def is_whole(column: Column) -> bool:
    """Return whether the model was proven on NumPy's integers, which are exact and have no missing value."""
    return column.kind == "int" and column.missing is None and column.dtype not in (None, "float64")


def _integer(field: str, value: float) -> float | int:
    try:
        return int(field)
    except ValueError:
        return value


def _is_exact(field: str, value: float) -> bool:
    try:
        return int(field) == value
    except ValueError:
        # 1e300 and inf are floats, also in a column of integers.
        return True
