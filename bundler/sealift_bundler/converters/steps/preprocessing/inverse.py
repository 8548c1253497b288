"""Inverse transformations, for targets that were transformed before training."""

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from sealift_bundler.converters.graph import Graph, numbers_of
from sealift_bundler.converters.steps import Context
from sealift_bundler.converters.steps.arithmetic import column, concatenated
from sealift_bundler.converters.steps.functions import FUNCTIONS, function_name
from sealift_bundler.converters.steps.tabulated import erf, interpolated


def inverse_transform(context: Context, transformer: Any, tensor: str, owner: Any) -> str:
    """Undo a fitted transformer on [rows, columns].

    Raises:
        ConversionError: there is no inverse for its class.
    """
    graph = context.graph
    kind = type(transformer)
    if kind is Pipeline:
        for _, step in reversed(transformer.steps):
            tensor = tensor if isinstance(step, str) else inverse_transform(context, step, tensor, owner)
        return tensor
    if kind is FunctionTransformer:
        function = transformer.inverse_func
        if function not in FUNCTIONS or transformer.inv_kw_args:
            raise context.refuse(f"its inverse function {function_name(function)!r} is Python code", owner)
        return FUNCTIONS[function](graph, tensor)
    if kind in (StandardScaler, RobustScaler, MaxAbsScaler, MinMaxScaler):
        with graph.as_single(tensor) as (given,):
            made = _unscaled(graph, given, *_scale_and_shift(transformer))
        # A small difference of large numbers has no more digits than the original's float32 leaves it.
        return made if given == tensor else graph.widened(made)
    if context.narrow:
        raise context.climb("it undoes a transformation in float64", owner)
    if kind is PowerTransformer:
        return _power(context, transformer, tensor)
    if kind is QuantileTransformer:
        parts = [_quantile(graph, transformer, column(graph, tensor, i), i) for i in range(transformer.n_features_in_)]
        return concatenated(graph, parts)
    raise context.refuse(f"the inverse of a {kind.__name__} is not supported", owner)


def _scale_and_shift(scaler: Any) -> tuple[Any, Any]:
    """Factor and summand of an inverse scaler; None for neither."""
    if isinstance(scaler, StandardScaler):
        return scaler.scale_ if scaler.with_std else None, scaler.mean_ if scaler.with_mean else None
    if isinstance(scaler, RobustScaler):
        return scaler.scale_ if scaler.with_scaling else None, scaler.center_ if scaler.with_centering else None
    if isinstance(scaler, MaxAbsScaler):
        return scaler.scale_, None
    return 1.0 / numbers_of(scaler.scale_), -numbers_of(scaler.min_) / numbers_of(scaler.scale_)


def _unscaled(graph: Graph, tensor: str, scale: Any, shift: Any) -> str:
    if scale is not None:
        tensor = graph.add("Mul", tensor, graph.constant(numbers_of(scale)))
    return tensor if shift is None else graph.add("Add", tensor, graph.constant(numbers_of(shift)))


def _power(context: Context, transformer: PowerTransformer, tensor: str) -> str:
    graph = context.graph
    if transformer.standardize:
        scaler = transformer._scaler  # noqa: SLF001 - there is no public form
        tensor = _unscaled(graph, tensor, scaler.scale_, scaler.mean_)
    parts = []
    for index, power in enumerate(transformer.lambdas_):
        x = column(graph, tensor, index)
        box = transformer.method == "box-cox"
        parts.append(_box_cox(graph, x, power) if box else _yeo_johnson(graph, x, power))
    return concatenated(graph, parts)


def _box_cox(graph: Graph, x: str, power: float) -> str:
    if power == 0:
        return graph.add("Exp", x)
    grown = graph.add("Add", graph.add("Mul", x, graph.constant(float(power))), graph.constant(1.0))
    return graph.add("Pow", grown, graph.constant(1.0 / power))


def _yeo_johnson(graph: Graph, x: str, power: float) -> str:
    positive = graph.add("GreaterOrEqual", x, graph.constant(0.0))
    upper = graph.add("Where", positive, x, graph.constant(0.0))
    lower = graph.add("Where", positive, graph.constant(0.0), x)
    if abs(power) < np.spacing(1.0):
        above = FUNCTIONS[np.expm1](graph, upper)
    else:
        grown = graph.add("Add", graph.add("Mul", upper, graph.constant(float(power))), graph.constant(1.0))
        above = graph.add("Sub", graph.add("Pow", grown, graph.constant(1.0 / power)), graph.constant(1.0))
    rest = 2.0 - power
    if abs(rest) > np.spacing(1.0):
        grown = graph.add("Add", graph.add("Mul", lower, graph.constant(-rest)), graph.constant(1.0))
        below = graph.add("Sub", graph.constant(1.0), graph.add("Pow", grown, graph.constant(1.0 / rest)))
    else:
        below = graph.add("Neg", FUNCTIONS[np.expm1](graph, graph.add("Neg", lower)))
    return graph.add("Where", positive, above, below)


def _quantile(graph: Graph, transformer: QuantileTransformer, x: str, index: int) -> str:
    quantiles = np.asarray(transformer.quantiles_[:, index])
    if transformer.output_distribution == "normal":
        half = erf(graph, graph.add("Mul", x, graph.constant(np.sqrt(0.5))))
        x = graph.add("Mul", graph.add("Add", half, graph.constant(1.0)), graph.constant(0.5))
    return interpolated(graph, x, np.asarray(transformer.references_), quantiles)
