"""Emitter of the imputer by nearest neighbors, where the choice of neighbors is never a tie.

A row is compared on the columns that it shares with a stored row. As for other neighbors, the stored rows
are tested first, here with the holes that they have.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import KNNImputer

from sealift_bundler.converters.graph import Graph, numbers_of
from sealift_bundler.converters.steps import Context, Features, columns_of, is_missing, one_to_one, transforms
from sealift_bundler.converters.steps.arithmetic import column, concatenated, row_sum, wide_numbers
from sealift_bundler.converters.steps.boundaries import filled_in
from sealift_bundler.converters.steps.compose import transform

_QUERIES = 1024
_EQUAL = 1e-12
# A row is far whose squared distance is this many times that of the farthest stored row from their mean.
_FAR = 1e4
# Farther than anything measured: a donor that shares no column with the row.
_NOWHERE = 1e300


@transforms(KNNImputer)
def _neighbor_imputer(context: Context, estimator: KNNImputer, features: Features) -> Features:
    stored = numbers_of(estimator._fit_X)  # noqa: SLF001 - there is no public form
    if not is_missing(estimator.missing_values) or estimator.metric != "nan_euclidean":
        raise context.refuse("only its defaults missing_values=nan and metric='nan_euclidean' are supported",
                             estimator)  # fmt: skip
    if estimator.weights not in ("uniform", "distance"):
        raise context.refuse("its weights are Python code, which a graph cannot carry; use 'distance'", estimator)
    if np.isnan(stored).all(axis=0).any():
        raise context.refuse("one of its columns was empty when it was fitted", estimator)
    if _ties(stored, estimator.n_neighbors):
        raise context.refuse(
            "neighbors at equal distances may be chosen differently in a graph, and its training rows have equal "
            "distances (counts, categories, rounded or repeated values); use SimpleImputer or IterativeImputer",
            estimator,
        )
    graph = context.graph
    tensor = wide_numbers(context, estimator, features)
    missing = graph.add("IsNaN", tensor)
    squared = _squared(graph, tensor, missing, stored)
    holes = [column(graph, missing, place) for place in range(len(features))]
    # Of a row far away, all stored rows are about as far.
    far = _FAR * float(np.nansum((stored - np.nanmean(stored, axis=0)) ** 2, axis=1).max())
    parts = []
    for place, hole in enumerate(holes):
        guess, tied = _mean_of_donors(graph, squared, stored[:, place], estimator, far)
        if tied:
            reason = f"step {context.where(estimator)} fills in a number from rows of which several are equally near"
            column_name = columns_of(features[place : place + 1])
            guess = context.trapped(guess, graph.add("And", hole, tied), column_name, reason)
        parts.append(graph.add("Where", hole, guess, column(graph, tensor, place)))
    step = context.where(estimator)
    made = one_to_one(features, concatenated(graph, parts))
    result = tuple(
        replace(one, rough=filled_in(feature, hole, None, step))
        for one, feature, hole in zip(made, features, holes, strict=True)
    )
    if estimator.add_indicator:
        return (*result, *transform(context.inside("indicator"), estimator.indicator_, features))
    return result


def _squared(graph: Graph, tensor: str, missing: str, stored: NDArray[Any]) -> str:
    """Squared distances over shared columns, scaled up to all columns, [rows, stored rows]."""
    center = np.nanmean(stored, axis=0)
    there = (~np.isnan(stored)).astype(np.float64)
    known = np.nan_to_num(stored - center)
    present = graph.cast(graph.add("Not", missing), graph.dtype)
    moved = graph.add("Where", missing, graph.constant(0.0), graph.add("Sub", tensor, graph.constant(center)))
    own = graph.add("MatMul", graph.add("Mul", moved, moved), graph.constant(there.T))
    across = graph.add("MatMul", moved, graph.constant(-2.0 * known.T))
    others = graph.add("MatMul", present, graph.constant((known**2).T))
    total = graph.add("Max", graph.add("Add", graph.add("Add", own, across), others), graph.constant(0.0))
    shared = graph.add("MatMul", present, graph.constant(there.T))
    none = graph.add("Less", shared, graph.constant(0.5))
    scale = graph.add("Div", graph.constant(float(stored.shape[1])),
                      graph.add("Where", none, graph.constant(1.0), shared))  # fmt: skip
    return graph.add("Where", none, graph.constant(_NOWHERE), graph.add("Mul", total, scale))


def _mean_of_donors(
    graph: Graph, squared: str, stored: NDArray[Any], estimator: KNNImputer, far: float
) -> tuple[str, str]:
    """What is filled in, [rows, 1], and which rows have a tie between the last donor and the next; "" for none.

    Ties are looked for at squared distances below `far`.
    """
    donors = np.flatnonzero(~np.isnan(stored))
    count = min(estimator.n_neighbors, len(donors))
    near = graph.add("Gather", squared, graph.constant(donors), axis=1)
    more = min(count + 1, len(donors))
    distances, places = graph.add_many("TopK", near, graph.constant(np.array([more])), outputs=2, axis=1, largest=0)
    tied = ""
    if more > count:
        last, following = column(graph, distances, count - 1), column(graph, distances, count)
        rounding = graph.add("Mul", following, graph.constant(_EQUAL))
        tied = graph.add("LessOrEqual", graph.add("Sub", following, last), rounding)
        tied = graph.add("And", tied, graph.add("Less", following, graph.constant(far)))
        first = graph.constant(np.arange(count))
        distances, places = (graph.add("Gather", each, first, axis=1) for each in (distances, places))
    values = graph.add("Gather", graph.constant(stored[donors]), places)
    valid = graph.cast(graph.add("Less", distances, graph.constant(_NOWHERE / 2)), graph.dtype)
    weights = valid
    if estimator.weights == "distance":
        zero = graph.cast(graph.add("Equal", distances, graph.constant(0.0)), graph.dtype)
        any_zero = graph.add("Greater", row_sum(graph, zero), graph.constant(0.0))
        inverse = graph.add("Mul", valid, graph.add("Reciprocal", graph.add("Sqrt", distances)))
        weights = graph.add("Where", any_zero, zero, inverse)
    total = row_sum(graph, weights)
    none = graph.add("Equal", total, graph.constant(0.0))
    mean = graph.add("Div", row_sum(graph, graph.add("Mul", values, weights)),
                     graph.add("Where", none, graph.constant(1.0), total))  # fmt: skip
    return graph.add("Where", none, graph.constant(float(stored[donors].mean())), mean), tied


def _ties(stored: NDArray[Any], neighbors: int) -> bool:
    """Return whether the choice of neighbors is ever a tie, for stored rows and for mixtures of them.

    Distances are compared exactly. At the border between chosen and not chosen, they must differ by more
    than scikit-learn's own rounding, which grows with the size of the numbers and not of the distances.
    """
    generator = np.random.default_rng(20_240_229)
    drawn = generator.integers(0, len(stored), (_QUERIES, stored.shape[1]))
    queries = np.take_along_axis(stored, drawn, axis=0)
    # Each row has a hole, where the stored rows have them; holes elsewhere are for the parity rows to judge.
    whole = np.flatnonzero(~np.isnan(queries).any(axis=1))
    holed = np.flatnonzero(np.isnan(stored).any(axis=0))
    if len(holed) == 0:
        return False
    queries[whole, generator.choice(holed, len(whole))] = np.nan
    noise = 16 * np.finfo(np.float64).eps * np.nanmax((np.nan_to_num(stored) ** 2).sum(axis=1))
    for query in queries:
        apart = (stored - query) ** 2
        shared = (~np.isnan(apart)).sum(axis=1)
        total = np.nansum(apart, axis=1) * stored.shape[1] / np.maximum(shared, 1)
        for place in np.flatnonzero(np.isnan(query)):
            usable = np.sort(total[(shared > 0) & ~np.isnan(stored[:, place])])
            near = usable[: 4 * neighbors]
            if (np.diff(near) <= _EQUAL * near[1:]).any():
                return True
            if len(usable) > neighbors and usable[neighbors] - usable[neighbors - 1] <= noise:
                return True
    return False
