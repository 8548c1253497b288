"""Emitters of calibrated classifiers: sigmoid, isotonic and temperature."""

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.isotonic import IsotonicRegression

from sealift_bundler.converters.graph import Graph
from sealift_bundler.converters.steps import (
    Context,
    Feature,
    Features,
    Heads,
    argmax,
    class_labels,
    complement,
    features_of,
    flat,
    numbers,
    predicts,
    transforms,
)
from sealift_bundler.converters.steps.arithmetic import (
    as_column,
    column,
    concatenated,
    sigmoid,
    sum_of_few,
)
from sealift_bundler.converters.steps.boundaries import compared
from sealift_bundler.converters.steps.compose import predict
from sealift_bundler.converters.steps.magnified import magnifies, refused_magnifying
from sealift_bundler.converters.steps.tabulated import interpolated

# What scikit-learn adds before it takes the logarithm of a probability.
_LEAST_PROBABILITY = 1e-12


@predicts(CalibratedClassifierCV)
def _calibrated(context: Context, estimator: CalibratedClassifierCV, features: Features) -> Heads:
    graph = context.graph
    members = estimator.calibrated_classifiers_
    total = ""
    for index, member in enumerate(members):
        heads = predict(context.inside(f"calibrated_{index}"), member.estimator, features)
        from_scores = hasattr(member.estimator, "decision_function")
        name = "scores" if from_scores else "probabilities"
        if name not in heads:
            raise context.refuse(f"its inner classifier gives no {name}", estimator)
        if member.method == "temperature":
            part = _temperature(graph, member, heads[name], from_scores=from_scores)
        else:
            part = _each_class(context, estimator, member, heads[name], from_scores=from_scores)
        total = graph.add("Add", total, part) if total else part
    if not total:
        raise context.refuse("it holds no calibrated classifier; is it fitted?", estimator)
    mean = graph.add("Div", total, graph.constant(float(len(members))))
    return {"label": class_labels(graph, argmax(graph, mean), estimator.classes_), "probabilities": mean}


def _temperature(graph: Graph, member: Any, tensor: str, *, from_scores: bool) -> str:
    if not from_scores:
        logits = graph.add("Log", graph.add("Add", tensor, graph.constant(_LEAST_PROBABILITY)))
    elif len(member.estimator.classes_) == 2:
        score = as_column(graph, tensor)
        logits = graph.add("Concat", graph.add("Neg", score), score, axis=1)
    else:
        logits = tensor
    scaled = graph.add("Mul", logits, graph.constant(float(member.calibrators[0].beta_)))
    return graph.add("Softmax", scaled, axis=1)


def _each_class(context: Context, estimator: Any, member: Any, tensor: str, *, from_scores: bool) -> str:
    """One calibrator for each class; what they give is made to sum to one."""
    graph = context.graph
    count = len(member.classes)
    known = list(np.searchsorted(member.classes, member.estimator.classes_))
    if count == 2:
        positive = as_column(graph, tensor) if from_scores else column(graph, tensor, 1)
        return complement(graph, _calibrator(context, estimator, member.calibrators[0], positive))
    if len(known) == 2 and from_scores:
        raise context.refuse("one of its folds saw two classes only", estimator)
    parts = [graph.add("Mul", column(graph, tensor, 0), graph.constant(0.0))] * count
    for place, class_index in enumerate(known):
        parts[class_index] = _calibrator(context, estimator, member.calibrators[place], column(graph, tensor, place))
    each = concatenated(graph, parts)
    total = sum_of_few(graph, each)
    zero = graph.add("Equal", total, graph.constant(0.0))
    shares = graph.add("Div", each, graph.add("Where", zero, graph.constant(1.0), total))
    return graph.add("Where", zero, graph.constant(np.full((1, count), 1.0 / count)), shares)


def _calibrator(context: Context, estimator: Any, calibrator: Any, score: str) -> str:
    graph = context.graph
    if isinstance(calibrator, IsotonicRegression):
        # Of many classifiers the scores are the original's; the samples tell.
        return _isotonic(context, estimator, calibrator, features_of(score, 1, same=True)[0])
    inner = graph.add("Mul", score, graph.constant(-float(calibrator.a_)))
    return sigmoid(graph, graph.add("Add", inner, graph.constant(-float(calibrator.b_))))


def _isotonic(context: Context, estimator: Any, isotonic: Any, feature: Feature) -> str:
    if context.narrow:
        raise context.climb("an isotonic regression has steps", estimator)
    graph = context.graph
    tensor = numbers(context, (feature,), estimator)
    known, values = np.asarray(isotonic.X_thresholds_), np.asarray(isotonic.y_thresholds_)
    if magnifies(feature, known, values):
        raise refused_magnifying(context, estimator, feature)
    value = interpolated(graph, tensor, known, values)
    if isotonic.out_of_bounds != "nan":
        return value
    number = compared(context, estimator, feature)
    inside = graph.add("Not", number.reached(graph, known[-1:], above=True))
    inside = graph.add("And", number.reached(graph, known[:1]), inside)
    return graph.add("Where", inside, value, graph.constant(np.array(np.nan)))


@predicts(IsotonicRegression)
def _isotonic_regression(context: Context, estimator: Any, features: Features) -> Heads:
    if estimator.out_of_bounds == "raise":
        raise context.refuse("it raises outside its range (out_of_bounds='raise'), which a graph cannot; use 'clip'",
                             estimator)  # fmt: skip
    values = _isotonic(context, estimator, estimator, features[0])
    return {"values": flat(context.graph, values)}


@transforms(IsotonicRegression)
def _isotonic_transform(context: Context, estimator: Any, features: Features) -> Features:
    values = _isotonic_regression(context, estimator, features)["values"]
    return features_of(as_column(context.graph, values), 1)
