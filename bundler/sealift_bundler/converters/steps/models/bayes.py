"""Emitters of naive Bayes, discriminant analyses and mixtures: a log likelihood for each class or component."""

from typing import Any

import numpy as np
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.neighbors import NearestCentroid

from sealift_bundler.converters.graph import Graph, numbers_of
from sealift_bundler.converters.steps import (
    Context,
    Features,
    Heads,
    argmax,
    class_labels,
    columns_of,
    features_of,
    flat,
    predicts,
)
from sealift_bundler.converters.steps.arithmetic import (
    affine,
    column,
    concatenated,
    measurable,
    row_sum,
    squared_distances,
    wide_numbers,
)
from sealift_bundler.converters.steps.boundaries import check_compared, is_above, number_among
from sealift_bundler.converters.steps.text.columns import SparseColumns
from sealift_bundler.converters.steps.text.product import wide_product
from sealift_bundler.converters.steps.text.steps import binarized
from sealift_bundler.converters.steps.widths import note_whole

# What rounding may be of a score that is the difference of two.
_SHARE = 1e-5


def _posterior(graph: Graph, likelihood: str, classes: Any) -> Heads:
    return {
        "label": class_labels(graph, argmax(graph, likelihood), classes),
        "probabilities": graph.add("Softmax", likelihood, axis=1),
    }


def _squares(graph: Graph, tensor: str, center: Any, scale: Any) -> str:
    """The sum of ((x - center) / scale)², [rows, 1]."""
    apart = graph.add("Sub", tensor, graph.constant(numbers_of(center)))
    apart = graph.add("Div", apart, graph.constant(numbers_of(scale)))
    return row_sum(graph, graph.add("Mul", apart, apart))


@predicts(GaussianNB)
def _gaussian(context: Context, estimator: GaussianNB, features: Features) -> Heads:
    graph = context.graph
    tensor = wide_numbers(context, estimator, features)
    parts = []
    with np.errstate(divide="ignore"):
        logs = np.log(estimator.class_prior_) - 0.5 * np.log(2.0 * np.pi * estimator.var_).sum(axis=1)
    for index in range(len(estimator.classes_)):
        distance = _squares(graph, tensor, estimator.theta_[index], np.sqrt(estimator.var_[index]))
        half = graph.add("Mul", distance, graph.constant(-0.5))
        parts.append(graph.add("Add", half, graph.constant(float(logs[index]))))
    return _posterior(graph, concatenated(graph, parts), estimator.classes_)


@predicts(MultinomialNB, ComplementNB)
def _multinomial(context: Context, estimator: Any, features: Features) -> Heads:
    prior = estimator.class_log_prior_
    if isinstance(estimator, ComplementNB) and len(estimator.classes_) > 1:
        prior = np.zeros_like(prior)
    likelihood = wide_product(context, estimator, features, estimator.feature_log_prob_.T, prior)
    return _posterior(context.graph, likelihood, estimator.classes_)


@predicts(BernoulliNB)
def _bernoulli(context: Context, estimator: BernoulliNB, features: Features) -> Heads:
    graph = context.graph
    absent = np.log(1 - np.exp(estimator.feature_log_prob_))
    shift = estimator.class_log_prior_ + absent.sum(axis=1)
    threshold = estimator.binarize
    if isinstance(features, SparseColumns):
        if threshold is not None:
            features = binarized(context, estimator, features, float(threshold))
    elif threshold is not None:
        among = number_among(features, threshold)
        above = graph.cast(is_above(context, estimator, features, among), graph.dtype)
        features = features_of(above, len(features), exact=True, integral=True)
    likelihood = wide_product(context, estimator, features, (estimator.feature_log_prob_ - absent).T, shift)
    return _posterior(graph, likelihood, estimator.classes_)


@predicts(CategoricalNB)
def _categorical(context: Context, estimator: CategoricalNB, features: Features) -> Heads:
    graph = context.graph
    check_compared(context, estimator, features)
    tensor = wide_numbers(context, estimator, features)
    # The original cuts fractions off first. An index of -1 would be the last category.
    negative = graph.add("LessOrEqual", tensor, graph.constant(-1.0))
    reason = f"step {context.where(estimator)} takes no negative number"
    tensor = context.trapped(tensor, negative, columns_of(features), reason)
    total = graph.constant(numbers_of(estimator.class_log_prior_)[np.newaxis])
    for index, table in enumerate(estimator.feature_log_prob_):
        # An index beyond the table is an error here as there: the loader reports it as an InputError.
        code = flat(graph, graph.cast(column(graph, tensor, index), "int64"))
        total = graph.add("Add", total, graph.add("Gather", graph.constant(numbers_of(table).T), code, axis=0))
    return _posterior(graph, total, estimator.classes_)


def _differences(graph: Graph, scores: str, classes: Any) -> Heads:
    """Scores of two classes become their difference, as scikit-learn has it."""
    heads = {
        "label": class_labels(graph, argmax(graph, scores), classes),
        "probabilities": graph.add("Softmax", scores, axis=1),
        "scores": scores,
    }
    if len(classes) == 2:
        heads["scores"] = flat(graph, graph.add("Sub", column(graph, scores, 1), column(graph, scores, 0)))
    return heads


@predicts(QuadraticDiscriminantAnalysis)
def _quadratic(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    tensor = wide_numbers(context, estimator, features)
    parts = []
    for index, prior in enumerate(estimator.priors_):
        scale = numbers_of(estimator.scalings_[index])
        turned = graph.add("Sub", tensor, graph.constant(numbers_of(estimator.means_[index])))
        turned = affine(graph, turned, numbers_of(estimator.rotations_[index]) * scale**-0.5)
        distance = row_sum(graph, graph.add("Mul", turned, turned))
        half = graph.add("Mul", distance, graph.constant(-0.5))
        parts.append(graph.add("Add", half, graph.constant(float(np.log(prior) - 0.5 * np.log(scale).sum()))))
    return _differences(graph, concatenated(graph, parts), estimator.classes_)


@predicts(NearestCentroid)
def _nearest_centroid(context: Context, estimator: NearestCentroid, features: Features) -> Heads:
    graph = context.graph
    tensor = wide_numbers(context, estimator, features)
    if estimator.metric not in ("euclidean", "manhattan"):
        raise context.refuse(f"its metric {estimator.metric!r} is not supported", estimator)
    centers = numbers_of(estimator.centroids_)
    deviation = getattr(estimator, "within_class_std_dev_", None)
    uniform = np.isclose(estimator.class_prior_, 1 / len(estimator.classes_)).all()
    heads: Heads = {}
    if estimator.metric == "euclidean" and deviation is not None:
        scale = np.where(deviation != 0, deviation, 1.0)
        scaled = graph.add("Div", tensor, graph.constant(numbers_of(scale)))
        distance = squared_distances(graph, scaled, centers / scale)
        # The scores of two classes are a difference of distances.
        share = 1.0 if len(estimator.classes_) > 2 else _SHARE
        distance = measurable(context, estimator, features, scaled, distance, share)
        prior = 2.0 * np.log(estimator.class_prior_)
        heads = _differences(
            graph, graph.add("Add", graph.add("Neg", distance), graph.constant(prior)), estimator.classes_
        )
    if uniform and estimator.metric == "euclidean":
        distance = measurable(context, estimator, features, tensor, squared_distances(graph, tensor, centers))
        heads["label"] = class_labels(graph, graph.add("ArgMin", distance, axis=1, keepdims=0), estimator.classes_)
    elif uniform:
        apart = graph.add(
            "Sub", graph.add("Unsqueeze", tensor, graph.constant([1])), graph.constant(centers[np.newaxis])
        )
        distance = graph.add("ReduceSum", graph.add("Abs", apart), graph.constant([2]), keepdims=0)
        heads["label"] = class_labels(graph, graph.add("ArgMin", distance, axis=1, keepdims=0), estimator.classes_)
    elif not heads:
        raise context.refuse("its priors with another metric than euclidean are not supported", estimator)
    return heads


@predicts(GaussianMixture, BayesianGaussianMixture)
def _mixture(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    if estimator.covariance_type in ("full", "tied"):
        note_whole(context, features)
    tensor = wide_numbers(context, estimator, features)
    count, width = estimator.means_.shape
    chol = numbers_of(estimator.precisions_cholesky_)
    parts = []
    # What does not depend on the distance is what the model itself says at each mean.
    # scikit-learn has no public form of either; parity watches for a change.
    base = estimator._estimate_log_prob(estimator.means_) + estimator._estimate_log_weights()  # noqa: SLF001
    for index in range(count):
        apart = graph.add("Sub", tensor, graph.constant(numbers_of(estimator.means_[index])))
        if estimator.covariance_type in ("full", "tied"):
            matrix = chol[index] if estimator.covariance_type == "full" else chol
            apart = affine(graph, apart, matrix)
        else:
            apart = graph.add("Mul", apart, graph.constant(np.broadcast_to(chol[index], (width,))))
        distance = row_sum(graph, graph.add("Mul", apart, apart))
        half = graph.add("Mul", distance, graph.constant(-0.5))
        parts.append(graph.add("Add", half, graph.constant(float(base[index, index]))))
    likelihood = concatenated(graph, parts)
    return {"label": argmax(graph, likelihood), "probabilities": graph.add("Softmax", likelihood, axis=1)}
