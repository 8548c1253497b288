"""Emitters of classifiers made of binary ones: one against the rest, one against one, codes."""

from typing import Any

import numpy as np
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier, _ConstantPredictor

from sealift_bundler.converters.graph import Graph, numbers_of
from sealift_bundler.converters.steps import (
    Context,
    Features,
    Heads,
    argmax,
    class_labels,
    complement,
    flat,
    gather,
    predicts,
)
from sealift_bundler.converters.steps.arithmetic import (
    as_column,
    class_index,
    concatenated,
    divided_by_sum,
    nearest,
    positive_score,
    row_sum,
    threshold_label,
)
from sealift_bundler.converters.steps.compose import predict
from sealift_bundler.converters.steps.text.columns import chosen


@predicts(_ConstantPredictor)
def _constant(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    nothing = row_sum(graph, graph.add("Mul", gather(context, chosen(features, [0]), estimator), graph.constant(0.0)))
    value = graph.add("Add", nothing, graph.constant(float(np.ravel(estimator.y_)[0])))
    return {"scores": flat(graph, value), "probabilities": complement(graph, value), "values": flat(graph, value)}


def _members(context: Context, estimator: Any, features: Features) -> list[Heads]:
    return [
        predict(context.inside(f"estimator_{index}"), member, features)
        for index, member in enumerate(estimator.estimators_)
    ]


def _score(context: Context, estimator: Any, member: Any, heads: Heads) -> str:
    """What scikit-learn calls the confidence of a binary member, [rows, 1]."""
    if not hasattr(member, "decision_function"):
        heads = {role: tensor for role, tensor in heads.items() if role != "scores"}
    found = positive_score(context.graph, heads)
    if found is None:
        raise context.refuse("its members have neither scores nor probabilities", estimator)
    return found[0]


@predicts(OneVsRestClassifier)
def _one_versus_rest(context: Context, estimator: OneVsRestClassifier, features: Features) -> Heads:
    graph = context.graph
    members = _members(context, estimator, features)
    pairs = list(zip(estimator.estimators_, members, strict=True))
    confidence = concatenated(graph, [_score(context, estimator, member, heads) for member, heads in pairs])
    heads: Heads = {}
    scored = hasattr(estimator.estimators_[0], "decision_function")
    if estimator.multilabel_:
        threshold = 0.0 if scored else 0.5
        above = graph.cast(graph.add("Greater", confidence, graph.constant(threshold)), "int64")
        heads["label"] = above
    elif len(pairs) == 1:
        heads["label"] = threshold_label(graph, confidence, 0.0 if scored else 0.5, estimator.classes_)
    else:
        heads["label"] = class_labels(graph, argmax(graph, confidence), estimator.classes_)
    if hasattr(estimator, "predict_proba"):
        each = concatenated(
            graph, [graph.add("Gather", inner["probabilities"], graph.constant([1]), axis=1) for inner in members]
        )
        if len(pairs) == 1:
            each = complement(graph, each)
        heads["probabilities"] = each if estimator.multilabel_ else divided_by_sum(graph, each)
    if hasattr(estimator, "decision_function"):
        heads["scores"] = flat(graph, confidence) if len(pairs) == 1 else confidence
    return heads


def votes_and_confidences(graph: Graph, second_wins: str, confidences: str, count: int) -> str:
    """Votes of pairs of classes plus a confidence below one third, [rows, classes].

    Args:
        graph: The graph.
        second_wins: bool [rows, pairs]: whether the second class of the pair wins.
        confidences: [rows, pairs], larger for the second class.
        count: The number of classes.
    """
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    first, signed = np.zeros((len(pairs), count)), np.zeros((len(pairs), count))
    second = np.zeros((len(pairs), count))
    for row, (i, j) in enumerate(pairs):
        first[row, i], second[row, j] = 1, 1
        signed[row, i], signed[row, j] = -1, 1
    wins = graph.cast(second_wins, graph.dtype)
    votes = graph.add("MatMul", wins, graph.constant(second - first))
    votes = graph.add("Add", votes, graph.constant(first.sum(axis=0)[np.newaxis]))
    total = graph.add("MatMul", confidences, graph.constant(signed))
    # Three times a large number may be infinite where the number is not.
    share = graph.add("Div", total, graph.add("Add", graph.add("Abs", total), graph.constant(1.0)))
    return graph.add("Add", votes, graph.add("Div", share, graph.constant(3.0)))


@predicts(OneVsOneClassifier)
def _one_versus_one(context: Context, estimator: OneVsOneClassifier, features: Features) -> Heads:
    if estimator.pairwise_indices_ is not None:
        raise context.refuse("it takes precomputed distances, not rows", estimator)
    graph = context.graph
    members = _members(context, estimator, features)
    wins, confidences = [], []
    for member, heads in zip(estimator.estimators_, members, strict=True):
        index = class_index(graph, heads["label"], member.classes_)
        value = graph.add("Gather", graph.constant(np.asarray(member.classes_, dtype=np.int64)), index)
        wins.append(graph.add("Equal", as_column(graph, value), graph.constant(1)))
        confidences.append(_score(context, estimator, member, heads))
    count = len(estimator.classes_)
    scores = votes_and_confidences(graph, concatenated(graph, wins), concatenated(graph, confidences), count)
    if count == 2:
        positive = flat(graph, graph.add("Gather", scores, graph.constant([1]), axis=1))
        scored = hasattr(estimator.estimators_[0], "decision_function")
        label = threshold_label(graph, positive, 0.0 if scored else 0.5, estimator.classes_)
        return {"label": label, "scores": positive}
    return {"label": class_labels(graph, argmax(graph, scores), estimator.classes_), "scores": scores}


@predicts(OutputCodeClassifier)
def _output_code(context: Context, estimator: OutputCodeClassifier, features: Features) -> Heads:
    if context.narrow:
        raise context.climb("it compares distances", estimator)
    graph = context.graph
    members = _members(context, estimator, features)
    pairs = zip(estimator.estimators_, members, strict=True)
    code = concatenated(graph, [_score(context, estimator, member, heads) for member, heads in pairs])
    return {"label": class_labels(graph, nearest(graph, code, numbers_of(estimator.code_book_)), estimator.classes_)}
