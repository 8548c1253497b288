"""Emitters of numeric preprocessing: imputers, scalers, selections."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
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
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    RobustScaler,
    StandardScaler,
)

from sealift.model.documents.description import MISSING_TEXT
from sealift_bundler.converters.graph import ML, Graph, numbers_of
from sealift_bundler.converters.steps import (
    Context,
    Features,
    Heads,
    features_of,
    gather,
    is_missing,
    numbers,
    one_to_one,
    predicts,
    transforms,
)
from sealift_bundler.converters.steps.arithmetic import column, concatenated, wide_numbers
from sealift_bundler.converters.steps.boundaries import check_compared, equal, extended, filled_in, number_among
from sealift_bundler.converters.steps.compose import predict
from sealift_bundler.converters.steps.given import sparse_given
from sealift_bundler.converters.steps.magnified import sharpened
from sealift_bundler.converters.steps.preprocessing.single_scalers import scaled_in_float32
from sealift_bundler.converters.steps.widths import note_nones


@transforms(SimpleImputer)
def _simple_imputer(context: Context, estimator: SimpleImputer, features: Features) -> Features:
    if is_missing(estimator.missing_values) and estimator.strategy in ("most_frequent", "constant"):
        note_nones(context, features)  # the other strategies make floats of objects
    statistics = np.asarray(estimator.statistics_, dtype=object)
    # A column that held nothing but missing values when fitted has no statistic, and is left out.
    kept = [index for index, value in enumerate(statistics) if value is None or not is_missing(value)]
    if estimator.keep_empty_features:
        kept = list(range(len(statistics)))
    used = tuple(features[index] for index in kept)
    tensor = gather(context, used, estimator)
    missing = missing_mask(context, estimator, tensor, used)
    values = [MISSING_TEXT if value is None else value for value in statistics[kept]]
    if not used[0].text and np.result_type(*(feature.dtype for feature in used)) == np.float32:
        values = [float(np.float32(value)) for value in values]  # put into the original's own array
    fill = context.graph.constant(np.array([values], dtype=object if used[0].text else np.float64))
    filled = context.graph.add("Where", missing, fill, tensor)
    width = len(used)
    fills = [1.5 if isinstance(value, str) or is_missing(value) else value for value in values]
    result = tuple(
        replace(
            feature,
            tensor=filled,
            index=index,
            width=width,
            integral=feature.integral and float(fills[index]).is_integer(),
            rough=feature.rough
            and filled_in(
                feature, column(context.graph, missing, index), float(values[index]), context.where(estimator)
            ),
        )
        for index, feature in enumerate(used)
    )
    if estimator.add_indicator:
        return (*result, *_indicated(context, estimator.indicator_, features))
    return result


@transforms(MissingIndicator)
def _missing_indicator(context: Context, estimator: MissingIndicator, features: Features) -> Features:
    if is_missing(estimator.missing_values):
        note_nones(context, features)
    return _indicated(context, estimator, features)


def _indicated(context: Context, estimator: MissingIndicator, features: Features) -> Features:
    used = tuple(features[index] for index in estimator.features_)
    if not used:
        return ()
    tensor = gather(context, used, estimator)
    missing = missing_mask(context, estimator, tensor, used)
    return features_of(context.graph.cast(missing, context.graph.dtype), len(used), exact=True, integral=True)


def missing_mask(context: Context, estimator: Any, tensor: str, features: Features) -> str:
    """Mask of the values that the estimator calls missing, bool [rows, width]."""
    graph, marker = context.graph, estimator.missing_values
    if not features[0].text:
        if is_missing(marker):
            return graph.add("IsNaN", tensor)
        value = number_among(features, marker)
        if any(feature.rough for feature in features) and not context.narrow:
            known = np.array([value])
            return concatenated(graph, [equal(context, estimator, feature, known) for feature in features])
        check_compared(context, estimator, features, [value])
        return graph.add("Equal", tensor, graph.constant(value))
    key = MISSING_TEXT if is_missing(marker) else str(marker)
    code = graph.add("LabelEncoder", tensor, domain=ML, keys_strings=[key], values_int64s=[1], default_int64=0)
    found = graph.cast(code, "bool")
    if not is_missing(marker):
        return found
    if type(marker).__name__ == "NAType":
        return found
    # scikit-learn looks for NaN or for None, never for both.
    context.tell_apart(features)
    meant = np.array([[feature.missing_is == ("None" if marker is None else "NaN") for feature in features]])
    return graph.add("And", found, graph.constant(meant))


_Way = Callable[[Any, int], Callable[[NDArray[Any]], NDArray[Any]]]


def _scaling(build: Callable[[Graph, Any, str], str], way: _Way) -> Callable[[Context, Any, Features], Features]:
    """An emitter of a scaler; `way` gives what it does to one column, as scikit-learn computes it."""

    def emit(context: Context, estimator: Any, features: Features) -> Features:
        tensor = numbers(context, features, estimator)
        sparse = estimator.scale_ is not None and sparse_given(context, estimator)
        # The others take no sparse rows, or treat them otherwise altogether.
        takes_sparse = isinstance(estimator, StandardScaler | MaxAbsScaler) and _moments(estimator)[0] is None
        divided = not sparse and takes_sparse and estimator.scale_ is not None
        single = None if sparse else scaled_in_float32(context, estimator, features)
        if single is not None:
            return tuple(replace(feature, divided=divided or feature.divided) for feature in single)
        if sparse:
            if _moments(estimator)[0] is not None:
                raise context.refuse(
                    "it centers dense rows and no sparse ones; give dense samples, with .toarray(), or train it "
                    "without centering",
                    estimator,
                )
            # Of sparse rows scikit-learn multiplies with what it divides others by.
            factors = 1.0 / estimator.scale_
            ways = [_multiplied(factor) for factor in factors.tolist()]
            tensor = context.graph.add("Mul", tensor, context.graph.constant(numbers_of(factors)))
        else:
            ways = [way(estimator, index) for index in range(len(features))]
            tensor = build(context.graph, estimator, tensor)
        step = context.where(estimator)
        made = one_to_one(features, tensor)
        return tuple(
            replace(
                made[index],
                rough=sharpened(extended(feature, ways[index], step, starts=False), *_difference(estimator, index)),
                divided=divided or feature.divided,
            )
            for index, feature in enumerate(features)
        )

    return emit


def _difference(scaler: Any, index: int) -> tuple[float, float]:
    """What a scaler subtracts from a column, and by what it divides the difference."""
    if isinstance(scaler, MinMaxScaler):
        return float(scaler.min_[index] / scaler.scale_[index]), float(1 / scaler.scale_[index])
    center, scale = _moments(scaler)
    return 0.0 if center is None else float(center[index]), 1.0 if scale is None else float(scale[index])


def _multiplied(factor: float) -> Callable[[NDArray[Any]], NDArray[Any]]:
    return lambda x: x * factor


def _shift_and_divide(graph: Graph, tensor: str, shift: Any, scale: Any) -> str:
    if shift is not None:
        tensor = graph.add("Sub", tensor, graph.constant(numbers_of(shift)))
    return tensor if scale is None else graph.add("Div", tensor, graph.constant(numbers_of(scale)))


def _shifted_and_divided(shift: Any, scale: Any, index: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    less = None if shift is None else float(shift[index])
    over = None if scale is None else float(scale[index])

    def apply(x: NDArray[Any]) -> NDArray[Any]:
        x = x if less is None else x - less
        return x if over is None else x / over

    return apply


def _moments(scaler: Any) -> tuple[Any, Any]:
    if isinstance(scaler, StandardScaler):
        return scaler.mean_ if scaler.with_mean else None, scaler.scale_ if scaler.with_std else None
    if isinstance(scaler, RobustScaler):
        return scaler.center_ if scaler.with_centering else None, scaler.scale_ if scaler.with_scaling else None
    return None, scaler.scale_


def _centered(graph: Graph, scaler: Any, tensor: str) -> str:
    return _shift_and_divide(graph, tensor, *_moments(scaler))


def _centered_way(scaler: Any, index: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    return _shifted_and_divided(*_moments(scaler), index)


def _min_max(graph: Graph, scaler: Any, tensor: str) -> str:
    tensor = graph.add("Mul", tensor, graph.constant(numbers_of(scaler.scale_)))
    tensor = graph.add("Add", tensor, graph.constant(numbers_of(scaler.min_)))
    return _clip(graph, tensor, *scaler.feature_range) if scaler.clip else tensor


def _min_max_way(scaler: Any, index: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    scale, least = float(scaler.scale_[index]), float(scaler.min_[index])
    low, high = scaler.feature_range if scaler.clip else (-np.inf, np.inf)
    return lambda x: np.clip(x * scale + least, low, high)


def _clip(graph: Graph, tensor: str, low: float, high: float) -> str:
    return graph.add("Clip", tensor, graph.constant(float(low)), graph.constant(float(high)))


def _max_abs(graph: Graph, scaler: Any, tensor: str) -> str:
    tensor = _shift_and_divide(graph, tensor, None, scaler.scale_)
    return _clip(graph, tensor, -1, 1) if getattr(scaler, "clip", False) else tensor


def _max_abs_way(scaler: Any, index: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    scale = float(scaler.scale_[index])
    low, high = (-1.0, 1.0) if getattr(scaler, "clip", False) else (-np.inf, np.inf)
    return lambda x: np.clip(x / scale, low, high)


def _without_tiny_rows(context: Context, estimator: Normalizer, tensor: str, least: float) -> str:
    """Let the graph refuse rows whose numbers are all tiny: scikit-learn leaves those as they are if they are dense."""
    graph = context.graph
    largest = graph.add("ReduceMax", graph.add("Abs", tensor), graph.constant([1]), keepdims=1)
    some = graph.add("Greater", largest, graph.constant(0.0))
    tiny = graph.add("And", some, graph.add("Less", largest, graph.constant(least)))
    reason = f"step {context.where(estimator)} divides a row of numbers below {least:.2g} in sparse rows alone"
    return context.trapped(tensor, tiny, [None], reason)


def normalize(graph: Graph, norm: str, tensor: str, least: float = 0.0) -> str:
    """Divide each row by its norm; rows of zeros stay, and those whose norm is below `least`."""
    axis = graph.constant([1])
    if norm == "max":
        length = graph.add("ReduceMax", graph.add("Abs", tensor), axis, keepdims=1)
    else:
        power = graph.add("Abs", tensor) if norm == "l1" else graph.add("Mul", tensor, tensor)
        length = graph.add("ReduceSum", power, axis, keepdims=1)
        length = length if norm == "l1" else graph.add("Sqrt", length)
    kept = graph.add("Less" if least else "Equal", length, graph.constant(least))
    return graph.add("Div", tensor, graph.add("Where", kept, graph.constant(1.0), length))


transforms(StandardScaler, RobustScaler)(_scaling(_centered, _centered_way))
transforms(MinMaxScaler)(_scaling(_min_max, _min_max_way))
transforms(MaxAbsScaler)(_scaling(_max_abs, _max_abs_way))


@transforms(Normalizer)
def _normalizer(context: Context, estimator: Normalizer, features: Features) -> Features:
    # The square of a small number is zero in float32, and that of a large one infinite.
    tensor = wide_numbers(context, estimator, features)
    # Of rows that are not sparse, scikit-learn leaves those with a tiny norm as they are.
    dtype = np.result_type(*(feature.dtype for feature in features))
    eps = float(np.finfo(dtype if dtype.kind == "f" else np.float64).eps)
    least = 10 * eps
    if sparse_given(context, estimator):
        tensor = _without_tiny_rows(context, estimator, tensor, least)
        least = 0.0
    else:
        context.reads.setdefault("absent", "refused")
    tensor = normalize(context.graph, estimator.norm, tensor, least)
    return features_of(tensor, len(features), signed=all(not one.rough or one.rough.signed for one in features))


@transforms(
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
def _select(_context: Context, estimator: Any, features: Features) -> Features:
    return tuple(features[index] for index in estimator.get_support(indices=True))


@predicts(RFE, RFECV)
def _eliminated(context: Context, estimator: Any, features: Features) -> Heads:
    return predict(context, estimator.estimator_, _select(context, estimator, features))
