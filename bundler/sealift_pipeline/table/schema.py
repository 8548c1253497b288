"""The columns of a table, and its rows as Arrow: from a record of the log, and back to what a leaf is made of."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from sealift_pipeline.data_policy.policy import Kind
from sealift_pipeline.errors import TableError
from sealift_pipeline.log.base import Entry
from sealift_pipeline.table.leaves import SALT_BYTES, leaf, row_document

_TIME = pa.timestamp("us", tz="UTC")
_TYPES = {
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "time": _TIME,
    "str": pa.string(),
    "list": pa.string(),
    "text": pa.string(),
    "person": pa.string(),
}
# What every table has, before and after the columns of the data policy.
FIRST = (
    pa.field("seq", pa.int64()),
    pa.field("key", pa.string()),
    pa.field("received", _TIME),
    pa.field("subjects", pa.list_(pa.string())),
)
LAST = (pa.field("salt", pa.binary()), pa.field("leaf", pa.binary()))
OWN = frozenset(field.name for field in (*FIRST, *LAST))


def fields_of(kind: Kind) -> dict[str, pa.Field]:
    """Return the fields of the columns that a data policy names, by name."""
    found = {}
    for column in kind.columns:
        one = _TYPES[column.type]
        found[column.name] = pa.field(column.name, pa.list_(one) if column.is_list else one)
    return found


def columns_for(kind: Kind, before: pa.Schema | None) -> dict[str, pa.Field]:
    """Return the columns to write: those of the table as they are, then those that the data policy has in addition.

    Args:
        before: schema of the table; None where there is none yet.

    Raises:
        TableError: a column has another type in the table than in the data policy.
    """
    wanted = fields_of(kind)
    found = {field.name: field for field in before or () if field.name not in OWN}
    for name, field in wanted.items():
        if name in found and found[name].type != field.type:
            raise TableError(
                f"column {name!r} of kind {kind.name!r} is {found[name].type} in the table and {field.type} in the "
                "data policy; give the column a new name"
            )
    return found | {name: field for name, field in wanted.items() if name not in found}


def schema_of(columns: Mapping[str, pa.Field]) -> pa.Schema:
    """Return the schema of a table with these columns."""
    return pa.schema([*FIRST, *columns.values(), *LAST])


def arrays_of(kind: str, entries: Sequence[Entry], columns: Mapping[str, pa.Field]) -> dict[str, pa.Array]:
    """Return the columns of the data policy, by name.

    Raises:
        TableError: a record holds a value of another type than its column; the message has its number.
    """
    found = {}
    for field in columns.values():
        values = [one.record.columns.get(field.name) for one in entries]
        try:
            found[field.name] = pa.array(values, field.type)
        except (pa.ArrowException, OverflowError, TypeError) as error:
            seq = next((one.seq for one, value in zip(entries, values, strict=True) if not _fits(value, field)), 0)
            raise TableError(
                f"event {seq} of kind {kind!r} does not fit column {field.name!r} ({field.type}): the data policy "
                "changed after it came; restore the type, land, then name a new column"
            ) from error
    return found


def to_table(kind: str, entries: Sequence[Entry], columns: Mapping[str, pa.Field]) -> pa.Table:
    """Return rows with a salt and a leaf each; raises what `arrays_of` raises."""
    salts = [secrets.token_bytes(SALT_BYTES) for _ in entries]
    leaves = [_leaf(kind, salt, one, columns) for salt, one in zip(salts, entries, strict=True)]
    own: dict[str, list[Any]] = {
        "seq": [one.seq for one in entries],
        "key": [one.record.key for one in entries],
        "received": [one.record.received for one in entries],
        "subjects": [list(one.record.subjects) for one in entries],
        "salt": salts,
        "leaf": leaves,
    }
    arrays = {field.name: pa.array(own[field.name], field.type) for field in (*FIRST, *LAST)}
    arrays |= arrays_of(kind, entries, columns)
    schema = schema_of(columns)
    return pa.Table.from_arrays([arrays[name] for name in schema.names], schema=schema)


def _leaf(kind: str, salt: bytes, entry: Entry, columns: Mapping[str, pa.Field]) -> bytes:
    try:
        return leaf(salt, _document(kind, entry, columns))
    except ValueError as error:
        raise TableError(f"event {entry.seq} of kind {kind!r} holds what a leaf cannot be made of: {error}") from error


def _document(kind: str, entry: Entry, columns: Mapping[str, pa.Field]) -> dict[str, Any]:
    record = entry.record
    kept = {name: record.columns.get(name) for name in columns}
    return row_document(kind, entry.seq, record.key, record.received, record.subjects, kept)


def _fits(value: Any, field: pa.Field) -> bool:
    try:
        pa.array([value], field.type)
    except (pa.ArrowException, OverflowError, TypeError):
        return False
    return True


def documents(kind: str, batch: pa.RecordBatch) -> Iterator[tuple[int, bytes, bytes, dict[str, Any]]]:
    """Yield of each row its number, salt and leaf as they are in the table, and what the leaf is made of."""
    values = {name: _plain(batch.column(name)) for name in batch.schema.names}
    own = [values.pop(field.name) for field in (*FIRST, *LAST)]
    names = list(values)
    for place, (seq, key, received, subjects, salt, stored) in enumerate(zip(*own, strict=True)):
        columns = {name: values[name][place] for name in names}
        document = row_document(kind, seq, key or "", received or 0, subjects or (), columns)
        yield seq, salt or b"", stored or b"", document


def micros_of(column: pa.Array) -> list[Any]:
    """Return times in microseconds since 1970, as they are in a record; None for null."""
    return list(column.cast(_TIME).cast(pa.int64()).to_pylist())


def _plain(column: pa.Array) -> list[Any]:
    kind = column.type
    if pa.types.is_timestamp(kind):
        return micros_of(column)
    if pa.types.is_list(kind) and pa.types.is_timestamp(kind.value_type):
        return list(column.cast(pa.list_(_TIME)).cast(pa.list_(pa.int64())).to_pylist())
    return list(column.to_pylist())
