"""Which leaf each tree reaches, and sums over leaves in float64.

ONNX's own sum over trees is float32: enough for whole votes, not for ties between fractions.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift_bundler.converters.steps import Context, Features
from sealift_bundler.converters.steps.arithmetic import sequential_sum

# A leaf's number passes through float32, which is exact up to here.
_MOST_NODES = 2**24


def leaf_indices(context: Context, estimator: Any, features: Features, trees: Sequence[Any]) -> str:
    """The node number of the leaf that each tree reaches, int64 [rows, trees]."""
    from sealift_bundler.converters.steps.trees.ensemble import Ensemble, add_tree, tree_input

    graph = context.graph
    ensemble = Ensemble(targets=len(trees))
    for index, tree in enumerate(trees):
        if tree.node_count >= _MOST_NODES:
            raise context.refuse("one of its trees has more than 16 million nodes", estimator)
        add_tree(ensemble, tree, np.arange(tree.node_count, dtype=np.float64)[:, np.newaxis], index)
    tensor = tree_input(context, estimator, features)
    return graph.cast(ensemble.emit(graph, tensor, "float32"), "int64")


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
