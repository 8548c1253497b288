"""The caller's rows, seen as one of four interfaces."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealift.model.documents.description import MISSING_TEXT, Column
from sealift_bundler.errors import SourceError
from sealift_bundler.samples.column_names import check_names
from sealift_bundler.samples.containers import (
    Wrap,
    dense,
    is_sparse,
    unchanged,
    without_columns,
    wrap_frame,
    wrap_matrix,
)
from sealift_bundler.samples.trained_columns import feature_names, takes_absent_for_missing, text_columns


@dataclass
class SampleColumn:
    """One column of the samples; `accepts_missing` is learned by asking the original model."""

    name: str
    kind: str
    accepts_missing: bool = False
    # What a missing text is: scikit-learn tells "None", "NaN" and "pandas.NA" apart.
    missing_is: str = "NaN"
    # The categories of pandas' category dtype, in their order; None for any other dtype.
    levels: tuple[Any, ...] | None = None
    # Whether the loader takes no other category than these.
    closed: bool = False
    # The NumPy dtype of numbers, as the rows have it; None for text and for dtypes that NumPy lacks.
    dtype: str | None = None


@dataclass
class Samples:
    """Rows in the form in which the original model takes them.

    `rows` is a DataFrame ("columns"), a 2-D array ("matrix"), a list of strings ("text") or a dict of
    arrays ("tensors").
    """

    interface: str
    rows: Any
    columns: list[SampleColumn] = field(default_factory=list)
    # Tensors of a fixed first dimension cannot be cut into rows.
    whole: bool = False
    # The caller's own rows, where they came in another container, and what puts rows of the form above into it.
    given: Any = None
    own: Wrap = unchanged
    # Whether the absent entries of a sparse matrix are NaN in `rows`, as XGBoost takes them.
    absent_is_missing: bool = False
    # All columns that the model was trained on, where it drops some of them and these are not among `columns`.
    trained: tuple[str, ...] = ()

    @property
    def callers(self) -> Any:
        """The rows as the caller gave them: what the original and the loader are asked with."""
        return self.rows if self.given is None else self.given

    @property
    def sparse(self) -> bool:
        """Return whether the caller's rows are sparse: a SciPy matrix, or a frame with columns of Sparse dtypes."""
        frame = self.callers
        return is_sparse(frame) or (
            isinstance(frame, pd.DataFrame) and any(isinstance(dtype, pd.SparseDtype) for dtype in frame.dtypes)
        )

    def like(self, rows: Any) -> "Samples":
        """See other rows of the same form, in the caller's container too."""
        return replace(self, rows=rows, given=None if self.given is None else self.own(rows))

    @property
    def unread(self) -> set[str]:
        """The columns that the model was trained on and drops."""
        return set(self.trained) - {column.name for column in self.columns}

    @property
    def tabular(self) -> bool:
        """Return whether the caller's rows are a table of some library."""
        return isinstance(self.given, pd.DataFrame) or hasattr(self.given, "to_pandas")

    def forget_container(self) -> None:
        """Ask with rows of the form above: the original takes none in the caller's container."""
        self.given, self.own = None, unchanged

    def __len__(self) -> int:
        if self.interface == "tensors":
            # A scalar has no rows, and a model of scalars alone is asked once.
            lengths = [len(values) for values in self.rows.values() if np.ndim(values)]
            return max(lengths, default=min(1, len(self.rows)))
        return len(self.rows)

    def take(self, indices: Sequence[int]) -> Any:
        """The rows at `indices`, in the original's form."""
        if self.interface == "columns":
            return self.rows.iloc[list(indices)]
        if self.interface == "matrix":
            return self.rows[list(indices)]
        if self.interface == "text":
            return [self.rows[index] for index in indices]
        return {name: values[list(indices)] for name, values in self.rows.items()}

    def head(self, count: int) -> Any:
        """The first `count` rows."""
        return self.take(range(min(count, len(self))))

    def forbid_missing(self) -> set[str]:
        """Let no column take a missing value that has none in the samples; return those that took one before."""
        if self.interface not in ("columns", "matrix"):
            return set()
        missing = pd.DataFrame(self.rows).isna().any(axis=0).tolist()
        forbidden = set()
        for column, holds in zip(self.columns, missing, strict=True):
            if column.accepts_missing and not holds:
                column.accepts_missing = False
                forbidden.add(column.name)
        return forbidden

    def forbid_unseen(self) -> set[str]:
        """Let no categorical column take an unseen category; return those that took one before."""
        open_columns = [column for column in self.columns if column.levels is not None and not column.closed]
        for column in open_columns:
            column.closed = True
        return {column.name for column in open_columns}

    def described(self, column: SampleColumn, categories: Sequence[Any] | None, *, told_apart: bool) -> Column:
        """The column as `model.json` has it.

        Args:
            column: One of `columns`.
            categories: All that the original takes; None where it takes any.
            told_apart: Whether a step of the model tells None from NaN in this column.
        """
        missing = MISSING_TEXT if column.kind == "str" else "nan"
        # What a step makes of NaN says nothing of pandas' NA.
        accepts = column.accepts_missing and not (told_apart and column.missing_is == "pandas.NA")
        if categories is None and column.closed:
            categories = column.levels
        known = None if categories is None else tuple(categories)
        return Column(
            column.name,
            column.kind,
            missing if accepts else None,
            categories=known,
            missing_is=column.missing_is if accepts and told_apart and column.kind == "str" else None,
            # What computes in float16 is refused, and others see each number as it is.
            dtype=None if column.dtype == "float16" else column.dtype,
        )


def as_samples(rows: Any, model: Any, *, text: bool, unread: Collection[str] = ()) -> Samples:
    """See rows as samples of a model.

    Args:
        rows: A DataFrame, an array, a list of dicts, a list of strings, or a dict of tensors.
        model: The trained model, whose feature names the columns must fit.
        text: Whether the model takes a list of strings.
        unread: Columns of the training that the model drops: they are left out where they are there, and may be
            of any kind.

    Raises:
        SourceError: there are no rows, or they do not fit the model.
    """
    given = rows = without_columns(rows, unread)
    missing = is_sparse(rows) and takes_absent_for_missing(model)
    rows = dense(rows, absent_is_missing=missing) if is_sparse(rows) else _native(rows)
    if isinstance(rows, Mapping):
        return Samples("tensors", dict(rows))
    if text and isinstance(rows, pd.DataFrame) and not _takes_columns(model):
        rows = _only_text(rows)
    if isinstance(rows, pd.DataFrame):
        check_names(rows, model, unread)
        samples = _of_frame(rows, model, unread)
    elif isinstance(rows, list):
        _check_texts(rows)
        samples = Samples("text", rows, [SampleColumn("text", "str")])
    else:
        samples = _of_array(rows, model)
    _keep_container(samples, given, absent_is_missing=missing)
    if len(samples) == 0:
        raise SourceError("there are no sample rows; give at least one, better some hundreds")
    return samples


def _keep_container(samples: Samples, given: Any, *, absent_is_missing: bool) -> None:
    """Note in the samples the rows as the caller gave them, and what that container makes of numbers and texts."""
    if samples.interface == "matrix":
        samples.given, samples.own = given, wrap_matrix(given, absent_is_missing=absent_is_missing)
        samples.absent_is_missing = absent_is_missing
        if is_sparse(given):
            # NaN of absent entries makes floats of integers.
            for column in samples.columns:
                column.kind, column.dtype = _kind_of_array(given), _dtype(given.dtype)
    elif samples.interface == "columns":
        samples.given, samples.own = given, wrap_frame(given)
        if not isinstance(given, pd.DataFrame) and samples.tabular:
            for column in samples.columns:
                column.missing_is = "None"


def _native(rows: Any) -> Any:
    if isinstance(rows, pd.DataFrame | Mapping):
        return rows
    if hasattr(rows, "to_pandas"):  # polars, Arrow
        return _with_none(rows.to_pandas())
    if isinstance(rows, pd.Series):
        rows = rows.tolist()
    if isinstance(rows, np.ndarray) and rows.ndim == 1 and rows.dtype.kind in "OU":
        rows = rows.tolist()
    if isinstance(rows, list | tuple):
        if rows and isinstance(rows[0], Mapping):
            return pd.DataFrame(list(rows))
        if rows and isinstance(rows[0], str):
            return list(rows)
    try:
        return np.asarray(rows)
    except ValueError:
        raise SourceError(
            f"the samples are a {type(rows).__name__} of uneven rows; expected a table or an array"
        ) from None


def _with_none(frame: pd.DataFrame) -> pd.DataFrame:
    """Make None of missing texts: that is what the original sees of them in a table of polars or Arrow."""
    texts = [name for name in frame.columns if frame[name].dtype == "str"]
    return frame.assign(**{name: frame[name].astype(object).where(frame[name].notna(), None) for name in texts})


def _takes_columns(model: Any) -> bool:
    return feature_names(model, ()) is not None or _has_column_transformer(model)


def _has_column_transformer(model: Any) -> bool:
    inner = [step[1] for step in getattr(model, "steps", ())] + [getattr(model, "best_estimator_", None)]
    return hasattr(model, "transformers_") or any(_has_column_transformer(part) for part in inner if part is not None)


def _only_text(frame: pd.DataFrame) -> list[str]:
    texts = [name for name in frame.columns if frame[name].dtype == object or frame[name].dtype == "str"]
    if len(texts) != 1:
        raise SourceError(f"the model takes texts; the samples have {len(texts)} text columns, expected exactly one")
    values: list[str] = frame[texts[0]].tolist()
    return values


def _check_texts(rows: list[Any]) -> None:
    for row, value in enumerate(rows):
        if not isinstance(value, str):
            raise SourceError(f"sample row {row} is {value!r:.80} ({type(value).__name__}); expected a string")


def _of_frame(frame: pd.DataFrame, model: Any, unread: Collection[str]) -> Samples:
    trained = feature_names(model, frame.columns)
    names = None if trained is None else [name for name in trained if name not in unread]
    if names is None and (not _has_column_transformer(model) or _is_numbered(frame)):
        return _of_array(_array_of(frame), model)
    frame = frame[names or list(frame.columns)]
    columns = [
        SampleColumn(
            _text_name(name),
            _kind(frame[name]),
            missing_is=_missing_is(frame[name]),
            levels=_levels(frame[name]),
            dtype=_dtype(frame[name].dtype),
        )
        for name in frame.columns
    ]
    text = text_columns(model)
    for column in columns:
        if column.kind != "str" and column.name in text:
            raise SourceError(
                f"column {column.name!r} of the samples has dtype {frame[column.name].dtype}; "
                "the model was trained on text there; give text, for example as JSON with quotes"
            )
    return Samples("columns", frame.reset_index(drop=True), columns, trained=tuple(trained or ()) if unread else ())


def _is_numbered(frame: pd.DataFrame) -> bool:
    """Return whether a frame of numbers has numbers for names, by which scikit-learn does not go: it goes by places."""
    named = any(isinstance(name, str) for name in frame.columns)
    return not named and all(
        dtype.kind in "biuf" and not isinstance(dtype, pd.CategoricalDtype) for dtype in frame.dtypes
    )


def _array_of(frame: pd.DataFrame) -> Any:
    if any(not isinstance(dtype, np.dtype) and dtype.kind in "biuf" for dtype in frame.dtypes):
        # Of pandas' own numbers scikit-learn makes float64.
        return frame.to_numpy(dtype=np.float64, na_value=np.nan)
    return frame.to_numpy()


def _text_name(name: Any) -> str:
    if not isinstance(name, str):
        raise SourceError(
            f"column {name!r} is named by a {type(name).__name__}, and columns of several kinds go by names; train "
            "with names that are strings: frame.columns = frame.columns.astype(str)"
        )
    return name


def _kind(series: "pd.Series[Any]") -> str:
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _kind(dtype.categories.to_series(name=series.name))
    if pd.api.types.is_bool_dtype(dtype):
        return "bool"
    if pd.api.types.is_integer_dtype(dtype):
        return "int"
    if pd.api.types.is_float_dtype(dtype):
        return "float"
    if pd.api.types.is_string_dtype(dtype) or dtype.kind == "O":
        wrong = next((v for v in series if not isinstance(v, str) and not pd.isna(v)), None)
        if wrong is not None:
            raise SourceError(f"column {series.name!r} mixes text with {wrong!r:.60} ({type(wrong).__name__})")
        return "str"
    raise SourceError(f"column {series.name!r} has dtype {dtype}; expected numbers, booleans or text")


def _dtype(dtype: Any) -> str | None:
    """The dtype in which the original sees numbers: of pandas' own with NA, and of booleans among them, float64."""
    if isinstance(dtype, pd.SparseDtype):
        dtype = dtype.subtype
    if isinstance(dtype, np.dtype):
        return dtype.name if dtype.kind in "iuf" else None
    numeric = not isinstance(dtype, pd.CategoricalDtype) and getattr(dtype, "kind", "O") in "biuf"
    return "float64" if numeric else None


def _levels(series: "pd.Series[Any]") -> tuple[Any, ...] | None:
    dtype = series.dtype
    return tuple(dtype.categories.tolist()) if isinstance(dtype, pd.CategoricalDtype) else None


def _missing_is(series: "pd.Series[Any]") -> str:
    """What a missing text of this column is; "NaN" where none is missing and the dtype does not say."""
    if series.dtype != object:
        # pandas' own dtypes of text say what they have for a missing one.
        return "pandas.NA" if getattr(series.dtype, "na_value", None) is pd.NA else "NaN"
    kinds = {_kind_of_missing(value) for value in series if not isinstance(value, str)}
    if len(kinds) > 1:
        raise SourceError(
            f"column {series.name!r} holds both {' and '.join(sorted(kinds))}, which scikit-learn tells apart; make "
            "them one"
        )
    return kinds.pop() if kinds else "NaN"


def _kind_of_missing(value: Any) -> str:
    return "None" if value is None else "pandas.NA" if value is pd.NA else "NaN"


def _numbers_of_objects(array: NDArray[Any]) -> NDArray[Any]:
    """Make float64 of an array of Python's numbers, as scikit-learn does; leave any other."""
    if any(isinstance(value, str | bytes) for value in array.ravel()[:1000]):
        return array
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        return array


def _kind_of_array(array: Any) -> Any:
    return {"b": "bool", "i": "int", "u": "int", "f": "float"}.get(array.dtype.kind)


def _of_array(array: Any, model: Any) -> Samples:
    array = np.asarray(array)
    if array.dtype.kind == "O":
        array = _numbers_of_objects(array)
    width = getattr(model, "n_features_in_", None)
    if array.ndim != 2 or (width is not None and array.shape[1] != width):
        raise SourceError(f"the samples have shape {list(array.shape)}; expected [rows, {width or 'features'}]")
    kind = _kind_of_array(array)
    if kind is None:
        raise SourceError(f"the samples are an array of dtype {array.dtype}; use a DataFrame for mixed columns")
    return Samples(
        "matrix", array, [SampleColumn(f"x{index}", kind, dtype=_dtype(array.dtype)) for index in range(array.shape[1])]
    )
