"""Whole rows: each column made for itself, so that no row is one of the samples'."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealift_bundler.samples.generated.numbers import numbers_like
from sealift_bundler.samples.generated.words import PUBLIC_WORDS, harmless, plain_terms, texts
from sealift_bundler.samples.interfaces import SampleColumn, Samples

# How often a column with missing values in the samples has one here.
_MISSING = 0.1
# Fewer known words than this leave most texts without any.
_ENOUGH_WORDS = 5
_NOTHING: tuple[str, ...] = ()


@dataclass(frozen=True)
class Travelling:
    """What travels in the model's graph anyway, and may stand in generated rows: strings, and terms by column."""

    strings: frozenset[str] = frozenset()
    # The vocabulary of each column that a front end counts.
    terms: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def public(self) -> "Travelling | None":
        """The same with public words alone as terms; None where no column has terms, or too few of them are public."""
        public = frozenset(PUBLIC_WORDS)
        found = {name: [term for term in terms if term in public] for name, terms in self.terms.items() if terms}
        enough = all(len(words) >= _ENOUGH_WORDS for words in found.values())
        return replace(self, terms={**self.terms, **found}) if found and enough else None


def generated_rows(
    samples: Samples,
    count: int,
    travelling: Travelling,
    generator: np.random.Generator,
) -> Samples:
    """Make rows of the form of `samples`.

    Numbers come from `numbers_like`. Strings are categories that the graph holds, without those that are a finding;
    texts, and columns without such categories, are made of public words and terms of the vocabulary.

    Args:
        samples: The caller's rows, for their form and their ranges.
        count: How many rows; tensors of a fixed first dimension keep it.
        travelling: What may be used of the model's own strings.
        generator: Where chance comes from.
    """
    if samples.interface == "tensors":
        rows: Any = {name: _tensor(values, count, samples.whole, generator) for name, values in samples.rows.items()}
        return Samples("tensors", rows, whole=samples.whole)
    if samples.interface == "text":
        terms = plain_terms(travelling.terms.get("text", _NOTHING))
        rows = texts(count, terms, generator)
    elif samples.interface == "matrix":
        rows = np.stack([numbers_like(column, count, generator) for column in samples.rows.T], axis=1)
        for index in range(rows.shape[1]):
            if rows.dtype.kind == "f" and np.isnan(samples.rows[:, index]).any():
                rows[_some(count, generator), index] = np.nan
    else:
        rows = pd.DataFrame(
            {
                column.name: _column(samples.rows[column.name], column, count, travelling, generator)
                for column in samples.columns
            }
        )
    return samples.like(rows)


def _some(count: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    return np.array([generator.random() < _MISSING for _ in range(count)], dtype=bool)


def _tensor(values: NDArray[Any], count: int, whole: bool, generator: np.random.Generator) -> NDArray[Any]:
    if values.ndim == 0 and values.dtype.kind in "biuf":
        # A setting, such as a sampling rate: with another value the graph is another model.
        return values
    shape = values.shape if whole else (count, *values.shape[1:])
    size = int(np.prod(shape))
    if values.dtype.kind in "biuf":
        return numbers_like(values, size, generator, outside=False).reshape(shape)
    made = np.empty(size, dtype=object)
    made[:] = texts(size, _NOTHING, generator)
    return made.reshape(shape).astype(values.dtype if values.dtype.kind == "O" else str)


def _column(
    series: "pd.Series[Any]",
    column: SampleColumn,
    count: int,
    travelling: Travelling,
    generator: np.random.Generator,
) -> "pd.Series[Any]":
    values: Any
    if column.kind == "str":
        values = _strings(series, column, count, travelling, generator)
    elif column.levels is not None:
        plain = [level for level in column.levels if abs(level) < 10_000 and level == int(level)]
        values = _picked(plain, count, generator) if plain else [None] * count
    else:
        present = series.dropna()
        own = present.to_numpy(dtype=present.dtype.numpy_dtype if hasattr(present.dtype, "numpy_dtype") else None)
        values = numbers_like(own.astype(bool) if column.kind == "bool" else own, count, generator)
    made = pd.Series(values, dtype=series.dtype if column.levels is not None else None)
    absent = series.isna()
    if absent.any():
        hole = series[absent].iloc[0]
        lost = _some(count, generator)
        made = made.astype(object).where(~lost, hole) if series.dtype == object else made.mask(lost)
    return made.astype(series.dtype)


def _strings(
    series: "pd.Series[Any]",
    column: SampleColumn,
    count: int,
    travelling: Travelling,
    generator: np.random.Generator,
) -> list[Any]:
    if column.name in travelling.terms:
        return list(texts(count, plain_terms(travelling.terms[column.name]), generator))
    present = series.dropna().unique().tolist() if column.levels is None else column.levels
    known = harmless(sorted(set(present) & travelling.strings))
    if known:
        return _picked(known, count, generator)
    # Where pandas knows the categories, a word of ours would be none of them.
    return [None] * count if column.levels is not None else list(texts(count, _NOTHING, generator))


def _picked(values: Sequence[Any], count: int, generator: np.random.Generator) -> list[Any]:
    return [values[int(generator.random() * len(values))] for _ in range(count)]
