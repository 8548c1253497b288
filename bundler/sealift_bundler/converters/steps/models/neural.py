"""Emitters of multi-layer perceptrons."""

from typing import Any

from sklearn.neural_network import MLPClassifier, MLPRegressor

from sealift_bundler.converters.graph import numbers_of
from sealift_bundler.converters.steps import (
    Context,
    Features,
    Heads,
    argmax,
    class_labels,
    complement,
    flat,
    predicts,
)
from sealift_bundler.converters.steps.arithmetic import affine, threshold_label
from sealift_bundler.converters.steps.text.product import product

_ACTIVATIONS = {"identity": None, "logistic": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}


def _last_layer(context: Context, estimator: Any, features: Features) -> str:
    """The activation of the last layer before its own function, [rows, outputs]."""
    graph = context.graph
    activation = _ACTIVATIONS[estimator.activation]
    layers = list(zip(estimator.coefs_, estimator.intercepts_, strict=True))
    tensor = ""
    for place, (weights, shift) in enumerate(layers):
        if place:
            tensor = affine(graph, tensor, numbers_of(weights), shift)
        else:
            tensor = product(context, estimator, features, weights, shift)
        if activation is not None and place < len(layers) - 1:
            tensor = graph.add(activation, tensor)
    return tensor


@predicts(MLPRegressor)
def _regressor(context: Context, estimator: MLPRegressor, features: Features) -> Heads:
    values = _last_layer(context, estimator, features)
    if estimator.out_activation_ == "exp":
        values = context.graph.add("Exp", values)
    return {"values": flat(context.graph, values) if estimator.n_outputs_ == 1 else values}


@predicts(MLPClassifier)
def _classifier(context: Context, estimator: MLPClassifier, features: Features) -> Heads:
    graph = context.graph
    raw = _last_layer(context, estimator, features)
    if estimator.out_activation_ == "softmax":
        shares = graph.add("Softmax", raw, axis=1)
        return {"label": class_labels(graph, argmax(graph, shares), estimator.classes_), "probabilities": shares}
    shares = graph.add("Sigmoid", raw)
    if estimator.n_outputs_ == 1:
        label = threshold_label(graph, shares, 0.5, estimator.classes_)
        return {"label": label, "probabilities": complement(graph, shares)}
    above = graph.cast(graph.add("Greater", shares, graph.constant(0.5)), "int64")
    return {"label": above, "probabilities": shares}
