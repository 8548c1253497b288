"""Emitters of decompositions, random projections and kernel approximations: plain linear algebra."""

from typing import Any

import numpy as np
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical, PLSRegression
from sklearn.decomposition import (
    PCA,
    DictionaryLearning,
    FactorAnalysis,
    FastICA,
    IncrementalPCA,
    KernelPCA,
    MiniBatchDictionaryLearning,
    MiniBatchSparsePCA,
    SparseCoder,
    SparsePCA,
    TruncatedSVD,
)
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.kernel_approximation import (
    AdditiveChi2Sampler,
    Nystroem,
    PolynomialCountSketch,
    RBFSampler,
    SkewedChi2Sampler,
)
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.neural_network import BernoulliRBM
from sklearn.preprocessing import KernelCenterer
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

from sealift_bundler.converters.graph import numbers_of
from sealift_bundler.converters.steps import (
    Context,
    Features,
    Heads,
    columns_of,
    features_of,
    flat,
    numbers,
    predicts,
    transforms,
)
from sealift_bundler.converters.steps.arithmetic import affine, concatenated, not_negative, row_sum, wide_numbers
from sealift_bundler.converters.steps.functions import FUNCTIONS
from sealift_bundler.converters.steps.kernels import kernel
from sealift_bundler.converters.steps.widths import note_whole


def _centered(context: Context, tensor: str, mean: Any) -> str:
    return tensor if mean is None else context.graph.add("Sub", tensor, context.graph.constant(numbers_of(mean)))


@transforms(PCA, IncrementalPCA, TruncatedSVD)
def _principal(context: Context, estimator: Any, features: Features) -> Features:
    graph = context.graph
    tensor = _centered(context, numbers(context, features, estimator), getattr(estimator, "mean_", None))
    tensor = affine(graph, tensor, numbers_of(estimator.components_).T)
    if getattr(estimator, "whiten", False):
        variance = numbers_of(estimator.explained_variance_)
        scale = np.maximum(np.sqrt(variance), np.finfo(variance.dtype).eps)
        tensor = graph.add("Div", tensor, graph.constant(scale))
    return features_of(tensor, len(estimator.components_))


@transforms(FactorAnalysis, FastICA, SparsePCA, MiniBatchSparsePCA, NeighborhoodComponentsAnalysis)
@transforms(GaussianRandomProjection, SparseRandomProjection)
def _linear(context: Context, estimator: Any, features: Features) -> Features:
    tensor = wide_numbers(context, estimator, features)
    components = estimator.components_
    matrix = numbers_of(components.toarray() if hasattr(components, "toarray") else components)
    mean = getattr(estimator, "mean_", None)
    if isinstance(estimator, FastICA) and not estimator.whiten:
        mean = None
    if isinstance(estimator, FactorAnalysis):
        scaled = matrix / estimator.noise_variance_
        matrix = np.linalg.inv(np.eye(len(matrix)) + scaled @ matrix.T).T @ scaled
    elif isinstance(estimator, SparsePCA | MiniBatchSparsePCA):
        gram = matrix @ matrix.T + estimator.ridge_alpha * np.eye(len(matrix))
        matrix = np.linalg.solve(gram, matrix)
    return features_of(affine(context.graph, _centered(context, tensor, mean), matrix.T), len(matrix))


@transforms(PLSRegression, PLSCanonical, CCA, PLSSVD)
def _partial_scores(context: Context, estimator: Any, features: Features) -> Features:
    tensor = _centered(context, wide_numbers(context, estimator, features), estimator._x_mean)  # noqa: SLF001
    scaled = context.graph.add("Div", tensor, context.graph.constant(numbers_of(estimator._x_std)))  # noqa: SLF001
    matrix = numbers_of(estimator.x_weights_ if isinstance(estimator, PLSSVD) else estimator.x_rotations_)
    return features_of(affine(context.graph, scaled, matrix), matrix.shape[1])


@predicts(PLSRegression, PLSCanonical, CCA)
def _partial_regression(context: Context, estimator: Any, features: Features) -> Heads:
    tensor = _centered(context, wide_numbers(context, estimator, features), estimator._x_mean)  # noqa: SLF001
    values = affine(context.graph, tensor, numbers_of(estimator.coef_).T, estimator.intercept_)
    single = bool(getattr(estimator, "_predict_1d", False))
    return {"values": flat(context.graph, values) if single else values}


@transforms(LinearDiscriminantAnalysis)
def _discriminant(context: Context, estimator: LinearDiscriminantAnalysis, features: Features) -> Features:
    tensor = numbers(context, features, estimator)
    if estimator.solver == "svd":
        tensor = _centered(context, tensor, estimator.xbar_)
    width = estimator._max_components  # noqa: SLF001 - there is no public form
    matrix = numbers_of(estimator.scalings_)[:, :width]
    return features_of(affine(context.graph, tensor, matrix), matrix.shape[1])


@transforms(BernoulliRBM)
def _boltzmann(context: Context, estimator: BernoulliRBM, features: Features) -> Features:
    tensor = numbers(context, features, estimator)
    hidden = affine(context.graph, tensor, numbers_of(estimator.components_).T, estimator.intercept_hidden_)
    return features_of(context.graph.add("Sigmoid", hidden), len(estimator.components_))


@transforms(Nystroem)
def _nystroem(context: Context, estimator: Nystroem, features: Features) -> Features:
    parameters = estimator._get_kernel_params()  # noqa: SLF001 - there is no public form
    tensor = wide_numbers(context, estimator, features)
    known = {key: value for key, value in parameters.items() if value is not None}
    embedded = kernel(context, estimator, estimator.kernel, tensor, _dense(estimator.components_), **known)
    matrix = numbers_of(estimator.normalization_).T
    return features_of(affine(context.graph, embedded, matrix), matrix.shape[1])


def _dense(matrix: Any) -> Any:
    return matrix.toarray() if hasattr(matrix, "toarray") else matrix


@transforms(KernelPCA)
def _kernel_principal(context: Context, estimator: KernelPCA, features: Features) -> Features:
    graph = context.graph
    tensor = wide_numbers(context, estimator, features)
    if callable(estimator.kernel) or estimator.kernel == "precomputed":
        raise context.refuse("its kernel is not one that a graph can carry; use a named one", estimator)
    rows = kernel(
        context, estimator, estimator.kernel, tensor, estimator.X_fit_,
        gamma=estimator.gamma_, degree=estimator.degree, coef0=estimator.coef0,
    )  # fmt: skip
    centerer = estimator._centerer  # noqa: SLF001 - there is no public form
    values = numbers_of(estimator.eigenvalues_)
    scaled = np.zeros_like(estimator.eigenvectors_)
    used = np.flatnonzero(values)
    scaled[:, used] = estimator.eigenvectors_[:, used] / np.sqrt(values[used])
    return features_of(affine(graph, _kernel_centered(context, centerer, rows), scaled), len(values))


def _kernel_centered(context: Context, centerer: KernelCenterer, rows: str) -> str:
    graph = context.graph
    columns = numbers_of(centerer.K_fit_rows_)
    means = graph.add("Div", row_sum(graph, rows), graph.constant(float(len(columns))))
    moved = graph.add("Sub", graph.add("Sub", rows, graph.constant(columns)), means)
    return graph.add("Add", moved, graph.constant(float(centerer.K_fit_all_)))


@transforms(KernelCenterer)
def _kernel_centerer(context: Context, estimator: KernelCenterer, features: Features) -> Features:
    return features_of(_kernel_centered(context, estimator, wide_numbers(context, estimator, features)), len(features))


@transforms(RBFSampler, SkewedChi2Sampler)
def _fourier(context: Context, estimator: Any, features: Features) -> Features:
    graph = context.graph
    tensor = wide_numbers(context, estimator, features)
    if isinstance(estimator, SkewedChi2Sampler):
        least = -float(estimator.skewedness)
        low = graph.add("LessOrEqual", tensor, graph.constant(least))
        tensor = context.trapped(
            tensor, low, columns_of(features), f"step {context.where(estimator)} takes numbers above {least:g}"
        )
        tensor = graph.add("Log", graph.add("Add", tensor, graph.constant(float(estimator.skewedness))))
    angle = affine(graph, tensor, estimator.random_weights_, estimator.random_offset_)
    scaled = graph.add("Mul", FUNCTIONS[np.cos](graph, angle), graph.constant(np.sqrt(2.0 / estimator.n_components)))
    return features_of(scaled, estimator.n_components)


@transforms(AdditiveChi2Sampler)
def _additive_chi2(context: Context, estimator: AdditiveChi2Sampler, features: Features) -> Features:
    graph = context.graph
    note_whole(context, features)
    tensor = not_negative(context, estimator, features, wide_numbers(context, estimator, features))
    interval = estimator.sample_interval or {1: 0.8, 2: 0.5, 3: 0.4}[estimator.sample_steps]
    empty = graph.add("Equal", tensor, graph.constant(0.0))
    safe = graph.add("Where", empty, graph.constant(1.0), tensor)
    parts = [graph.add("Sqrt", graph.add("Mul", safe, graph.constant(float(interval))))]
    angle = graph.add("Mul", graph.add("Log", safe), graph.constant(float(interval)))
    for step in range(1, estimator.sample_steps):
        factor = graph.add("Mul", safe, graph.constant(2 * interval / np.cosh(np.pi * step * interval)))
        factor = graph.add("Sqrt", factor)
        turned = graph.add("Mul", angle, graph.constant(float(step)))
        parts.append(graph.add("Mul", factor, FUNCTIONS[np.cos](graph, turned)))
        parts.append(graph.add("Mul", factor, graph.add("Sin", turned)))
    kept = [graph.add("Where", empty, graph.constant(0.0), part) for part in parts]
    return features_of(concatenated(graph, kept), len(features) * len(kept))


@transforms(PolynomialCountSketch)
def _sketch(context: Context, estimator: PolynomialCountSketch, features: Features) -> Features:
    graph = context.graph
    tensor = wide_numbers(context, estimator, features)
    size, columns = estimator.n_components, len(features)
    places = np.arange(size)
    # The Fourier transform of each sketch is linear in the row; complex products are written out.
    real, imaginary = "", ""
    for power in range(estimator.degree):
        hashes, signs = estimator.indexHash_[power], estimator.bitHash_[power]
        wave = np.exp(-2j * np.pi * np.outer(hashes, places) / size) * signs[:, np.newaxis]
        scaled = np.sqrt(estimator.gamma) * wave[:columns]
        shift = np.sqrt(estimator.coef0) * wave[columns] if estimator.coef0 != 0 else np.zeros(size, dtype=complex)
        a, b = affine(graph, tensor, scaled.real, shift.real), affine(graph, tensor, scaled.imag, shift.imag)
        if not real:
            real, imaginary = a, b
            continue
        real, imaginary = (
            graph.add("Sub", graph.add("Mul", real, a), graph.add("Mul", imaginary, b)),
            graph.add("Add", graph.add("Mul", real, b), graph.add("Mul", imaginary, a)),
        )
    back = np.exp(2j * np.pi * np.outer(places, places) / size) / size
    one = graph.add("MatMul", real, graph.constant(back.real))
    other = graph.add("MatMul", imaginary, graph.constant(back.imag))
    return features_of(graph.add("Sub", one, other), size)


@transforms(SparseCoder, DictionaryLearning, MiniBatchDictionaryLearning)
def _sparse_code(context: Context, estimator: Any, features: Features) -> Features:
    if estimator.transform_algorithm != "threshold":
        raise context.refuse(
            f"its transform_algorithm {estimator.transform_algorithm!r} searches again for each row, which a graph "
            "cannot; use transform_algorithm='threshold'",
            estimator,
        )
    graph = context.graph
    words = numbers_of(estimator.dictionary if isinstance(estimator, SparseCoder) else estimator.components_)
    alpha = estimator.transform_alpha
    alpha = getattr(estimator, "alpha", None) if alpha is None else alpha
    product = affine(graph, wide_numbers(context, estimator, features), words.T)
    size = graph.add("Sub", graph.add("Abs", product), graph.constant(1.0 if alpha is None else float(alpha)))
    code = graph.add("Mul", graph.add("Sign", product), graph.add("Max", size, graph.constant(0.0)))
    if estimator.positive_code:
        code = graph.add("Max", code, graph.constant(0.0))
    width = len(words)
    if estimator.split_sign:
        up = graph.add("Max", code, graph.constant(0.0))
        down = graph.add("Neg", graph.add("Min", code, graph.constant(0.0)))
        code, width = graph.add("Concat", up, down, axis=1), 2 * width
    return features_of(code, width)
