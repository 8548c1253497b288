"""Turn what the original model took into the tensors that the graph takes.

A `Feeder` is made once for a model. Column order does not matter and further columns are ignored, as
scikit-learn ignores them; a missing column, an extra dimension or a wrong type is an InputError that
names the column, the dtype and the row.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import InputError
from sealift.model.description import ModelDescription, TensorInput
from sealift.model.frontend import TermCounter
from sealift.model.tables import Table, as_table
from sealift.model.values import check_dtype, check_fits, check_numbers, numbers, texts

Feeds = dict[str, NDArray[Any]]

# Dense counts of 20,000 terms are 80 KB a row: rows go through the graph in chunks that stay in the cache.
_CHUNK_VALUES = 512 * 1024


class Feeder:
    """Makes the graph's feeds from rows, in chunks where a front end makes the tensors wide."""

    def __init__(self, description: ModelDescription, counters: Sequence[TermCounter]) -> None:
        self._interface = description.interface
        self._inputs = description.inputs
        self._count: dict[int, Callable[[Sequence[str]], NDArray[Any]]] = {
            tensor.frontend: counters[tensor.frontend].build(tensor.dtype)
            for tensor in description.inputs
            if tensor.frontend is not None
        }
        widths = [counters[tensor.frontend].width for tensor in self._inputs if tensor.frontend is not None]
        self._chunk_rows = max(1, _CHUNK_VALUES // max(1, *widths)) if widths else None

    def feeds(self, rows: Any) -> "list[Feeds]":
        """Make the feeds of one or more calls of the graph.

        Args:
            rows: a table, a 2-D array or a list of strings, as the original model took it.

        Raises:
            InputError: the rows do not fit the model.
        """
        if self._interface == "columns":
            return self._chunks(*self._of_table(rows))
        if self._interface == "text":
            column = self._inputs[0].columns[0]
            found = texts(_one_dimension(rows), column, "text")
            return self._chunks(len(found), {column.name: found}, {})
        matrix = self._matrix(self._inputs[0], rows)
        return [{self._inputs[0].name: matrix}]

    def _of_table(self, rows: Any) -> "tuple[int, dict[str, list[str]], Feeds]":
        table = as_table(rows)
        if table is None:
            raise InputError(
                f"rows are {_describe(rows)}; expected a DataFrame, an Arrow table, a list of dicts or a dict of "
                f"columns with {self._names()}"
            )
        wanted = [column.name for tensor in self._inputs for column in tensor.columns]
        present = set(table.names)
        missing = [name for name in dict.fromkeys(wanted) if name not in present]
        if missing:
            raise InputError(f"column {missing[0]!r} is missing; the model takes {self._names()}")
        strings: dict[str, list[str]] = {}
        feeds: Feeds = {}
        for tensor in self._inputs:
            if tensor.dtype == "string" or tensor.frontend is not None:
                for column in tensor.columns:
                    if column.name not in strings:
                        values = _column_values(table, column.name)
                        what = f"column {column.name!r}"
                        strings[column.name] = texts(values, column, what, typed=table.typed)
            else:
                feeds[tensor.name] = _numeric_tensor(tensor, table)
        return table.rows, strings, feeds

    def _chunks(self, rows: int, strings: Mapping[str, list[str]], numeric: Feeds) -> list[Feeds]:
        size = self._chunk_rows or max(rows, 1)
        chunks = []
        for start in range(0, max(rows, 1), size):
            feeds = {name: values[start : start + size] for name, values in numeric.items()}
            for tensor in self._inputs:
                if tensor.frontend is not None:
                    part = strings[tensor.columns[0].name][start : start + size]
                    feeds[tensor.name] = self._count[tensor.frontend](part)
                elif tensor.dtype == "string":
                    parts = [strings[column.name][start : start + size] for column in tensor.columns]
                    feeds[tensor.name] = _string_tensor(parts, len(tensor.shape))
            chunks.append(feeds)
        return chunks

    def _matrix(self, tensor: TensorInput, rows: Any) -> NDArray[Any]:
        if hasattr(rows, "toarray"):  # a SciPy sparse matrix
            rows = rows.toarray()
        elif hasattr(rows, "to_numpy"):
            rows = rows.to_numpy()
        try:
            values = np.asarray(rows)
        except ValueError:
            raise InputError("rows have different lengths; expected a 2-D array") from None
        width = len(tensor.columns)
        if values.ndim != 2 or values.shape[1] != width:
            hint = "; for one row pass [[…]]" if values.ndim == 1 and values.shape[0] == width else ""
            raise InputError(f"rows have shape {list(values.shape)}; expected [rows, {width}]{hint}")
        # Lists, and objects read from JSON, have no dtype of the caller's choosing.
        typed = hasattr(rows, "dtype") and values.dtype.kind != "O"
        values = numbers(values, "the array")
        if typed:
            check_dtype(values, tensor.columns[0], "the array")
        if (values.dtype.kind == "f" and not np.isfinite(values).all()) or any(
            c.kind != "float" for c in tensor.columns
        ):
            for index, column in enumerate(tensor.columns):
                check_numbers(values[:, index], column, f"column {index}")
        return _cast(values, tensor.dtype, "the array")

    def _names(self) -> str:
        names = list(dict.fromkeys(column.name for tensor in self._inputs for column in tensor.columns))
        return ", ".join(map(repr, names[:20])) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _column_values(table: Table, name: str) -> NDArray[Any]:
    values = table.get(name)
    if isinstance(values, np.ma.MaskedArray):
        raise InputError(f"column {name!r} is a masked array; fill it with NaN first")
    if values.ndim != 1:
        raise InputError(f"column {name!r} has shape {list(values.shape)}; expected one value a row")
    return values


def _numeric_tensor(tensor: TensorInput, table: Table) -> NDArray[Any]:
    result = np.empty((table.rows, len(tensor.columns)), dtype=tensor.dtype)
    for index, column in enumerate(tensor.columns):
        what = f"column {column.name!r}"
        values = numbers(_column_values(table, column.name), what)
        if table.typed:
            check_dtype(values, column, what)
        check_numbers(values, column, what)
        result[:, index] = _cast(values, tensor.dtype, what)
    return result


def _cast(values: NDArray[Any], dtype: str, what: str) -> NDArray[Any]:
    if values.dtype == dtype:
        return np.ascontiguousarray(values)
    with np.errstate(over="ignore"):
        narrow = values.astype(dtype, order="C")
    check_fits(narrow, values, what)
    return narrow


def _string_tensor(columns: Sequence[list[str]], dimensions: int) -> NDArray[Any]:
    tensor = np.empty((len(columns[0]), len(columns)), dtype=object)
    for index, values in enumerate(columns):
        tensor[:, index] = values
    return tensor if dimensions == 2 else tensor[:, 0]


def _one_dimension(rows: Any) -> NDArray[Any]:
    if isinstance(rows, str | bytes):
        raise InputError("rows are one string; expected a list of strings, one a row")
    if as_table(rows) is not None:
        raise InputError("rows are a table; expected a list of strings, for example frame['text']")
    if hasattr(rows, "to_numpy"):
        rows = rows.to_numpy()
    elif not isinstance(rows, np.ndarray):
        try:
            rows = list(rows)
        except TypeError:
            raise InputError(f"rows are {_describe(rows)}; expected a list of strings") from None
        values = np.empty(len(rows), dtype=object)
        values[:] = rows
        return values
    if rows.ndim != 1:
        raise InputError(f"rows have shape {list(rows.shape)}; expected a list of strings")
    return np.asarray(rows)


def _describe(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" + (f" of shape {list(shape)}" if shape is not None else "")
