"""Scalers of the caller's own float32 numbers, bit for bit as scikit-learn scales them: in float32.

Each of their operations rounds to float32. Whether it computes in float32 or rounds what it computed in float64 depends
on scikit-learn's version and on how the scaler was fitted, so the fitted scaler is asked.
"""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from sealift_bundler.converters.graph import numbers_of
from sealift_bundler.converters.steps import Context, Features, numbers, one_to_one

_ASKED_ROWS = 512
_OPERATIONS = {"Sub": np.subtract, "Div": np.divide, "Mul": np.multiply, "Add": np.add}
# An operator of ONNX, and its second argument for each column.
_Operations = list[tuple[str, NDArray[Any]]]


def scaled_in_float32(context: Context, estimator: Any, features: Features) -> Features | None:
    """Scale float32 numbers in float32.

    Args:
        context: The conversion.
        estimator: A fitted scaler of dense rows.
        features: What it is given.

    Returns:
        Numbers that are the original's bit for bit; None where they are not float32, or not computed in these ways.
    """
    if not features or any(
        not feature.exact or feature.single or feature.rough or feature.dtype != "float32" for feature in features
    ):
        return None
    operations = _operations(estimator)
    clipped = _clipped(estimator)
    graph = context.graph
    for wide in (False, True):
        if not _is_asked(estimator, operations, clipped, wide=wide):
            continue
        tensor = graph.cast(numbers(context, features, estimator), "float32")
        for operator, values in operations:
            if wide:
                double = graph.add(operator, graph.cast(tensor, "float64"), graph.constant(values, np.float64))
                tensor = graph.cast(double, "float32")
            else:
                tensor = graph.add(operator, tensor, graph.constant(values, np.float32))
        if clipped is not None:
            low, high = (graph.constant(np.array(bound), np.float32) for bound in clipped)
            tensor = graph.add("Clip", tensor, low, high)
        tensor = graph.cast(tensor, graph.dtype)
        # It may overflow in float32.
        made = one_to_one(features, tensor, exact=True, dtype="float32", doubt=context.where(estimator))
        return tuple(replace(one, rough=None) for one in made)
    return None


def _operations(scaler: Any) -> _Operations:
    found: list[tuple[str, Any]] = []
    if isinstance(scaler, StandardScaler):
        found = [("Sub", scaler.mean_ if scaler.with_mean else None), ("Div", scaler.scale_)]
    elif isinstance(scaler, RobustScaler):
        found = [
            ("Sub", scaler.center_ if scaler.with_centering else None),
            ("Div", scaler.scale_ if scaler.with_scaling else None),
        ]
    elif isinstance(scaler, MinMaxScaler):
        found = [("Mul", scaler.scale_), ("Add", scaler.min_)]
    elif isinstance(scaler, MaxAbsScaler):
        found = [("Div", scaler.scale_)]
    return [(operator, numbers_of(values)[np.newaxis]) for operator, values in found if values is not None]


def _clipped(scaler: Any) -> tuple[float, float] | None:
    if not getattr(scaler, "clip", False):
        return None
    return scaler.feature_range if isinstance(scaler, MinMaxScaler) else (-1.0, 1.0)


def _is_asked(scaler: Any, operations: _Operations, clipped: tuple[float, float] | None, *, wide: bool) -> bool:
    """Ask the scaler whether it computes so, by numbers of the size that it was fitted on, and of other sizes."""
    if not operations:
        return False
    generator = np.random.default_rng(0)
    width = operations[0][1].shape[1]
    # What the operations, backwards, make numbers between -3 and 3 of.
    rows = generator.normal(size=(_ASKED_ROWS, width)) * np.where(generator.random((_ASKED_ROWS, 1)) < 0.8, 1, 1e6)
    undone = {"Sub": np.add, "Div": np.multiply, "Mul": np.divide, "Add": np.subtract}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for operator, values in reversed(operations):
            rows = undone[operator](rows, values)
        given = rows.astype(np.float32)
        expected = given
        for operator, values in operations:
            if wide:
                expected = _OPERATIONS[operator](expected.astype(np.float64), values).astype(np.float32)
            else:
                expected = _OPERATIONS[operator](expected, values.astype(np.float32))
        if clipped is not None:
            expected = np.clip(expected, np.float32(clipped[0]), np.float32(clipped[1]))
        try:
            got = np.asarray(scaler.transform(given.copy()))
        except Exception:  # noqa: BLE001 - a scaler of a later scikit-learn may refuse what this one takes
            return False
    return got.dtype == np.float32 and np.array_equal(got, expected, equal_nan=True)
