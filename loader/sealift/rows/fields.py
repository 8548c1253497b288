"""A field of a CSV file as a number or a text, as pandas would read it."""

import math

from sealift.errors import InputError
from sealift.model.description import Column

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


def number(field: str, column: Column | None, what: str) -> float:
    """Return the number; NaN where it is missing, 1.0 and 0.0 for booleans.

    Args:
        field: the text of the field.
        column: what the model takes there, if it has names.
        what: the field's place, for errors.

    Raises:
        InputError: it is no number, or an integer that float64 cannot hold where the model takes integers.
    """
    try:
        value = float(field)
    except ValueError:
        if field in MISSING:
            return math.nan
        if field in _BOOLEANS:
            return _BOOLEANS[field]
        raise InputError(f"{what} is {field[:80]!r}; expected a number") from None
    if not -_EXACT < value < _EXACT and column is not None and column.kind == "int" and not _is_exact(field, value):
        raise InputError(f"{what} is {field[:80]!r}, an integer that is not exact as float64; give .parquet instead")
    return value


def _is_exact(field: str, value: float) -> bool:
    try:
        return int(field) == value
    except ValueError:
        # 1e300 and inf are floats, also in a column of integers.
        return True
