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
        if value is None:
            result[index] = np.nan
        elif isinstance(value, bool | int | float | np.bool_ | np.number) and not isinstance(value, complex):
            result[index] = value
        else:
            raise InputError(
                f"{what} {_place(index, values.shape)} is {value!r:.80} ({type(value).__name__}); expected a number"
            )
    return result.reshape(values.shape)


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


def texts(values: NDArray[Any], column: Column, what: str) -> list[str]:
    """See `values` as strings; None and NaN become the token that stands for them.

    Raises:
        InputError: a value is not text, is missing where the model takes no missing value, holds half
            of a surrogate pair, or is the token itself.
    """
    if values.dtype.kind not in "OUT":
        raise InputError(f"{what} has dtype {values.dtype}; expected text")
    found: list[Any] = values.tolist()
    if MISSING_TEXT in found:
        raise InputError(f"{what} row {found.index(MISSING_TEXT)} is U+10FFFF, which stands for a missing value")
    for row, value in enumerate(found):
        if type(value) is str:
            continue
        if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN differs from itself
            if column.missing is None:
                raise InputError(f"{what} row {row} is missing ({value!r}), and the model takes no missing value")
            found[row] = column.missing
        elif isinstance(value, str):
            found[row] = str(value)
        else:
            raise InputError(f"{what} row {row} is {value!r:.80} ({type(value).__name__}); expected text")
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
