"""What the original gives to one of its steps: its container and dtype, learned by asking the original."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
from joblib import parallel_config

from sealift_bundler.converters.steps import Context
from sealift_bundler.samples.containers import is_sparse

_ROWS = 8
_METHODS = ("predict", "predict_proba", "decision_function", "transform")


def given_to(context: Context, estimator: Any) -> Any:
    """Return the rows that the original gives to `estimator` for some of the caller's; None where it gives none.

    The estimator's methods are shadowed for the time of one call. What scikit-learn, SciPy and NumPy make of
    containers and dtypes on the way through a pipeline is so what it is, and not what we think it is.
    """
    samples = context.samples
    if samples is None or context.source is None:
        return None
    seen: list[Any] = []
    shadowed = [name for name in _METHODS if hasattr(estimator, name)]
    for name in shadowed:
        vars(estimator)[name] = _watched(getattr(estimator, name), seen)
    try:
        for name in _METHODS:
            if hasattr(context.source, name) and not seen:
                # A method of its own may not exist for these parameters, and says so only when called.
                # Another process would know nothing of the shadowed ones.
                with suppress(Exception), parallel_config(backend="sequential"):
                    getattr(context.source, name)(samples.own(samples.head(_ROWS)))
    finally:
        for name in shadowed:
            vars(estimator).pop(name, None)
    return seen[0] if seen else None


def _watched(method: Callable[..., Any], seen: list[Any]) -> Callable[..., Any]:
    def call(rows: Any, *arguments: Any, **options: Any) -> Any:
        seen.append(rows)
        return method(rows, *arguments, **options)

    return call


def sparse_given(context: Context, estimator: Any) -> bool:
    """Return whether the original gives a matrix of SciPy to `estimator`, or what scikit-learn makes one of."""
    rows = given_to(context, estimator)
    if isinstance(rows, pd.DataFrame):
        return all(isinstance(dtype, pd.SparseDtype) for dtype in rows.dtypes)
    return is_sparse(rows)


def same_bits(one: Any, other: Any) -> bool:
    """Return whether two answers are the same, a missing number being the same as another one."""
    return np.array_equal(one, other, equal_nan=np.asarray(one).dtype.kind == "f")


def rounds_integers(rows: Any) -> bool:
    """Return whether rows are an array or lists of integers that LightGBM makes float32 of."""
    if not isinstance(rows, np.ndarray | list):
        return False
    return np.asarray(rows).dtype.kind in "iub"
