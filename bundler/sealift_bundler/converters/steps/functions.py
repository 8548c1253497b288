"""NumPy functions of one number that a FunctionTransformer or a target may use, by name."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.preprocessing import FunctionTransformer

from sealift_bundler.converters.graph import Graph
from sealift_bundler.converters.steps import Context, Features, gather, numbers, one_to_one, transforms
from sealift_bundler.converters.steps.arithmetic import column, concatenated
from sealift_bundler.converters.steps.boundaries import check_double, extended, filled_in, whole
from sealift_bundler.converters.steps.domains import BEGINNING, begins_elsewhere, begun, clear_of_ends
from sealift_bundler.converters.steps.ends import ended, ends_elsewhere
from sealift_bundler.converters.steps.given import given_to

_SMALL = 1e-4
_SMALL_SINH = 1e-2
# Beyond it, x² + 1 is x² in float64.
_LARGE = 1e9


def _expm1(graph: Graph, x: str) -> str:
    """exp(x) - 1, by its series near zero, where the difference would cancel."""
    series = _series(graph, x, (1.0, 1 / 2, 1 / 6, 1 / 24))
    return _near_zero(graph, x, series, graph.add("Sub", graph.add("Exp", x), graph.constant(1.0)))


def _log1p(graph: Graph, x: str) -> str:
    series = _series(graph, x, (1.0, -1 / 2, 1 / 3, -1 / 4))
    return _near_zero(graph, x, series, graph.add("Log", graph.add("Add", x, graph.constant(1.0))))


def _series(graph: Graph, x: str, coefficients: tuple[float, ...]) -> str:
    value = graph.constant(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = graph.add("Add", graph.add("Mul", value, x), graph.constant(coefficient))
    return graph.add("Mul", value, x)


def _near_zero(graph: Graph, x: str, near: str, far: str) -> str:
    small = graph.add("Less", graph.add("Abs", x), graph.constant(_SMALL))
    return graph.add("Where", small, near, far)


def _cos(graph: Graph, x: str) -> str:
    """The cosine by sines: ONNX Runtime 1.17 has no cosine of doubles. Half a number is exact, however large."""
    sine = graph.add("Sin", graph.add("Mul", x, graph.constant(0.5)))
    twice = graph.add("Mul", graph.add("Mul", sine, sine), graph.constant(2.0))
    return graph.add("Sub", graph.constant(1.0), twice)


def _arcsinh(graph: Graph, x: str) -> str:
    """log(x + sqrt(x² + 1)) of x >= 0, which is log(2x) where the square would overflow."""
    large = graph.add("Greater", x, graph.constant(_LARGE))
    beyond = graph.add("Add", graph.add("Log", graph.add("Max", x, graph.constant(1.0))), graph.constant(np.log(2.0)))
    near = graph.add("Min", x, graph.constant(_LARGE))
    return graph.add("Where", large, beyond, _near_arcsinh(graph, near))


def _near_arcsinh(graph: Graph, x: str) -> str:
    square = graph.add("Mul", x, x)
    root = graph.add("Sqrt", graph.add("Add", square, graph.constant(1.0)))
    # log1p(x + x² / (1 + sqrt(x² + 1))) keeps its digits near zero.
    more = graph.add("Div", square, graph.add("Add", root, graph.constant(1.0)))
    return _log1p(graph, graph.add("Add", x, more))


def _sinh(graph: Graph, x: str) -> str:
    """The hyperbolic sine of x >= 0, by its series near zero, where a difference of exponentials would cancel."""
    square = graph.add("Mul", x, x)
    near = graph.add("Add", x, graph.add("Mul", x, _series(graph, square, (1 / 6, 1 / 120))))
    rise, fall = _halves(graph, x)
    small = graph.add("Less", x, graph.constant(_SMALL_SINH))
    return graph.add("Where", small, near, graph.add("Sub", rise, fall))


def _cosh(graph: Graph, x: str) -> str:
    """The hyperbolic cosine of x >= 0."""
    return graph.add("Add", *_halves(graph, x))


def _halves(graph: Graph, x: str) -> tuple[str, str]:
    """Half of exp(x), where exp(x) alone may overflow, and half of exp(-x)."""
    root = graph.add("Exp", graph.add("Mul", x, graph.constant(0.5)))
    fall = graph.add("Mul", graph.add("Exp", graph.add("Neg", x)), graph.constant(0.5))
    return graph.add("Mul", graph.add("Mul", root, graph.constant(0.5)), root), fall


def _odd(graph: Graph, x: str, function: Callable[[Graph, str], str]) -> str:
    """A function with f(-x) = -f(x), from its values for x >= 0."""
    return graph.add("Mul", graph.add("Sign", x), function(graph, graph.add("Abs", x)))


def _unary(operator: str) -> Callable[[Graph, str], str]:
    return lambda graph, x: graph.add(operator, x)


FUNCTIONS: dict[Any, Callable[[Graph, str], str]] = {
    None: lambda _graph, x: x,
    np.positive: lambda _graph, x: x,
    np.abs: _unary("Abs"),
    np.fabs: _unary("Abs"),
    np.exp: _unary("Exp"),
    np.exp2: lambda graph, x: graph.add("Exp", graph.add("Mul", x, graph.constant(np.log(2.0)))),
    np.expm1: _expm1,
    np.log: _unary("Log"),
    np.log1p: _log1p,
    np.log2: lambda graph, x: graph.add("Div", graph.add("Log", x), graph.constant(np.log(2.0))),
    np.log10: lambda graph, x: graph.add("Div", graph.add("Log", x), graph.constant(np.log(10.0))),
    np.negative: _unary("Neg"),
    np.sin: _unary("Sin"),
    np.cos: _cos,
    np.sqrt: _unary("Sqrt"),
    np.cbrt: lambda graph, x: graph.add(
        "Mul", graph.add("Sign", x), graph.add("Pow", graph.add("Abs", x), graph.constant(1.0 / 3.0))
    ),
    np.square: lambda graph, x: graph.add("Mul", x, x),
    np.tanh: _unary("Tanh"),
    np.sinh: lambda graph, x: _odd(graph, x, _sinh),
    np.cosh: lambda graph, x: _cosh(graph, graph.add("Abs", x)),
    np.arcsinh: lambda graph, x: _odd(graph, x, _arcsinh),
    np.arctanh: lambda graph, x: graph.add(
        "Mul",
        graph.add("Sub", _log1p(graph, x), _log1p(graph, graph.add("Neg", x))),
        graph.constant(0.5),
    ),
    np.deg2rad: lambda graph, x: graph.add("Mul", x, graph.constant(np.pi / 180)),
    np.radians: lambda graph, x: graph.add("Mul", x, graph.constant(np.pi / 180)),
    np.rad2deg: lambda graph, x: graph.add("Mul", x, graph.constant(180 / np.pi)),
    np.degrees: lambda graph, x: graph.add("Mul", x, graph.constant(180 / np.pi)),
}

# A float64 graph computes these as NumPy does, bit for bit.
_SAME = {
    np.positive, np.abs, np.fabs, np.negative, np.sqrt, np.square, np.deg2rad, np.radians, np.rad2deg, np.degrees,
}  # fmt: skip
# These keep the sign of a number, and zero alone gives zero.
_SIGNED = {
    np.positive, np.expm1, np.log1p, np.cbrt, np.tanh, np.sinh, np.arcsinh, np.deg2rad, np.radians, np.rad2deg,
    np.degrees,
}  # fmt: skip
# These only rise, from the lowest number that they take up to the largest.
_RISING = {
    np.exp, np.exp2, np.expm1, np.log, np.log1p, np.log2, np.log10, np.sqrt, np.cbrt, np.tanh, np.sinh, np.arcsinh,
    np.deg2rad, np.radians, np.rad2deg, np.degrees, np.floor, np.ceil, np.rint, np.trunc, np.sign,
}  # fmt: skip
# These give a finite number for every finite one.
_BOUNDED = {
    np.positive, np.abs, np.fabs, np.negative, np.sin, np.cos, np.cbrt, np.tanh, np.arcsinh, np.deg2rad, np.radians,
}  # fmt: skip

# Their answers jump, so their input must be exact.
_STEPS: dict[Any, Callable[[Graph, str], str]] = {
    np.floor: _unary("Floor"),
    np.ceil: _unary("Ceil"),
    np.rint: _unary("Round"),
    np.round: _unary("Round"),
    np.sign: _unary("Sign"),
    np.trunc: lambda graph, x: graph.add("Mul", graph.add("Sign", x), graph.add("Floor", graph.add("Abs", x))),
}


# Of integers they are integers, and may wrap around.
_WRAPPING = {np.square, np.abs, np.negative}


def _nan_to_num(graph: Graph, x: str) -> str:
    largest = float(np.finfo(graph.dtype).max)
    cut = graph.add("Clip", x, graph.constant(-largest), graph.constant(largest))
    return graph.add("Where", graph.add("IsNaN", x), graph.constant(0.0), cut)


# These look at what is missing or infinite, and jump nowhere else.
_MARKS: dict[Any, Callable[[Graph, str], str]] = {
    np.isnan: lambda graph, x: graph.cast(graph.add("IsNaN", x), graph.dtype),
    np.isfinite: lambda graph, x: graph.cast(graph.add("Not", graph.add("IsNaN", graph.add("Sub", x, x))), graph.dtype),
    np.nan_to_num: _nan_to_num,
}


def function_name(function: Any) -> str:
    """Return the name of a function for a message."""
    return getattr(function, "__qualname__", None) or getattr(function, "__name__", None) or repr(function)


def _check_integers(context: Context, estimator: FunctionTransformer, features: Features) -> None:
    """Refuse integers with which NumPy computes in integers, or in less than float64.

    Raises:
        NeverConverts: the samples hold such.
    """
    context.reads["narrow"] = "refused"
    if estimator.func is np.square and any(feature.origin is not None for feature in features):
        # Of the caller's own integers it wraps around, and the graph does not.
        context.reads.setdefault("integers", "all")
        context.reads.setdefault("rounded", False)
    name, dtypes = function_name(estimator.func), [np.dtype(feature.dtype) for feature in features if not feature.text]
    if estimator.func in (*_STEPS, *_MARKS):
        return
    whole = [dtype for dtype in dtypes if dtype.kind in "iub"]
    wrapping = _WRAPPING
    if len(whole) < len(dtypes) or not whole:
        # NumPy computes in each column of a frame, before scikit-learn makes float64 of all.
        whole, wrapping = _integer_columns(given_to(context, estimator)), {np.square}
    if not whole:
        return
    widest = np.result_type(*whole)
    if estimator.func in wrapping or widest.itemsize < np.dtype(np.int32).itemsize:
        raise context.refuse(
            f"numpy.{name} of {widest} is computed in integers, which wrap around, or in less than float64; "
            "give float64 samples: .astype('float64')",
            estimator,
        )


def _integer_columns(rows: Any) -> list[np.dtype[Any]]:
    """The dtypes of the columns of integers in a pandas frame, those of pandas' own as NumPy has them."""
    if not isinstance(rows, pd.DataFrame):
        return []
    return [np.dtype(f"{dtype.kind}{dtype.itemsize}") for dtype in rows.dtypes if getattr(dtype, "kind", "O") in "iu"]


def _clip_bounds(estimator: FunctionTransformer) -> tuple[float, float] | None:
    """The bounds of numpy.clip, infinite where there is none; None for another function, or bounds that are arrays."""
    options = dict(estimator.kw_args or {})
    if estimator.func is not np.clip:
        return None
    pair = [options.pop(name, options.pop(other, None)) for name, other in (("a_min", "min"), ("a_max", "max"))]
    if options or not all(bound is None or isinstance(bound, int | float) for bound in pair):
        return None
    low, high = pair
    return (-np.inf if low is None else float(low), np.inf if high is None else float(high))


def _clipped(context: Context, estimator: FunctionTransformer, features: Features, low: float, high: float) -> Features:
    """numpy.clip: NaN stays. What float32 makes of a bound is what it makes of a number that is the bound."""
    graph = context.graph
    _check_integers(context, estimator, features)
    if any(not float(bound).is_integer() for bound in (low, high) if np.isfinite(bound)) and any(
        np.dtype(feature.dtype).kind in "iub" for feature in features
    ):
        raise context.refuse("numpy.clip of integers by a fraction; give float64 samples", estimator)
    tensor = numbers(context, features, estimator)
    above = graph.add("Where", graph.add("Less", tensor, graph.constant(low)), graph.constant(low), tensor)
    tensor = graph.add("Where", graph.add("Greater", above, graph.constant(high)), graph.constant(high), above)
    step = context.where(estimator)

    def clip(x: Any) -> Any:
        return np.clip(x, low, high)

    made = one_to_one(features, tensor)
    return tuple(
        replace(
            one,
            exact=feature.exact,
            integral=feature.integral and all(not np.isfinite(b) or float(b).is_integer() for b in (low, high)),
            dtype=feature.dtype,
            rough=extended(feature, clip, step, starts=False),
        )
        for one, feature in zip(made, features, strict=True)
    )


def _no_counterpart(function: Any) -> str:
    name = function_name(function)
    if isinstance(function, np.ufunc) and function not in (*FUNCTIONS, *_STEPS, *_MARKS):
        library = "numpy" if getattr(np, name, None) is function else "scipy.special"
        return f"{library}.{name} has no exact counterpart in a graph; do this before the model"
    return (
        f"its function {name!r} is Python code, which a graph cannot carry; "
        "use a NumPy function such as numpy.log1p, or do this before the model"
    )


@transforms(FunctionTransformer)
def _function(context: Context, estimator: FunctionTransformer, features: Features) -> Features:
    function = estimator.func
    known = isinstance(function, np.ufunc) or function is None or callable(function)
    emitter = FUNCTIONS.get(function) or _STEPS.get(function) or _MARKS.get(function) if known else None
    if function is np.reciprocal:
        raise context.refuse(
            "numpy.reciprocal divides integers as integers, and rows may bring them; use a division by a float column",
            estimator,
        )
    bounds = _clip_bounds(estimator)
    if bounds is not None:
        context.reads["narrow"] = "refused"
        return _clipped(context, estimator, features, *bounds)
    if estimator.kw_args or emitter is None:
        raise context.refuse(_no_counterpart(function), estimator)
    if function is None:
        return features
    _check_integers(context, estimator, features)
    if function in _STEPS:
        return _jumping(context, estimator, features)
    if function in BEGINNING and context.narrow and any(feature.rough for feature in features):
        raise context.climb(
            "it takes no number below its first, and float32 rounds the number in front of it", estimator
        )
    if function is np.arctanh and context.narrow:
        raise context.climb("it is infinite at one, and float32 rounds to that", estimator)
    if function is np.sqrt and context.narrow and not all(feature.integral for feature in features):
        raise context.climb("it refuses the least number below zero, of which float32 makes zero", estimator)
    if function in _MARKS:
        return _marking(context, estimator, features)
    tensor = _computed(context, estimator, features, emitter)
    step = context.where(estimator)
    rising = function if function in _RISING else None
    doubt = {} if function in _BOUNDED else {"doubt": step}
    return tuple(
        replace(made, rough=extended(feature, rising, step, starts=function not in _SAME, signed=function in _SIGNED))
        for made, feature in zip(one_to_one(features, tensor, **doubt), features, strict=True)
    )


def _computed(
    context: Context, estimator: FunctionTransformer, features: Features, emitter: Callable[[Graph, str], str]
) -> str:
    """The function of all features, which is a number, and finite, where the original's is."""
    graph, function = context.graph, estimator.func
    begins = [begins_elsewhere(function, feature) and not context.narrow for feature in features]
    if any(begins):
        parts = [
            begun(context, estimator, feature, emitter)
            if there
            else emitter(graph, clear_of_ends(context, estimator, (feature,), gather(context, (feature,), estimator)))
            for feature, there in zip(features, begins, strict=True)
        ]
        return concatenated(graph, parts)
    given = clear_of_ends(context, estimator, features, numbers(context, features, estimator))
    made = emitter(graph, given)
    if not any(ends_elsewhere(context, function, feature) for feature in features):
        return made
    return ended(context, estimator, features, given, made, [function] * len(features))


def _jumping(context: Context, estimator: FunctionTransformer, features: Features) -> Features:
    """A function such as floor, which float32 may put on the other side of a jump."""
    graph = context.graph
    emitter = _STEPS[estimator.func]
    # Whole numbers stay what they are, or have the sign that they have.
    if context.narrow and not all(feature.integral for feature in features):
        raise context.climb("its answers jump, and float32 rounds the number in front of it", estimator)
    if not context.narrow:
        check_double(context, estimator, features)
    if context.narrow or not any(feature.rough for feature in features):
        tensor = emitter(graph, numbers(context, features, estimator))
    else:
        parts = []
        for feature in features:
            part = emitter(graph, gather(context, (feature,), estimator))
            signed = feature.rough is not None and feature.rough.signed and estimator.func is np.sign
            if feature.rough is not None and not signed:
                part = whole(context, estimator, feature, estimator.func, part)
            parts.append(part)
        tensor = concatenated(graph, parts)
    made = one_to_one(features, tensor, exact=True, rough=None)
    signs = estimator.func is np.sign
    return tuple(replace(one, integral=signs or feature.integral) for one, feature in zip(made, features, strict=True))


def _marking(context: Context, estimator: FunctionTransformer, features: Features) -> Features:
    """A function that looks at what is missing or infinite."""
    check_double(context, estimator, features)
    if context.narrow and not all(feature.exact for feature in features):
        raise context.climb("it looks for what overflows, and float32 overflows earlier", estimator)
    tensor = _MARKS[estimator.func](context.graph, numbers(context, features, estimator))
    if estimator.func is not np.nan_to_num:
        return one_to_one(features, tensor, exact=True, integral=True, rough=None, doubt=None)
    step = context.where(estimator)
    made = one_to_one(features, tensor, exact=True, doubt=None)
    given = [replace(feature, rough=extended(feature, _without_infinity, step, starts=False)) for feature in features]
    missing = context.graph.add("IsNaN", numbers(context, features, estimator))
    return tuple(
        replace(one, rough=feature.rough and filled_in(feature, column(context.graph, missing, index), 0.0, step))
        for index, (one, feature) in enumerate(zip(made, given, strict=True))
    )


def _without_infinity(x: Any) -> Any:
    return np.clip(x, -np.finfo(np.float64).max, np.finfo(np.float64).max)
