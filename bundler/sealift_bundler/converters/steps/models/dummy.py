"""Emitters of constant answers."""

from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor

from sealift_bundler.converters.graph import Graph, numbers_of
from sealift_bundler.converters.steps import Context, Features, Heads, class_labels, flat, predicts
from sealift_bundler.converters.steps.text.columns import chosen


def _zeros(context: Context, features: Features) -> str:
    """A zero for each row, float [rows, 1], whatever the columns hold."""
    graph: Graph = context.graph
    if not features:
        raise context.refuse("it is given no columns", None)
    one = chosen(features, [0])[0]
    first = graph.add("Gather", one.tensor, graph.constant([one.index]), axis=1)
    shape = graph.add("Shape", first)
    from onnx import helper

    return graph.cast(
        graph.add("ConstantOfShape", shape, value=helper.make_tensor("value", 1, [1], [0.0])), graph.dtype
    )


@predicts(DummyClassifier)
def _classifier(context: Context, estimator: DummyClassifier, features: Features) -> Heads:
    if estimator.n_outputs_ != 1:
        raise context.refuse("it has several outputs", estimator)
    if estimator._strategy in ("uniform", "stratified"):  # noqa: SLF001 - the one that fit settled on
        raise context.refuse(f"its strategy {estimator._strategy!r} answers at random", estimator)  # noqa: SLF001
    graph = context.graph
    zeros = _zeros(context, features)
    probabilities = estimator.predict_proba(np.zeros((1, 1)))
    answer = estimator.predict(np.zeros((1, 1)))
    place = int(np.flatnonzero(np.asarray(estimator.classes_) == answer[0])[0])
    index = graph.add("Add", flat(graph, graph.cast(zeros, "int64")), graph.constant(place))
    return {
        "label": class_labels(graph, index, estimator.classes_),
        "probabilities": graph.add("Add", zeros, graph.constant(numbers_of(probabilities))),
    }


@predicts(DummyRegressor)
def _regressor(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    constant = numbers_of(estimator.constant_).reshape(1, -1)
    values = graph.add("Add", _zeros(context, features), graph.constant(constant))
    return {"values": flat(graph, values) if estimator.n_outputs_ == 1 else values}
