"""Emitters of what holds other estimators: pipelines, unions, column transformers, searches."""

import pkgutil
from dataclasses import replace
from importlib import import_module
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - makes the classes importable
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, HalvingRandomSearchCV, RandomizedSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline

from sealift_bundler.converters import steps
from sealift_bundler.converters.steps import (
    PREDICTORS,
    TRANSFORMERS,
    Context,
    Emitter,
    Features,
    Heads,
    Predictor,
    gather,
    predicts,
    transforms,
)
from sealift_bundler.converters.steps.boundaries import extended
from sealift_bundler.converters.steps.finite import checked
from sealift_bundler.converters.steps.registered import predict_registered, transform_registered
from sealift_bundler.converters.steps.text.columns import SparseColumns, joined, plain
from sealift_bundler.converters.steps.text.emitters import predict_sparse, transform_sparse
from sealift_bundler.converters.steps.widths import check_jump, note_width, with_widths

_SEARCHES = (GridSearchCV, RandomizedSearchCV, HalvingGridSearchCV, HalvingRandomSearchCV)
# What these hold checks for itself, each part the columns that it is given.
_HOLDERS = (Pipeline, ColumnTransformer, FeatureUnion, FrozenEstimator, *_SEARCHES)


def transform(context: Context, estimator: Any, features: Features) -> Features:
    """Emit a fitted transformer, or "passthrough"."""
    if estimator is None or (isinstance(estimator, str) and estimator == "passthrough"):
        return features
    emitter = TRANSFORMERS.get(type(estimator), transform_registered)
    given = _given(context, estimator, emitter, features, "transform")
    made = transform_sparse(context, estimator, given)
    made = emitter(context, estimator, given) if made is None else made
    if isinstance(made, SparseColumns):
        return made
    made = _named(context, estimator, made, coarse=any(one.rough and one.rough.coarse for one in plain(given)))
    # What holds other steps leaves it to them.
    return made if emitter.__module__ == __name__ else with_widths(context, estimator, plain(features), made)


def predict(context: Context, estimator: Any, features: Features) -> Heads:
    """Emit a fitted final step and return its answers by role."""
    emitter = PREDICTORS.get(type(estimator), predict_registered)
    given = _given(context, estimator, emitter, features, "predict")
    return predict_sparse(context, estimator, given) or emitter(context, estimator, given)


def _given(context: Context, estimator: Any, emitter: Emitter | Predictor, features: Features, method: str) -> Features:
    """The features with the numbers refused that the step refuses; what holds other steps leaves it to them."""
    check_jump(context, estimator, emitter, plain(features))
    if isinstance(estimator, _HOLDERS):
        return features
    note_width(context, estimator, emitter, plain(features))
    if not isinstance(features, SparseColumns):
        return checked(context, estimator, features, method)
    if any(feature.doubt for feature in features.plain):
        raise context.climb("a column beside text may hold a number that is not finite", estimator)
    return features


def _named(context: Context, estimator: Any, features: Features, *, coarse: bool) -> Features:
    """Name the step on numbers that it has just made, and that may differ in their last bit, or by more if `coarse`."""
    step = context.where(estimator)
    return tuple(
        replace(feature, rough=replace(feature.rough, step=step, coarse=coarse))
        if feature.rough and not feature.rough.step
        else feature
        for feature in features
    )


def _before_last(context: Context, pipeline: Pipeline, features: Features) -> Features:
    for name, step in pipeline.steps[:-1]:
        if hasattr(step, "fit_resample"):  # a sampler of imbalanced-learn, for training alone
            continue
        features = transform(context.inside(name), step, features)
    return features


@predicts(Pipeline)
def _predict_pipeline(context: Context, estimator: Pipeline, features: Features) -> Heads:
    features = _before_last(context, estimator, features)
    name, step = estimator.steps[-1]
    return predict(context.inside(name), step, features)


@transforms(Pipeline)
def _transform_pipeline(context: Context, estimator: Pipeline, features: Features) -> Features:
    features = _before_last(context, estimator, features)
    name, step = estimator.steps[-1]
    return transform(context.inside(name), step, features)


@transforms(ColumnTransformer)
def _column_transformer(context: Context, estimator: ColumnTransformer, features: Features) -> Features:
    result: list[Features] = []
    # Fitted positions, whatever the columns were selected by: names, slices, masks or callables.
    indices_of = estimator._transformer_to_input_indices  # noqa: SLF001 - there is no public form
    for name, step, _ in estimator.transformers_:
        selected = tuple(features[index] for index in indices_of.get(name, ()))
        if not selected or (isinstance(step, str) and step == "drop"):
            continue
        outcome = transform(context.inside(name), step, selected)
        result.append(_weighted(context, estimator, name, outcome))
    return joined(context, result)


@transforms(FeatureUnion)
def _feature_union(context: Context, estimator: FeatureUnion, features: Features) -> Features:
    result: list[Features] = []
    for name, step in estimator.transformer_list:
        if isinstance(step, str) and step == "drop":
            continue
        outcome = transform(context.inside(name), step, features)
        result.append(_weighted(context, estimator, name, outcome))
    return joined(context, result)


def _weighted(context: Context, estimator: Any, name: str, features: Features) -> Features:
    weight = (estimator.transformer_weights or {}).get(name)
    if weight is None or not features:
        return features
    if isinstance(features, SparseColumns):
        return features.times(float(weight))
    tensor = gather(context, features, estimator)
    scaled = context.graph.add("Mul", tensor, context.graph.constant(float(weight)))
    width = len(features)
    rising = (lambda x: x * float(weight)) if weight > 0 else None
    step = context.where(estimator)
    return tuple(
        replace(
            feature,
            tensor=scaled,
            index=index,
            width=width,
            exact=False,
            integral=False,
            origin=None,
            rough=extended(feature, rising, step, starts=False),
        )
        for index, feature in enumerate(features)
    )


@predicts(*_SEARCHES)
def _predict_search(context: Context, estimator: Any, features: Features) -> Heads:
    return predict(context, estimator.best_estimator_, features)


@predicts(FrozenEstimator)
def _predict_frozen(context: Context, estimator: FrozenEstimator, features: Features) -> Heads:
    return predict(context, estimator.estimator, features)


@transforms(*_SEARCHES)
def _transform_search(context: Context, estimator: Any, features: Features) -> Features:
    return transform(context, estimator.best_estimator_, features)


@transforms(FrozenEstimator)
def _transform_frozen(context: Context, estimator: FrozenEstimator, features: Features) -> Features:
    return transform(context, estimator.estimator, features)


def register_all() -> None:
    """Import every module of this package and its rooms, which registers their emitters."""
    for module in pkgutil.walk_packages(steps.__path__, f"{steps.__name__}."):
        import_module(module.name)
