"""Functions of one number given as polynomials on pieces: what ONNX has no float64 operator for, and splines."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift_bundler.converters.graph import Graph

_DEGREE = 14


def piecewise(graph: Graph, tensor: str, starts: NDArray[Any], coefficients: NDArray[Any]) -> str:
    """Evaluate polynomials on pieces.

    Args:
        graph: The graph.
        tensor: The numbers, [rows, 1].
        starts: Where each piece begins, ascending; numbers before the first belong to the first piece.
        coefficients: [pieces, degree + 1, outputs], lowest degree first, of powers of (x - start).

    Returns:
        [rows, outputs].
    """
    piece = graph.cast(graph.add("GreaterOrEqual", tensor, graph.constant(starts[np.newaxis, 1:])), "int64")
    index = graph.add("ReduceSum", piece, graph.constant([1]), keepdims=0)
    begin = graph.add("Gather", graph.constant(starts[:, np.newaxis]), index, axis=0)
    offset = graph.add("Sub", tensor, begin)
    degree = coefficients.shape[1] - 1
    value = graph.add("Gather", graph.constant(np.ascontiguousarray(coefficients[:, degree])), index, axis=0)
    for power in range(degree - 1, -1, -1):
        term = graph.add("Gather", graph.constant(np.ascontiguousarray(coefficients[:, power])), index, axis=0)
        value = graph.add("Add", graph.add("Mul", value, offset), term)
    return value


def erf(graph: Graph, tensor: str) -> str:
    """The error function of [rows, 1]; ONNX Runtime has it in float32 alone."""
    from scipy.special import erf as reference

    starts = np.arange(0.0, 6.0, 0.25)
    size = graph.add("Min", graph.add("Abs", tensor), graph.constant(6.0))
    value = piecewise(graph, size, starts, _fitted(reference, starts, 6.0))
    return graph.add("Mul", value, graph.add("Sign", tensor))


def normal_quantile(graph: Graph, tensor: str) -> str:
    """The quantile function of the normal distribution of [rows, 1], for 1e-8 <= p <= 1 - 1e-8."""
    from scipy.special import ndtri

    # As a function of sqrt(-log(p)) it is smooth up to the far tail.
    upper = graph.add("Sub", graph.constant(1.0), tensor)
    small = graph.add("Max", graph.add("Min", tensor, upper), graph.constant(1e-8))
    scale = graph.add("Sqrt", graph.add("Neg", graph.add("Log", small)))
    starts = np.arange(0.8, 4.3, 0.125)
    value = piecewise(graph, scale, starts, _fitted(lambda r: ndtri(np.exp(-(r**2))), starts, 4.4))
    sign = graph.add("Sign", graph.add("Sub", graph.constant(0.5), tensor))
    return graph.add("Mul", value, sign)


def interpolated(graph: Graph, tensor: str, known: NDArray[Any], values: NDArray[Any]) -> str:
    """Straight lines between known points, flat outside, of [rows, 1]; `known` ascends strictly."""
    if len(known) == 1:
        return graph.add("Add", graph.add("Mul", tensor, graph.constant(0.0)), graph.constant(values[:1]))
    inside = graph.add("Clip", tensor, graph.constant(float(known[0])), graph.constant(float(known[-1])))
    slopes = np.diff(values) / np.diff(known)
    lines = np.stack([values[:-1], slopes], axis=1)[:, :, np.newaxis]
    return piecewise(graph, inside, known[:-1], lines)


def _fitted(function: Callable[[Any], Any], starts: NDArray[Any], end: float) -> NDArray[Any]:
    """Coefficients [pieces, degree + 1, 1] of a smooth function, to the last digits of a float64."""
    ends = np.append(starts[1:], end)
    result = []
    for start, stop in zip(starts, ends, strict=True):
        width = stop - start

        def scaled(unit: Any, start: float = start, width: float = width) -> Any:
            return function(start + width * (unit + 1) / 2)

        series = np.polynomial.Chebyshev.interpolate(scaled, _DEGREE)
        powers = series.convert(kind=np.polynomial.Polynomial)(np.polynomial.Polynomial([-1.0, 2.0 / width]))
        coefficients = np.zeros(_DEGREE + 1)
        coefficients[: len(powers.coef)] = powers.coef
        result.append(coefficients)
    return np.array(result)[:, :, np.newaxis]
