"""Columns of text that are mostly zero, as one object instead of a Feature each.

A vectorizer's columns are two tensors of the graph, [rows, terms]: the columns that a row has, ascending, and their
values. A union puts several of them beside ordinary features. Steps that know this object compute with the tensors;
all others see a sequence of ordinary features, for which the values are scattered to the full width.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from onnx import numpy_helper

from sealift_bundler.converters.graph import Graph
from sealift_bundler.converters.steps import Context, Feature, Features, features_of, gather

# A step that needs every column gets at most so many of text; beyond, counts are dense from the front end on.
MOST_SCATTERED = 4096


@dataclass(frozen=True)
class Terms:
    """What is left of the counts of one front end.

    `columns` is an int64 tensor [rows, terms] of numbers below `width`, or `width` where a row has no more terms or a
    step dropped one; `values` is their tensor, zero there if `clean`. `counter` is the number of the front end.
    `exact`, `integral` and `signed` are as for a Feature and its Rough; `single` says that the original holds values in
    float32, so that steps round to it.
    """

    columns: str
    values: str
    width: int
    counter: int
    clean: bool = True
    exact: bool = False
    integral: bool = False
    signed: bool = False
    single: bool = False

    def with_values(self, graph: Graph, values: str) -> "Terms":
        """The same terms with values that a step computed, rounded as the original's are."""
        if self.single and graph.dtype != "float32":
            values = graph.cast(graph.cast(values, "float32"), graph.dtype)
        return replace(self, values=values, exact=False, integral=False)


@dataclass(frozen=True)
class Part:
    """Terms or ordinary features, and the places of their columns among all."""

    of: Terms | Features
    places: NDArray[np.int64]


class SparseColumns(Sequence[Feature]):
    """Columns of which one part at least is text without zeros."""

    def __init__(self, context: Context, parts: Sequence[Part]) -> None:
        self.context = context
        self.parts = tuple(parts)

    def __len__(self) -> int:
        """Return how many columns there are."""
        return sum(len(part.places) for part in self.parts)

    @overload
    def __getitem__(self, place: int) -> Feature: ...
    @overload
    def __getitem__(self, place: slice) -> Features: ...
    def __getitem__(self, place: int | slice) -> Feature | Features:
        """Return columns as ordinary features."""
        return self._all[place]

    def __iter__(self) -> Iterator[Feature]:
        """Yield columns as ordinary features."""
        return iter(self._all)

    @cached_property
    def _all(self) -> Features:
        if len(self) > MOST_SCATTERED:
            path = ".".join(self.context.path) or "model"
            raise self.context.climb(
                f"a step behind it needs each of the {len(self):,} columns of text that come out of {path!r}; "
                f"that is done for {MOST_SCATTERED:,}",
                None,
            )
        return self.scattered()

    @property
    def plain(self) -> Features:
        """The ordinary features among the columns."""
        return tuple(feature for part in self.parts if not isinstance(part.of, Terms) for feature in part.of)

    @property
    def terms(self) -> tuple[Terms, ...]:
        """What is text among the columns."""
        return tuple(part.of for part in self.parts if isinstance(part.of, Terms))

    def changed(
        self,
        of_terms: "Callable[[Terms, NDArray[np.int64]], Terms]",
        of_others: "Callable[[str, NDArray[np.int64]], str] | None" = None,
    ) -> "SparseColumns":
        """The same columns with other values.

        Args:
            of_terms: Changes text; it is also given the places of the columns.
            of_others: Changes a tensor of ordinary columns; None leaves these to the dense way.

        Raises:
            NeedsLaterRung: there are ordinary columns, and nothing is said of them.
        """
        parts = []
        for part in self.parts:
            if isinstance(part.of, Terms):
                made: Terms | Features = of_terms(part.of, part.places)
            elif of_others is None:
                raise self.context.climb("a step computes with whole rows, of text and other columns", None)
            else:
                tensor = of_others(gather(self.context, part.of, None), part.places)
                made = features_of(tensor, len(part.of))
            parts.append(replace(part, of=made))
        return SparseColumns(self.context, parts)

    def times(self, factor: float) -> "SparseColumns":
        """The same columns, each times a factor."""
        graph = self.context.graph

        def more(terms: Terms, _places: Any) -> Terms:
            return terms.with_values(graph, graph.add("Mul", terms.values, graph.constant(factor)))

        return self.changed(more, lambda tensor, _places: graph.add("Mul", tensor, graph.constant(factor)))

    def select(self, places: Any) -> "SparseColumns":
        """Some of the columns, each once, in the order of `places`.

        Raises:
            NeedsLaterRung: a column is asked for twice.
        """
        wanted = np.asarray(places, dtype=np.int64)
        if len(np.unique(wanted)) != len(wanted):
            raise self.context.climb("a step behind it takes a column of text twice", None)
        to = np.full(len(self), -1, dtype=np.int64)
        to[wanted] = np.arange(len(wanted))
        parts = []
        for part in self.parts:
            moved = to[part.places]
            kept = np.flatnonzero(moved >= 0)
            kept = kept[np.argsort(moved[kept], kind="stable")]
            if isinstance(part.of, Terms):
                parts.append(Part(self._kept(part.of, kept), moved[kept]))
            elif len(kept):
                parts.append(Part(tuple(part.of[int(place)] for place in kept), moved[kept]))
        return SparseColumns(self.context, parts)

    def _kept(self, terms: Terms, kept: NDArray[np.int64]) -> Terms:
        if np.array_equal(kept, np.arange(terms.width)):
            return terms
        to = np.full(terms.width + 1, len(kept), dtype=np.int64)
        to[kept] = np.arange(len(kept))
        graph = self.context.graph
        columns = graph.add("Gather", graph.constant(to), terms.columns)
        return replace(terms, columns=columns, width=len(kept), clean=False)

    def scattered(self, *, absent_is_missing: bool = False) -> Features:
        """All columns as ordinary features.

        Args:
            absent_is_missing: whether what a sparse matrix leaves out, which every zero of an ordinary feature is,
                becomes NaN instead of zero.
        """
        found: list[Feature | None] = [None] * len(self)
        for part in self.parts:
            if isinstance(part.of, Terms):
                mine = self._scattered(part.of, absent=np.nan if absent_is_missing else 0.0)
            else:
                mine = self._without_zeros(part.of) if absent_is_missing else part.of
            for place, feature in zip(part.places.tolist(), mine, strict=True):
                found[place] = feature
        return tuple(feature for feature in found if feature is not None)

    def _scattered(self, terms: Terms, absent: float) -> Features:
        graph = self.context.graph
        rows = graph.add("Shape", terms.values, start=0, end=1)
        shape = graph.add("Concat", rows, graph.constant(np.array([terms.width + 1])), axis=0)
        fill = numpy_helper.from_array(np.array([absent], dtype=graph.dtype), "value")
        empty = graph.add("ConstantOfShape", shape, value=fill)
        # Whatever has no column goes to one place more, and is cut off.
        full = graph.add("ScatterElements", empty, terms.columns, terms.values, axis=1)
        cut = [graph.constant(np.array([number])) for number in (0, terms.width, 1)]
        tensor = graph.add("Slice", full, *cut)
        if self.context.text is not None:
            self.context.text.note(terms.counter, row_values=terms.width + 1)
        return features_of(tensor, terms.width, exact=terms.exact, integral=terms.integral, signed=terms.signed)

    def _without_zeros(self, features: Features) -> Features:
        graph = self.context.graph
        tensor = gather(self.context, features, None)
        zero = graph.add("Equal", tensor, graph.constant(0.0))
        tensor = graph.add("Where", zero, graph.constant(np.nan), tensor)
        width = len(features)
        return tuple(
            replace(feature, tensor=tensor, index=index, width=width) for index, feature in enumerate(features)
        )


def plain(features: Features) -> Features:
    """The ordinary features among columns: of columns without text, all."""
    return features.plain if isinstance(features, SparseColumns) else features


def chosen(features: Features, places: Any) -> Features:
    """The columns at some places, in their order."""
    if isinstance(features, SparseColumns):
        return features.select(places)
    return tuple(features[int(place)] for place in places)


def columns_at(features: Features, places: Sequence[int], *, absent_is_missing: bool = False) -> Features:
    """Some columns as ordinary features; of columns of text, these alone are scattered."""
    if not isinstance(features, SparseColumns):
        return tuple(features[place] for place in places)
    unique, where = np.unique(np.asarray(places, dtype=np.int64), return_inverse=True)
    found = features.select(unique).scattered(absent_is_missing=absent_is_missing)
    return tuple(found[place] for place in where.tolist())


def numbered(features: Features) -> list[tuple[int, Feature]]:
    """The ordinary features among columns, each with its place."""
    if not isinstance(features, SparseColumns):
        return list(enumerate(features))
    return [
        (int(place), feature)
        for part in features.parts
        if not isinstance(part.of, Terms)
        for place, feature in zip(part.places, part.of, strict=True)
    ]


def joined(context: Context, groups: Sequence[Features]) -> Features:
    """Columns side by side."""
    if not any(isinstance(group, SparseColumns) for group in groups):
        return tuple(feature for group in groups for feature in group)
    parts: list[Part] = []
    start = 0
    for group in groups:
        if isinstance(group, SparseColumns):
            parts.extend(replace(part, places=part.places + start) for part in group.parts)
        elif group:
            parts.append(Part(tuple(group), np.arange(start, start + len(group))))
        start += len(group)
    return SparseColumns(context, parts)
