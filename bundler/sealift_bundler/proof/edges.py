"""Edge rows: made from the caller's rows, to find what the caller's rows do not show.

Each kind is tried on the original first. What the original refuses, the loader must refuse too, and
is left out here. Every kind has a bound, and all columns have a share of it.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealift_bundler.converters import Answers, Original
from sealift_bundler.samples.containers import Wrap, unchanged
from sealift_bundler.samples.generated.edge_values import (
    FAR,
    FAR_POWERS,
    NEAR_ZERO,
    numbers_around,
    some_of,
    texts_around,
)
from sealift_bundler.samples.interfaces import SampleColumn, Samples

MISSING = "missing"
UNSEEN = "unseen category"
HARD = "hard texts"
# Kinds of edge rows that the loader can refuse where the original answers.
REFUSABLE = frozenset([MISSING, UNSEEN])
# A model is not refused for rows of these kinds alone: they are so far from the caller's that float64 has to do.
CHOOSE_THE_RUNG = frozenset([FAR, NEAR_ZERO])

# Enough to meet every threshold of a small forest, few enough that the proof stays quick.
_BASE_ROWS = 256
_SHUFFLED_ROWS = 1024
# Rows of a kind, over all columns.
_MOST_ROWS = {"thresholds": 3072, "round numbers": 1024, "extremes": 1024, "large integers": 512, MISSING: 2048}
_MOST_OF_OTHERS = 256
_FEW = 8
# Kinds of which the original may refuse any row, so that it is asked for single ones; otherwise for pieces.
_ONE_BY_ONE = {"extremes", "round numbers", HARD, *CHOOSE_THE_RUNG}
_ROWS_A_PIECE = 8
# Of a kind of rows, so many times: enough to find each of 160 columns by halving.
_MOST_ASKS = 320
# Between them, an original tends to take all numbers of a column or none.
_RUNS = (-1e6, 0.0, np.nextafter(0.0, 1.0), 1e6)


@dataclass(frozen=True)
class EdgeRows:
    """Rows of one kind that the original accepts, and its answers.

    `rows` have the form of `Samples.rows`; `own` puts them into the caller's container.
    """

    kind: str
    rows: Any
    answers: Answers
    # How many rows of this kind there would have been, had there been no bound.
    possible: int = 0
    # For each row the column that was changed; none where many were.
    columns: tuple[str, ...] = ()
    own: Wrap = unchanged

    def without(self, columns: Collection[str]) -> "EdgeRows | None":
        """Return the rows in which none of these columns was changed; None where there are none."""
        kept = [place for place, name in enumerate(self.columns) if name not in columns]
        if not kept:
            return None
        rows = self.rows.iloc[kept].reset_index(drop=True) if isinstance(self.rows, pd.DataFrame) else self.rows[kept]
        answers = {name: values[kept] for name, values in self.answers.items()}
        return replace(self, rows=rows, answers=answers, columns=tuple(self.columns[place] for place in kept))


# Values for one column, and how many there would have been.
_Change = tuple[SampleColumn, Any, int]


def edge_rows(samples: Samples, original: Original, hard_texts: Sequence[str] = ()) -> list[EdgeRows]:
    """Make edge rows and note in `samples` which columns may hold a missing value.

    Args:
        hard_texts: rows of their own, where a model takes texts.
    """
    generator = np.random.default_rng(20_240_229)
    makers: dict[str, Callable[[Samples, np.random.Generator], Iterator[EdgeRows]]] = {
        "columns": _of_frame,
        "matrix": _of_matrix,
        "text": _of_texts,
    }
    maker = makers.get(samples.interface)
    known = {column.name: column for column in samples.columns}
    result: list[EdgeRows] = []
    hard = [EdgeRows(HARD, list(hard_texts), {}, len(hard_texts))] if hard_texts else []
    for edge in (*maker(samples, generator), *hard) if maker else ():
        accepted = list(_accepted(original, replace(edge, own=samples.own)))
        if accepted:
            accepted[0] = replace(accepted[0], possible=edge.possible)
        result.extend(accepted)
        if edge.kind == MISSING:
            for name in {name for part in accepted for name in part.columns}:
                known[name].accepts_missing = True
    return result


def _accepted(original: Original, edge: EdgeRows) -> Iterator[EdgeRows]:
    """The rows that the original answers, with its answers: all at once, or else halves of them.

    It is asked a bounded number of times, for larger pieces first; what it was not asked for counts as refused.
    """
    waiting = deque([edge] if len(edge.rows) else [])
    for _ in range(_MOST_ASKS):
        if not waiting:
            return
        piece = waiting.popleft()
        rows, count = piece.rows, len(piece.rows)
        try:
            answers = original.answers(piece.own(rows))
        except Exception:  # noqa: BLE001 - someone else's model or container; whatever it raises means "not accepted"
            # Missing values are refused by column, and the rows of one column stand together.
            one = edge.kind == MISSING and len(set(piece.columns)) == 1
            if one or count <= (1 if edge.kind in (*_ONE_BY_ONE, MISSING) else _ROWS_A_PIECE):
                continue
            for part in (slice(0, count // 2), slice(count // 2, count)):
                some = rows.iloc[part].reset_index(drop=True) if isinstance(rows, pd.DataFrame) else rows[part]
                waiting.append(replace(piece, rows=some, columns=piece.columns[part]))
            continue
        yield replace(piece, answers=answers, possible=0)


def _changes(
    samples: Samples, of: Callable[[SampleColumn], NDArray[Any]], generator: np.random.Generator
) -> dict[str, list[_Change]]:
    """Numbers by kind, for each column; columns take turns where there is less than a row for each."""
    found: dict[str, list[_Change]] = {}
    columns = len(samples.columns)
    for place, column in enumerate(samples.columns):
        if column.kind == "str" or column.levels is not None:
            continue
        for kind, values in numbers_around(of(column), column.kind, generator):
            most = _MOST_ROWS.get(kind, _MOST_OF_OTHERS)
            turn = place % -(-columns // most) == 0
            share = some_of(np.roll(values, -place), max(1, most // columns)) if turn else values[:0]
            found.setdefault(kind, []).append((column, share, len(values)))
    return found


def _few(base: Any, columns: int) -> Any:
    """Rows for changes that need no more than some for a column."""
    return base[: max(1, min(_FEW, _MOST_ROWS[MISSING] // max(1, columns)))]


def _of_frame(samples: Samples, generator: np.random.Generator) -> Iterator[EdgeRows]:
    frame = _plain(samples.rows)
    base = frame.iloc[generator.choice(len(frame), size=min(len(frame), _BASE_ROWS), replace=False)]
    # Values that occur, in combinations that do not. `iloc` keeps the dtype, and None apart from NaN.
    drawn = {name: frame[name].iloc[generator.integers(0, len(frame), _SHUFFLED_ROWS)] for name in frame.columns}
    shuffled = pd.DataFrame({name: column.reset_index(drop=True) for name, column in drawn.items()})
    yield EdgeRows("shuffled", shuffled, {}, len(shuffled))
    few = _few(base, len(samples.columns)).reset_index(drop=True)
    possible = min(len(base), _FEW)
    changes = _changes(samples, lambda column: np.asarray(samples.rows[column.name].to_numpy()), generator)
    for made in changes.values():
        made[:] = [
            (
                column,
                values.astype(float) if frame[column.name].dtype != samples.rows[column.name].dtype else values,
                of,
            )
            for column, values, of in made
        ]
    for column in samples.columns:
        series = frame[column.name]
        changes.setdefault(MISSING, []).append((column, _all_missing(series, column, len(few)), possible))
        if column.levels is not None:
            changes.setdefault(UNSEEN, []).append((column, _unseen_category(series, len(few)), possible))
        elif column.kind == "str":
            for kind, text in (("unseen", "unseen \u0436"), ("empty", "")):
                changes.setdefault(kind, []).append(
                    (column, pd.Series([text] * len(few), dtype=series.dtype), possible)
                )
    for kind, made in changes.items():
        source = base if kind in (*_MOST_ROWS, *CHOOSE_THE_RUNG) and kind != MISSING else few
        together = [change for change in made if change[1].dtype == frame[change[0].name].dtype]
        if together:
            yield _joined_frame(kind, source, together)
        # Another dtype in a column is another question; each of these is asked by itself.
        for change in made:
            if change[1].dtype != frame[change[0].name].dtype:
                column, values, of = change
                rows = source.iloc[np.resize(np.arange(len(source)), len(values))].reset_index(drop=True)
                rows[column.name] = pd.Series(values)
                yield EdgeRows(kind, rows, {}, of, (column.name,) * len(rows))


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with numbers of NumPy for those of pandas and for Sparse ones; `own` makes them of these again."""
    plain = {}
    for name in frame.columns:
        series: Any = frame[name]
        if isinstance(series.dtype, pd.SparseDtype):
            series = series.sparse.to_dense()
        elif not isinstance(series.dtype, np.dtype | pd.CategoricalDtype) and series.dtype.kind in "iuf":
            series = pd.Series(series.to_numpy(dtype=np.float64, na_value=np.nan), frame.index)
        plain[name] = series
    return pd.DataFrame(plain)


def _joined_frame(kind: str, base: pd.DataFrame, made: Sequence[_Change]) -> EdgeRows:
    """Rows of `base`, in each of which one column is changed."""
    places = np.concatenate([np.resize(np.arange(len(base)), len(values)) for _, values, _ in made])
    rows = base.iloc[places].reset_index(drop=True)
    parts: dict[str, pd.Series[Any]] = {str(name): rows[name] for name in rows.columns}
    start = 0
    for column, values, _ in made:
        changed = parts[column.name].copy()
        changed.iloc[start : start + len(values)] = values
        parts[column.name] = changed
        start += len(values)
    order = _in_runs(kind, made)
    names = [column.name for column, values, _ in made for _ in range(len(values))]
    rows = pd.DataFrame(parts).iloc[order].reset_index(drop=True)
    return EdgeRows(kind, rows, {}, sum(possible for _, _, possible in made), tuple(names[place] for place in order))


def _in_runs(kind: str, made: Sequence[_Change]) -> NDArray[Any]:
    """An order in which rows that the original may refuse stand together, so that halving finds them in few calls.

    The logarithm of a column refuses what is negative in it, and a power what is large.
    """
    count = sum(len(values) for _, values, _ in made)
    if kind == MISSING or any(np.asarray(values).dtype.kind not in "iuf" for _, values, _ in made):
        return np.arange(count)
    numbers = np.concatenate([np.asarray(values, dtype=np.float64) for _, values, _ in made])
    columns = np.repeat(np.arange(len(made)), [len(values) for _, values, _ in made])
    return np.lexsort((numbers, columns, np.digitize(numbers, _RUNS)))


def _unseen_category(series: "pd.Series[Any]", rows: int) -> "pd.Series[Any]":
    known = series.cat.categories
    other: Any = "unseen \u0436"
    if pd.api.types.is_numeric_dtype(known.dtype):
        other = known.max() + 1
    return pd.Series(pd.Categorical([other] * rows, categories=[*known, other]))


def _all_missing(series: "pd.Series[Any]", column: SampleColumn, rows: int) -> "pd.Series[Any]":
    if series.dtype == object:
        # The caller's own kind of missing: scikit-learn tells None from NaN.
        hole = {"None": None, "NaN": np.nan, "pandas.NA": pd.NA}[column.missing_is]
        return pd.Series([hole] * rows, dtype=object)
    if pd.api.types.is_numeric_dtype(series.dtype):
        return pd.Series([np.nan] * rows, dtype=series.dtype if series.dtype.kind == "f" else None)
    return pd.Series([None] * rows, dtype=series.dtype)


def _of_matrix(samples: Samples, generator: np.random.Generator) -> Iterator[EdgeRows]:
    array = samples.rows
    base = array[generator.choice(len(array), size=min(len(array), _BASE_ROWS), replace=False)]
    drawn = generator.integers(0, len(array), (_SHUFFLED_ROWS, array.shape[1]))
    yield EdgeRows("shuffled", np.take_along_axis(array, drawn, axis=0), {}, _SHUFFLED_ROWS)
    place_of = {column.name: place for place, column in enumerate(samples.columns)}
    changes = _changes(samples, lambda column: np.asarray(array[:, place_of[column.name]]), generator)
    few = _few(base, len(samples.columns))
    floats = few.astype(array.dtype if array.dtype.kind == "f" else np.float64)
    nan = np.full(len(few), np.nan)
    changes[MISSING] = [(column, nan, min(len(base), _FEW)) for column in samples.columns]
    for kind, made in changes.items():
        source = floats if kind == MISSING else base
        places = np.concatenate([np.resize(np.arange(len(source)), len(values)) for _, values, _ in made])
        rows = source[places]
        columns = np.repeat([place_of[column.name] for column, _, _ in made], [len(values) for _, values, _ in made])
        rows[np.arange(len(rows)), columns] = np.concatenate([values for _, values, _ in made])
        order = _in_runs(kind, made)
        names = tuple(samples.columns[place].name for place in columns[order])
        yield EdgeRows(kind, rows[order], {}, sum(possible for _, _, possible in made), names)
    if array.dtype.kind == "f" and np.isfinite(array).any():
        # All numbers of a row at once, as in another unit.
        powers = np.repeat(10.0 ** np.array(FAR_POWERS), 2)
        with np.errstate(over="ignore"):
            rows = (base[np.resize(np.arange(len(base)), len(powers))] * powers[:, np.newaxis]).astype(array.dtype)
        rows = rows[~np.isinf(rows).any(axis=1)]
        yield EdgeRows(FAR, rows, {}, len(rows))


def _of_texts(samples: Samples, generator: np.random.Generator) -> Iterator[EdgeRows]:
    rows: list[str] = samples.rows
    some = [rows[index] for index in generator.choice(len(rows), size=min(len(rows), 64), replace=False)]
    for kind, texts in texts_around(some).items():
        yield EdgeRows(kind, texts, {}, len(texts))
