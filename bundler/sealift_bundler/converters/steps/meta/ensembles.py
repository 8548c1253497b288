"""Emitters of ensembles made of other estimators: votes, stacks, bags, and wrappers that only unwrap."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import RANSACRegressor
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.semi_supervised import SelfTrainingClassifier

from sealift_bundler.converters.graph import numbers_of
from sealift_bundler.converters.steps import (
    Context,
    Features,
    Heads,
    argmax,
    class_labels,
    features_of,
    flat,
    predicts,
)
from sealift_bundler.converters.steps.arithmetic import (
    as_column,
    class_index,
    column,
    concatenated,
    one_hot,
    threshold_label,
)
from sealift_bundler.converters.steps.compose import predict
from sealift_bundler.converters.steps.text.columns import chosen, joined


def _weighted_mean(context: Context, parts: Sequence[str], weights: Any) -> str:
    """The mean of tensors of one shape, added one by one as NumPy does; in float32 where all of them are."""
    graph = context.graph
    if weights is None and graph.single.issuperset(parts) and not context.narrow:
        with graph.as_single(*parts) as single:
            mean = _sum_over(context, single, np.ones(len(parts)))
        return graph.widened(mean)
    return _sum_over(context, parts, np.ones(len(parts)) if weights is None else numbers_of(weights))


def _sum_over(context: Context, parts: Sequence[str], weights: Any) -> str:
    graph = context.graph
    total = ""
    for part, weight in zip(parts, weights, strict=True):
        term = part if weight == 1.0 else graph.add("Mul", part, graph.constant(float(weight)))
        total = graph.add("Add", total, term) if total else term
    return graph.add("Div", total, graph.constant(float(weights.sum())))


def _used_weights(estimator: Any) -> Any:
    return estimator._weights_not_none  # noqa: SLF001 - there is no public form


@predicts(VotingClassifier)
def _voting_classifier(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    members = [
        predict(context.inside(f"estimator_{index}"), member, features)
        for index, member in enumerate(estimator.estimators_)
    ]
    weights = _used_weights(estimator)
    if estimator.voting == "soft":
        mean = _weighted_mean(context, [heads["probabilities"] for heads in members], weights)
        return {"label": class_labels(graph, argmax(graph, mean), estimator.classes_), "probabilities": mean}
    count = len(estimator.classes_)
    votes = ""
    for index, (member, heads) in enumerate(zip(estimator.estimators_, members, strict=True)):
        # The members were trained on the index of the class.
        own = class_index(graph, heads["label"], member.classes_)
        vote = one_hot(graph, graph.add("Gather", graph.constant(np.asarray(member.classes_, np.int64)), own), count)
        weight = 1.0 if weights is None else float(weights[index])
        vote = vote if weight == 1.0 else graph.add("Mul", vote, graph.constant(weight))
        votes = graph.add("Add", votes, vote) if votes else vote
    return {"label": class_labels(graph, argmax(graph, votes), estimator.classes_)}


@predicts(VotingRegressor)
def _voting_regressor(context: Context, estimator: Any, features: Features) -> Heads:
    parts = [
        predict(context.inside(f"estimator_{index}"), member, features)["values"]
        for index, member in enumerate(estimator.estimators_)
    ]
    return {"values": _weighted_mean(context, [flat(context.graph, part) for part in parts], _used_weights(estimator))}


@predicts(StackingClassifier, StackingRegressor)
def _stacking(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    parts = []
    width = 0
    classes = getattr(estimator, "classes_", None)
    used = [member for member in estimator.estimators_ if not isinstance(member, str)]
    for index, (member, method) in enumerate(zip(used, estimator.stack_method_, strict=True)):
        heads = predict(context.inside(f"estimator_{index}"), member, features)
        if method == "predict_proba":
            part, size = heads["probabilities"], len(member.classes_)
            if classes is not None and len(classes) == 2:
                part, size = column(graph, part, 1), 1
        elif method == "decision_function":
            size = 1 if len(member.classes_) == 2 else len(member.classes_)
            part = as_column(graph, heads["scores"]) if size == 1 else heads["scores"]
        elif "values" in heads:
            size = _outputs(member)
            part = as_column(graph, heads["values"]) if size == 1 else heads["values"]
        else:
            size = 1
            label = heads["label"]
            if np.asarray(member.classes_).dtype.kind in "OU":
                raise context.refuse("a member hands its text labels to the final estimator", estimator)
            part = as_column(graph, graph.cast(label, graph.dtype))
        parts.append(part)
        width += size
    stacked = features_of(answers := concatenated(graph, parts), width)
    if answers in graph.single:
        # What the final estimator computes with these, it computes in float32.
        stacked = tuple(replace(feature, dtype="float32") for feature in stacked)
    if estimator.passthrough:
        stacked = joined(context, [stacked, features])
    heads = predict(context.inside("final_estimator"), estimator.final_estimator_, stacked)
    if classes is None:
        return heads
    final = estimator.final_estimator_.classes_
    index_of = class_index(graph, heads["label"], final)
    # The final estimator was trained on the index of the class.
    labels = np.asarray(classes)[np.asarray(final, dtype=np.int64)]
    return {**heads, "label": class_labels(graph, index_of, labels)}


def _outputs(estimator: Any) -> int:
    for name in ("n_outputs_", "n_targets_"):
        if isinstance(getattr(estimator, name, None), int | np.integer):
            return int(getattr(estimator, name))
    coefficients = getattr(estimator, "coef_", None)
    return len(coefficients) if coefficients is not None and np.ndim(coefficients) == 2 else 1


@predicts(BaggingClassifier)
def _bagging_classifier(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    classes = estimator.classes_
    total = ""
    for index, (member, columns) in enumerate(zip(estimator.estimators_, estimator.estimators_features_, strict=True)):
        heads = predict(context.inside(f"estimator_{index}"), member, chosen(features, columns))
        if hasattr(member, "predict_proba"):
            part = heads["probabilities"]
            known = np.asarray(member.classes_, dtype=np.int64)
            if len(known) != len(classes):
                place = np.zeros((len(known), len(classes)))
                place[np.arange(len(known)), known] = 1.0
                part = graph.add("MatMul", part, graph.constant(place))
        else:
            own = class_index(graph, heads["label"], member.classes_)
            label = graph.add("Gather", graph.constant(np.asarray(member.classes_, np.int64)), own)
            part = one_hot(graph, label, len(classes))
        total = graph.add("Add", total, part) if total else part
    mean = graph.add("Div", total, graph.constant(float(len(estimator.estimators_))))
    heads = {"label": class_labels(graph, argmax(graph, mean), classes), "probabilities": mean}
    if hasattr(estimator, "decision_function"):
        heads["scores"] = _bagged_scores(context, estimator, features)
    return heads


def _bagged_scores(context: Context, estimator: Any, features: Features) -> str:
    parts = []
    for index, (member, columns) in enumerate(zip(estimator.estimators_, estimator.estimators_features_, strict=True)):
        if len(member.classes_) != len(estimator.classes_):
            raise context.refuse("one of its members did not see every class", estimator)
        parts.append(predict(context.inside(f"estimator_{index}"), member, chosen(features, columns))["scores"])
    return _weighted_mean(context, parts, None)


@predicts(BaggingRegressor)
def _bagging_regressor(context: Context, estimator: Any, features: Features) -> Heads:
    parts = []
    for index, (member, columns) in enumerate(zip(estimator.estimators_, estimator.estimators_features_, strict=True)):
        parts.append(predict(context.inside(f"estimator_{index}"), member, chosen(features, columns))["values"])
    return {"values": _weighted_mean(context, parts, None)}


@predicts(SelfTrainingClassifier, RANSACRegressor)
def _unwrapped(context: Context, estimator: Any, features: Features) -> Heads:
    return predict(context, estimator.estimator_, features)


@predicts(FixedThresholdClassifier, TunedThresholdClassifierCV)
def _threshold(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    inner = getattr(estimator, "estimator_", estimator.estimator)
    heads = predict(context, inner, features)
    method = estimator._get_response_method()  # noqa: SLF001 - there is no public form
    names = [method] if isinstance(method, str) else list(method)
    chosen = next(name for name in names if hasattr(inner, name))
    if isinstance(estimator, TunedThresholdClassifierCV):
        threshold = estimator.best_threshold_
        positive = estimator._curve_scorer._get_pos_label()  # noqa: SLF001
    else:
        automatic = 0.5 if chosen == "predict_proba" else 0.0
        threshold = automatic if estimator.threshold == "auto" else estimator.threshold
        positive = estimator.pos_label
    if chosen == "predict_proba" and heads["probabilities"] in graph.single:
        # NumPy compares float32 numbers with a Python one in float32.
        threshold = np.result_type(np.empty(1, np.float32), threshold).type(threshold)
    classes = np.asarray(estimator.classes_)
    place = 1 if positive is None else int(np.flatnonzero(classes == positive)[0])
    if chosen == "predict_proba":
        score = column(graph, heads["probabilities"], place)
    else:
        score = heads["scores"] if place == 1 else graph.add("Neg", heads["scores"])
    ordered = classes[[1 - place, place]]
    return {**heads, "label": threshold_label(graph, score, threshold, ordered, above=False)}
