"""Emitters of linear models: regressors, and classifiers with their scores and probabilities."""

from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import (
    ARDRegression,
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
    GammaRegressor,
    HuberRegressor,
    Lars,
    LarsCV,
    Lasso,
    LassoCV,
    LassoLars,
    LassoLarsCV,
    LassoLarsIC,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    MultiTaskElasticNet,
    MultiTaskElasticNetCV,
    MultiTaskLasso,
    MultiTaskLassoCV,
    OrthogonalMatchingPursuit,
    OrthogonalMatchingPursuitCV,
    PassiveAggressiveClassifier,
    PassiveAggressiveRegressor,
    Perceptron,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
    TheilSenRegressor,
    TweedieRegressor,
)
from sklearn.svm import LinearSVC, LinearSVR

from sealift_bundler.converters.graph import Graph, numbers_of
from sealift_bundler.converters.steps import (
    Context,
    Features,
    Heads,
    argmax,
    class_labels,
    complement,
    flat,
    predicts,
)
from sealift_bundler.converters.steps.arithmetic import sigmoid, sum_of_few
from sealift_bundler.converters.steps.text.product import product


def _affine(context: Context, estimator: Any, features: Features) -> str:
    """Coef · x + intercept, [rows, outputs]."""
    coefficients = np.atleast_2d(numbers_of(estimator.coef_))
    return product(context, estimator, features, coefficients.T, np.atleast_1d(numbers_of(estimator.intercept_)))


@predicts(
    ARDRegression, BayesianRidge, ElasticNet, ElasticNetCV, HuberRegressor, Lars, LarsCV, Lasso, LassoCV, LassoLars,
    LassoLarsCV, LassoLarsIC, LinearRegression, LinearSVR, MultiTaskElasticNet, MultiTaskElasticNetCV, MultiTaskLasso,
    MultiTaskLassoCV, OrthogonalMatchingPursuit, OrthogonalMatchingPursuitCV, PassiveAggressiveRegressor,
    QuantileRegressor, Ridge, RidgeCV, SGDRegressor, TheilSenRegressor,
)  # fmt: skip
def _regressor(context: Context, estimator: Any, features: Features) -> Heads:
    values = _affine(context, estimator, features)
    if np.ndim(estimator.coef_) == 1:
        values = flat(context.graph, values)
    return {"values": values}


@predicts(GammaRegressor, PoissonRegressor, TweedieRegressor)
def _generalized(context: Context, estimator: Any, features: Features) -> Heads:
    if context.narrow:
        raise context.climb("its exponential magnifies rounding", estimator)
    values = flat(context.graph, _affine(context, estimator, features))
    link = type(estimator._base_loss.link).__name__  # noqa: SLF001 - there is no public form
    if link not in ("IdentityLink", "LogLink"):
        raise context.refuse(f"its link {link} is not supported", estimator)
    return {"values": context.graph.add("Exp", values) if link == "LogLink" else values}


def scores_to_label(graph: Graph, scores: str, classes: Any) -> Heads:
    """Label and scores of a classifier from its scores [rows, 1] or [rows, classes]."""
    if len(classes) == 2:
        positive = graph.cast(graph.add("Greater", scores, graph.constant(0.0)), "int64")
        return {"label": class_labels(graph, flat(graph, positive), classes), "scores": flat(graph, scores)}
    return {"label": class_labels(graph, argmax(graph, scores), classes), "scores": scores}


@predicts(LinearSVC, PassiveAggressiveClassifier, Perceptron, RidgeClassifier, RidgeClassifierCV)
def _classifier(context: Context, estimator: Any, features: Features) -> Heads:
    if getattr(getattr(estimator, "_label_binarizer", None), "y_type_", "").startswith("multilabel"):
        graph = context.graph
        scores = _affine(context, estimator, features)
        return {"label": graph.cast(graph.add("Greater", scores, graph.constant(0.0)), "int64"), "scores": scores}
    return scores_to_label(context.graph, _affine(context, estimator, features), estimator.classes_)


def one_versus_rest(graph: Graph, scores: str) -> str:
    """Probabilities of independent sigmoids, made to sum to one."""
    each = sigmoid(graph, scores)
    return graph.add("Div", each, sum_of_few(graph, each))


@predicts(LogisticRegression, LogisticRegressionCV, LinearDiscriminantAnalysis)
def _logistic(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    scores = _affine(context, estimator, features)
    heads = scores_to_label(graph, scores, estimator.classes_)
    ovr = getattr(estimator, "solver", "") == "liblinear" or getattr(estimator, "multi_class", "") == "ovr"
    if len(estimator.classes_) == 2:
        if getattr(estimator, "multi_class", "") == "multinomial":
            scores = graph.add("Mul", scores, graph.constant(2.0))
        probabilities = complement(graph, sigmoid(graph, scores))
    else:
        probabilities = one_versus_rest(graph, scores) if ovr else graph.add("Softmax", scores, axis=1)
    return {**heads, "probabilities": probabilities}


@predicts(SGDClassifier)
def _sgd(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    scores = _affine(context, estimator, features)
    heads = scores_to_label(graph, scores, estimator.classes_)
    if estimator.loss == "modified_huber":
        return {**heads, "probabilities": _modified_huber(graph, scores, len(estimator.classes_))}
    if estimator.loss != "log_loss":
        return heads
    binary = len(estimator.classes_) == 2
    probabilities = complement(graph, sigmoid(graph, scores)) if binary else one_versus_rest(graph, scores)
    return {**heads, "probabilities": probabilities}


def _modified_huber(graph: Graph, scores: str, classes: int) -> str:
    """Scores cut to [-1, 1] and moved to [0, 1]; equal shares where every class has none."""
    cut = graph.add("Clip", scores, graph.constant(-1.0), graph.constant(1.0))
    shares = graph.add("Mul", graph.add("Add", cut, graph.constant(1.0)), graph.constant(0.5))
    if classes == 2:
        return complement(graph, shares)
    total = sum_of_few(graph, shares)
    none = graph.add("Equal", total, graph.constant(0.0))
    shares = graph.add("Where", none, graph.constant(1.0), shares)
    return graph.add("Div", shares, graph.add("Where", none, graph.constant(float(classes)), total))
