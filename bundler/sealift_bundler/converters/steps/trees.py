"""Emitters of trees and their ensembles, as one TreeEnsembleRegressor each.

scikit-learn's trees round their input to float32 and compare it with float64 thresholds; the histogram
boosters compare in float64. Both are kept. Leaf values are summed before anything is divided, so
that a vote of pure leaves is an exact integer and its ties fall as in the original.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import numpy_helper
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from sealift_bundler.converters.steps import (
    Context,
    Features,
    Heads,
    argmax,
    class_labels,
    complement,
    flat,
    numbers,
    predicts,
)
from sealift_bundler.converters.steps.linear import scores_to_label
from sealift_bundler.graph import ML, Graph, numbers_of


@dataclass
class _Ensemble:
    """The attributes of a TreeEnsembleRegressor under construction, tree by tree."""

    targets: int
    columns: dict[str, list[NDArray[Any]]] = field(default_factory=dict)
    trees: int = 0

    def add(
        self,
        *,
        feature: NDArray[Any],
        threshold: NDArray[Any],
        left: NDArray[Any],
        right: NDArray[Any],
        leaf: NDArray[np.bool_],
        missing_left: NDArray[Any],
        weights: NDArray[Any],
        first_target: int = 0,
    ) -> None:
        """Add one tree; `weights` is [nodes, targets], of which only leaves count."""
        nodes = np.arange(len(leaf))
        self._extend("nodes_treeids", np.full(len(leaf), self.trees))
        self._extend("nodes_nodeids", nodes)
        self._extend("nodes_featureids", np.where(leaf, 0, feature))
        self._extend("nodes_values", np.where(leaf, 0.0, threshold))
        self._extend("nodes_truenodeids", np.where(leaf, 0, left))
        self._extend("nodes_falsenodeids", np.where(leaf, 0, right))
        self._extend("nodes_missing_value_tracks_true", np.where(leaf, 0, missing_left))
        self._extend("nodes_modes", np.where(leaf, "LEAF", "BRANCH_LEQ"))
        at, target = np.nonzero(leaf[:, np.newaxis] & (weights != 0))
        # Every leaf needs an entry, also one whose values are all zero.
        empty = np.setdiff1d(nodes[leaf], at)
        at = np.concatenate([at, empty])
        target = np.concatenate([target, np.zeros(len(empty), dtype=target.dtype)])
        self._extend("target_treeids", np.full(len(at), self.trees))
        self._extend("target_nodeids", at)
        self._extend("target_ids", target + first_target)
        self._extend("target_weights", weights[at, target])
        self.trees += 1

    def _extend(self, key: str, values: NDArray[Any]) -> None:
        self.columns.setdefault(key, []).append(values)

    def emit(self, graph: Graph, tensor: str, dtype: str) -> str:
        """Add the node; `dtype` is that of the input and of every comparison. The output is float32."""
        whole = {key: np.concatenate(parts) for key, parts in self.columns.items()}
        attributes: dict[str, Any] = {key: values.tolist() for key, values in whole.items()}
        for key in ("nodes_values", "target_weights"):
            if dtype == "float64":
                del attributes[key]
                attributes[f"{key}_as_tensor"] = numpy_helper.from_array(whole[key].astype(np.float64), key)
        return graph.add(
            "TreeEnsembleRegressor",
            tensor,
            domain=ML,
            n_targets=self.targets,
            aggregate_function="SUM",
            post_transform="NONE",
            **attributes,
        )


def _add_tree(ensemble: _Ensemble, tree: Any, weights: NDArray[Any], first_target: int = 0) -> None:
    leaf = tree.children_left == -1
    missing_left = getattr(tree, "missing_go_to_left", np.zeros(len(leaf), dtype=np.uint8))
    ensemble.add(
        feature=tree.feature,
        threshold=_largest_float32(tree.threshold),
        left=tree.children_left,
        right=tree.children_right,
        leaf=leaf,
        missing_left=missing_left,
        weights=weights,
        first_target=first_target,
    )


def _largest_float32(threshold: NDArray[Any]) -> NDArray[Any]:
    """The largest float32 that is not above each threshold: x <= it exactly where x <= threshold."""
    rounded = threshold.astype(np.float32)
    return np.where(rounded > threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def _input(context: Context, estimator: Any, features: Features) -> str:
    """The float32 tensor that a tree sees."""
    tensor = numbers(context, features, estimator)
    if not context.narrow:
        return context.graph.cast(tensor, "float32")
    if not all(feature.exact for feature in features):
        raise context.climb("float32 rounding in front of a tree can cross a threshold", estimator)
    return tensor


def _single_output(context: Context, estimator: Any) -> None:
    if estimator.n_outputs_ != 1:
        raise context.refuse("trees with several outputs are not supported yet; train one for each", estimator)


@predicts(DecisionTreeClassifier, ExtraTreeClassifier, RandomForestClassifier, ExtraTreesClassifier)
def _forest_classifier(context: Context, estimator: Any, features: Features) -> Heads:
    _single_output(context, estimator)
    graph = context.graph
    ensemble = _Ensemble(targets=len(estimator.classes_))
    trees = getattr(estimator, "estimators_", [estimator])
    for member in trees:
        _add_tree(ensemble, member.tree_, member.tree_.value[:, 0, :])
    votes = graph.cast(ensemble.emit(graph, _input(context, estimator, features), "float32"), graph.dtype)
    probabilities = graph.add("Div", votes, graph.constant(float(len(trees))))
    return {"label": class_labels(graph, argmax(graph, votes), estimator.classes_), "probabilities": probabilities}


@predicts(DecisionTreeRegressor, ExtraTreeRegressor, RandomForestRegressor, ExtraTreesRegressor)
def _forest_regressor(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    ensemble = _Ensemble(targets=estimator.n_outputs_)
    trees = getattr(estimator, "estimators_", [estimator])
    for member in trees:
        _add_tree(ensemble, member.tree_, member.tree_.value[:, :, 0])
    total = graph.cast(ensemble.emit(graph, _input(context, estimator, features), "float32"), graph.dtype)
    mean = graph.add("Div", total, graph.constant(float(len(trees))))
    return {"values": flat(graph, mean) if estimator.n_outputs_ == 1 else mean}


def _boosted(context: Context, estimator: Any, features: Features) -> str:
    """The raw prediction of a GradientBoosting model, [rows, 1 or classes]."""
    if not isinstance(estimator.init_, str) and not isinstance(estimator.init_, DummyClassifier | DummyRegressor):
        raise context.refuse("it starts from another model (init=…), which is not supported yet", estimator)
    graph = context.graph
    stages = estimator.estimators_
    ensemble = _Ensemble(targets=stages.shape[1])
    for stage in stages:
        for target, member in enumerate(stage):
            tree = member.tree_
            _add_tree(ensemble, tree, estimator.learning_rate * tree.value[:, 0, :], target)
    start = estimator._raw_predict_init(np.zeros((1, estimator.n_features_in_), dtype=np.float32))  # noqa: SLF001
    total = graph.cast(ensemble.emit(graph, _input(context, estimator, features), "float32"), graph.dtype)
    return graph.add("Add", total, graph.constant(numbers_of(start)))


@predicts(GradientBoostingRegressor)
def _boosting_regressor(context: Context, estimator: Any, features: Features) -> Heads:
    return {"values": flat(context.graph, _boosted(context, estimator, features))}


@predicts(GradientBoostingClassifier)
def _boosting_classifier(context: Context, estimator: Any, features: Features) -> Heads:
    raw = _boosted(context, estimator, features)
    factor = 2.0 if estimator.loss == "exponential" else 1.0
    return _raw_to_heads(context.graph, raw, estimator.classes_, factor)


def _raw_to_heads(graph: Graph, raw: str, classes: NDArray[Any], factor: float = 1.0) -> Heads:
    heads = scores_to_label(graph, raw, classes)
    if len(classes) == 2:
        scaled = raw if factor == 1.0 else graph.add("Mul", raw, graph.constant(factor))
        return {**heads, "probabilities": complement(graph, graph.add("Sigmoid", scaled))}
    return {**heads, "probabilities": graph.add("Softmax", raw, axis=1)}


def _histogram(context: Context, estimator: Any, features: Features) -> str:
    """The raw prediction of a histogram booster, [rows, 1 or classes]."""
    if getattr(estimator, "_preprocessor", None) is not None or getattr(estimator, "is_categorical_", None) is not None:
        raise context.refuse("its categorical features are not supported yet; encode them before it", estimator)
    if context.narrow:
        raise context.climb("it compares in float64", estimator)
    graph = context.graph
    ensemble = _Ensemble(targets=estimator.n_trees_per_iteration_)
    for stage in estimator._predictors:  # noqa: SLF001 - there is no public form
        for target, member in enumerate(stage):
            nodes = member.nodes
            ensemble.add(
                feature=nodes["feature_idx"].astype(np.int64),
                threshold=nodes["num_threshold"],
                left=nodes["left"].astype(np.int64),
                right=nodes["right"].astype(np.int64),
                leaf=nodes["is_leaf"].astype(bool),
                missing_left=nodes["missing_go_to_left"].astype(np.int64),
                weights=nodes["value"][:, np.newaxis],
                first_target=target,
            )
    total = graph.cast(ensemble.emit(graph, numbers(context, features, estimator), "float64"), graph.dtype)
    return graph.add("Add", total, graph.constant(numbers_of(estimator._baseline_prediction)))  # noqa: SLF001


@predicts(HistGradientBoostingRegressor)
def _histogram_regressor(context: Context, estimator: Any, features: Features) -> Heads:
    raw = flat(context.graph, _histogram(context, estimator, features))
    exponential = estimator.loss in ("gamma", "poisson")
    return {"values": context.graph.add("Exp", raw) if exponential else raw}


@predicts(HistGradientBoostingClassifier)
def _histogram_classifier(context: Context, estimator: Any, features: Features) -> Heads:
    return _raw_to_heads(context.graph, _histogram(context, estimator, features), estimator.classes_)
