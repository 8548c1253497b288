"""Emitters of the histogram boosters, categorical features included.

A split by categories becomes a column of its own: 0 where the row goes left and 1 where it goes right.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from sealift_bundler.converters.graph import Graph, numbers_of
from sealift_bundler.converters.steps import Context, Features, Heads, flat, numbers, predicts
from sealift_bundler.converters.steps.arithmetic import column
from sealift_bundler.converters.steps.compose import transform
from sealift_bundler.converters.steps.text.columns import chosen
from sealift_bundler.converters.steps.trees.ensemble import Tree, TreeEnsemble
from sealift_bundler.converters.steps.trees.gradient_boosting import raw_to_heads
from sealift_bundler.converters.steps.trees.leaves import check_classes
from sealift_bundler.converters.steps.trees.placing import placed


def _inputs(context: Context, estimator: Any, features: Features) -> tuple[Features, dict[int, int]]:
    """What the trees see, and the number of categories of each categorical column in it."""
    preprocessor = getattr(estimator, "_preprocessor", None)
    if preprocessor is None:
        return features, {}
    categorical = np.asarray(estimator.is_categorical_)
    context.reads["nulls"] = "refused"
    encoder = preprocessor.named_transformers_["encoder"]
    codes = transform(context.inside("categories"), encoder, chosen(features, np.flatnonzero(categorical)))
    rest = chosen(features, np.flatnonzero(~categorical))
    counts = {index: len(known) for index, known in enumerate(encoder.categories_)}
    return (*codes, *rest), counts


def _sides(nodes: Any, bitsets: NDArray[Any], node: int, count: int) -> NDArray[np.float64]:
    """For each category, and at the end for a missing one, 0 where the node sends it left and 1 right."""
    words = bitsets[int(nodes["bitset_idx"][node])]
    codes = np.arange(count)
    left = (words[codes // 32] >> (codes % 32).astype(np.uint32)) & 1
    missing = 0.0 if nodes["missing_go_to_left"][node] else 1.0
    return np.append(1.0 - left, missing)


class _Splits:
    """The columns that splits by categories need; equal splits share one."""

    def __init__(self, counts: dict[int, int], width: int) -> None:
        self._counts = counts
        self._width = width
        self._tables: dict[int, list[NDArray[np.float64]]] = {feature: [] for feature in counts}
        self._places: dict[tuple[int, bytes], int] = {}

    def place(self, feature: int, sides: NDArray[np.float64]) -> tuple[int, int]:
        key = (feature, sides.tobytes())
        if key not in self._places:
            self._places[key] = len(self._tables[feature])
            self._tables[feature].append(sides)
        return feature, self._places[key]

    def index(self, feature: int, place: int) -> int:
        before = sum(len(table) for known, table in self._tables.items() if known < feature)
        return self._width + before + place

    def emit(self, graph: Graph, tensor: str) -> str:
        """The tensor with a column for each split by categories behind its own."""
        parts = [tensor]
        for feature, table in sorted(self._tables.items()):
            if not table:
                continue
            code = column(graph, tensor, feature)
            absent = graph.add("IsNaN", code)
            code = graph.add("Where", absent, graph.constant(float(self._counts[feature])), code)
            index = flat(graph, graph.cast(code, "int64"))
            parts.append(graph.add("Gather", graph.constant(np.array(table).T), index, axis=0))
        return parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)


def _raw(context: Context, estimator: Any, features: Features) -> str:
    """The raw prediction of a histogram booster, [rows, 1 or classes]."""
    if context.narrow:
        raise context.climb("it compares in float64", estimator)
    graph = context.graph
    seen, counts = _inputs(context, estimator, features)
    splits = _Splits(counts, len(features))
    members = [
        (target, member)
        for stage in estimator._predictors  # noqa: SLF001 - there is no public form
        for target, member in enumerate(stage)
    ]
    found: list[dict[int, tuple[int, int]]] = []
    for _, member in members:
        nodes = member.nodes
        by_category = np.flatnonzero(nodes["is_categorical"].astype(bool) & ~nodes["is_leaf"].astype(bool))
        places = {}
        for node in by_category:
            feature = int(nodes["feature_idx"][node])
            sides = _sides(nodes, member.raw_left_cat_bitsets, int(node), counts[feature])
            places[int(node)] = splits.place(feature, sides)
        found.append(places)
    ensemble = TreeEnsemble(targets=estimator.n_trees_per_iteration_)
    for (target, member), places in zip(members, found, strict=True):
        nodes = member.nodes
        feature = nodes["feature_idx"].astype(np.int64)
        threshold = nodes["num_threshold"].copy()
        for at, split in places.items():
            feature[at], threshold[at] = splits.index(*split), 0.5
        left = np.where(nodes["is_leaf"].astype(bool), -1, nodes["left"].astype(np.int64))
        right = nodes["right"].astype(np.int64)
        missing_left = nodes["missing_go_to_left"].astype(np.int64)
        ensemble.trees.append(Tree(feature, threshold, left, right, missing_left, nodes["value"], target))
    tensor = placed(context, seen, numbers(context, seen, estimator), ensemble.trees, "float64")
    total = ensemble.emit_float64(graph, splits.emit(graph, tensor))
    return graph.add("Add", total, graph.constant(numbers_of(estimator._baseline_prediction)))  # noqa: SLF001


@predicts(HistGradientBoostingRegressor)
def _regressor(context: Context, estimator: Any, features: Features) -> Heads:
    raw = flat(context.graph, _raw(context, estimator, features))
    return {"values": context.graph.add("Exp", raw) if estimator.loss in ("gamma", "poisson") else raw}


@predicts(HistGradientBoostingClassifier)
def _classifier(context: Context, estimator: Any, features: Features) -> Heads:
    check_classes(context, estimator)
    return raw_to_heads(context.graph, _raw(context, estimator, features), estimator.classes_)
