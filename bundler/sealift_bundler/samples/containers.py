"""The container that the samples came in: the original is asked with rows in it, ours among them.

What an original answers may depend on the container: XGBoost takes the absent entries of a SciPy matrix for missing
values, LightGBM rounds the integers of an array and not those of a table.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Wrap = Callable[[Any], Any]


def unchanged(rows: Any) -> Any:
    """Leave rows as they are: they are seen in the form in which the caller gave them."""
    return rows


def is_sparse(given: Any) -> bool:
    """Return whether rows are a matrix or array of SciPy's sparse kinds."""
    return hasattr(given, "toarray") and hasattr(given, "tocoo")


def dense(given: Any, *, absent_is_missing: bool) -> NDArray[Any]:
    """Make a sparse matrix an array [rows, columns]; absent entries become zero, or NaN."""
    array: NDArray[Any] = np.asarray(given.toarray())
    if not absent_is_missing:
        return array
    entries = given.tocoo()
    absent = np.ones(array.shape, dtype=bool)
    absent[entries.row, entries.col] = False
    if absent.any() and array.dtype.kind != "f":
        array = array.astype(np.float64)
    array[absent] = np.nan
    return array


def without_columns(given: Any, names: Collection[str]) -> Any:
    """Leave columns out of a table of any library, or a list of dicts, where it has them."""
    if not names:
        return given
    if isinstance(given, pd.DataFrame):
        return given.drop(columns=[name for name in names if name in given.columns])
    if hasattr(given, "column_names") and hasattr(given, "select"):  # Arrow's
        return given.select([name for name in given.column_names if name not in names])
    if hasattr(given, "to_pandas"):  # polars'
        return given.drop([name for name in given.columns if name in names])
    if isinstance(given, list) and given and isinstance(given[0], Mapping):
        return [{name: value for name, value in row.items() if name not in names} for row in given]
    return given


def wrap_matrix(given: Any, *, absent_is_missing: bool) -> Wrap:
    """Make the function that puts an array [rows, columns] into the container of `given`."""
    if is_sparse(given):
        return lambda array: _sparse_as(given, array, absent_is_missing)
    if isinstance(given, pd.DataFrame):
        return lambda array: frame_as(given, pd.DataFrame(array, columns=given.columns))
    if isinstance(given, np.ndarray):
        if given.flags.f_contiguous and not given.flags.c_contiguous:
            return np.asfortranarray
        # An array of objects is seen as float64.
        return (lambda array: array.astype(object)) if given.dtype.kind == "O" else unchanged
    if isinstance(given, list | tuple):
        return lambda array: np.asarray(array).tolist()
    if hasattr(given, "to_pandas"):
        names = getattr(given, "column_names", None) or given.columns
        return lambda array: _library_as(given, pd.DataFrame(array, columns=list(names)))
    return unchanged


def wrap_frame(given: Any) -> Wrap:
    """Make the function that puts a DataFrame of the columns of `given` into its container."""
    if isinstance(given, pd.DataFrame):
        return lambda frame: frame_as(given, frame)
    return (lambda frame: _library_as(given, frame)) if hasattr(given, "to_pandas") else unchanged


def _sparse_as(given: Any, array: NDArray[Any], absent_is_missing: bool) -> Any:
    import scipy.sparse

    present = ~np.isnan(array) if absent_is_missing else array != 0
    row, column = np.nonzero(present)
    values = array[present]
    if absent_is_missing and (values == values.astype(given.dtype)).all():
        values = values.astype(given.dtype)
    if np.intc(max(array.shape)) == max(array.shape):
        # Not every library takes indices of 64 bits.
        row, column = row.astype(np.intc), column.astype(np.intc)
    kind = scipy.sparse.coo_array if isinstance(given, scipy.sparse.sparray) else scipy.sparse.coo_matrix
    return kind((values, (row, column)), shape=array.shape).asformat(given.format)


def frame_as(given: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Give a frame the order of columns of `given`, and its dtypes where they are not NumPy's."""
    if not given.columns.equals(frame.columns):
        frame = frame[list(given.columns)]
    dtypes = {
        name: dtype
        for name, dtype, now in zip(given.columns, given.dtypes, frame.dtypes, strict=True)
        if now is not dtype and not isinstance(dtype, np.dtype | pd.CategoricalDtype) and now != dtype
    }
    return frame.astype(dtypes) if dtypes else frame


def _library_as(given: Any, frame: pd.DataFrame) -> Any:
    if type(given).__module__.startswith("polars"):
        import polars as pl

        return pl.from_pandas(frame)
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False)
    return table.to_batches()[0] if isinstance(given, pa.RecordBatch) else table
