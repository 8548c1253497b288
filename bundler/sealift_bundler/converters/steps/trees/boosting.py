"""Emitters of AdaBoost, isolation forests and embeddings by trees."""

import numpy as np
from sklearn.ensemble import AdaBoostClassifier, AdaBoostRegressor, IsolationForest, RandomTreesEmbedding

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
    transforms,
)
from sealift_bundler.converters.steps.arithmetic import (
    as_column,
    class_index,
    concatenated,
    one_hot,
    outlier_heads,
    threshold_label,
)
from sealift_bundler.converters.steps.compose import predict
from sealift_bundler.converters.steps.text.columns import chosen
from sealift_bundler.converters.steps.trees.leaves import check_classes, leaf_indices, leaf_sum


@predicts(AdaBoostClassifier)
def _ada_classifier(context: Context, estimator: AdaBoostClassifier, features: Features) -> Heads:
    graph = context.graph
    classes = estimator.classes_
    count = len(classes)
    check_classes(context, estimator)
    weights = numbers_of(estimator.estimator_weights_)[: len(estimator.estimators_)]
    total = ""
    for index, (member, weight) in enumerate(zip(estimator.estimators_, weights, strict=True)):
        heads = predict(context.inside(f"estimator_{index}"), member, features)
        own = class_index(graph, heads["label"], member.classes_)
        places = np.searchsorted(classes, member.classes_)
        hot = graph.cast(one_hot(graph, graph.add("Gather", graph.constant(places), own), count), "bool")
        vote = graph.add("Where", hot, graph.constant(float(weight)), graph.constant(-float(weight) / (count - 1)))
        total = graph.add("Add", total, vote) if total else vote
    scores = graph.add("Div", total, graph.constant(float(estimator.estimator_weights_.sum())))
    if count > 2:
        scaled = graph.add("Div", scores, graph.constant(float(count - 1)))
        label = class_labels(graph, argmax(graph, scores), classes)
        return {"label": label, "scores": scores, "probabilities": graph.add("Softmax", scaled, axis=1)}
    signed = graph.add("Mul", scores, graph.constant(np.array([[-1.0, 1.0]])))
    margin = flat(graph, graph.add("ReduceSum", signed, graph.constant([1]), keepdims=1))
    half = graph.add("Div", as_column(graph, margin), graph.constant(2.0))
    both = graph.add("Concat", graph.add("Neg", half), half, axis=1)
    return {
        "label": threshold_label(graph, margin, 0.0, classes),
        "scores": margin,
        "probabilities": graph.add("Softmax", both, axis=1),
    }


@predicts(AdaBoostRegressor)
def _ada_regressor(context: Context, estimator: AdaBoostRegressor, features: Features) -> Heads:
    """The weighted median of the members' answers."""
    graph = context.graph
    members = estimator.estimators_
    parts = [
        as_column(graph, predict(context.inside(f"estimator_{index}"), member, features)["values"])
        for index, member in enumerate(members)
    ]
    answers = concatenated(graph, parts)
    weights = numbers_of(estimator.estimator_weights_)[: len(members)]
    # TopK of the negated answers sorts them upwards; equal answers keep the order of the members.
    size = graph.constant(np.array([len(members)]))
    _, order = graph.add_many("TopK", graph.add("Neg", answers), size, outputs=2, axis=1)
    graph_weights = graph.add("Gather", graph.constant(weights), order)
    running = graph.add("CumSum", graph_weights, graph.constant(np.int64(1)))
    whole = graph.add("Gather", running, graph.constant([len(members) - 1]), axis=1)
    enough = graph.add("GreaterOrEqual", running, graph.add("Mul", whole, graph.constant(0.5)))
    first = graph.add("ArgMax", graph.cast(enough, "int32"), axis=1, keepdims=1)
    chosen = graph.add("GatherElements", order, first, axis=1)
    return {"values": flat(graph, graph.add("GatherElements", answers, chosen, axis=1))}


@predicts(IsolationForest)
def _isolation(context: Context, estimator: IsolationForest, features: Features) -> Heads:
    from sklearn.ensemble._iforest import _average_path_length

    graph = context.graph
    depths = ""
    lengths = []
    for index in range(len(estimator.estimators_)):
        # Fitted path lengths have no public form; parity watches for a change.
        own = estimator._decision_path_lengths[index] + estimator._average_path_length_per_tree[index] - 1.0  # noqa: SLF001
        lengths.append(numbers_of(own))
    by_columns: dict[tuple[int, ...], list[int]] = {}
    for index, columns in enumerate(estimator.estimators_features_):
        by_columns.setdefault(tuple(int(place) for place in columns), []).append(index)
    for columns, places in by_columns.items():
        trees = [estimator.estimators_[place].tree_ for place in places]
        values = [lengths[place][:, np.newaxis] for place in places]
        part = leaf_sum(context, estimator, chosen(features, columns), trees, values)
        depths = graph.add("Add", depths, part) if depths else part
    # As above: the size of the subsamples is private.
    denominator = len(estimator.estimators_) * float(_average_path_length([estimator._max_samples])[0])  # noqa: SLF001
    if denominator == 0:
        raise context.refuse("it was trained on a single row", estimator)
    exponent = graph.add("Div", graph.cast(depths, graph.dtype), graph.constant(-denominator / np.log(2.0)))
    scores = graph.add("Neg", graph.add("Exp", exponent))
    return outlier_heads(graph, graph.add("Sub", scores, graph.constant(float(estimator.offset_))))


@transforms(RandomTreesEmbedding)
def _embedding(context: Context, estimator: RandomTreesEmbedding, features: Features) -> Features:
    graph = context.graph
    trees = [member.tree_ for member in estimator.estimators_]
    leaves = leaf_indices(context, estimator, features, trees)
    parts = []
    width = 0
    for index, known in enumerate(estimator.one_hot_encoder_.categories_):
        leaf = graph.add("Gather", leaves, graph.constant([index]), axis=1)
        found = graph.add("Equal", leaf, graph.constant(np.asarray(known, dtype=np.int64)[np.newaxis]))
        parts.append(graph.cast(found, graph.dtype))
        width += len(known)
    return features_of(concatenated(graph, parts), width, exact=True, integral=True)
