"""Emitters of trees and forests: votes that are exact, also where they tie.

Whole votes, of leaves that hold one class, are added by ONNX's own sum, in which integers are exact.
Fractions are looked up by leaf and added in float64, tree by tree as in the original.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from sealift_bundler.converters.steps import Context, Features, Heads, argmax, class_labels, flat, predicts
from sealift_bundler.converters.steps.arithmetic import as_column, concatenated
from sealift_bundler.converters.steps.text.trees import narrowed
from sealift_bundler.converters.steps.trees.ensemble import TreeEnsemble
from sealift_bundler.converters.steps.trees.leaves import fitted_tree, leaf_sum, tree_input


def _trees(estimator: Any) -> Sequence[Any]:
    return [member.tree_ for member in getattr(estimator, "estimators_", [estimator])]


def _sum(context: Context, estimator: Any, features: Features, values: list[NDArray[Any]]) -> str:
    """The sum over trees of a value for each leaf, [rows, outputs] in the graph's type or float64."""
    features, trees = narrowed(features, _trees(estimator))
    whole = all(
        np.array_equal(value[leaf], np.round(value[leaf])) and np.abs(value[leaf]).max(initial=0) <= 1
        for value, leaf in ((value, tree.children_left == -1) for value, tree in zip(values, trees, strict=True))
    )
    if not whole:
        return leaf_sum(context, estimator, features, trees, values)
    members = [fitted_tree(tree, value) for tree, value in zip(trees, values, strict=True)]
    ensemble = TreeEnsemble(values[0].shape[1], members)
    graph = context.graph
    return graph.cast(ensemble.emit(graph, tree_input(context, estimator, features, members)), "float64")


@predicts(DecisionTreeClassifier, ExtraTreeClassifier, RandomForestClassifier, ExtraTreesClassifier)
def _forest_classifier(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    trees = _trees(estimator)
    heads: Heads = {}
    labels = []
    several = estimator.n_outputs_ > 1
    for output in range(estimator.n_outputs_):
        classes = estimator.classes_[output] if several else estimator.classes_
        values = [tree.value[:, output, : len(classes)] for tree in trees]
        votes = _sum(context, estimator, features, values)
        mean = graph.add("Div", votes, graph.constant(np.array(float(len(trees))), np.float64))
        label = class_labels(graph, argmax(graph, mean), classes)
        labels.append(as_column(graph, label) if several else label)
        name = f"probabilities_{output}" if several else "probabilities"
        heads[name] = graph.cast(mean, graph.dtype)
    return {"label": concatenated(graph, labels), **heads}


@predicts(DecisionTreeRegressor, ExtraTreeRegressor, RandomForestRegressor, ExtraTreesRegressor)
def _forest_regressor(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    trees = _trees(estimator)
    total = leaf_sum(context, estimator, features, trees, [tree.value[:, :, 0] for tree in trees])
    mean = graph.add("Div", total, graph.constant(np.array(float(len(trees))), np.float64))
    mean = graph.cast(mean, graph.dtype)
    return {"values": flat(graph, mean) if estimator.n_outputs_ == 1 else mean}
