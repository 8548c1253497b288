"""How the original reads rows where its answers depend on more than their numbers: `source.reads` in `model.json`.

XGBoost takes the absent entries of a SciPy matrix for missing values, and LightGBM rounds the integers of an array to
float32 and those of a table not. What cannot be read as the original reads it is refused.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sealift.errors import InputError, UnsupportedVersionError
from sealift.model.inputs.values import is_pandas_na

# Every integer up to here is a float32.
_EXACT = 2**24
_KNOWN = {
    "absent": ("missing", "refused"),
    "integers": ("arrays", "all"),
    "rounded": (True, False),
    "narrow": ("refused",),
    "sparse_missing": ("refused",),
    "foreign": ("order", "refused"),
    "whole": ("refused",),
    "nulls": ("refused",),
    "nones": ("refused",),
    "codes": ("refused",),
    "order": ("places", "tables"),
}


class Reading(NamedTuple):
    """How the original reads rows.

    `absent` says what the absent entries of a sparse matrix are to it: "zero", "missing", or "refused" where that
    depends on the step that they reach. `integers` says which integers beyond 2^24 it may round to float32: none, those
    of "arrays" (lists among them), or "all"; `rounded`, whether it rounded those of the proven rows. `narrow` and
    `sparse_missing` are "refused" where a step reads short integers, or NaN in pandas' Sparse columns, in its own way;
    so are `whole` for integers, `nulls` for those of Arrow's dictionaries, `nones` for None among objects, and
    `codes` for pandas' categories where numbers are expected. `order` is "places" where the original takes the columns
    of a table by their places, whatever their names, "tables" where it does so in those of Arrow and polars. `foreign`
    is "order" where the original reads only this machine's byte order, and "refused" where it reads long doubles in
    its own way, too.
    """

    absent: str = "zero"
    integers: str = "none"
    rounded: bool = False
    narrow: str = "taken"
    sparse_missing: str = "taken"
    foreign: str = "taken"
    whole: str = "taken"
    nulls: str = "taken"
    nones: str = "taken"
    codes: str = "taken"
    order: str = "names"

    @property
    def strict(self) -> bool:
        """Return whether the dtype of booleans and short integers matters to a step."""
        return self.narrow == "refused"

    def check_absent(self, rows: str) -> None:
        """Refuse a sparse container where the original's answer depends on how it passes it on.

        Raises:
            InputError: always then; `rows` names the container.
        """
        if self.absent == "refused":
            raise InputError(
                f"rows are {rows}, whose absent entries a step of the original does not take for zeros, and the model "
                "was proven on dense rows; convert them, for example with .toarray()"
            )

    def check_sparse_missing(self, values: NDArray[Any], what: str) -> None:
        """Refuse a missing number in a column of a Sparse dtype, of which scikit-learn makes a sparse matrix.

        Raises:
            InputError: a number is missing; the trees of scikit-learn do not know NaN in a sparse matrix.
        """
        if self.sparse_missing != "refused" or values.dtype.kind != "f":
            return
        missing = np.isnan(values)
        if missing.any():
            raise InputError(
                f"{what} row {int(np.argmax(missing))} is missing in a column of a Sparse dtype, which the original "
                "does not take as it takes one of a dense column: convert the column with .sparse.to_dense()"
            )

    def check_foreign(self, dtype: np.dtype[Any], what: str) -> None:
        """Refuse numbers of which the original reads the bytes otherwise than NumPy does.

        Raises:
            InputError: XGBoost takes them as they lie in memory; LightGBM makes float32 of what is not float64.
        """
        if self.foreign == "taken" or dtype.kind not in "iuf":
            return
        if not dtype.isnative:
            raise InputError(
                f"{what} holds the bytes of {dtype.name} in another order than this machine's, and the original does "
                f"not read them as its own: convert it with .astype({dtype.name!r})"
            )
        if self.foreign == "refused" and dtype == np.longdouble and dtype != np.float64:
            raise InputError(
                f"{what} has dtype longdouble, of which the original makes float32: convert it with .astype('float64')"
            )

    def check_whole(self, dtype: np.dtype[Any], what: str) -> None:
        """Refuse integers and booleans where the model was proven on floats, and the original computes otherwise.

        Raises:
            InputError: a step puts what it computes of integers into an array of integers.
        """
        if self.whole == "refused" and dtype.kind in "iub":
            raise InputError(
                f"{what} has dtype {dtype}, and the original cuts off fractions of what it makes of them: convert it "
                "with .astype('float64')"
            )

    def check_nulls(self, column: Any, what: str) -> None:
        """Refuse a null in an Arrow dictionary, which Arrow's own `to_numpy` takes for the last of its values.

        Raises:
            InputError: there is one, and the original reads it so.
        """
        if self.nulls == "refused" and hasattr(column.type, "index_type") and column.null_count:
            row = column.is_null().to_pylist().index(True)
            raise InputError(
                f"{what} row {row} is null in an Arrow dictionary, which the original takes for another category: "
                "give a DataFrame, with .to_pandas()"
            )

    def check_nones(self, values: NDArray[Any], what: str) -> None:
        """Refuse None and pandas.NA in objects, where a step of the original knows only NaN for missing.

        Raises:
            InputError: there is one; such a step takes it for another value.
        """
        if self.nones != "refused" or values.dtype.kind != "O":
            return
        for place, value in np.ndenumerate(values):
            if value is None or is_pandas_na(value):
                where = f"row {place[0]}" + "".join(f", column {index}" for index in place[1:])
                raise InputError(
                    f"{what} {where} is {value}, which a step of the original does not take for missing as it takes "
                    "NaN: give numpy.nan, for example in an array or a column of dtype float64"
                )

    def check_codes(self, dtypes: Iterable[Any], names: Iterable[Any]) -> None:
        """Refuse pandas' category dtype where numbers are expected: a booster reads the codes of the categories.

        Args:
            dtypes: of columns of a frame in which the model takes numbers.
            names: of the same columns.

        Raises:
            InputError: a column has such a dtype, and the original reads it so.
        """
        if self.codes != "refused":
            return
        for dtype, name in zip(dtypes, names, strict=True):
            if hasattr(dtype, "categories"):
                raise InputError(
                    f"column {name!r} has dtype category, of which the original reads the codes and not the numbers: "
                    "convert it with .astype('float64')"
                )

    def check_order(self, given: Iterable[Any], known: Sequence[str]) -> None:
        """Refuse a table with columns in another order than the proven rows, which the original takes by their places.

        Args:
            given: the names of the table, in its order.
            known: names that the model takes, in the order of the proven rows.

        Raises:
            InputError: a column stands before one that it stood behind.
        """
        wanted = set(known)
        found = [name for name in given if name in wanted]
        if len(found) != len(known):
            return  # one is missing, or there twice
        for one, other in zip(found, known, strict=True):
            if one != other:
                raise InputError(
                    f"column {one!r} stands where {other!r} stood in the rows of the proof, and the original takes "
                    "columns by their places, whatever their names: give the columns in that order"
                )

    def check_protocol(self, rows: Any) -> None:
        """Refuse an object that is an array to NumPy alone, of which XGBoost makes a sparse matrix without its zeros.

        Raises:
            InputError: it is one, such as a memoryview or an Arrow tensor.
        """
        if self.absent == "missing" and not isinstance(rows, list | tuple) and not hasattr(rows, "__array__"):
            raise InputError(
                f"rows are a {type(rows).__name__}, whose zeros the original takes for missing: "
                "give numpy.asarray(rows)"
            )

    def check_integers(self, values: NDArray[Any], what: str, proven: str | None, *, table: bool) -> None:
        """Refuse large numbers that the original rounds where it did not round the proven ones, or the reverse.

        Args:
            values: numbers in the dtype in which the original would see them.
            what: their name for the message.
            proven: the dtype that the model was proven on.
            table: whether they come in a table, and not in an array or a list.

        Raises:
            InputError: a number is beyond 2^24.
        """
        if self.integers == "none":
            return
        rounds = values.dtype.kind in "iub" and not (self.integers == "arrays" and table)
        if rounds == self.rounded:
            return
        with np.errstate(invalid="ignore"):
            large = (values > _EXACT) | (values < -_EXACT)
        if large.any():
            row = int(np.argwhere(large)[0][0])
            raise InputError(
                f"{what} row {row} is beyond 2^24 in {'a table' if table else 'an array'} of dtype {values.dtype}, and "
                "LightGBM rounds integers of arrays to float32, numpy.square lets integers wrap around, neither with "
                "other numbers: give it as the samples of the proof were, of dtype "
                f"{proven or 'float64'} and in their container"
            )

    def rounds(self, values: NDArray[Any], *, table: bool) -> bool:
        """Return whether the original rounds these numbers to float32, and the graph does not."""
        return self.integers == "arrays" and not self.rounded and not table and values.dtype.kind in "iub"


PLAIN = Reading()


def parse_reading(source: Mapping[str, Any]) -> Reading:
    """Read `source.reads`; its absence means that the original reads numbers alike in every container.

    Raises:
        UnsupportedVersionError: it says what this version does not know.
    """
    reads = source.get("reads", {})
    known = isinstance(reads, dict) and all(value in _KNOWN.get(key, ()) for key, value in reads.items())
    if not known:
        raise UnsupportedVersionError(
            f"model.json says of the original that it reads {reads!r:.200}, which this Sealift does not know; "
            "install a newer Sealift"
        )
    return Reading(**reads)


def densified(rows: Any, reading: Reading) -> NDArray[Any]:
    """Make a SciPy matrix or array dense: absent entries become zero, or NaN where the original takes them for that.

    Raises:
        InputError: it holds NaN, which the original may refuse in a sparse matrix.
    """
    values: NDArray[Any] = np.asarray(rows.toarray())
    if reading.absent != "missing":
        if values.dtype.kind == "f" and np.isnan(values).any():
            raise InputError("the sparse matrix holds NaN; give such rows as a dense array, with .toarray()")
        return values
    entries = rows.tocoo()
    absent = np.ones(values.shape, dtype=bool)
    absent[entries.row, entries.col] = False
    if values.dtype.kind != "f":
        values = values.astype(np.float64)
    values[absent] = np.nan
    return values
