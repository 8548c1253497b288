"""Rows of a Parquet file, through PyArrow or polars, whichever is there; the base install has neither."""

import os
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from sealift.errors import InputError, LocalError
from sealift.model.documents.description import ModelDescription
from sealift.model.inputs.tables import as_table
from sealift.rows.batch import Batch, Rows

# Read a row group's pages as they are needed, not whole.
_BUFFER_BYTES = 1024 * 1024


def parquet_batches(
    path: Path, description: ModelDescription, size: int, read: Callable[[int], object]
) -> Iterator[Batch]:
    """Yield batches of `size` rows, reading only the columns that the model takes.

    Args:
        path: the file.
        description: says which columns the model takes.
        size: rows of a batch.
        read: called with the bytes that a batch stands for, by its share of the rows.

    Raises:
        LocalError: neither PyArrow nor polars is installed, or the file cannot be opened.
        InputError: not Parquet, or a column is missing.
    """
    if description.interface == "tensors":
        raise InputError(f"{str(path)!r} is Parquet; this model takes named tensors: give a .json object of arrays")
    # Its own readers say "file not found" in many words.
    with path.open("rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
    if find_spec("pyarrow") is not None:
        tables = _with_pyarrow(path, description, size)
    elif find_spec("polars") is not None:
        tables = _with_polars(path, description, size)
    else:
        raise LocalError("reading Parquet needs the Python package 'pyarrow' or 'polars'; install one, or give .csv")
    return _batches(tables, description, lambda done, rows: read(size_bytes * done // rows))


def _batches(
    tables: Iterator[tuple[int, Any]], description: ModelDescription, tell: Callable[[int, int], object]
) -> Iterator[Batch]:
    first = 0
    for rows, found in tables:
        table = as_table(found)
        if table is not None and table.rows:
            columns = {name: table.get(name) for name in table.names}
            yield Batch(first, table.rows, _rows(columns, description))
            first += table.rows
            tell(table.rows, rows)


def _rows(columns: dict[str, Any], description: ModelDescription) -> Rows:
    if description.interface == "columns":
        return columns
    if description.interface == "text":
        texts: list[str] = next(iter(columns.values())).tolist()
        return texts
    return np.column_stack(list(columns.values()))


def _chosen(names: Sequence[str], path: Path, description: ModelDescription) -> list[str]:
    if description.interface == "matrix":
        return list(names)
    wanted = [column.name for column in description.columns]
    if description.interface == "text" and wanted[0] not in names and len(names) == 1:
        return list(names)
    missing = next((name for name in wanted if name not in names), None)
    if missing is not None:
        raise InputError(f"{str(path)!r}: column {missing!r} is missing; it has {', '.join(map(repr, names)):.200}")
    return wanted


def _with_pyarrow(path: Path, description: ModelDescription, size: int) -> Iterator[tuple[int, Any]]:
    """Each record batch, with the number of rows of the file."""
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
            chosen = _chosen(file.schema_arrow.names, path, description)
            for batch in file.iter_batches(size, columns=chosen):
                yield file.metadata.num_rows, batch
    except ArrowException as error:
        raise _unreadable(path, error) from error


def _with_polars(path: Path, description: ModelDescription, size: int) -> Iterator[tuple[int, Any]]:
    import polars as pl
    from polars.exceptions import PolarsError

    try:
        scan = pl.scan_parquet(path, glob=False)
        scan = scan.select(_chosen(scan.collect_schema().names(), path, description))
        rows = int(scan.select(pl.len()).collect().item())
        for start in range(0, rows, size):
            # A slice reads the row groups that it touches, and is part of the stable interface.
            yield rows, scan.slice(start, size).collect()
    except PolarsError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{str(path)!r} cannot be read as Parquet: {' '.join(str(error).split())[:200]}")
