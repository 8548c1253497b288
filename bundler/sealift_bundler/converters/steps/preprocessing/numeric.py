"""Emitters of numeric preprocessing: imputers, scalers, selections."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
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
    predicts,
    transforms,
)
from sealift_bundler.converters.steps.compose import predict


@transforms(SimpleImputer)
def _simple_imputer(context: Context, estimator: SimpleImputer, features: Features) -> Features:
    statistics = np.asarray(estimator.statistics_, dtype=object)
    # A column that held nothing but missing values when fitted has no statistic, and is left out.
    kept = [index for index, value in enumerate(statistics) if value is None or not is_missing(value)]
    if estimator.keep_empty_features:
        kept = list(range(len(statistics)))
    used = tuple(features[index] for index in kept)
    tensor = gather(context, used, estimator)
    missing = _missing(context, estimator, tensor, used)
    values = [MISSING_TEXT if value is None else value for value in statistics[kept]]
    if not used[0].text and np.result_type(*(feature.dtype for feature in used)) == np.float32:
        values = [float(np.float32(value)) for value in values]  # put into the original's own array
    fill = context.graph.constant(np.array([values], dtype=object if used[0].text else np.float64))
    filled = context.graph.add("Where", missing, fill, tensor)
    width = len(used)
    result = tuple(replace(feature, tensor=filled, index=index, width=width) for index, feature in enumerate(used))
    if estimator.add_indicator:
        return result + _missing_indicator(context, estimator.indicator_, features)
    return result


@transforms(MissingIndicator)
def _missing_indicator(context: Context, estimator: MissingIndicator, features: Features) -> Features:
    used = tuple(features[index] for index in estimator.features_)
    if not used:
        return ()
    tensor = gather(context, used, estimator)
    missing = _missing(context, estimator, tensor, used)
    return features_of(context.graph.cast(missing, context.graph.dtype), len(used), exact=True)


def _missing(context: Context, estimator: Any, tensor: str, features: Features) -> str:
    """Mask of the values that the estimator calls missing, bool [rows, width]."""
    graph, marker = context.graph, estimator.missing_values
    if not features[0].text:
        return (
            graph.add("IsNaN", tensor)
            if is_missing(marker)
            else graph.add("Equal", tensor, graph.constant(float(marker)))
        )
    key = MISSING_TEXT if is_missing(marker) else str(marker)
    code = graph.add("LabelEncoder", tensor, domain=ML, keys_strings=[key], values_int64s=[1], default_int64=0)
    found = graph.cast(code, "bool")
    if not is_missing(marker):
        return found
    # scikit-learn looks for NaN or for None, never for both.
    meant = np.array([[feature.none == (marker is None) for feature in features]])
    return graph.add("And", found, graph.constant(meant))


def _arithmetic(build: Callable[[Graph, Any, str], str]) -> Callable[[Context, Any, Features], Features]:
    """An emitter that keeps the number of columns."""

    def emit(context: Context, estimator: Any, features: Features) -> Features:
        tensor = build(context.graph, estimator, numbers(context, features, estimator))
        return features_of(tensor, len(features))

    return emit


def _shift_and_divide(graph: Graph, tensor: str, shift: Any, scale: Any) -> str:
    if shift is not None:
        tensor = graph.add("Sub", tensor, graph.constant(numbers_of(shift)))
    return tensor if scale is None else graph.add("Div", tensor, graph.constant(numbers_of(scale)))


def _standard(graph: Graph, scaler: Any, tensor: str) -> str:
    shift = scaler.mean_ if scaler.with_mean else None
    return _shift_and_divide(graph, tensor, shift, scaler.scale_ if scaler.with_std else None)


def _robust(graph: Graph, scaler: Any, tensor: str) -> str:
    shift = scaler.center_ if scaler.with_centering else None
    return _shift_and_divide(graph, tensor, shift, scaler.scale_ if scaler.with_scaling else None)


def _min_max(graph: Graph, scaler: Any, tensor: str) -> str:
    tensor = graph.add("Mul", tensor, graph.constant(numbers_of(scaler.scale_)))
    tensor = graph.add("Add", tensor, graph.constant(numbers_of(scaler.min_)))
    return _clip(graph, tensor, *scaler.feature_range) if scaler.clip else tensor


def _clip(graph: Graph, tensor: str, low: float, high: float) -> str:
    return graph.add("Clip", tensor, graph.constant(float(low)), graph.constant(float(high)))


def _max_abs(graph: Graph, scaler: Any, tensor: str) -> str:
    tensor = _shift_and_divide(graph, tensor, None, scaler.scale_)
    return _clip(graph, tensor, -1, 1) if getattr(scaler, "clip", False) else tensor


def normalize(graph: Graph, norm: str, tensor: str) -> str:
    """Divide each row by its norm; rows of zeros stay."""
    axis = graph.constant([1])
    if norm == "max":
        length = graph.add("ReduceMax", graph.add("Abs", tensor), axis, keepdims=1)
    else:
        power = graph.add("Abs", tensor) if norm == "l1" else graph.add("Mul", tensor, tensor)
        length = graph.add("ReduceSum", power, axis, keepdims=1)
        length = length if norm == "l1" else graph.add("Sqrt", length)
    zero = graph.add("Equal", length, graph.constant(0.0))
    return graph.add("Div", tensor, graph.add("Where", zero, graph.constant(1.0), length))


transforms(StandardScaler)(_arithmetic(_standard))
transforms(RobustScaler)(_arithmetic(_robust))
transforms(MinMaxScaler)(_arithmetic(_min_max))
transforms(MaxAbsScaler)(_arithmetic(_max_abs))
transforms(Normalizer)(_arithmetic(lambda graph, scaler, tensor: normalize(graph, scaler.norm, tensor)))


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
