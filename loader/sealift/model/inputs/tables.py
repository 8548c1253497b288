"""See any table as named NumPy columns: pandas, polars, Arrow, a dict of columns, a list of dicts.

Nothing is imported for it: each kind is known by the few methods it has.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sealift.errors import InputError
from sealift.model.inputs.reading import PLAIN, Reading
from sealift.model.inputs.values import kind_of, objects

_ABSENT = object()
# Texts of fewer rows are read as they are; so are those of which more than this share of a sample differ.
_MANY_ROWS, _SAMPLED_ROWS, _DISTINCT_SHARE = 4096, 1024, 0.25


class Distinct(NamedTuple):
    """A column of texts, each of which is there once: objects, and for each row the place of its own."""

    texts: NDArray[Any]
    places: NDArray[Any]


class Table(NamedTuple):
    """Columns by name; `get` gives a one-dimensional array of `rows` values.

    `typed` tells a table whose dtypes the original model would see as they are, pandas' own, from rows that
    have none, such as dicts read from JSON. `sized` says that the original sees the width of its floats, and None
    for a missing text: Arrow's and polars' too. `sparse` names the columns of pandas' Sparse dtypes
    where these matter to the original. `distinct` gives a column of texts that repeat, or None for any other column.
    `lacks` gives the first row of a list of dicts that does not have a name, which `get` then refuses.
    """

    names: Collection[str]
    rows: int
    get: Callable[[str], NDArray[Any]]
    typed: bool = False
    sized: bool = False
    sparse: Sequence[str] = ()
    distinct: Callable[[str], Distinct | None] = lambda _: None
    lacks: Callable[[str], int | None] = lambda _: None


def is_frame(data: Any) -> bool:
    """Know a pandas DataFrame; first of all, because its columns are attributes too, and may be named like Arrow's."""
    return hasattr(data, "iloc") and hasattr(data, "columns") and getattr(data, "ndim", 0) == 2


def as_table(data: Any, reading: Reading = PLAIN) -> Table | None:
    """See `data` as a table, or return None where it is not one.

    Args:
        data: anything.
        reading: how the original reads numbers.

    Raises:
        InputError: the columns of a dict have different lengths, or a list mixes dicts with other things.
    """
    try:
        return _as_table(data, reading)
    except InputError:
        raise
    except Exception as error:
        # The class of a table, or the caller's own object, which raises whatever it likes.
        raise InputError(f"rows are a {type(data).__name__} that cannot be read as a table") from error


def _as_table(data: Any, reading: Reading) -> Table | None:
    if isinstance(data, list):
        return _from_records(data) if data and isinstance(data[0], Mapping) else None
    if isinstance(data, np.ndarray):
        return None
    if isinstance(data, Mapping):
        return _from_mapping(data)
    if is_frame(data):
        names = list(data.columns)
        sparse: Sequence[str] = ()
        if reading.absent == "refused":  # asking every column for its dtype takes as long as reading a few
            sparse = [name for name, dtype in zip(names, data.dtypes, strict=True) if _is_sparse(dtype)]
        return Table(
            names,
            len(data),
            lambda name: _of_series(_only(data[name], name), name, reading),
            typed=True,
            sized=True,
            sparse=sparse,
            distinct=lambda name: _distinct(_only(data[name], name)),
        )
    if hasattr(data, "column_names") and hasattr(data, "num_rows"):  # pyarrow.Table and RecordBatch
        times = Counter(data.column_names)
        return Table(
            list(times),
            data.num_rows,
            lambda name: _of_arrow(_named(data, times, name), name, reading),
            sized=True,
        )
    # polars; `shape` first, which its LazyFrame lacks: that answers `columns` with a warning
    if hasattr(data, "shape") and hasattr(data, "columns") and hasattr(data, "__getitem__"):
        return Table(
            list(data.columns), data.shape[0], lambda name: values_of(data[name], f"column {name!r}"), sized=True
        )
    if isinstance(data, Sequence) and not isinstance(data, str | bytes) and len(data) and isinstance(data[0], Mapping):
        return _from_records(data)
    return None


def matrix_of_frame(frame: Any, reading: Reading) -> NDArray[Any]:
    """See a pandas frame as an array, in the dtype in which the original would see it.

    Raises:
        InputError: its columns are of Sparse dtypes, and the original's answer depends on how a step passes them on.
    """
    sparse = [place for place, dtype in enumerate(frame.dtypes) if _is_sparse(dtype)]
    if sparse:
        reading.check_absent("a frame of Sparse columns")
    for place in sparse if reading.sparse_missing == "refused" else ():
        reading.check_sparse_missing(np.asarray(frame.iloc[:, place]), f"column {place}")
    extensions = [dtype for dtype in frame.dtypes if _is_extension(dtype)]
    for dtype in extensions:
        _check_extension(dtype, "the frame", reading)
    if extensions:
        return np.asarray(frame.to_numpy(dtype=np.float64, na_value=np.nan))
    return np.asarray(frame.to_numpy())


def _is_sparse(dtype: Any) -> bool:
    return hasattr(dtype, "fill_value")


def _is_extension(dtype: Any) -> bool:
    """Know pandas' own numbers with NA, of which scikit-learn and the boosters make float64."""
    return not isinstance(dtype, np.dtype) and getattr(dtype, "kind", "O") in "biuf" and not _is_sparse(dtype)


def _of_series(column: Any, name: str, reading: Reading) -> NDArray[Any]:
    if _is_extension(column.dtype):
        _check_extension(column.dtype, f"column {name!r}", reading)
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    values = values_of(column, f"column {name!r}")
    if not _is_sparse(column.dtype):
        return values
    reading.check_sparse_missing(values, f"column {name!r}")
    # pandas itself makes float64 of Sparse[float32].
    return values.astype(column.dtype.subtype)


def _of_arrow(column: Any, name: str, reading: Reading) -> NDArray[Any]:
    what = f"column {name!r}"
    reading.check_nulls(column, what)
    return values_of(column, what)


def _distinct(column: Any) -> Distinct | None:
    """See a pandas column of Arrow's texts by its distinct ones: the same objects as its `to_numpy`, some twice.

    What a column of few different texts takes is mostly the making and checking of a Python object for each row.
    """
    if len(column) < _MANY_ROWS or getattr(column.dtype, "storage", None) != "pyarrow":
        return None
    try:
        arrow = column.array.__arrow_array__()
        if len(arrow.slice(0, _SAMPLED_ROWS).unique()) > _SAMPLED_ROWS * _DISTINCT_SHARE:
            return None
        encoded = (arrow.combine_chunks() if hasattr(arrow, "combine_chunks") else arrow).dictionary_encode()
        if len(encoded.dictionary) > len(column) * _DISTINCT_SHARE:
            return None
        values = encoded.dictionary.to_pylist()
        places = encoded.indices
        if places.null_count:
            places = places.fill_null(len(values))
            values.append(column.dtype.na_value)
        return Distinct(objects(values), np.asarray(places.to_numpy()))
    except Exception:  # noqa: BLE001 - another library's column: read as any other, it says what is wrong
        return None


def _check_extension(dtype: Any, what: str, reading: Reading) -> None:
    """Refuse numbers of pandas' own, where a NumPy function computes in them before they become float64."""
    wraps = dtype.kind in "iu" and reading.integers == "all"
    if reading.strict and (wraps or dtype.itemsize < np.dtype(np.float64).itemsize):
        raise InputError(
            f"{what} has dtype {dtype}, in which the original computes before it makes float64 of it: convert it with "
            ".astype('float64')"
        )


def _named(data: Any, times: Mapping[str, int], name: str) -> Any:
    """An Arrow table's column; Arrow itself answers a name that it has twice with a KeyError."""
    if times[name] > 1:
        raise _twice(name)
    return data.column(name)


def _only(column: Any, name: str) -> Any:
    """Return what pandas gives for a name: a frame of several columns where it has the name more than once."""
    if column.ndim != 1:
        raise _twice(name)
    return column


def _twice(name: str) -> InputError:
    return InputError(f"column {name!r} appears more than once; expected unique names")


def values_of(column: Any, what: str) -> NDArray[Any]:
    """The column's values, missing ones as its library has them; of any number of dimensions.

    Raises:
        InputError: the column cannot be read as an array.
    """
    kind: Any = getattr(column, "type", None)
    try:
        if hasattr(kind, "index_type"):
            # An Arrow dictionary: its own to_numpy takes a null for the last of the dictionary's values.
            column = column.cast(kind.value_type)
        if not hasattr(column, "to_numpy"):
            return objects(column) if isinstance(column, list | tuple) else np.asanyarray(column)
        try:
            return np.asanyarray(column.to_numpy())
        except ValueError:  # Arrow arrays that need a copy say so
            return np.asanyarray(column.to_numpy(zero_copy_only=False))
    except Exception as error:
        # Another library's column, or the caller's, whose conversion raises whatever it likes.
        raise InputError(
            f"{what} is a {type(column).__name__} that cannot be read as an array; "
            "expected numbers or strings, one a row"
        ) from error


def _from_mapping(data: Mapping[str, Any]) -> Table:
    columns: dict[str, NDArray[Any]] = {}
    if data and not any(map(_has_rows, data.values())):
        raise InputError("this is one row; put it into a list: [{…}]")
    for name, column in data.items():
        values = values_of(column, f"column {name!r}") if _has_rows(column) else None
        if values is None or values.ndim == 0:
            raise InputError(f"column {name!r} is a single value; expected a list or an array, one value a row")
        columns[name] = values
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        sizes = {name: len(column) for name, column in columns.items()}
        raise InputError(f"columns have different lengths: {sizes}; expected one value a row in each")
    return Table(list(columns), lengths.pop() if lengths else 0, columns.__getitem__)


def _has_rows(column: Any) -> bool:
    """Tell an array or a column of some library from a single value, text, a set or a generator."""
    return hasattr(column, "__len__") and hasattr(column, "__getitem__") and not isinstance(column, str | bytes | dict)


def _from_records(records: Sequence[Any]) -> Table:
    names: dict[str, None] = dict.fromkeys(records[0])
    plain = True
    for row, record in enumerate(records):
        if type(record) is dict:
            if record.keys() == names.keys():
                continue
        elif not isinstance(record, Mapping):
            raise InputError(f"row {row} is {kind_of(record)}; expected a dict like the rows before it")
        else:
            plain = False
        names.update(dict.fromkeys(record))

    def get(name: str) -> NDArray[Any]:
        if plain:
            try:
                return objects([record[name] for record in records])
            except KeyError:
                pass  # the loop below finds the row
        row = lacks(name)
        if row is not None:
            raise InputError(f"row {row} lacks {name!r}")
        return objects([record[name] for record in records])

    def lacks(name: str) -> int | None:
        return next((row for row, record in enumerate(records) if record.get(name, _ABSENT) is _ABSENT), None)

    return Table(list(names), len(records), get, lacks=lacks)
