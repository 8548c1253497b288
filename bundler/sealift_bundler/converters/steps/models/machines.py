"""Emitters of what compares a row with stored rows: support vectors, kernel ridge, Gaussian processes."""

from typing import Any

import numpy as np
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process._gpc import COEFS, LAMBDAS, _BinaryGaussianProcessClassifierLaplace
from sklearn.kernel_ridge import KernelRidge
from sklearn.semi_supervised import LabelPropagation, LabelSpreading
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

from sealift_bundler.converters.graph import numbers_of
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
from sealift_bundler.converters.steps.arithmetic import (
    affine,
    outlier_heads,
    row_sum,
    threshold_label,
    wide_numbers,
)
from sealift_bundler.converters.steps.compose import predict
from sealift_bundler.converters.steps.kernels import kernel, kernel_diagonal, process_kernel
from sealift_bundler.converters.steps.meta.multiclass import votes_and_confidences
from sealift_bundler.converters.steps.models.pairwise import coupled
from sealift_bundler.converters.steps.tabulated import erf


def _support(context: Context, estimator: Any, features: Features) -> str:
    """The kernel between the rows and the support vectors."""
    if callable(estimator.kernel) or estimator.kernel == "precomputed":
        raise context.refuse("its kernel is not one that a graph can carry; use a named one", estimator)
    vectors = estimator.support_vectors_
    return kernel(
        context, estimator, estimator.kernel, wide_numbers(context, estimator, features),
        vectors.toarray() if hasattr(vectors, "toarray") else vectors,
        gamma=estimator._gamma, degree=estimator.degree, coef0=estimator.coef0,  # noqa: SLF001 - no public form
    )  # fmt: skip


def _dual(estimator: Any) -> Any:
    weights = estimator._dual_coef_
    return numbers_of(weights.toarray() if hasattr(weights, "toarray") else weights)


@predicts(SVR, NuSVR, OneClassSVM)
def _one_function(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    scores = affine(graph, _support(context, estimator, features), _dual(estimator).T,
                    numbers_of(estimator._intercept_))  # fmt: skip
    return (
        outlier_heads(graph, scores, strict=True)
        if isinstance(estimator, OneClassSVM)
        else {"values": flat(graph, scores)}
    )


@predicts(SVC, NuSVC)
def _classifier(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    rows = _support(context, estimator, features)
    count = len(estimator.classes_)
    dual, sizes = _dual(estimator), estimator.n_support_
    ends = np.cumsum(sizes)
    starts = ends - sizes
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    weights = np.zeros((dual.shape[1], len(pairs)))
    for place, (i, j) in enumerate(pairs):
        weights[starts[i] : ends[i], place] = dual[j - 1, starts[i] : ends[i]]
        weights[starts[j] : ends[j], place] = dual[i, starts[j] : ends[j]]
    decisions = affine(graph, rows, weights, numbers_of(estimator._intercept_))
    heads = _decided(context, estimator, decisions, pairs)
    slopes, offsets = estimator._probA, estimator._probB  # noqa: SLF001 - the public form warns
    if len(slopes):
        heads["probabilities"] = coupled(graph, decisions, slopes, offsets, count)
    return heads


def _decided(context: Context, estimator: Any, decisions: str, pairs: list[tuple[int, int]]) -> Heads:
    graph, count = context.graph, len(estimator.classes_)
    if count == 2:
        scores = graph.add("Neg", decisions)
        # libsvm gives the first class only where its own decision is above zero.
        label = threshold_label(graph, scores, 0.0, estimator.classes_, above=False)
        return {"label": label, "scores": flat(graph, scores)}
    second = graph.add("LessOrEqual", decisions, graph.constant(0.0))
    wins = graph.cast(second, graph.dtype)
    votes = _votes(context, wins, pairs, count)
    by_votes = class_labels(graph, argmax(graph, votes), estimator.classes_)
    negative = graph.add("Less", decisions, graph.constant(0.0))
    ranked = votes_and_confidences(graph, negative, graph.add("Neg", decisions), count)
    if estimator.decision_function_shape == "ovo":
        return {"label": by_votes, "scores": decisions}
    if estimator.break_ties:
        by_votes = class_labels(graph, argmax(graph, ranked), estimator.classes_)
    return {"label": by_votes, "scores": ranked}


def _votes(context: Context, second_wins: str, pairs: list[tuple[int, int]], count: int) -> str:
    graph = context.graph
    matrix, base = np.zeros((len(pairs), count)), np.zeros((1, count))
    for row, (i, j) in enumerate(pairs):
        matrix[row, j], matrix[row, i] = 1, -1
        base[0, i] += 1
    return graph.add("Add", graph.add("MatMul", second_wins, graph.constant(matrix)), graph.constant(base))


@predicts(KernelRidge)
def _kernel_ridge(context: Context, estimator: KernelRidge, features: Features) -> Heads:
    if callable(estimator.kernel) or estimator.kernel == "precomputed":
        raise context.refuse("its kernel is not one that a graph can carry; use a named one", estimator)
    graph = context.graph
    rows = kernel(
        context, estimator, estimator.kernel, wide_numbers(context, estimator, features), estimator.X_fit_,
        gamma=estimator.gamma, degree=estimator.degree, coef0=estimator.coef0,
    )  # fmt: skip
    dual = numbers_of(estimator.dual_coef_)
    if dual.ndim == 1:
        return {"values": flat(graph, affine(graph, rows, dual[:, np.newaxis]))}
    return {"values": affine(graph, rows, dual)}


@predicts(GaussianProcessRegressor)
def _process_regressor(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    tensor = wide_numbers(context, estimator, features)
    alpha = numbers_of(estimator.alpha_)
    rows = process_kernel(context, estimator, estimator.kernel_, tensor, estimator.X_train_)
    mean = affine(graph, rows, alpha[:, np.newaxis] if alpha.ndim == 1 else alpha)
    scale = np.atleast_1d(numbers_of(estimator._y_train_std))  # noqa: SLF001 - there is no public form
    shift = np.atleast_1d(numbers_of(estimator._y_train_mean))  # noqa: SLF001
    values = graph.add("Add", graph.add("Mul", mean, graph.constant(scale)), graph.constant(shift))
    return {"values": flat(graph, values) if alpha.ndim == 1 or alpha.shape[1] == 1 else values}


@predicts(_BinaryGaussianProcessClassifierLaplace)
def _binary_process(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    tensor = wide_numbers(context, estimator, features)
    rows = process_kernel(context, estimator, estimator.kernel_, tensor, estimator.X_train_)
    mean = affine(graph, rows, (estimator.y_train_ - estimator.pi_)[:, np.newaxis])
    inner = np.linalg.solve(estimator.L_, np.diag(estimator.W_sr_))
    spread = affine(graph, rows, inner.T)
    known = row_sum(graph, graph.add("Mul", spread, spread))
    variance = graph.add("Sub", kernel_diagonal(context, estimator, estimator.kernel_, tensor), known)
    total = ""
    for weight, factor in zip(np.ravel(COEFS), np.ravel(LAMBDAS), strict=True):
        # With alpha = 1/(2·variance), sqrt(pi/alpha) / (2·sqrt(2·pi·variance)) is 1/2.
        width = graph.add("Add", graph.constant(1.0), graph.add("Mul", variance, graph.constant(2.0 * factor**2)))
        argument = graph.add("Div", graph.add("Mul", mean, graph.constant(float(factor))), graph.add("Sqrt", width))
        term = graph.add("Mul", erf(graph, argument), graph.constant(float(weight) / 2))
        total = graph.add("Add", total, term) if total else term
    positive = graph.add("Add", total, graph.constant(0.5 * float(np.sum(COEFS))))
    return {
        "label": threshold_label(graph, mean, 0.0, estimator.classes_),
        "probabilities": complement(graph, positive),
    }


@predicts(GaussianProcessClassifier)
def _process_classifier(context: Context, estimator: Any, features: Features) -> Heads:
    return predict(context, estimator.base_estimator_, features)


@predicts(LabelPropagation, LabelSpreading)
def _propagated(context: Context, estimator: Any, features: Features) -> Heads:
    if estimator.kernel != "rbf":
        raise context.refuse("only its rbf kernel is supported: neighbors at equal distances may be chosen "
                             "differently in a graph", estimator)  # fmt: skip
    graph = context.graph
    rows = kernel(context, estimator, "rbf", wide_numbers(context, estimator, features), estimator.X_,
                  gamma=estimator.gamma)  # fmt: skip
    weights = affine(graph, rows, estimator.label_distributions_)
    shares = graph.add("Div", weights, row_sum(graph, weights))
    return {"label": class_labels(graph, argmax(graph, shares), estimator.classes_), "probabilities": shares}
