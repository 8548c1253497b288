"""Emitters of gradient boosting over scikit-learn's own trees, started from a constant or another model."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

from sealift_bundler.converters.graph import Graph, numbers_of
from sealift_bundler.converters.steps import (
    PREDICTORS,
    Context,
    Features,
    Heads,
    complement,
    features_of,
    flat,
    numbers,
    predicts,
)
from sealift_bundler.converters.steps.arithmetic import as_column, column, concatenated, sigmoid
from sealift_bundler.converters.steps.compose import predict
from sealift_bundler.converters.steps.models.linear import scores_to_label
from sealift_bundler.converters.steps.trees.leaves import leaf_sum


def _boosted(context: Context, estimator: Any, features: Features) -> str:
    """The raw prediction of a GradientBoosting model, [rows, 1 or classes]."""
    graph = context.graph
    stages = estimator.estimators_
    parts = []
    for target in range(stages.shape[1]):
        trees = [stage[target].tree_ for stage in stages]
        values = [estimator.learning_rate * tree.value[:, 0, :] for tree in trees]
        parts.append(graph.cast(leaf_sum(context, estimator, features, trees, values), graph.dtype))
    return graph.add("Add", concatenated(graph, parts), _start(context, estimator, features))


def _start(context: Context, estimator: Any, features: Features) -> str:
    graph = context.graph
    first = estimator.init_
    if isinstance(first, str | DummyClassifier | DummyRegressor):
        width = estimator.n_features_in_
        start = estimator._raw_predict_init(np.zeros((1, width), dtype=np.float32))  # noqa: SLF001 - no public form
        return graph.constant(numbers_of(start))
    # What it starts from sees the rows as the trees do, in float32.
    narrow = graph.cast(numbers(context, features, estimator), "float32")
    rounded = features_of(narrow if context.narrow else graph.cast(narrow, graph.dtype), len(features), same=True)
    heads = predict(context.inside("init"), first, tuple(replace(one, dtype="float32") for one in rounded))
    if "values" in heads:
        return as_column(graph, heads["values"])
    emitter = PREDICTORS.get(type(first))
    if emitter is None or not any(part in f"{emitter.__module__}." for part in (".trees.", ".boosters.")):
        raise context.refuse(
            f"it starts from the probabilities of a {type(first).__name__}, which computes them in float32 there, and "
            "whose last digits the logarithm magnifies; leave init out, or use a tree or a forest",
            estimator,
        )
    if context.narrow:
        raise context.climb("it starts from the logarithm of another model's probabilities", estimator)
    least = float(np.finfo(np.float64).eps)
    shares = graph.add("Clip", heads["probabilities"], graph.constant(least), graph.constant(1 - least))
    if estimator.n_classes_ > 2:
        logs = graph.add("Log", shares)
        return graph.add("Sub", logs, graph.add("ReduceMean", logs, graph.constant([1]), keepdims=1))
    positive = column(graph, shares, 1)
    logit = graph.add("Log", graph.add("Div", positive, graph.add("Sub", graph.constant(1.0), positive)))
    return graph.add("Mul", logit, graph.constant(0.5)) if estimator.loss == "exponential" else logit


@predicts(GradientBoostingRegressor)
def _regressor(context: Context, estimator: Any, features: Features) -> Heads:
    return {"values": flat(context.graph, _boosted(context, estimator, features))}


@predicts(GradientBoostingClassifier)
def _classifier(context: Context, estimator: Any, features: Features) -> Heads:
    raw = _boosted(context, estimator, features)
    return raw_to_heads(context.graph, raw, estimator.classes_, 2.0 if estimator.loss == "exponential" else 1.0)


def raw_to_heads(graph: Graph, raw: str, classes: NDArray[Any], factor: float = 1.0) -> Heads:
    """Labels, scores and probabilities of a boosted classifier from its raw prediction."""
    heads = scores_to_label(graph, raw, classes)
    if len(classes) == 2:
        scaled = raw if factor == 1.0 else graph.add("Mul", raw, graph.constant(factor))
        return {**heads, "probabilities": complement(graph, sigmoid(graph, scaled))}
    return {**heads, "probabilities": graph.add("Softmax", raw, axis=1)}
