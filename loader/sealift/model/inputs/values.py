"""Turn one column or array of the caller's values into tensor values, or say which value does not fit.

Every check first asks about all values at once; only where something is wrong does it look for the row.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import InputError
from sealift.model.documents.description import Column

_NUMBERS = "biuf"
# What NumPy itself turns into float64 exactly as `float` does; None becomes NaN.
_PLAIN_NUMBERS = {bool, int, float, type(None), np.bool_, np.float16, np.float32, np.float64}
_PLAIN_NUMBERS |= {np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64}

# From here on not every integer is a float64.
_EXACT = 2**53

# Between these a list may hold numbers for a model in float32.
_LARGEST, _SMALLEST = 2**24, 1e-6

# Below this a sum is no faster than to ask about each.
_FEW = 1 << 14
# Of the values that a message names.
_LISTED = 10


def shown(value: Any) -> str:
    """Show an untrusted value in an error message: on one line, not longer than that."""
    try:
        return " ".join(f"{value!r:.80}".split())
    except ValueError:  # an integer of more digits than Python writes
        return f"<{type(value).__name__} too long to show>"


def listed(known: Sequence[Any]) -> str:
    """Show the first ten of some values, and how many more there are."""
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return ", ".join(map(shown, known[:_LISTED])) + more


def kind_of(value: Any) -> str:
    """Name the class of a value with its article: "a dict", "an ndarray", "an empty list"."""
    name = type(value).__name__
    if isinstance(value, list) and not value:
        return f"an empty {name}"
    return f"{'an' if name[:1].lower() in 'aeiou' or name.startswith('nd') else 'a'} {name}"


def str_of(text: str) -> str:
    """Return the characters of `text`; the `str()` of a subclass, an enumeration say, may be other ones."""
    return str.__str__(text)


def objects(values: Any) -> NDArray[Any]:
    """Make a one-dimensional array of the items of a list, whatever the items are."""
    return np.fromiter(values, dtype=object, count=len(values))


def all_finite(values: NDArray[Any]) -> bool:
    """Return whether no value is NaN or infinite; of many, in one pass that writes nothing."""
    many = values.size > _FEW and values.dtype.kind == "f" and (values.flags.c_contiguous or values.flags.f_contiguous)
    # NaN and infinity stay in a sum. One that overflowed says nothing, and `einsum` never warns of it.
    if many and np.isfinite(np.einsum("i->", values.ravel(order="K"))):
        return True
    return bool(np.isfinite(values).all())


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
    kinds = set(map(type, flat.tolist()))
    if kinds <= _PLAIN_NUMBERS:
        try:
            numbers = flat.astype(np.float64)
            if kinds == {int} and np.any(np.abs(numbers) >= _EXACT):
                # As pandas and NumPy keep them; identifiers of this size differ in digits that a float64 lacks.
                return flat.astype(np.int64).reshape(values.shape)
            return numbers.reshape(values.shape)
        except OverflowError:
            pass  # the loop below finds the row
    result = np.empty(flat.shape, dtype=np.float64)
    for index, value in enumerate(flat):
        if value is None or is_pandas_na(value):
            result[index] = np.nan
        elif isinstance(value, bool | int | float | np.bool_ | np.integer | np.floating) and not isinstance(
            value, np.timedelta64
        ):
            try:
                result[index] = value
            except OverflowError:
                raise InputError(f"{what} {_place(index, values.shape)} is an integer beyond float64") from None
        else:
            raise InputError(
                f"{what} {_place(index, values.shape)} is {shown(value)} ({type(value).__name__}); expected a number"
            )
    return result.reshape(values.shape)


def is_pandas_na(value: Any) -> bool:
    """Know pandas' missing value without importing pandas."""
    return type(value).__name__ == "NAType"


def check_dtype(dtype: np.dtype[Any], column: Column, what: str, *, strict: bool = False) -> None:
    """Refuse numbers of another dtype than the model was proven on, where the original may answer differently.

    scikit-learn computes in the width that it is given, so the original's own answers differ between them.

    Args:
        dtype: of the caller's numbers.
        column: with the proven dtype.
        what: names the numbers in the message.
        strict: whether a step computes otherwise with booleans than with numbers.

    Raises:
        InputError: the dtype is not the proven one, and neither of int64, float64 and bool where these are the same.
    """
    if column.dtype is None:
        if strict and column.kind == "bool" and dtype.kind in "iuf":
            raise _other_dtype(dtype, "bool", what)
        return
    if dtype.kind not in "biuf":
        return
    proven = np.dtype(column.dtype)
    if (dtype.kind, dtype.itemsize) == (proven.kind, proven.itemsize):
        return
    narrow = proven.kind == "f" and proven.itemsize < 8
    if dtype.kind == "b":
        same = not narrow and not strict
    elif dtype.kind == "f":
        same = proven.kind in "iu" and dtype.itemsize == 8
    else:
        # int64 is what a float column without a missing value is read as; narrower ones overflow in the original.
        same = dtype == np.int64 and not narrow
    if not same:
        raise _other_dtype(dtype, column.dtype, what)


def check_wide(column: Column, what: str, container: str) -> None:
    """Refuse a container of whose numbers the original makes float64, where the model was proven on narrow floats.

    Such are an array of objects and, to scikit-learn, a table of Arrow or polars, whatever the dtypes of its columns.

    Args:
        column: with the proven dtype.
        what: names the numbers in the message.
        container: names it in the message.

    Raises:
        InputError: the proven dtype is float16 or float32.
    """
    if column.dtype in ("float16", "float32"):
        raise InputError(
            f"{what} comes in {container}, of which the original may make float64, and the model was proven on "
            f"{column.dtype}: give a NumPy array or a pandas frame of {column.dtype}"
        )


def check_untyped(values: NDArray[Any], column: Column, what: str) -> None:
    """Refuse numbers without a dtype of which a model in float32 makes something else than its original.

    The original reads lists as float64, in which it neither overflows nor takes a small number for none.

    Args:
        values: numbers of a list, of dicts or of JSON.
        column: with the proven dtype.
        what: names the numbers in the message.

    Raises:
        InputError: the model was proven on float32, and a number is beyond 2^24, or not zero and below 1e-6.
    """
    if column.dtype != "float32":
        return
    size = np.abs(values.astype(np.float64))
    reason = (
        f"is beyond 2^24, or below {_SMALLEST:g}, in a list; the model was proven on float32, in which its original "
        "computes, and of a list it makes float64: give an array, with numpy.float32"
    )
    with np.errstate(invalid="ignore"):
        _refuse((size > _LARGEST) | ((size < _SMALLEST) & (size > 0)), what, reason)


def _other_dtype(dtype: np.dtype[Any], proven: str, what: str) -> InputError:
    return InputError(
        f"{what} has dtype {dtype}; the model was proven on {proven}, and the original may answer "
        f"differently: convert it with .astype({proven!r})"
    )


def check_numbers(values: NDArray[Any], column: Column, what: str) -> None:
    """Refuse values that the original model refuses, or was never proven on.

    Raises:
        InputError: a missing value, an infinity or a fraction where the model knows none.
    """
    if column.categories is not None:
        known = np.isin(values, np.array(column.categories))
        known = known | np.isnan(values) if values.dtype.kind == "f" else known
        _refuse(~known, what, f"is not one of the categories that the model knows: {listed(column.categories)}")
    if values.dtype.kind != "f":
        return
    if column.missing is None:
        _refuse(np.isnan(values), what, "is missing (NaN or None), and the model takes no missing value")
    if not column.infinite:
        _refuse(np.isinf(values), what, "is infinite, and the model takes no infinity")
    if column.kind in ("int", "bool"):
        finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        _refuse(finite != np.floor(finite), what, "has a fraction, and the model was proven on whole numbers")


def cast(values: NDArray[Any], dtype: np.dtype[Any], what: str) -> NDArray[Any]:
    """Give numbers the tensor's dtype, C-contiguous; the same array where it already is so.

    Raises:
        InputError: a value is beyond the tensor's range.
    """
    if values.dtype == dtype:
        return np.ascontiguousarray(values)
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = values.astype(dtype, order="C")
        check_fits(narrow, values, what)
    return narrow


def check_fits(narrow: NDArray[Any], wide: NDArray[Any], what: str) -> None:
    """Refuse numbers that became infinite, or another integer, in the tensor's own dtype.

    Raises:
        InputError: a value is beyond the tensor's range.
    """
    if narrow.dtype.kind == "f":
        infinite = np.isinf(narrow)
        if infinite.any():
            _refuse(infinite & ~np.isinf(wide), what, f"is beyond the range of {narrow.dtype}")
    else:
        # Back to where it came from: a value that wrapped around, or has no integer, is another one there. The
        # sign tells -1 from 2^64-1, and the limit a float just beyond the range from the largest integer.
        beyond = (narrow.astype(wide.dtype) != wide) | ((narrow < 0) != (wide < 0))
        if wide.dtype.kind == "f" and narrow.dtype.kind != "b":
            beyond |= wide >= float(np.iinfo(narrow.dtype).max) + 1.0
        _refuse(beyond, what, f"is beyond the range of {narrow.dtype}")


def _refuse(wrong: NDArray[np.bool_], what: str, reason: str) -> None:
    if wrong.any():
        raise InputError(f"{what} {_place(int(np.argmax(wrong.ravel())), wrong.shape)} {reason}")


def _place(index: int, shape: tuple[int, ...]) -> str:
    if len(shape) < 2:
        return f"row {index}"
    place = [int(number) for number in np.unravel_index(index, shape)]
    return f"row {place[0]}, column {place[1]}" if len(place) == 2 else f"place {place}"
