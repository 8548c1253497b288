"""Edge rows: made from the caller's rows, to find what the caller's rows do not show.

Each kind is tried on the original first. What the original refuses, the loader must refuse too, and
is left out here.
"""

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealift_bundler.converters import Answers, Original
from sealift_bundler.samples.interfaces import SampleColumn, Samples

MISSING = "missing"
UNSEEN = "unseen category"
# Kinds of edge rows that the loader can refuse where the original answers.
REFUSABLE = frozenset([MISSING, UNSEEN])

# Enough to meet every threshold of a small forest, few enough that the proof stays quick.
_ROWS_A_KIND = 256
_ROWS_A_COLUMN = 48
_SHUFFLED_ROWS = 1024

_TEXTS = (
    "",
    " ",
    "a",
    "\t\n",
    "!?",
    "naïve café déjà vu, l'été à Orléans",
    "Übergrößenträger fährt Straßenbahn",
    "İstanbul'da ışık ILIK ılık",  # noqa: RUF001 - Turkish has both
    "Съешь ещё этих мягких французских булок",
    "東京都は日本の首都です。テスト",
    "emoji 😀 👩‍👩‍👧 ok 👍🏽",
    "e\u0301 combining, ﬁ ligature, ² and ½",
    "١٢٣ ४५६ digits",
    "UPPER lower MiXeD case",
    "under_score hyphen-ated it's e-mail@example.org",
    "no\u00a0break\u2003em space",
)


@dataclass(frozen=True)
class EdgeRows:
    """Rows of one kind that the original accepts, and its answers."""

    kind: str
    rows: Any
    count: int
    answers: Answers
    # The column that is missing in rows of the kind MISSING.
    column: str | None = None


def edge_rows(samples: Samples, original: Original) -> list[EdgeRows]:
    """Make edge rows and note in `samples` which columns may hold a missing value."""
    generator = np.random.default_rng(20_240_229)
    makers: dict[str, Callable[[Samples, np.random.Generator], Iterator[tuple[str, Any, SampleColumn | None]]]] = {
        "columns": _of_frame,
        "matrix": _of_matrix,
        "text": _of_texts,
    }
    maker = makers.get(samples.interface)
    result = []
    for kind, rows, column in maker(samples, generator) if maker else ():
        if len(rows) == 0:  # short integers hold no large ones
            continue
        own = _in_container(samples, rows)
        answers = None if own is None else _ask(original, own)
        if answers is None:
            continue
        if kind == MISSING and column is not None:
            column.accepts_missing = True
        result.append(EdgeRows(kind, own, len(rows), answers, None if column is None else column.name))
    return result


def _in_container(samples: Samples, rows: Any) -> Any:
    try:
        return samples.own(rows)
    except Exception:  # noqa: BLE001 - of any library: the caller's container cannot hold such rows
        return None


def _ask(original: Original, rows: Any) -> Answers | None:
    try:
        return original.answers(rows)
    except Exception:  # noqa: BLE001 - someone else's model; whatever it raises means "not accepted"
        return None


def _of_frame(samples: Samples, generator: np.random.Generator) -> Iterator[tuple[str, Any, SampleColumn | None]]:
    frame = samples.rows
    base = frame.iloc[generator.choice(len(frame), size=min(len(frame), _ROWS_A_KIND), replace=False)]
    # Values that occur, in combinations that do not. `iloc` keeps the dtype, and None apart from NaN.
    drawn = {name: frame[name].iloc[generator.integers(0, len(frame), _SHUFFLED_ROWS)] for name in frame.columns}
    yield "shuffled", pd.DataFrame({name: column.reset_index(drop=True) for name, column in drawn.items()}), None
    for column in samples.columns:
        few = base.iloc[:8].reset_index(drop=True)
        missing = few.copy()
        missing[column.name] = _all_missing(frame[column.name], len(few))
        yield MISSING, missing, column
        if column.levels is not None:
            yield UNSEEN, few.assign(**{column.name: _unseen_category(frame[column.name], len(few))}), None
            continue
        if column.kind == "str":
            yield (
                "unseen",
                few.assign(**{column.name: "unseen \u0436"}).astype({column.name: frame[column.name].dtype}),
                None,
            )
            yield "empty", few.assign(**{column.name: ""}).astype({column.name: frame[column.name].dtype}), None
            continue
        for kind, values in _numbers(frame[column.name].to_numpy(), column.kind, generator):
            repeated = base.iloc[np.resize(np.arange(len(base)), len(values))].reset_index(drop=True)
            repeated[column.name] = pd.Series(values)
            yield kind, repeated, None


def _unseen_category(series: "pd.Series[Any]", rows: int) -> "pd.Series[Any]":
    known = series.cat.categories
    other: Any = "unseen \u0436"
    if pd.api.types.is_numeric_dtype(known.dtype):
        other = known.max() + 1
    return pd.Series(pd.Categorical([other] * rows, categories=[*known, other]))


def _all_missing(series: "pd.Series[Any]", rows: int) -> "pd.Series[Any]":
    if series.dtype == object:
        # The caller's own kind of missing: scikit-learn tells None from NaN.
        found = next((value for value in series if not isinstance(value, str)), None)
        return pd.Series([found] * rows, dtype=object)
    if pd.api.types.is_numeric_dtype(series.dtype):
        return pd.Series([np.nan] * rows, dtype=series.dtype if series.dtype.kind == "f" else None)
    return pd.Series([None] * rows, dtype=series.dtype)


def _of_matrix(samples: Samples, generator: np.random.Generator) -> Iterator[tuple[str, Any, SampleColumn | None]]:
    array = samples.rows
    base = array[generator.choice(len(array), size=min(len(array), _ROWS_A_KIND), replace=False)]
    drawn = generator.integers(0, len(array), (_SHUFFLED_ROWS, array.shape[1]))
    yield "shuffled", np.take_along_axis(array, drawn, axis=0), None
    for index, column in enumerate(samples.columns):
        missing = base[:8].astype(array.dtype if array.dtype.kind == "f" else np.float64)
        missing[:, index] = np.nan
        yield MISSING, missing, column
        for kind, values in _numbers(array[:, index], column.kind, generator):
            repeated = base[np.resize(np.arange(len(base)), len(values))].copy()
            repeated[:, index] = values
            yield kind, repeated, None


def _numbers(values: NDArray[Any], kind: str, generator: np.random.Generator) -> Iterator[tuple[str, NDArray[Any]]]:
    """Values around those of one column: both sides of likely thresholds, extremes, large integers."""
    if kind == "bool":
        return
    known = np.unique(pd.to_numeric(pd.Series(values), errors="coerce").dropna().to_numpy(dtype=np.float64))
    known = known[np.isfinite(known)]
    if len(known) == 0:
        return
    low, high = float(known[0]), float(known[-1])
    span = max(high - low, abs(high), 1.0)
    # In the dtype of the rows: the original answers differently in another, and the loader refuses it.
    if kind == "int":
        dtype = values.dtype if values.dtype.kind in "iu" else np.dtype(np.int64)
        whole = np.array([0, -1, 1, low - 1, high + 1, low - 10 * span, high + 10 * span]).round()
        yield "extremes", _fitting(whole[np.abs(whole) < 2**53], dtype)
        large = np.array([2**24 - 1, 2**24 + 1, 2**24 + 3, 2**31 + 1, -(2**24) - 1], dtype=np.float64)
        yield "large integers", _fitting(large, dtype)
        return
    dtype = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
    # Trees split half-way between neighbouring values.
    middle = (known[:-1] + known[1:]) / 2
    some = np.concatenate([known, middle])
    if len(some) > _ROWS_A_COLUMN // 3:
        some = generator.choice(some, size=_ROWS_A_COLUMN // 3, replace=False)
    some = some.astype(dtype)
    below, above = (np.nextafter(some, np.array(end, dtype=dtype)) for end in (-np.inf, np.inf))
    yield "thresholds", np.concatenate([some, below, above])
    far = np.array([0.0, -0.0, -1.0, low - span, high + span, low - 100 * span, high + 100 * span])
    yield "extremes", far[np.abs(far) < np.finfo(dtype).max].astype(dtype)


def _fitting(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The whole numbers among `values` that `dtype` holds."""
    bounds = np.iinfo(dtype)
    return values[(values >= bounds.min) & (values <= bounds.max)].astype(dtype)


def _of_texts(samples: Samples, generator: np.random.Generator) -> Iterator[tuple[str, Any, SampleColumn | None]]:
    rows: list[str] = samples.rows
    some = [rows[index] for index in generator.choice(len(rows), size=min(len(rows), 64), replace=False)]
    yield "empty and non-ASCII", list(_TEXTS), None
    yield "upper case", [text.upper() for text in some], None
    yield "joined", [f"{one} {other}" for one, other in zip(some, reversed(some), strict=True)], None
    yield "accents", [_accented(text) for text in some], None
    yield "cut", [text[: len(text) // 2] for text in some], None


def _accented(text: str) -> str:
    """Put accents on vowels: the same words to a person, other tokens to a wrong tokenizer."""
    return unicodedata.normalize("NFC", "".join(c + "\u0301" if c in "aeiouAEIOU" else c for c in text))
