"""Kernels: the functions of two rows behind support vectors, kernel ridge, Gaussian processes and Nystroem."""

from typing import Any

import numpy as np
from sklearn.gaussian_process import kernels as gp

from sealift_bundler.converters.graph import Graph, numbers_of
from sealift_bundler.converters.steps import Context
from sealift_bundler.converters.steps.arithmetic import exact_squared_distances, row_sum, squared_distances

# Rows times points times columns, in float64: what a Manhattan distance needs at once.
_MANHATTAN = ("laplacian",)


def kernel(
    context: Context,
    estimator: Any,
    name: Any,
    tensor: str,
    points: Any,
    *,
    gamma: float | None = None,
    degree: float = 3,
    coef0: float = 1,
) -> str:
    """A named kernel between rows and points, [rows, points], as `sklearn.metrics.pairwise` computes it."""
    graph = context.graph
    points = numbers_of(points)
    gamma = 1.0 / points.shape[1] if gamma is None else float(gamma)
    if name == "rbf":
        return graph.add("Exp", graph.add("Mul", squared_distances(graph, tensor, points), graph.constant(-gamma)))
    if name == "cosine":
        return _cosine(graph, tensor, points)
    if name in _MANHATTAN:
        distances = _manhattan(graph, tensor, points)
        return graph.add("Exp", graph.add("Mul", distances, graph.constant(-gamma)))
    if name in ("chi2", "additive_chi2"):
        reason = f"step {context.where(estimator)} takes no negative number"
        negative = graph.add("Less", tensor, graph.constant(0.0))
        tensor = context.trapped(tensor, negative, [None] * points.shape[1], reason)
        return _chi2(graph, tensor, points, gamma if name == "chi2" else None)
    if name not in ("linear", "poly", "polynomial", "sigmoid"):
        shown = name if isinstance(name, str) else getattr(name, "__name__", type(name).__name__)
        raise context.refuse(f"its kernel {shown!r} is not one that a graph can carry; use a named one", estimator)
    product = graph.add("MatMul", tensor, graph.constant(points.T))
    if name == "linear":
        return product
    grown = graph.add("Add", graph.add("Mul", product, graph.constant(gamma)), graph.constant(float(coef0)))
    if name == "sigmoid":
        return graph.add("Tanh", grown)
    return graph.add("Pow", grown, graph.constant(float(degree)))


def _cosine(graph: Graph, tensor: str, points: Any) -> str:
    lengths = np.sqrt((points**2).sum(axis=1, keepdims=True))
    lengths[lengths == 0] = 1
    own = graph.add("Sqrt", row_sum(graph, graph.add("Mul", tensor, tensor)))
    own = graph.add("Where", graph.add("Equal", own, graph.constant(0.0)), graph.constant(1.0), own)
    return graph.add("Div", graph.add("MatMul", tensor, graph.constant((points / lengths).T)), own)


def _apart(graph: Graph, tensor: str, points: Any) -> tuple[str, str]:
    """The rows as [rows, 1, columns] and the points as [1, points, columns]."""
    return graph.add("Unsqueeze", tensor, graph.constant([1])), graph.constant(points[np.newaxis])


def _manhattan(graph: Graph, tensor: str, points: Any) -> str:
    rows, others = _apart(graph, tensor, points)
    size = graph.add("Abs", graph.add("Sub", rows, others))
    return graph.add("ReduceSum", size, graph.constant([2]), keepdims=0)


def _chi2(graph: Graph, tensor: str, points: Any, gamma: float | None) -> str:
    rows, others = _apart(graph, tensor, points)
    difference = graph.add("Sub", rows, others)
    total = graph.add("Add", rows, others)
    empty = graph.add("Equal", total, graph.constant(0.0))
    ratio = graph.add("Div", graph.add("Mul", difference, difference),
                      graph.add("Where", empty, graph.constant(1.0), total))  # fmt: skip
    distance = graph.add("Neg", graph.add("ReduceSum", ratio, graph.constant([2]), keepdims=0))
    return distance if gamma is None else graph.add("Exp", graph.add("Mul", distance, graph.constant(gamma)))


def process_kernel(context: Context, estimator: Any, k: Any, tensor: str, points: Any) -> str:
    """A Gaussian process kernel between rows and training points, [rows, points]."""
    graph = context.graph
    points = numbers_of(points)
    if isinstance(k, gp.Sum | gp.Product):
        one = process_kernel(context, estimator, k.k1, tensor, points)
        other = process_kernel(context, estimator, k.k2, tensor, points)
        return graph.add("Add" if isinstance(k, gp.Sum) else "Mul", one, other)
    if isinstance(k, gp.Exponentiation):
        inner = process_kernel(context, estimator, k.kernel, tensor, points)
        return graph.add("Pow", inner, graph.constant(float(k.exponent)))
    if type(k) is gp.ConstantKernel:
        return _full(graph, tensor, points, k.constant_value)
    if type(k) is gp.WhiteKernel:  # noise of a row with itself; a new row is never a training row
        return _full(graph, tensor, points, 0.0)
    if type(k) is gp.DotProduct:
        product = graph.add("MatMul", tensor, graph.constant(points.T))
        return graph.add("Add", product, graph.constant(float(k.sigma_0) ** 2))
    if type(k) in (gp.RBF, gp.Matern):
        scaled = graph.add("Div", tensor, graph.constant(np.atleast_1d(numbers_of(k.length_scale))))
        squared = exact_squared_distances(graph, scaled, points / numbers_of(k.length_scale))
        return _matern(context, estimator, squared, np.inf if type(k) is gp.RBF else float(k.nu))
    squared = exact_squared_distances(graph, tensor, points)
    if type(k) is gp.RationalQuadratic:
        grown = graph.add("Mul", squared, graph.constant(1.0 / (2 * k.alpha * k.length_scale**2)))
        return graph.add("Pow", graph.add("Add", grown, graph.constant(1.0)), graph.constant(-float(k.alpha)))
    if type(k) is gp.ExpSineSquared:
        angle = graph.add("Mul", graph.add("Sqrt", squared), graph.constant(np.pi / k.periodicity))
        ratio = graph.add("Div", graph.add("Sin", angle), graph.constant(float(k.length_scale)))
        return graph.add("Exp", graph.add("Mul", graph.add("Mul", ratio, ratio), graph.constant(-2.0)))
    raise context.refuse(f"its kernel {type(k).__name__} is not supported", estimator)


def _matern(context: Context, estimator: Any, squared: str, nu: float) -> str:
    graph = context.graph
    if nu == np.inf:
        return graph.add("Exp", graph.add("Mul", squared, graph.constant(-0.5)))
    if nu not in (0.5, 1.5, 2.5):
        raise context.refuse(f"its Matern kernel has nu={nu:g}, which needs a Bessel function; use 0.5, 1.5 or 2.5",
                             estimator)  # fmt: skip
    distance = graph.add("Mul", graph.add("Sqrt", squared), graph.constant(np.sqrt(2 * nu)))
    decay = graph.add("Exp", graph.add("Neg", distance))
    if nu == 0.5:
        return decay
    factor = graph.add("Add", distance, graph.constant(1.0))
    if nu == 2.5:
        third = graph.add("Mul", graph.add("Mul", distance, distance), graph.constant(1.0 / 3.0))
        factor = graph.add("Add", factor, third)
    return graph.add("Mul", factor, decay)


def _full(graph: Graph, tensor: str, points: Any, value: float) -> str:
    """A constant [rows, points]."""
    nothing = graph.add("Mul", row_sum(graph, tensor), graph.constant(0.0))
    return graph.add("Add", nothing, graph.constant(np.full((1, len(points)), float(value))))


def kernel_diagonal(context: Context, estimator: Any, k: Any, tensor: str) -> str:
    """The kernel of each row with itself, [rows, 1]."""
    graph = context.graph
    if isinstance(k, gp.Sum | gp.Product):
        one = kernel_diagonal(context, estimator, k.k1, tensor)
        other = kernel_diagonal(context, estimator, k.k2, tensor)
        return graph.add("Add" if isinstance(k, gp.Sum) else "Mul", one, other)
    if isinstance(k, gp.Exponentiation):
        inner = kernel_diagonal(context, estimator, k.kernel, tensor)
        return graph.add("Pow", inner, graph.constant(float(k.exponent)))
    if type(k) is gp.DotProduct:
        own = row_sum(graph, graph.add("Mul", tensor, tensor))
        return graph.add("Add", own, graph.constant(float(k.sigma_0) ** 2))
    level = getattr(k, "constant_value", getattr(k, "noise_level", 1.0))
    return _full(graph, tensor, np.zeros((1, 1)), level)
