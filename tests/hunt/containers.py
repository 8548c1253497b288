"""Every container in which a caller may hold the same numbers, and what each can hold."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse

FLOATS = ("float16", "float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
DTYPES = (*FLOATS, *INTEGERS, "bool")


def names(width: int) -> list[str]:
    """The names of the columns of a table."""
    return [f"c{index}" for index in range(width)]


def _frame(rows: Any) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=names(rows.shape[1]))


def _nullable(rows: Any) -> pd.DataFrame:
    kind = {"f": "Float", "i": "Int", "u": "UInt"}.get(rows.dtype.kind)
    return _frame(rows).astype("boolean" if kind is None else f"{kind}{rows.dtype.itemsize * 8}")


def _sparse_frame(rows: Any) -> pd.DataFrame:
    return pd.DataFrame.sparse.from_spmatrix(scipy.sparse.csr_matrix(rows), columns=names(rows.shape[1]))


def _columns(rows: Any) -> dict[str, Any]:
    return {name: np.ascontiguousarray(rows[:, index]) for index, name in enumerate(names(rows.shape[1]))}


CONTAINERS: dict[str, Callable[[Any], Any]] = {
    "ndarray": lambda rows: rows,
    "fortran": np.asfortranarray,
    "list": lambda rows: rows.tolist(),
    "objects": lambda rows: rows.astype(object),
    "frame": _frame,
    "nullable": _nullable,
    "arrow frame": lambda rows: _frame(rows).astype(pd.ArrowDtype(pa.from_numpy_dtype(rows.dtype))),
    "sparse frame": _sparse_frame,
    "csr_matrix": scipy.sparse.csr_matrix,
    "csc_matrix": scipy.sparse.csc_matrix,
    "coo_matrix": scipy.sparse.coo_matrix,
    "csr_array": scipy.sparse.csr_array,
    "csc_array": scipy.sparse.csc_array,
    "arrow": lambda rows: pa.table(_columns(rows)),
    "polars": lambda rows: pl.DataFrame(_columns(rows)),
}
NAMED = ("frame", "nullable", "arrow frame", "sparse frame", "arrow", "polars")
SPARSE = ("sparse frame", "csr_matrix", "csc_matrix", "coo_matrix", "csr_array", "csc_array")

# Of tables with texts.
TABLES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "frame": lambda frame: frame,
    "objects": lambda frame: frame.astype({name: object for name in frame if frame[name].dtype == "str"}),
    "nullable": lambda frame: frame.convert_dtypes(convert_string=False),
    "arrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "polars": pl.from_pandas,
    "shuffled columns": lambda frame: frame[list(frame.columns)[::-1]],
}


def fitting(values: Any, dtype: str) -> Any:
    """Cast float64 numbers to a dtype, each to the nearest number that it holds."""
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return values > 0
    if kind.kind == "f":
        limit = float(np.finfo(kind).max)
        with np.errstate(over="ignore"):
            return np.clip(values, -limit, limit).astype(kind)
    bounds = np.iinfo(kind)
    whole = np.clip(np.nan_to_num(np.rint(values)), max(bounds.min, -(2**62)), min(bounds.max, 2**62))
    return whole.astype(kind)
