"""Turn what the original model took into the tensors that the graph takes.

A `Feeder` is made once for a model. Column order does not matter and further columns are ignored, as
scikit-learn ignores them; a missing column, an extra dimension or a wrong type is an InputError that
names the column, the dtype and the row.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import InputError
from sealift.model.documents.description import Column, ModelDescription, TensorInput
from sealift.model.inputs.matrix import MatrixReader
from sealift.model.inputs.one_row import read_row
from sealift.model.inputs.reading import Reading, parse_reading
from sealift.model.inputs.tables import Table, as_table, is_frame, values_of
from sealift.model.inputs.texts import distinct_texts, texts
from sealift.model.inputs.values import (
    all_finite,
    check_dtype,
    check_fits,
    check_numbers,
    check_wide,
    kind_of,
    numbers,
    objects,
)

if TYPE_CHECKING:
    from sealift.model.frontend.document import Frontend
    from sealift.model.frontend.sorted_feeds import SparseInputs
    from sealift.model.frontend.tokenizer.encoder import Encoder
    from sealift.model.frontend.tokenizer.feeds import TokenInputs

Feeds = dict[str, NDArray[Any]]

# Dense counts of 20,000 terms are 80 KB a row: rows go through the graph in chunks that stay in the cache.
_CHUNK_VALUES = 512 * 1024
# A graph may hold many values a row, such as the distance to each support vector: ten million rows at once
# would not fit into memory, and answers do not depend on the other rows.
_CHUNK_ROWS = 1 << 17
# Written together, column by column: the places of so many rows in a tensor stay in the cache.
_ROWS_AT_ONCE = 1 << 13
# More names than this are not compared with one that is missing.
_COMPARED_NAMES = 2000


class Feeder:
    """Makes the graph's feeds from rows, in chunks where the tensors or what the graph makes of them are large."""

    def __init__(
        self, description: ModelDescription, frontends: "Sequence[Frontend]", encoder: "Encoder | None" = None
    ) -> None:
        self._interface = description.interface
        self._reading = parse_reading(description.source)
        self._inputs = description.inputs
        self._first = description.inputs[0]
        self._wanted = tuple(dict.fromkeys(column.name for tensor in self._inputs for column in tensor.columns))
        self._texts: dict[str, Column] = {}
        self._numeric: list[TensorInput] = []
        for tensor in self._inputs:
            if tensor.dtype == "string" or tensor.frontend is not None:
                for column in tensor.columns:
                    self._texts.setdefault(column.name, column)
            else:
                self._numeric.append(tensor)
        self._counted = {
            column.name for tensor in self._inputs if tensor.frontend is not None for column in tensor.columns
        }
        self._ordered = tuple(dict.fromkeys(column.name for tensor in self._numeric for column in tensor.columns))
        self._numbers = set(self._ordered)
        self._matrix = MatrixReader(self._first, self._reading) if self._interface == "matrix" else None
        self._chunk_rows = _CHUNK_ROWS
        self._count: dict[int, Callable[[Sequence[str]], NDArray[Any]]] = {}
        self._sparse: SparseInputs | None = None
        self._tokens: TokenInputs | None = None
        # Models of numbers alone import nothing that counts text.
        if frontends:
            self._take_frontends(frontends, encoder)

    def _take_frontends(self, frontends: "Sequence[Frontend]", encoder: "Encoder | None") -> None:
        from sealift.model.frontend.sorted_feeds import SparseInputs
        from sealift.model.frontend.sparse import SparseCounter
        from sealift.model.frontend.tokenizer.declared import DeclaredTokenizer

        dense = {
            tensor.frontend: (tensor, frontend)
            for tensor in self._inputs
            if tensor.frontend is not None
            and not isinstance(frontend := frontends[tensor.frontend], SparseCounter | DeclaredTokenizer)
        }
        self._count = {number: counter.build(tensor.dtype) for number, (tensor, counter) in dense.items()}
        widths = [counter.width for _, counter in dense.values()]
        if widths:
            self._chunk_rows = min(_CHUNK_ROWS, max(1, _CHUNK_VALUES // max(1, *widths)))
        self._sparse = SparseInputs(self._inputs, frontends)
        self._tokens = None if encoder is None else _token_inputs(self._inputs, frontends, encoder)

    def feeds(self, rows: Any) -> Iterable[Feeds]:
        """Make the feeds of one or more calls of the graph; none where there are no rows.

        Args:
            rows: a table, a 2-D array or a list of strings, as the original model took it.

        Returns:
            The feeds, checked already; where a front end makes them wide, each is made when its turn comes.

        Raises:
            InputError: the rows do not fit the model.
        """
        if self._matrix is not None:
            matrix = self._matrix.read(rows)
            if 0 < len(matrix) <= self._chunk_rows:
                return [{self._first.name: matrix}]
            return self._chunks(len(matrix), {}, {self._first.name: matrix})
        if self._interface == "columns":
            return self._cut(*self._of_table(rows))
        column = self._first.columns[0]
        # A tokenizer takes NUL, which ends a string of ONNX's.
        found = texts(_one_dimension(rows), column, "text", nul=self._tokens is not None)
        return self._cut(len(found), {column.name: found}, {})

    def _cut(self, rows: int, strings: Mapping[str, Sequence[str]], numeric: Feeds) -> Iterable[Feeds]:
        if self._tokens is not None:
            return self._tokens.of(strings)
        if self._sparse:
            from sealift.model.frontend.sorted_feeds import SortedFeeds

            return SortedFeeds(self._sparse, strings, partial(self._plain_feeds, strings, numeric))
        return self._chunks(rows, strings, numeric)

    def _of_table(self, rows: Any) -> "tuple[int, dict[str, Sequence[str]], Feeds]":
        table = self._row(rows) or as_table(rows, self._reading)
        if table is None:
            raise InputError(
                f"rows are {_describe(rows)}; expected a DataFrame, an Arrow table, a list of dicts or a dict of "
                f"columns with {self._names()}"
            )
        if table.sparse:
            self._reading.check_absent("a frame of Sparse columns")
        if table.sized or table.typed:
            self._check_columns(rows, table)
        present = set(table.names)
        missing = next((name for name in self._wanted if name not in present), None)
        if missing is not None:
            raise InputError(f"column {missing!r} is missing; the model takes {self._names()}{_near(missing, present)}")
        strings = {name: self._text_column(table, name, column) for name, column in self._texts.items()}
        feeds = {tensor.name: _numeric_tensor(tensor, table, self._reading) for tensor in self._numeric}
        return table.rows, strings, feeds

    def _text_column(self, table: Table, name: str, column: Column) -> Sequence[str]:
        what = f"column {name!r}"
        # What counts words takes lists.
        found = None if name in self._counted else table.distinct(name)
        if found is not None:
            return distinct_texts(found, column, what, typed=table.sized)
        return texts(_column_values(table, name, column), column, what, typed=table.sized)

    def _check_columns(self, rows: Any, table: Table) -> None:
        """Check the order of a table's columns, and the dtypes of numbers in a frame, where the original minds them."""
        if self._reading.order == "places" or (self._reading.order == "tables" and not table.typed):
            given = rows.columns.tolist() if table.typed else table.names
            for known in (self._ordered, tuple(self._texts)):
                self._reading.check_order(given, known)
        if table.typed and self._reading.codes == "refused":
            named = [(name, dtype) for name, dtype in rows.dtypes.items() if name in self._numbers]
            self._reading.check_codes([dtype for _, dtype in named], [name for name, _ in named])

    def _row(self, rows: Any) -> Table | None:
        """See a pandas frame of one ordinary row as a table."""
        if not is_frame(rows) or len(rows) != 1 or self._reading.absent == "refused":
            return None
        columns = read_row(rows, self._texts.keys(), self._numbers)
        if (
            columns is not None
            and self._reading.sparse_missing == "refused"
            and any(map(_is_missing, columns.values()))
        ):
            return None  # whether its columns are Sparse matters then
        return None if columns is None else Table(columns.keys(), 1, columns.__getitem__, typed=True)

    def _chunks(self, rows: int, strings: Mapping[str, Sequence[str]], numeric: Feeds) -> Iterator[Feeds]:
        for start in range(0, rows, self._chunk_rows):
            part = slice(start, start + self._chunk_rows) if rows > self._chunk_rows else slice(None)
            feeds = self._plain_feeds(strings, numeric, part, None)
            for tensor in self._inputs:
                if tensor.frontend is not None:
                    feeds[tensor.name] = self._count[tensor.frontend](strings[tensor.columns[0].name][part])
            yield feeds

    def _plain_feeds(
        self, strings: Mapping[str, Sequence[str]], numeric: Feeds, part: slice, places: NDArray[Any] | None
    ) -> Feeds:
        """Make the feeds of all inputs that no front end makes, of the rows at `places` of a part."""
        feeds = {name: values[part] for name, values in numeric.items()}
        for tensor in self._inputs:
            if tensor.dtype == "string" and tensor.frontend is None:
                parts = [strings[column.name][part] for column in tensor.columns]
                feeds[tensor.name] = _string_tensor(parts, len(tensor.shape))
        return feeds if places is None else {name: values[places] for name, values in feeds.items()}

    def _names(self) -> str:
        names = self._wanted
        return ", ".join(map(repr, names[:20])) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _token_inputs(inputs: Sequence[TensorInput], frontends: "Sequence[Frontend]", encoder: "Encoder") -> "TokenInputs":
    from sealift.model.frontend.tokenizer.declared import DeclaredTokenizer
    from sealift.model.frontend.tokenizer.feeds import TokenInputs

    (declared,) = (one for one in frontends if isinstance(one, DeclaredTokenizer))
    return TokenInputs(inputs, declared, encoder)


def _is_missing(one: NDArray[Any]) -> bool:
    return bool(one.dtype.kind == "f" and one[0] != one[0])  # NaN alone


def _column_values(table: Table, name: str, column: Column) -> NDArray[Any]:
    try:
        values = table.get(name)
    except InputError as error:
        if column.missing is None or table.lacks(name) is None:
            raise
        raise InputError(f"{error}; use None for a missing value") from None
    if isinstance(values, np.ma.MaskedArray):
        raise InputError(f"column {name!r} is a masked array; fill it with NaN first")
    if values.ndim != 1:
        raise InputError(f"column {name!r} has shape {list(values.shape)}; expected one value a row")
    return np.asarray(values)


def _numeric_tensor(tensor: TensorInput, table: Table, reading: Reading) -> NDArray[Any]:
    result = np.empty((table.rows, len(tensor.columns)), dtype=tensor.dtype)
    floats = result.dtype.kind == "f"
    plain: list[tuple[int, NDArray[Any]]] = []
    rest: list[tuple[int, NDArray[Any]]] = []
    columns: list[NDArray[Any]] = []
    with np.errstate(over="ignore", invalid="ignore"):
        for index, column in enumerate(tensor.columns):
            what = f"column {column.name!r}"
            values = _numbers(table, column, what, reading)
            if table.sized and not table.typed:
                check_wide(column, what, "a table of Arrow or polars")
            reading.check_foreign(values.dtype, what)
            if column.kind == "float" and table.sized:
                reading.check_whole(values.dtype, what)
            if table.sized and values.dtype != column.dtype:
                if table.typed or values.dtype.kind == "f" or reading.strict:
                    check_dtype(values.dtype, column, what, strict=reading.strict)
                _check_kind(values, column, what, reading)
            columns.append(values)
            fractions = values.dtype.kind == "f" and column.kind != "float"
            (rest if fractions or column.categories is not None or not floats else plain).append((index, values))
        for start in range(0, table.rows, _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            for index, values in enumerate(columns):
                result[part, index] = values[part]
        if floats and not all_finite(result):
            rest += plain
        for index, values in rest:
            column = tensor.columns[index]
            what = f"column {column.name!r}"
            check_numbers(values, column, what)
            check_fits(result[:, index], values, what)
    return result


def _numbers(table: Table, column: Column, what: str, reading: Reading) -> NDArray[Any]:
    values = _column_values(table, column.name, column)
    if table.sized:
        reading.check_nones(values, what)
    return numbers(values, what)


def _check_kind(values: NDArray[Any], column: Column, what: str, reading: Reading) -> None:
    """Check large whole numbers, each column by the kind of the proven one: an array of all has the widest of them."""
    proven = column.dtype or "float64"
    rounded = np.dtype(proven).kind in "iub"
    reading._replace(rounded=rounded).check_integers(values, what, proven, table=True)


def _string_tensor(columns: Sequence[Sequence[str]], dimensions: int) -> NDArray[Any]:
    tensor = np.empty((len(columns[0]), len(columns)), dtype=object)
    for index, values in enumerate(columns):
        tensor[:, index] = values
    return tensor if dimensions == 2 else tensor[:, 0]


def _one_dimension(rows: Any) -> NDArray[Any]:
    if isinstance(rows, str | bytes):
        raise InputError("rows are one string; expected a list of strings, one a row")
    if as_table(rows) is not None:
        raise InputError("rows are a table; expected a list of strings, for example frame['text']")
    if isinstance(rows, AbstractSet):
        # Its order is another in each process, so nobody could say which answer is of which text.
        raise InputError("rows are a set, which has no order; expected a list of strings")
    if hasattr(rows, "to_numpy"):
        rows = values_of(rows, "text")
    elif not isinstance(rows, np.ndarray):
        try:
            return objects(rows if isinstance(rows, list | tuple) else list(rows))
        except Exception as error:
            # The caller's own iterator, which raises whatever it likes.
            raise InputError(f"rows are {_describe(rows)}; expected a list of strings") from error
    if np.ma.is_masked(rows):
        raise InputError("rows are a masked array with masked values; fill them first")
    if rows.ndim != 1:
        raise InputError(f"rows have shape {list(rows.shape)}; expected a list of strings")
    return np.asarray(rows)


def _describe(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return kind_of(value) + (f" of shape {list(shape)}" if isinstance(shape, tuple) else "")


def _near(missing: str, present: Collection[Any]) -> str:
    """The given column that may be meant by the one that is missing: of another case, or misspelled."""
    if len(present) > _COMPARED_NAMES:
        return ""
    from difflib import get_close_matches

    given = {name.casefold(): name for name in present if isinstance(name, str)}
    near = get_close_matches(missing.casefold(), given, n=1)
    return f"; the rows have {given[near[0]]!r:.80}" if near else ""
