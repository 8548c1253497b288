"""Emitters of linear models: regressors, classifiers with their scores and probabilities, calibration."""

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import (
    ARDRegression,
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
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
    OrthogonalMatchingPursuit,
    Perceptron,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
    TheilSenRegressor,
)
from sklearn.svm import LinearSVC, LinearSVR

from sealift_bundler.converters.steps import (
    Context,
    Features,
    Heads,
    argmax,
    class_labels,
    complement,
    flat,
    numbers,
    predicts,
)
from sealift_bundler.converters.steps.stock import stock_predictor
from sealift_bundler.graph import Graph, numbers_of


def _affine(context: Context, estimator: Any, features: Features) -> str:
    """Coef · x + intercept, [rows, outputs]."""
    graph = context.graph
    coefficients = np.atleast_2d(numbers_of(estimator.coef_))
    product = graph.add("MatMul", numbers(context, features, estimator), graph.constant(coefficients.T))
    return graph.add("Add", product, graph.constant(np.atleast_1d(numbers_of(estimator.intercept_))))


@predicts(
    ARDRegression, BayesianRidge, ElasticNet, ElasticNetCV, HuberRegressor, Lars, LarsCV, Lasso, LassoCV, LassoLars,
    LassoLarsCV, LassoLarsIC, LinearRegression, LinearSVR, OrthogonalMatchingPursuit, Ridge, RidgeCV, SGDRegressor,
    TheilSenRegressor,
)  # fmt: skip
def _regressor(context: Context, estimator: Any, features: Features) -> Heads:
    values = _affine(context, estimator, features)
    if np.ndim(estimator.coef_) == 1:
        values = flat(context.graph, values)
    return {"values": values}


def scores_to_label(graph: Graph, scores: str, classes: Any) -> Heads:
    """Label and scores of a classifier from its scores [rows, 1] or [rows, classes]."""
    if len(classes) == 2:
        positive = graph.cast(graph.add("Greater", scores, graph.constant(0.0)), "int64")
        return {"label": class_labels(graph, flat(graph, positive), classes), "scores": flat(graph, scores)}
    return {"label": class_labels(graph, argmax(graph, scores), classes), "scores": scores}


@predicts(LinearSVC, Perceptron, RidgeClassifier, RidgeClassifierCV)
def _classifier(context: Context, estimator: Any, features: Features) -> Heads:
    if getattr(getattr(estimator, "_label_binarizer", None), "y_type_", "").startswith("multilabel"):
        return stock_predictor(context, estimator, features)
    return scores_to_label(context.graph, _affine(context, estimator, features), estimator.classes_)


def one_versus_rest(graph: Graph, scores: str) -> str:
    """Probabilities of independent sigmoids, made to sum to one."""
    each = graph.add("Sigmoid", scores)
    total = graph.add("ReduceSum", each, graph.constant([1]), keepdims=1)
    return graph.add("Div", each, total)


@predicts(LogisticRegression, LogisticRegressionCV, LinearDiscriminantAnalysis)
def _logistic(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    scores = _affine(context, estimator, features)
    heads = scores_to_label(graph, scores, estimator.classes_)
    ovr = getattr(estimator, "solver", "") == "liblinear" or getattr(estimator, "multi_class", "") == "ovr"
    if len(estimator.classes_) == 2:
        if getattr(estimator, "multi_class", "") == "multinomial":
            return stock_predictor(context, estimator, features)
        probabilities = complement(graph, graph.add("Sigmoid", scores))
    else:
        probabilities = one_versus_rest(graph, scores) if ovr else graph.add("Softmax", scores, axis=1)
    return {**heads, "probabilities": probabilities}


@predicts(SGDClassifier)
def _sgd(context: Context, estimator: Any, features: Features) -> Heads:
    if estimator.loss == "modified_huber":
        return stock_predictor(context, estimator, features)
    graph = context.graph
    scores = _affine(context, estimator, features)
    heads = scores_to_label(graph, scores, estimator.classes_)
    if estimator.loss != "log_loss":
        return heads
    binary = len(estimator.classes_) == 2
    probabilities = complement(graph, graph.add("Sigmoid", scores)) if binary else one_versus_rest(graph, scores)
    return {**heads, "probabilities": probabilities}


@predicts(CalibratedClassifierCV)
def _calibrated(context: Context, estimator: CalibratedClassifierCV, features: Features) -> Heads:
    from sealift_bundler.converters.steps.compose import predict

    graph = context.graph
    members = estimator.calibrated_classifiers_
    total = None
    for index, member in enumerate(members):
        if member.method != "sigmoid":
            return stock_predictor(context, estimator, features)
        heads = predict(context.inside(f"calibrated_{index}"), member.estimator, features)
        scores = heads.get("scores", heads.get("probabilities"))
        if scores is None:
            raise context.refuse("its inner classifier has neither scores nor probabilities", estimator)
        probabilities = _sigmoids(context, member, scores, from_scores="scores" in heads)
        total = probabilities if total is None else graph.add("Add", total, probabilities)
    if total is None:
        raise context.refuse("it holds no calibrated classifier; is it fitted?", estimator)
    mean = graph.add("Div", total, graph.constant(float(len(members))))
    return {"label": class_labels(graph, argmax(graph, mean), estimator.classes_), "probabilities": mean}


def _sigmoids(context: Context, member: Any, scores: str, *, from_scores: bool) -> str:
    """1 / (1 + exp(a · score + b)) for each class, made to sum to one."""
    graph = context.graph
    binary = len(member.classes) == 2
    if binary and not from_scores:
        scores = graph.add("Gather", scores, graph.constant([1]), axis=1)
    elif binary:
        scores = graph.add("Reshape", scores, graph.constant([-1, 1]))
    a = numbers_of([calibrator.a_ for calibrator in member.calibrators])
    b = numbers_of([calibrator.b_ for calibrator in member.calibrators])
    if not binary and len(a) != len(member.classes):
        raise context.refuse("one of its folds did not see every class", member.estimator)
    inner = graph.add("Add", graph.add("Mul", scores, graph.constant(-a)), graph.constant(-b))
    each = graph.add("Sigmoid", inner)
    if binary:
        return complement(graph, each)
    return graph.add("Div", each, graph.add("ReduceSum", each, graph.constant([1]), keepdims=1))
