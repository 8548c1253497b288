"""See a 2-D array of numbers as the graph's one tensor.

A `MatrixReader` is made once for a model. An array that is as the graph takes it costs one pass that asks
whether all values are finite, and no copy; everything else takes the longer way to the same checks.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import InputError
from sealift.model.documents.description import Column, TensorInput
from sealift.model.inputs.reading import Reading, densified
from sealift.model.inputs.tables import is_frame, matrix_of_frame
from sealift.model.inputs.values import all_finite, cast, check_dtype, check_numbers, check_untyped, check_wide, numbers


class MatrixReader:
    """Reads the rows of a model whose original took a 2-D array."""

    def __init__(self, tensor: TensorInput, reading: Reading) -> None:
        columns = tensor.columns
        self._reading = reading
        self._columns = columns
        self._dtype = np.dtype(tensor.dtype)
        self._width = len(columns)
        self._takes_missing = np.array([column.missing is not None for column in columns], dtype=bool)
        self._takes_infinite = np.array([column.infinite for column in columns], dtype=bool)
        self._whole = np.flatnonzero([column.kind in ("int", "bool") for column in columns])
        self._has_categories = any(column.categories is not None for column in columns)
        any_number = self._dtype.kind == "f" and not len(self._whole) and not self._has_categories
        self._takes_ready = any_number and _takes(columns[0], self._dtype)

    def read(self, rows: Any) -> NDArray[Any]:
        """Make the tensor of shape [rows, columns], C-contiguous.

        Raises:
            InputError: the rows do not fit the model.
        """
        if (
            type(rows) is np.ndarray
            and self._takes_ready
            and rows.dtype == self._dtype
            and rows.ndim == 2
            and rows.shape[1] == self._width
            and rows.flags.c_contiguous
            and all_finite(rows)
        ):
            return rows
        values = self._array(rows)
        self._reading.check_foreign(values.dtype, "the array")
        self._reading.check_whole(values.dtype, "the array")
        table = not isinstance(rows, np.ndarray | list | tuple)
        rounds = self._reading.rounds(values, table=table)
        # The original sees objects as float64, and integers of a list as integers.
        objects = values.dtype.kind == "O"
        if values.dtype.kind in "biuf" and not rounds:
            self._reading.check_integers(values, "the array", self._columns[0].dtype, table=table)
        # Lists, and objects read from JSON, have no dtype of the caller's choosing.
        typed = hasattr(rows, "dtype") or is_frame(rows)
        if table and not typed:
            check_wide(self._columns[0], "the array", f"a {type(rows).__name__}")
            # NumPy's own functions keep the width of its floats.
            typed = values.dtype.kind == "f" or self._reading.strict
        typed &= not objects
        typed |= isinstance(rows, list | tuple) and self._is_narrow(values.dtype)
        self._check_columns(rows)
        self._reading.check_nones(values, "the array")
        values = numbers(values, "the array")
        if objects and hasattr(rows, "dtype"):
            check_wide(self._columns[0], "the array", "an array of objects")
        if objects and self._reading.integers != "none":
            self._reading.check_integers(values.astype(np.float64), "the array", self._columns[0].dtype, table=table)
        if not typed:
            check_untyped(values, self._columns[0], "the array")
        else:
            # NaN of absent entries makes floats of integers.
            dtype = rows.dtype if hasattr(rows, "toarray") else values.dtype
            check_dtype(dtype, self._columns[0], "the array", strict=self._reading.strict)
        if rounds:
            values = values.astype(np.float32)
        if not self._fits(values):
            for index, column in enumerate(self._columns):
                check_numbers(values[:, index], column, f"column {index}")
        return cast(values, self._dtype, "the array")

    def _array(self, rows: Any) -> NDArray[Any]:
        if type(rows) is np.ndarray:
            self._check_shape(rows.shape)
            return rows
        if isinstance(rows, np.matrix):
            raise InputError("rows are a numpy.matrix, which the original refuses; expected numpy.asarray(rows)")
        if np.ma.is_masked(rows):
            raise InputError("rows are a masked array with masked values; fill them with NaN first")
        if hasattr(rows, "toarray"):  # SciPy's
            self._check_shape(tuple(rows.shape))  # before it becomes dense, and that large
            self._reading.check_absent(f"a SciPy {type(rows).__name__}")
        try:
            values = self._values(rows)
        except InputError:
            raise
        except ValueError:
            raise InputError("rows have different lengths; expected a 2-D array") from None
        except Exception as error:
            # Another library's object, or the caller's, whose conversion raises whatever it likes.
            raise InputError(f"rows are a {type(rows).__name__}; expected a 2-D array of numbers") from error
        self._check_shape(values.shape)
        return values

    def _is_narrow(self, dtype: np.dtype[Any]) -> bool:
        """Return whether the original keeps this dtype of NumPy's own scalars in a list, and computes in it."""
        short = dtype.kind == "f" and dtype.itemsize < np.dtype(np.float64).itemsize
        return short or (self._reading.strict and dtype.kind != "O" and dtype not in (np.int64, np.float64))

    def _check_columns(self, rows: Any) -> None:
        """Check the dtype of each column of a frame, where a function computes in it before they become one array."""
        if not self._reading.strict or not is_frame(rows):
            return
        for index, (dtype, column) in enumerate(zip(rows.dtypes, self._columns, strict=True)):
            if isinstance(dtype, np.dtype):
                check_dtype(dtype, column, f"column {index}", strict=True)

    def _values(self, rows: Any) -> NDArray[Any]:
        if hasattr(rows, "toarray"):
            return densified(rows, self._reading)
        if is_frame(rows):
            self._reading.check_codes(rows.dtypes, range(rows.shape[1]))
            return matrix_of_frame(rows, self._reading)
        self._reading.check_protocol(rows)
        return np.asarray(rows.to_numpy() if hasattr(rows, "to_numpy") else rows)

    def _check_shape(self, shape: Sequence[int]) -> None:
        if len(shape) != 2 or shape[1] != self._width:
            hint = "; for one row pass [[…]]" if tuple(shape) == (self._width,) else ""
            raise InputError(f"rows have shape {list(shape)}; expected [rows, {self._width}]{hint}")

    def _fits(self, values: NDArray[Any]) -> bool:
        """Return whether `check_numbers` would pass every column, looking at all of them at once."""
        if self._has_categories:
            return False
        if values.dtype.kind != "f":
            return True
        if not all_finite(values):
            finite = np.isfinite(values)
            missing = np.isnan(values)
            infinite = ~(finite | missing)
            if (missing & ~self._takes_missing).any() or (infinite & ~self._takes_infinite).any():
                return False
        if not len(self._whole):
            return True
        whole = values[:, self._whole]
        return not ((whole != np.floor(whole)) & np.isfinite(whole)).any()


def _takes(column: Column, dtype: np.dtype[Any]) -> bool:
    try:
        check_dtype(dtype, column, "")
    except InputError:
        return False
    return True
