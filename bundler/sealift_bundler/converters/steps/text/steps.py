"""Emitters of steps over columns of text: what each does to values that are there leaves the zeros as they are."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.feature_selection import (
    RFE,
    RFECV,
    GenericUnivariateSelect,
    SelectFdr,
    SelectFpr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
)
from sklearn.preprocessing import Binarizer, MaxAbsScaler, Normalizer, RobustScaler, StandardScaler
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

from sealift_bundler.converters.graph import Graph, numbers_of
from sealift_bundler.converters.steps import Context, Features, Heads, features_of, gather
from sealift_bundler.converters.steps.arithmetic import sum_of_few
from sealift_bundler.converters.steps.boundaries import is_above
from sealift_bundler.converters.steps.compose import predict
from sealift_bundler.converters.steps.text.columns import SparseColumns, Terms
from sealift_bundler.converters.steps.text.emitters import predicts_sparse, transforms_sparse
from sealift_bundler.converters.steps.text.product import product

_SELECTORS = (
    VarianceThreshold,
    SelectKBest,
    SelectPercentile,
    SelectFpr,
    SelectFdr,
    SelectFwe,
    GenericUnivariateSelect,
    SelectFromModel,
    SequentialFeatureSelector,
    RFE,
    RFECV,
)


def _cleaned(context: Context, terms: Terms) -> Terms:
    """The same with zeros where a step dropped a term."""
    if terms.clean:
        return terms
    graph = context.graph
    dropped = graph.add("Equal", terms.columns, graph.constant(np.int64(terms.width)))
    return replace(terms, values=graph.add("Where", dropped, graph.constant(0.0), terms.values), clean=True)


def _times(context: Context, terms: Terms, factors: NDArray[Any]) -> Terms:
    """The values of each column times a factor of its own; zero where there is no column."""
    graph = context.graph
    each = graph.add("Gather", graph.constant(np.append(numbers_of(factors), 0.0)), terms.columns)
    return replace(terms.with_values(graph, graph.add("Mul", terms.values, each)), clean=True)


@transforms_sparse(TfidfTransformer)
def _tfidf(context: Context, estimator: TfidfTransformer, features: SparseColumns) -> Features:
    graph = context.graph

    def weighted(terms: Terms, _places: Any) -> Terms:
        if estimator.sublinear_tf:
            # 1 + log(count) where there is a count; the logarithm of the others is taken of 1 and dropped.
            present = graph.add("Greater", terms.values, graph.constant(0.0))
            safe = graph.add("Where", present, terms.values, graph.constant(1.0))
            grown = graph.add("Add", graph.add("Log", safe), graph.constant(1.0))
            terms = terms.with_values(graph, graph.add("Where", present, grown, terms.values))
        if estimator.use_idf:
            terms = _times(context, terms, np.asarray(estimator.idf_))
        return terms

    made = features.changed(weighted)
    return made if estimator.norm is None else normalized(context, made, estimator.norm)


def _size(graph: Graph, values: str, norm: str, terms: Terms | None = None) -> str:
    """What a part of a row gives to its norm, [rows, 1]; `terms` are those whose values these are."""
    if norm == "max":
        return graph.add("ReduceMax", graph.add("Abs", values), graph.constant([1]), keepdims=1)
    sizes = graph.add("Abs", values) if norm == "l1" else graph.add("Mul", values, values)
    if terms is not None:
        sizes = terms.with_values(graph, sizes).values
    return sum_of_few(graph, sizes)


def normalized(context: Context, features: SparseColumns, norm: str) -> SparseColumns:
    """The columns with each row divided by its norm; rows of zeros stay."""
    graph = context.graph
    features = features.changed(lambda terms, _: _cleaned(context, terms), lambda tensor, _: tensor)
    length = ""
    for part in features.parts:
        if isinstance(part.of, Terms):
            mine = _size(graph, part.of.values, norm, part.of)
        else:
            mine = _size(graph, gather(context, part.of, None), norm)
        length = graph.add("Max" if norm == "max" else "Add", length, mine) if length else mine
    length = graph.add("Sqrt", length) if norm == "l2" else length
    zero = graph.add("Equal", length, graph.constant(0.0))
    divisor = graph.add("Where", zero, graph.constant(1.0), length)

    def divided(terms: Terms, _places: Any) -> Terms:
        return terms.with_values(graph, graph.add("Div", terms.values, divisor))

    return features.changed(divided, lambda tensor, _: graph.add("Div", tensor, divisor))


@transforms_sparse(Normalizer)
def _normalizer(context: Context, estimator: Normalizer, features: SparseColumns) -> Features:
    return normalized(context, features, estimator.norm)


@transforms_sparse(MaxAbsScaler, StandardScaler, RobustScaler)
def _scaler(context: Context, estimator: Any, features: SparseColumns) -> Features:
    if getattr(estimator, "with_mean", False) or getattr(estimator, "with_centering", False):
        raise context.climb("it makes other numbers of zeros", estimator)
    if estimator.scale_ is None:
        return features
    graph = context.graph
    cut = isinstance(estimator, MaxAbsScaler) and getattr(estimator, "clip", False)
    # As scikit-learn does it with sparse rows.
    factors = numbers_of(1.0 / estimator.scale_)

    def clipped(tensor: str) -> str:
        return graph.add("Clip", tensor, graph.constant(-1.0), graph.constant(1.0)) if cut else tensor

    def scaled(terms: Terms, places: NDArray[np.int64]) -> Terms:
        terms = _times(context, terms, factors[places])
        return replace(terms, values=clipped(terms.values))

    def others(tensor: str, places: NDArray[np.int64]) -> str:
        return clipped(graph.add("Mul", tensor, graph.constant(factors[places][np.newaxis])))

    return features.changed(scaled, others)


@transforms_sparse(Binarizer)
def _binarizer(context: Context, estimator: Binarizer, features: SparseColumns) -> Features:
    return binarized(context, estimator, features, float(estimator.threshold))


def binarized(context: Context, estimator: Any, features: SparseColumns, threshold: float) -> SparseColumns:
    """One where a value is above the threshold, else zero.

    Raises:
        NeedsLaterRung: a zero is above it, or which side a value is on may depend on its last bit.
    """
    graph = context.graph
    if threshold < 0:
        raise context.climb("it makes other numbers of zeros", estimator)

    def above(terms: Terms) -> Terms:
        if not terms.integral and not (terms.signed and threshold == 0):
            raise context.climb("its answers jump, and the number in front of it may differ in its last bit", estimator)
        terms = _cleaned(context, terms)
        found = graph.cast(graph.add("Greater", terms.values, graph.constant(threshold)), graph.dtype)
        return replace(terms, values=found, exact=True, integral=True)

    def others(columns: Features) -> Features:
        found = graph.cast(is_above(context, estimator, columns, threshold), graph.dtype)
        return features_of(found, len(columns), exact=True, integral=True)

    parts = [
        replace(part, of=above(part.of) if isinstance(part.of, Terms) else others(part.of)) for part in features.parts
    ]
    return SparseColumns(context, parts)


@transforms_sparse(*_SELECTORS)
def _selected(_context: Context, estimator: Any, features: SparseColumns) -> Features:
    return features.select(estimator.get_support(indices=True))


@predicts_sparse(RFE, RFECV)
def _eliminated(context: Context, estimator: Any, features: SparseColumns) -> Heads:
    return predict(context, estimator.estimator_, _selected(context, estimator, features))


@transforms_sparse(TruncatedSVD, PCA, GaussianRandomProjection, SparseRandomProjection)
def _projected(context: Context, estimator: Any, features: SparseColumns) -> Features:
    components = estimator.components_
    matrix = numbers_of(components.toarray() if hasattr(components, "toarray") else components).T
    mean = getattr(estimator, "mean_", None)
    shift = None if mean is None else -(numbers_of(mean) @ matrix)
    tensor = product(context, estimator, features, matrix, shift)
    if getattr(estimator, "whiten", False):
        variance = numbers_of(estimator.explained_variance_)
        scale = np.maximum(np.sqrt(variance), np.finfo(variance.dtype).eps)
        tensor = context.graph.add("Div", tensor, context.graph.constant(scale))
    return features_of(tensor, matrix.shape[1])


def _squared_distances(context: Context, estimator: Any, features: SparseColumns) -> str:
    """Squared distances to cluster centers, [rows, centers]."""
    graph = context.graph
    if context.narrow:
        raise context.climb("it computes in float64", estimator)
    features = features.changed(lambda terms, _: _cleaned(context, terms))
    centers = numbers_of(estimator.cluster_centers_)
    across = product(context, estimator, features, -2.0 * centers.T, (centers**2).sum(axis=1)[np.newaxis])
    for terms in features.terms:
        across = graph.add("Add", across, _size(graph, terms.values, "l2"))
    return graph.add("Max", across, graph.constant(0.0))


@predicts_sparse(KMeans, MiniBatchKMeans)
def _nearest_center(context: Context, estimator: Any, features: SparseColumns) -> Heads:
    distances = _squared_distances(context, estimator, features)
    return {"label": context.graph.add("ArgMin", distances, axis=1, keepdims=0)}


@transforms_sparse(KMeans, MiniBatchKMeans)
def _distances(context: Context, estimator: Any, features: SparseColumns) -> Features:
    distances = context.graph.add("Sqrt", _squared_distances(context, estimator, features))
    return features_of(distances, len(estimator.cluster_centers_))
