"""Give numbers that were read from text, which has no width, the dtype that the model was proven on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import InputError
from sealift.model.documents.description import Column, ModelDescription
from sealift.model.inputs.values import objects, shown
from sealift.rows.batch import Batch, Rows

_NUMBERS = {bool, int, float, type(None)}


class _UnfitError(Exception):
    """A value that has no such dtype; `reason` is None where the model itself says best what is wrong."""

    def __init__(self, row: int, reason: str | None) -> None:
        super().__init__(reason)
        self.row = row
        self.reason = reason


def narrowed(batches: Iterable[Batch], description: ModelDescription) -> Iterator[Batch]:
    """Yield the batches with every number as its column of the model has it; named tensors have their dtype already.

    Raises:
        InputError: a number is beyond the range of that dtype; the rows before it were given as a batch first.
    """
    columns = [column for column in description.columns if column.dtype not in (None, "float64")]
    for given in batches:
        batch = _without_none(given)
        if columns and batch.count is not None:
            yield from _narrowed(batch, columns)
        else:
            yield batch


def _without_none(batch: Batch) -> Batch:
    """Put NaN for the nulls of an array of rows: text has no other way to say that a number is missing."""
    rows = batch.rows
    if not isinstance(rows, np.ndarray) or rows.dtype.kind != "O" or rows.ndim != 2:
        return batch
    return replace(batch, rows=np.where(np.equal(rows, np.array(None, dtype=object)), np.nan, rows))


def _narrowed(batch: Batch, columns: Sequence[Column]) -> Iterator[Batch]:
    try:
        yield replace(batch, rows=_rows(batch.rows, columns))
    except _UnfitError as unfit:
        if unfit.row:
            yield from _narrowed(batch.part(0, unfit.row), columns)
        if unfit.reason is not None:
            raise InputError(f"row {batch.first + unfit.row}: {unfit.reason}") from None
        yield batch.part(unfit.row, batch.count or 0)


def _rows(rows: Rows, columns: Sequence[Column]) -> Rows:
    if isinstance(rows, np.ndarray):
        return _matrix(rows, columns[0])
    known = {column.name: column for column in columns}
    if isinstance(rows, dict):
        return {
            name: _fit(values, known[name], f"column {name!r}") if name in known and values.ndim == 1 else values
            for name, values in rows.items()
        }
    return _records(rows, known)


def _matrix(values: NDArray[Any], column: Column) -> NDArray[Any]:
    """All columns of an array have one dtype."""
    if values.ndim != 2:
        return values
    fitted = [_fit(values[:, index], column, f"column {index}") for index in range(values.shape[1])]
    return np.column_stack(fitted) if all(one.dtype == column.dtype for one in fitted) and fitted else values


def _records(rows: Sequence[Any], known: Mapping[str, Column]) -> list[Any]:
    made = [dict(row) if isinstance(row, dict) else row for row in rows]
    for name, column in known.items():
        having = [index for index, row in enumerate(made) if isinstance(row, dict) and name in row]
        try:
            values = _fit(objects([made[index][name] for index in having]), column, f"column {name!r}").tolist()
        except _UnfitError as unfit:
            raise _UnfitError(having[unfit.row], unfit.reason) from None
        for index, value in zip(having, values, strict=True):
            made[index][name] = value
    return made


def _fit(values: NDArray[Any], column: Column, what: str) -> NDArray[Any]:
    """Give one column's values the dtype; as they are where some have none, such as NaN among integers."""
    dtype = np.dtype(column.dtype)
    if values.dtype.kind == "O":
        other = next((row for row, value in enumerate(values) if type(value) not in _NUMBERS), None)
        if other is not None:
            raise _UnfitError(other, None)
    fitted, beyond = _floats(values, dtype) if dtype.kind == "f" else _integers(values, dtype)
    if beyond is not None:
        raise _UnfitError(beyond, f"{what} is {shown(values.tolist()[beyond])}, beyond the range of {dtype}")
    return fitted


def _floats(values: NDArray[Any], dtype: np.dtype[Any]) -> tuple[NDArray[Any], int | None]:
    try:
        wide = values.astype(np.float64)
    except OverflowError:
        return values, next(row for row, value in enumerate(values) if type(value) is int and _is_huge(value))
    with np.errstate(over="ignore"):
        narrow = wide.astype(dtype)
    beyond = np.isinf(narrow) & ~np.isinf(wide)
    return narrow, int(np.argmax(beyond)) if beyond.any() else None


def _integers(values: NDArray[Any], dtype: np.dtype[Any]) -> tuple[NDArray[Any], int | None]:
    whole = [int(value) if isinstance(value, float) and value.is_integer() else value for value in values.tolist()]
    limits = np.iinfo(dtype)
    lowest, highest = int(limits.min), int(limits.max)
    for row, value in enumerate(whole):
        if isinstance(value, int) and not lowest <= value <= highest:
            return values, row
    return (np.array(whole, dtype) if all(isinstance(value, int) for value in whole) else values), None


def _is_huge(value: int) -> bool:
    try:
        float(value)
    except OverflowError:
        return True
    return False
