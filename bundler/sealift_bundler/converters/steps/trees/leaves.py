"""scikit-learn's own trees: which leaf each of them reaches, and sums over leaves in float64.

They round their input to float32 and compare it with float64 thresholds. ONNX's own sum over trees is float32:
enough for whole votes, not for ties between fractions.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift_bundler.converters.steps import Context, Features, columns_of, numbers
from sealift_bundler.converters.steps.arithmetic import sequential_sum
from sealift_bundler.converters.steps.text.trees import narrowed
from sealift_bundler.converters.steps.trees.ensemble import Tree, TreeEnsemble
from sealift_bundler.converters.steps.trees.placing import placed, to_float32

# A leaf's number passes through float32, which is exact up to here.
_MOST_NODES = 2**24


def fitted_tree(tree: Any, value: NDArray[Any], target: int = 0) -> Tree:
    """Make a tree of a fitted `tree_`; `value` is [nodes] or [nodes, outputs]."""
    missing_left = getattr(tree, "missing_go_to_left", np.zeros(tree.node_count, dtype=np.uint8))
    threshold = _largest_float32(tree.threshold)
    return Tree(tree.feature, threshold, tree.children_left, tree.children_right, missing_left, value, target)


def _largest_float32(threshold: NDArray[Any]) -> NDArray[Any]:
    """The largest float32 that is not above each threshold: x <= it exactly where x <= threshold."""
    rounded = threshold.astype(np.float32)
    return np.where(rounded > threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def check_classes(context: Context, estimator: Any) -> None:
    """Refuse a classifier that was trained on one class, where the original's answers are of two or of a division by 0.

    Raises:
        NeverConverts: it was.
    """
    if len(estimator.classes_) < 2:
        raise context.refuse("it was trained on rows of one class; train it on rows of two or more", estimator)


def tree_input(context: Context, estimator: Any, features: Features, trees: Sequence[Tree]) -> str:
    """The float32 tensor that trees see."""
    tensor = numbers(context, features, estimator)
    graph = context.graph
    # Of a frame of Sparse columns alone scikit-learn makes a sparse matrix, in which a tree knows no NaN.
    context.reads["sparse_missing"] = "refused"
    if not context.narrow:
        cast = graph.cast(tensor, "float32")
        if not all(feature.integral for feature in features):
            reason = f"step {context.where(estimator)} takes no number beyond the range of float32"
            cast = context.trapped(cast, graph.add("IsInf", cast), columns_of(features), reason, "float32")
        return placed(context, features, cast, trees, "float32", to_float32)
    if not all(feature.exact for feature in features):
        raise context.climb("float32 rounding in front of a tree can cross a threshold", estimator)
    return tensor


def leaf_indices(context: Context, estimator: Any, features: Features, trees: Sequence[Any]) -> str:
    """The node number of the leaf that each tree reaches, int64 [rows, trees]."""
    graph = context.graph
    features, trees = narrowed(features, trees)
    ensemble = TreeEnsemble(targets=len(trees))
    for index, tree in enumerate(trees):
        if tree.node_count >= _MOST_NODES:
            raise context.refuse("one of its trees has more than 16 million nodes", estimator)
        ensemble.trees.append(fitted_tree(tree, np.arange(tree.node_count, dtype=np.float64), index))
    tensor = tree_input(context, estimator, features, ensemble.trees)
    return graph.cast(ensemble.emit(graph, tensor), "int64")


def leaf_sum(
    context: Context, estimator: Any, features: Features, trees: Sequence[Any], values: Sequence[NDArray[Any]]
) -> str:
    """Add up a float64 value for each leaf reached, tree by tree as the original does.

    Args:
        context: The conversion.
        estimator: The step, for error messages.
        features: The columns that the trees see.
        trees: The fitted `tree_` of each member.
        values: For each tree, [nodes, outputs].

    Returns:
        float64 [rows, outputs].
    """
    graph = context.graph
    leaves = leaf_indices(context, estimator, features, trees)
    starts = np.cumsum([0, *(len(value) for value in values[:-1])])
    places = graph.add("Add", leaves, graph.constant(starts[np.newaxis]))
    table = graph.constant(np.concatenate(values), np.float64)
    return sequential_sum(graph, graph.add("Gather", table, places, axis=0))
