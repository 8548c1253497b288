"""See one column of the caller's values as text, or say which row is none.

Texts are looked at joined, which Python does at the speed of C; only a part that holds something odd is
looked at row by row.
"""

from collections.abc import Sequence
from typing import Any, cast

from numpy.typing import NDArray

from sealift.errors import InputError
from sealift.model.documents.description import MISSING_TEXT, Column
from sealift.model.inputs.tables import Distinct
from sealift.model.inputs.values import is_pandas_na, listed, objects, shown, str_of

# Rows in one part: the joined copy stays small.
_ROWS_AT_ONCE = 1 << 14


def texts(values: NDArray[Any], column: Column, what: str, *, typed: bool = False, nul: bool = False) -> list[str]:
    """See `values` as strings; None and NaN become the token that stands for them.

    Args:
        values: one dimension.
        column: what the model knows of the column.
        what: the column, for messages.
        typed: the original would see None, NaN and pandas' NA as different things, as scikit-learn does.
        nul: whether a text may hold NUL.

    Raises:
        InputError: a value is not text, is missing where the model takes no missing value, holds half
            of a surrogate pair, or is the token itself.
    """
    if values.dtype.kind not in "OUT":
        raise InputError(f"{what} has dtype {values.dtype}; expected text")
    found: list[Any] = values.tolist()
    for start in range(0, len(found), _ROWS_AT_ONCE):
        part = found[start : start + _ROWS_AT_ONCE]
        if not _is_plain(part, nul=nul):
            found[start : start + _ROWS_AT_ONCE] = _checked(part, start, column, what, typed=typed, nul=nul)
    if column.categories is not None:
        known = {*column.categories, column.missing}
        if not known.issuperset(found):
            row = next(row for row, value in enumerate(found) if value not in known)
            raise InputError(
                f"{what} row {row} is {shown(found[row])}, which is not one of the categories that the model knows: "
                f"{listed(column.categories)}"
            )
    return found


def distinct_texts(found: Distinct, column: Column, what: str, *, typed: bool = False) -> Sequence[str]:
    """See a column of texts that repeat as strings, one a row; each text is checked once.

    Args:
        found: the column; the other arguments are those of `texts`.

    Raises:
        InputError: as `texts`.
    """
    try:
        checked = texts(found.texts, column, what, typed=typed)
    except InputError:
        # The message names a row, which only the whole column has.
        return texts(found.texts[found.places], column, what, typed=typed)
    # An array of objects, which a tensor of strings takes faster than a list: it is sliced, and nothing else.
    return cast("Sequence[str]", objects(checked)[found.places])


def _is_plain(values: Sequence[Any], *, nul: bool) -> bool:
    """Return whether all are strings that UTF-8 and the runtime take, and none is the token of a missing one."""
    if set(map(type, values)) - {str}:
        return False
    joined = "".join(values)
    if not nul and "\0" in joined:
        return False
    return joined.isascii() or (MISSING_TEXT not in joined and _is_encodable(joined))


def _checked(values: Sequence[Any], start: int, column: Column, what: str, *, typed: bool, nul: bool) -> list[str]:
    """Check values one by one; `start` is the row of the first."""
    found = []
    for row, value in enumerate(values, start=start):
        place = f"{what} row {row}"
        if not isinstance(value, str):
            found.append(_missing_token(value, column, place, typed=typed))
            continue
        text = str_of(value)
        if text == MISSING_TEXT:
            raise InputError(f"{place} is U+10FFFF, which stands for a missing value")
        # ONNX strings are UTF-8, and end at the first NUL on some paths into the runtime.
        if not nul and "\0" in text:
            raise InputError(f"{place} holds a NUL character; expected text without it")
        if not _is_encodable(text):
            raise InputError(f"{place} holds half of a surrogate pair, which is not text")
        found.append(text)
    return found


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _missing_token(value: Any, column: Column, place: str, *, typed: bool) -> str:
    """Return the token for a missing text, if that is what `value` is and the model takes it."""
    missing = _missing_name(value)
    if missing is None:
        raise InputError(f"{place} is {shown(value)} ({type(value).__name__}); expected text")
    if column.missing is None:
        raise InputError(f"{place} is missing ({value!r}), and the model takes no missing value")
    if typed and column.missing_is not in (None, missing):
        raise InputError(
            f"{place} is missing as {missing}; the model was proven with {column.missing_is}, and the original tells "
            "them apart: replace one by the other"
        )
    return column.missing


def _missing_name(value: Any) -> str | None:
    if value is None:
        return "None"
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN differs from itself
        return "NaN"
    return "pandas.NA" if is_pandas_na(value) else None
