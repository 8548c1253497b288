"""Emitters of clusterings that answer for new rows: the nearest center."""

from typing import Any

import numpy as np
from sklearn.cluster import (
    AffinityPropagation,
    Birch,
    BisectingKMeans,
    FeatureAgglomeration,
    KMeans,
    MeanShift,
    MiniBatchKMeans,
)

from sealift_bundler.converters.steps import Context, Features, Heads, features_of, predicts, transforms
from sealift_bundler.converters.steps.arithmetic import (
    affine,
    concatenated,
    measurable,
    nearest,
    squared_distances,
    wide_numbers,
)


@predicts(KMeans, MiniBatchKMeans)
def _nearest_center(context: Context, estimator: Any, features: Features) -> Heads:
    return {"label": nearest(context.graph, wide_numbers(context, estimator, features), estimator.cluster_centers_)}


@predicts(MeanShift, AffinityPropagation)
def _nearest_found(context: Context, estimator: Any, features: Features) -> Heads:
    centers = getattr(estimator, "cluster_centers_", None)
    if centers is None or len(centers) == 0:
        raise context.refuse("it has no cluster centers", estimator)
    return {"label": _nearest_measured(context, estimator, features, centers)}


def _nearest_measured(context: Context, estimator: Any, features: Features, centers: Any) -> str:
    """The index of the nearest center, int64 [rows], where the original measures distances as x² - 2 xy + y²."""
    graph = context.graph
    tensor = wide_numbers(context, estimator, features)
    distances = squared_distances(graph, tensor, centers)
    if len(centers) > 1:
        distances = measurable(context, estimator, features, tensor, distances)
    return graph.add("ArgMin", distances, axis=1, keepdims=0)


@predicts(Birch)
def _birch(context: Context, estimator: Birch, features: Features) -> Heads:
    graph = context.graph
    index = _nearest_measured(context, estimator, features, estimator.subcluster_centers_)
    labels = graph.constant(np.asarray(estimator.subcluster_labels_), np.int64)
    return {"label": graph.add("Gather", labels, index)}


@predicts(BisectingKMeans)
def _bisecting(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    tensor = wide_numbers(context, estimator, features)
    shift = getattr(estimator, "_X_mean", 0.0)

    def descend(node: Any) -> str:
        if node.left is None:
            return graph.constant(np.array([node.label]), np.int64)
        centers = np.vstack((node.left.center, node.right.center)) + shift
        first = graph.add("Equal", nearest(graph, tensor, centers), graph.constant(0))
        return graph.add("Where", first, descend(node.left), descend(node.right))

    return {"label": descend(estimator._bisecting_tree)}  # noqa: SLF001 - there is no public form


@transforms(KMeans, MiniBatchKMeans, BisectingKMeans, Birch)
def _distances(context: Context, estimator: Any, features: Features) -> Features:
    graph = context.graph
    centers = estimator.subcluster_centers_ if isinstance(estimator, Birch) else estimator.cluster_centers_
    squared = squared_distances(graph, wide_numbers(context, estimator, features), centers)
    return features_of(graph.add("Sqrt", squared), len(centers))


@transforms(FeatureAgglomeration)
def _agglomerated(context: Context, estimator: FeatureAgglomeration, features: Features) -> Features:
    graph = context.graph
    tensor = wide_numbers(context, estimator, features)
    groups = np.unique(estimator.labels_)
    function = estimator.pooling_func
    if function is np.mean:
        pool = (estimator.labels_[:, np.newaxis] == groups) / np.bincount(estimator.labels_)[groups]
        return features_of(affine(graph, tensor, pool), len(groups))
    operator = {np.max: "ReduceMax", np.min: "ReduceMin", np.sum: "ReduceSum"}.get(function)
    if operator is None:
        raise context.refuse("its pooling function is Python code, which a graph cannot carry; use numpy.mean",
                             estimator)  # fmt: skip
    parts = []
    for group in groups:
        members = graph.constant(np.flatnonzero(estimator.labels_ == group))
        chosen = graph.add("Gather", tensor, members, axis=1)
        parts.append(graph.add(operator, chosen, graph.constant([1]), keepdims=1))
    return features_of(concatenated(graph, parts), len(groups))
