"""Rows of a CSV file: the first line names the columns; quoted fields may hold line ends."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from sealift.errors import InputError
from sealift.limits import LIMITS
from sealift.model.documents.description import Column, ModelDescription
from sealift.rows import fields
from sealift.rows.batch import Batch, Rows, batched
from sealift_common.parsing.strict_json import first_twice
from sealift_common.wording import counted

# A batch of a wide table has fewer rows: each value takes some 60 bytes until the batch is an array.
_BATCH_VALUES = 1_000_000

Record = Sequence[Any]
Readers = list[tuple[int, Callable[[str], Any]]]


def csv_batches(lines: Iterable[str], source: str, description: ModelDescription, size: int) -> Iterator[Batch]:
    """Yield batches of at most `size` rows.

    Args:
        lines: lines with their ends.
        source: the file's name, for errors.
        description: says which columns are numbers and which are text; further columns are dropped.
        size: rows of a batch; fewer where a row is wide.

    Raises:
        InputError: not CSV, a row has another number of fields, or a field is not a number; the message names the row.
    """
    if description.interface == "tensors":
        raise InputError(f"{source!r} is CSV; this model takes named tensors: give a .json object of arrays")
    # An unclosed quote swallows the rest of the file: the limit of the module is what bounds it.
    csv.field_size_limit(LIMITS.row_size_bytes)
    records = _records(csv.reader(lines, strict=True), source)
    names = next(records, None)
    if names is None:
        raise InputError(f"{source!r} is empty; expected a line of column names")
    readers, make = _readers(names, source, description)
    size = max(1, min(size, _BATCH_VALUES // len(names)))
    return batched(_rows(records, names, readers, source), size, make)


def _records(reader: Iterator[list[str]], source: str) -> Iterator[list[str]]:
    number = -1
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            place = f"row {number}" if number >= 0 else "the line of column names"
            raise InputError(f"{source!r} {place} is not CSV: {error}") from None
        if record:
            number += 1
            yield record


def _rows(records: Iterable[list[str]], names: list[str], readers: Readers, source: str) -> Iterator[Record]:
    for number, record in enumerate(records):
        if len(record) != len(names):
            raise InputError(f"{source!r} row {number} has {counted(len(record), 'field')}; expected {len(names)}")
        try:
            yield [read(record[index]) for index, read in readers]
        except InputError as error:
            raise InputError(f"{source!r} row {number}: {error}") from None


def _listed(names: list[str]) -> str:
    return f"{', '.join(map(repr, names)):.200}"


def _readers(
    names: list[str], source: str, description: ModelDescription
) -> tuple[Readers, Callable[[list[Record]], Rows]]:
    """Return readers of the fields that the model takes, and a function that makes rows of them."""
    if description.interface == "text":
        wanted = description.columns[0].name
        index = names.index(wanted) if wanted in names else 0 if len(names) == 1 else -1
        if index < 0:
            raise InputError(f"{source!r} has the columns {_listed(names)}; expected one named {wanted!r}")
        return [(index, lambda field: field)], lambda rows: [row[0] for row in rows]
    if description.interface == "matrix":
        # All columns of an array have one dtype.
        first = description.columns[0]
        readers = [(index, _number(first, name)) for index, name in enumerate(names)]
        return readers, lambda rows: np.array(rows, dtype=_dtype(first))
    twice = first_twice(names)
    if twice is not None:
        raise InputError(f"{source!r} has the column {twice[:80]!r} twice; expected unique names")
    places = {name: index for index, name in enumerate(names)}
    columns = list(description.columns)
    missing = next((column.name for column in columns if column.name not in places), None)
    if missing is not None:
        raise InputError(f"{source!r}: column {missing!r} is missing; it has {_listed(names)}")
    found: Readers = [
        (places[one.name], fields.text if one.kind == "str" else _number(one, one.name)) for one in columns
    ]
    return found, lambda rows: _columns(columns, rows)


def _number(column: Column, name: str) -> Callable[[str], float]:
    what = f"column {name!r}"
    return lambda field: fields.number(field, column, what)


def _columns(columns: list[Column], rows: list[Record]) -> Rows:
    made: dict[str, Any] = {}
    for column, values in zip(columns, zip(*rows, strict=True), strict=True):
        made[column.name] = np.array(values, dtype=_dtype(column))
    return made


def _dtype(column: Column) -> type:
    return object if column.kind == "str" or fields.is_whole(column) else np.float64
