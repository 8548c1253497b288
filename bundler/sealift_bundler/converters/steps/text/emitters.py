"""Which steps have an emitter of their own for columns of text; all others see ordinary features."""

from collections.abc import Callable
from typing import Any

from sealift_bundler.converters.steps import Context, Features, Heads
from sealift_bundler.converters.steps.text.columns import SparseColumns

_Emitter = Callable[[Context, Any, SparseColumns], Features]
_Predictor = Callable[[Context, Any, SparseColumns], Heads]

_TRANSFORMERS: dict[type, _Emitter] = {}
_PREDICTORS: dict[type, _Predictor] = {}


def transforms_sparse(*classes: type) -> Callable[[_Emitter], _Emitter]:
    """Register the emitter of exactly these classes for columns of text."""

    def register(emitter: _Emitter) -> _Emitter:
        _TRANSFORMERS.update(dict.fromkeys(classes, emitter))
        return emitter

    return register


def predicts_sparse(*classes: type) -> Callable[[_Predictor], _Predictor]:
    """Register the emitter of final steps for columns of text."""

    def register(predictor: _Predictor) -> _Predictor:
        _PREDICTORS.update(dict.fromkeys(classes, predictor))
        return predictor

    return register


def transform_sparse(context: Context, estimator: Any, features: Features) -> Features | None:
    """Emit a transformer over columns of text; None where it has no emitter of its own for them."""
    emitter = _TRANSFORMERS.get(type(estimator))
    return None if emitter is None or not isinstance(features, SparseColumns) else emitter(context, estimator, features)


def predict_sparse(context: Context, estimator: Any, features: Features) -> Heads | None:
    """Emit a final step over columns of text; None where it has no emitter of its own for them."""
    emitter = _PREDICTORS.get(type(estimator))
    return None if emitter is None or not isinstance(features, SparseColumns) else emitter(context, estimator, features)
