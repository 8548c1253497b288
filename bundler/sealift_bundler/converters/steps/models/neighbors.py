"""Emitters of nearest neighbors, where no two of them can be equally near.

Which of several neighbors at the same distance is taken follows from the order of a search, and a graph
takes another one. So the stored rows are tested first: are they in general position, as measurements
are, or do distances tie, as those of counts, categories and repeated rows do? Ties are refused.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    LocalOutlierFactor,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
)

from sealift_bundler.converters.graph import Graph, numbers_of
from sealift_bundler.converters.steps import Context, Features, Heads, argmax, class_labels, flat, predicts
from sealift_bundler.converters.steps.arithmetic import (
    affine,
    column,
    divided_by_sum,
    exact_squared_distances,
    outlier_heads,
    row_sum,
    squared_distances,
    wide_numbers,
)

# Metrics by scikit-learn's names, as SciPy calls them.
_METRICS = {"euclidean": "euclidean", "manhattan": "cityblock", "chebyshev": "chebyshev"}
_QUERIES = 256
_POINTS = 2000
# Two distances are equal when they differ by less than this, relative to the largest.
_EQUAL = 1e-12
# The rounding of a squared distance that is a sum of a few products, relative to it.
_ROUNDING = 1e-14
# A row is far whose squared distance is this many times that of the farthest stored row from their mean.
_FAR = 1e4
# A distance that is about to overflow.
_BEYOND = 1e300

_REASON = (
    "neighbors at equal distances may be chosen differently in a graph, and its training rows have equal "
    "distances (counts, categories, rounded or repeated values); use another estimator, for example RandomForest"
)


def general_position(points: NDArray[Any], metric: str = "euclidean") -> bool:
    """Return whether distances to the points tie neither for the points themselves nor for mixtures of them."""
    from scipy.spatial.distance import cdist

    points = numbers_of(points)
    if np.isnan(points).any() or len(np.unique(points, axis=0)) != len(points):
        return False
    generator = np.random.default_rng(20_240_229)
    some = points[generator.choice(len(points), min(len(points), _POINTS), replace=False)]
    drawn = generator.integers(0, len(points), (_QUERIES, points.shape[1]))
    mixed = np.take_along_axis(points, drawn, axis=0)
    itself = points[generator.choice(len(points), min(len(points), _QUERIES), replace=False)]
    for queries in (mixed, itself):
        distances = np.sort(cdist(queries, some, _METRICS[metric]), axis=1)
        if (np.diff(distances, axis=1) <= _EQUAL * distances[:, -1:]).any():
            return False
    return True


def _points(context: Context, estimator: Any) -> NDArray[Any]:
    stored = estimator._fit_X  # noqa: SLF001 - there is no public form
    points = numbers_of(stored.toarray() if hasattr(stored, "toarray") else stored)
    metric = estimator.effective_metric_
    known = _METRICS if isinstance(estimator, KNeighborsClassifier | KNeighborsRegressor) else ("euclidean",)
    if metric not in known:
        raise context.refuse(f"its metric {metric!r} is not supported; use {' or '.join(known)}", estimator)
    if not general_position(points, metric):
        raise context.refuse(_REASON, estimator)
    return points


def _nearest(graph: Graph, tensor: str, points: NDArray[Any], count: int, metric: str = "euclidean") -> tuple[str, str]:
    """Distances [rows, count] and places int64 [rows, count] of the nearest points, the nearest first."""
    if metric != "euclidean":
        each = _apart(graph, tensor, points, metric)
        nearest = graph.add_many("TopK", each, graph.constant(np.array([count])), outputs=2, axis=1, largest=0)
        return nearest[0], nearest[1]
    rough = squared_distances(graph, tensor, points)
    _, places = graph.add_many("TopK", rough, graph.constant(np.array([count])), outputs=2, axis=1, largest=0)
    # Measured again without cancellation: a row that was stored is at distance zero of itself.
    chosen = graph.add("Gather", graph.constant(points), places, axis=0)
    apart = graph.add("Sub", chosen, graph.add("Unsqueeze", tensor, graph.constant([1])))
    squared = graph.add("ReduceSum", graph.add("Mul", apart, apart), graph.constant([2]), keepdims=0)
    return graph.add("Sqrt", squared), places


def _tested(context: Context, estimator: Any, features: Features, points: NDArray[Any], tensor: str) -> str:
    """Let the graph refuse rows of which rounding says which neighbors are the nearest: those far from all."""
    count = getattr(estimator, "n_neighbors_", estimator.n_neighbors)
    if count >= len(points):
        return tensor
    graph = context.graph
    metric = estimator.effective_metric_
    apart = points - points.mean(axis=0)
    if metric == "euclidean":
        rough, size = squared_distances(graph, tensor, points), (apart**2).sum(axis=1)
    else:
        rough, size = _apart(graph, tensor, points, metric), np.abs(apart).sum(axis=1)
    nearest, _ = graph.add_many("TopK", rough, graph.constant(np.array([count + 1])), outputs=2, axis=1, largest=0)
    last, next_ = column(graph, nearest, count - 1), column(graph, nearest, count)
    rounding = graph.add("Mul", next_, graph.constant(_ROUNDING))
    tied = graph.add("LessOrEqual", graph.add("Sub", next_, last), rounding)
    far = graph.add("Greater", next_, graph.constant(_FAR * float(size.max())))
    beyond = graph.add("Not", graph.add("Less", next_, graph.constant(_BEYOND)))
    reason = f"step {context.where(estimator)} is given a row so far from all that rounding decides which are nearest"
    name = features[0].column if len(features) == 1 else None
    return context.trapped(tensor, graph.add("Or", graph.add("And", tied, far), beyond), [name], reason)


def _apart(graph: Graph, tensor: str, points: NDArray[Any], metric: str) -> str:
    """The distances to the points by a metric other than euclidean, [rows, points], column by column."""
    joined = "Add" if metric == "manhattan" else "Max"
    total = ""
    for index in range(points.shape[1]):
        apart = graph.add("Sub", column(graph, tensor, index), graph.constant(points[np.newaxis, :, index]))
        size = graph.add("Abs", apart)
        total = graph.add(joined, total, size) if total else size
    return total


def _weights(context: Context, estimator: Any, distances: str) -> str | None:
    graph = context.graph
    if estimator.weights in ("uniform", None):
        return None
    if estimator.weights != "distance":
        raise context.refuse("its weights are Python code, which a graph cannot carry; use 'distance'", estimator)
    zero = graph.cast(graph.add("Equal", distances, graph.constant(0.0)), graph.dtype)
    any_zero = graph.add("Greater", row_sum(graph, zero), graph.constant(0.0))
    return graph.add("Where", any_zero, zero, graph.add("Reciprocal", distances))


def _one_answer(context: Context, estimator: Any) -> None:
    if np.ndim(estimator._y) == 2 and estimator._y.shape[1] != 1:  # noqa: SLF001 - there is no public form
        raise context.refuse("neighbors with several outputs are not supported; train one for each", estimator)


@predicts(KNeighborsClassifier)
def _classifier(context: Context, estimator: Any, features: Features) -> Heads:
    _one_answer(context, estimator)
    graph = context.graph
    points = _points(context, estimator)
    tensor = _tested(context, estimator, features, points, wide_numbers(context, estimator, features))
    distances, places = _nearest(graph, tensor, points, estimator.n_neighbors, estimator.effective_metric_)
    own = np.ravel(estimator._y)  # noqa: SLF001
    votes = graph.add("Gather", graph.constant(np.eye(len(estimator.classes_))[own]), places, axis=0)
    weights = _weights(context, estimator, distances)
    if weights is not None:
        votes = graph.add("Mul", votes, graph.add("Unsqueeze", weights, graph.constant([2])))
    total = graph.add("ReduceSum", votes, graph.constant([1]), keepdims=0)
    return {
        "label": class_labels(graph, argmax(graph, total), estimator.classes_),
        "probabilities": divided_by_sum(graph, total),
    }


@predicts(KNeighborsRegressor)
def _regressor(context: Context, estimator: Any, features: Features) -> Heads:
    _one_answer(context, estimator)
    graph = context.graph
    points = _points(context, estimator)
    tensor = _tested(context, estimator, features, points, wide_numbers(context, estimator, features))
    distances, places = _nearest(graph, tensor, points, estimator.n_neighbors, estimator.effective_metric_)
    values = graph.add("Gather", graph.constant(numbers_of(np.ravel(estimator._y))), places)  # noqa: SLF001
    weights = _weights(context, estimator, distances)
    if weights is None:
        return {"values": graph.add("ReduceMean", values, graph.constant([1]), keepdims=0)}
    total = row_sum(graph, graph.add("Mul", values, weights))
    return {"values": flat(graph, graph.add("Div", total, row_sum(graph, weights)))}


@predicts(LocalOutlierFactor)
def _outlier_factor(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    points = _points(context, estimator)
    tensor = _tested(context, estimator, features, points, wide_numbers(context, estimator, features))
    distances, places = _nearest(graph, tensor, points, estimator.n_neighbors_)
    reach = numbers_of(estimator._distances_fit_X_[:, estimator.n_neighbors_ - 1])
    reached = graph.add("Max", distances, graph.add("Gather", graph.constant(reach), places))
    mean = graph.add("ReduceMean", reached, graph.constant([1]), keepdims=1)
    known = graph.add("Gather", graph.constant(numbers_of(estimator._lrd)), places)  # noqa: SLF001
    ratio = graph.add("Mul", known, graph.add("Add", mean, graph.constant(1e-10)))
    factor = graph.add("ReduceMean", ratio, graph.constant([1]), keepdims=1)
    scores = graph.add("Sub", graph.add("Neg", factor), graph.constant(float(estimator.offset_)))
    return outlier_heads(graph, scores)


def _within(context: Context, estimator: Any, features: Features) -> tuple[str, str]:
    """The weight of each stored row, [rows, points], zero beyond the radius; and whether there is any."""
    graph = context.graph
    if estimator.weights not in ("uniform", None):
        raise context.refuse("only its uniform weights are supported", estimator)
    points = _points(context, estimator)
    tensor = wide_numbers(context, estimator, features)
    squared = exact_squared_distances(graph, tensor, points)
    radius = float(estimator.radius) ** 2
    edge = graph.add("Abs", graph.add("Sub", squared, graph.constant(radius)))
    rounding = graph.add("Mul", _rounded_with(graph, estimator, tensor, points, radius), graph.constant(_ROUNDING))
    tied = graph.cast(graph.add("LessOrEqual", edge, rounding), "int32")
    tied = graph.cast(graph.add("ReduceMax", tied, graph.constant([1]), keepdims=1), "bool")
    reason = f"step {context.where(estimator)} is given a row that rounding alone puts within its radius, or beyond"
    name = features[0].column if len(features) == 1 else None
    squared = context.trapped(squared, tied, [name], reason)
    inside = graph.cast(graph.add("LessOrEqual", squared, graph.constant(radius)), graph.dtype)
    return inside, graph.add("Greater", row_sum(graph, inside), graph.constant(0.0))


def _rounded_with(graph: Graph, estimator: Any, tensor: str, points: NDArray[Any], radius: float) -> str:
    """The numbers whose rounding the original's squared distances have beside the radius, [rows, points] or [1, 1]."""
    if estimator._fit_method != "brute":  # noqa: SLF001 - there is no public form
        return graph.constant(np.array([[radius]]))
    # It computes them as x² - 2 xy + y².
    own = row_sum(graph, graph.add("Mul", tensor, tensor))
    return graph.add("Add", own, graph.constant((points**2).sum(axis=1)[np.newaxis] + radius))


@predicts(RadiusNeighborsRegressor)
def _radius_regressor(context: Context, estimator: Any, features: Features) -> Heads:
    _one_answer(context, estimator)
    graph = context.graph
    inside, _ = _within(context, estimator, features)
    total = affine(graph, inside, numbers_of(np.ravel(estimator._y))[:, np.newaxis])  # noqa: SLF001
    # Without neighbors this is zero by zero: NaN, as the original answers.
    return {"values": flat(graph, graph.add("Div", total, row_sum(graph, inside)))}


@predicts(RadiusNeighborsClassifier)
def _radius_classifier(context: Context, estimator: Any, features: Features) -> Heads:
    _one_answer(context, estimator)
    if estimator.outlier_label_ is None:
        raise context.refuse("it raises for rows without neighbors, which a graph cannot; give an outlier_label",
                             estimator)  # fmt: skip
    graph = context.graph
    inside, any_inside = _within(context, estimator, features)
    classes = np.asarray(estimator.classes_)
    own = np.ravel(estimator._y)  # noqa: SLF001
    votes = affine(graph, inside, np.eye(len(classes))[own])
    alone = (classes == np.ravel(estimator.outlier_label_)[0]).astype(np.float64)
    if not alone.any():
        raise context.refuse("its outlier_label is not one of its classes, which is not supported", estimator)
    shares = graph.add("Where", any_inside, divided_by_sum(graph, votes), graph.constant(alone[np.newaxis]))
    return {"label": class_labels(graph, argmax(graph, shares), classes), "probabilities": shares}
