"""Turn one column or array of the caller's values into tensor values, or say which value does not fit."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import InputError
from sealift.model.description import MISSING_TEXT, Column

# Integers beyond this are not exact as float64, which is also what the original model computes with.
_NUMBERS = "biuf"


def numbers(values: NDArray[Any], what: str) -> NDArray[Any]:
    """See `values` as numbers; None becomes NaN.

    Raises:
        InputError: a value is text or something else that is not a number; the message names its row.
    """
    if values.dtype.kind in _NUMBERS:
        return values
    if values.dtype.kind == "O":
        return _numbers_of_objects(values, what)
    hint = "; convert it to numbers first" if values.dtype.kind in "Mm" else ""
    raise InputError(f"{what} has dtype {values.dtype}; expected numbers{hint}")


def _numbers_of_objects(values: NDArray[Any], what: str) -> NDArray[Any]:
    flat = values.ravel()
    result = np.empty(flat.shape, dtype=np.float64)
    for index, value in enumerate(flat):
        if value is None or _is_pandas_na(value):
            result[index] = np.nan
        elif isinstance(value, bool | int | float | np.bool_ | np.number) and not isinstance(value, complex):
            try:
                result[index] = value
            except OverflowError:
                raise InputError(f"{what} {_place(index, values.shape)} is an integer beyond float64") from None
        else:
            raise InputError(
                f"{what} {_place(index, values.shape)} is {value!r:.80} ({type(value).__name__}); expected a number"
            )
    return result.reshape(values.shape)


def _is_pandas_na(value: Any) -> bool:
    """Know pandas' missing value without importing pandas."""
    return type(value).__name__ == "NAType"


def check_dtype(values: NDArray[Any], column: Column, what: str) -> None:
    """Refuse numbers of another width than the model was proven on.

    scikit-learn computes in the width that it is given, so the original's own answers differ between them.

    Raises:
        InputError: the dtype is another float than the proven one, or an integer that is neither it nor int64.
    """
    if column.dtype is None or values.dtype.kind not in "iuf":
        return
    proven = np.dtype(column.dtype)
    same = (values.dtype.kind, values.dtype.itemsize) == (proven.kind, proven.itemsize)
    floats = values.dtype.kind == "f" and proven.kind == "f"
    # int64 is what a float column without a missing value is read as; narrower ones overflow in the original.
    odd = values.dtype.kind in "iu" and values.dtype != np.int64
    if not same and (floats or odd):
        raise InputError(
            f"{what} has dtype {values.dtype}; the model was proven on {column.dtype}, and the original answers "
            f"otherwise: convert it with .astype({column.dtype!r})"
        )


def check_numbers(values: NDArray[Any], column: Column, what: str) -> None:
    """Refuse values that the original model refuses, or was never proven on.

    Raises:
        InputError: a missing value, an infinity or a fraction where the model knows none.
    """
    if column.categories is not None:
        known = np.isin(values, np.array(column.categories))
        known = known | np.isnan(values) if values.dtype.kind == "f" else known
        _refuse(~known, what, "is not one of the categories that the model knows")
    if values.dtype.kind != "f":
        return
    if column.missing is None:
        _refuse(np.isnan(values), what, "is missing (NaN or None), and the model takes no missing value")
    if not column.infinite:
        _refuse(np.isinf(values), what, "is infinite, and the model takes no infinity")
    if column.kind in ("int", "bool"):
        finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        _refuse(finite != np.floor(finite), what, "has a fraction, and the model was proven on whole numbers")


def check_fits(narrow: NDArray[Any], wide: NDArray[Any], what: str) -> None:
    """Refuse numbers that became infinite in the tensor's own dtype.

    Raises:
        InputError: a value is beyond the tensor's range.
    """
    if narrow.dtype.kind == "f" and wide.dtype.kind == "f" and narrow.dtype.itemsize < wide.dtype.itemsize:
        _refuse(np.isinf(narrow) & ~np.isinf(wide), what, f"is beyond the range of {narrow.dtype}")


def _refuse(wrong: NDArray[np.bool_], what: str, reason: str) -> None:
    if wrong.any():
        raise InputError(f"{what} {_place(int(np.argmax(wrong.ravel())), wrong.shape)} {reason}")


def _place(index: int, shape: tuple[int, ...]) -> str:
    if len(shape) < 2:
        return f"row {index}"
    row, column = np.unravel_index(index, shape)
    return f"row {row}, column {column}"


def texts(values: NDArray[Any], column: Column, what: str, *, typed: bool = False) -> list[str]:
    """See `values` as strings; None and NaN become the token that stands for them.

    Args:
        typed: the original would see None, NaN and pandas' NA as different things, as scikit-learn does.

    Raises:
        InputError: a value is not text, is missing where the model takes no missing value, holds half
            of a surrogate pair, or is the token itself.
    """
    if values.dtype.kind not in "OUT":
        raise InputError(f"{what} has dtype {values.dtype}; expected text")
    found: list[Any] = values.tolist()
    for row, value in enumerate(found):
        if type(value) is str:
            if value == MISSING_TEXT:
                raise InputError(f"{what} row {row} is U+10FFFF, which stands for a missing value")
        elif isinstance(value, str):
            found[row] = str(value)
        else:
            found[row] = _missing_token(value, column, f"{what} row {row}", typed=typed)
    if column.categories is not None:
        known = {*column.categories, column.missing}
        unknown = next((row for row, value in enumerate(found) if value not in known), None)
        if unknown is not None:
            raise InputError(
                f"{what} row {unknown} is {found[unknown]!r:.80}, "
                "which is not one of the categories that the model knows"
            )
    _check_encodable(found, what)
    return found


def _missing_token(value: Any, column: Column, place: str, *, typed: bool) -> str:
    """Return the token for a missing text, if that is what `value` is and the model takes it."""
    missing = _missing_name(value)
    if missing is None:
        raise InputError(f"{place} is {value!r:.80} ({type(value).__name__}); expected text")
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
    return "pandas.NA" if _is_pandas_na(value) else None


def _check_encodable(found: list[str], what: str) -> None:
    """ONNX strings are UTF-8, and end at the first NUL on some paths into the runtime."""
    for row, value in enumerate(found):
        if value.isascii() and "\0" not in value:
            continue
        if "\0" in value:
            raise InputError(f"{what} row {row} holds a NUL character; expected text without it")
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise InputError(f"{what} row {row} holds half of a surrogate pair, which is not text") from None
