"""See any table as named NumPy columns: pandas, polars, Arrow, a dict of columns, a list of dicts.

Nothing is imported for it: each kind is known by the few methods it has.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import InputError

_ABSENT = object()


@dataclass(frozen=True)
class Table:
    """Columns by name; `get` gives a one-dimensional array of `rows` values.

    `typed` tells a table whose dtypes the original model would see as they are, pandas' own, from rows that
    have none, such as dicts read from JSON.
    """

    names: Sequence[str]
    rows: int
    get: Callable[[str], NDArray[Any]]
    typed: bool = False


def as_table(data: Any) -> Table | None:
    """See `data` as a table, or return None where it is not one.

    Raises:
        InputError: the columns of a dict have different lengths, or a list mixes dicts with other things.
    """
    if hasattr(data, "column_names") and hasattr(data, "num_rows"):  # pyarrow.Table and RecordBatch
        return Table(list(data.column_names), data.num_rows, lambda name: _values(data.column(name), name))
    if hasattr(data, "columns") and hasattr(data, "shape") and hasattr(data, "__getitem__"):  # pandas, polars
        typed = hasattr(data, "iloc")
        return Table(list(data.columns), data.shape[0], lambda name: _values(data[name], name), typed)
    if isinstance(data, Mapping):
        return _from_mapping(data)
    if isinstance(data, Sequence) and not isinstance(data, str | bytes) and len(data) and isinstance(data[0], Mapping):
        return _from_records(data)
    return None


def _values(column: Any, name: str) -> NDArray[Any]:
    """The column's values, missing ones as the table has them."""
    if getattr(column, "ndim", 1) != 1:
        raise InputError(f"column {name!r} appears more than once; expected unique names")
    kind: Any = getattr(column, "type", None)
    if hasattr(kind, "index_type"):
        # An Arrow dictionary: its own to_numpy takes a null for the last of the dictionary's values.
        column = column.cast(kind.value_type)
    if not hasattr(column, "to_numpy"):
        return _object_array(column) if isinstance(column, list | tuple) else np.asarray(column)
    try:
        values = np.asarray(column.to_numpy())
    except ValueError:  # Arrow arrays that need a copy say so
        values = np.asarray(column.to_numpy(zero_copy_only=False))
    return values


def _object_array(values: Sequence[Any]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _from_mapping(data: Mapping[str, Any]) -> Table:
    columns = {name: _values(column, name) for name, column in data.items() if np.ndim(column) != 0}
    scalar = next((name for name in data if name not in columns), None)
    if scalar is not None:
        raise InputError(f"column {scalar!r} is a single value; expected a list or an array, one value a row")
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        sizes = {name: len(column) for name, column in columns.items()}
        raise InputError(f"columns have different lengths: {sizes}; expected one value a row in each")
    return Table(list(columns), lengths.pop() if lengths else 0, columns.__getitem__)


def _from_records(records: Sequence[Any]) -> Table:
    names: dict[str, None] = {}
    for row, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise InputError(f"row {row} is a {type(record).__name__}; expected a dict like the rows before it")
        names.update(dict.fromkeys(record))

    def get(name: str) -> NDArray[Any]:
        values = [record.get(name, _ABSENT) for record in records]
        for row, value in enumerate(values):
            if value is _ABSENT:
                raise InputError(f"row {row} lacks {name!r}; use None for a missing value")
        return _object_array(values)

    return Table(list(names), len(records), get)
