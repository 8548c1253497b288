"""LightGBM's trees with a linear model in each leaf (`linear_tree=True`), in float64 as in LightGBM."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift_bundler.converters.graph import Graph
from sealift_bundler.converters.steps.arithmetic import sequential_sum
from sealift_bundler.converters.steps.trees.ensemble import Tree, TreeEnsemble

# So many numbers a row are looked up at once: some trees, with all that their leaves multiply.
_MOST_VALUES = 64


def emit_linear(
    graph: Graph, columns: str, numbers: str, trees: Sequence[Tree], fields: Sequence[dict[str, str]], groups: int
) -> str:
    """Sum what the leaves' linear models give, tree by tree.

    Args:
        graph: The graph.
        columns: What the splits test, [rows, columns].
        numbers: What the leaves multiply, [rows, features], float64.
        trees: The trees; their values are not read.
        fields: Each tree's part of the model text.
        groups: How many scores a row has; trees take turns.

    Returns:
        float64 [rows, groups].
    """
    models = [_leaves(each) for each in fields]
    most = max(1, *(features.shape[1] for _, _, features, _ in models))
    block = max(1, _MOST_VALUES // most)
    scores = []
    for group in range(groups):
        mine = list(range(group, len(trees), groups))
        parts = [
            _block(graph, columns, numbers, [trees[i] for i in some], [models[i] for i in some], most)
            for some in (mine[start : start + block] for start in range(0, len(mine), block))
        ]
        each = parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)
        scores.append(graph.add("Reshape", sequential_sum(graph, each), graph.constant([-1, 1])))
    return scores[0] if groups == 1 else graph.add("Concat", *scores, axis=1)


_Leaves = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]


def _leaves(fields: dict[str, str]) -> _Leaves:
    """The constant of each leaf, its value where a feature is missing, and its features (-1 is none) and factors."""
    values = np.array(fields["leaf_value"].split(), dtype=np.float64)
    if not int(fields.get("is_linear", 0)):
        return values, values, np.full((len(values), 0), -1), np.zeros((len(values), 0))
    sizes = np.array(fields["num_features"].split(), dtype=np.int64)
    places = np.array(fields["leaf_features"].split(), dtype=np.int64)
    factors = np.array(fields["leaf_coeff"].split(), dtype=np.float64)
    used = np.arange(sizes.max(initial=0)) < sizes[:, np.newaxis]
    features, coefficients = np.full(used.shape, -1), np.zeros(used.shape)
    features[used], coefficients[used] = places, factors
    return np.array(fields["leaf_const"].split(), dtype=np.float64), values, features, coefficients


def _block(
    graph: Graph, columns: str, numbers: str, trees: Sequence[Tree], models: Sequence[_Leaves], most: int
) -> str:
    """What each of some trees gives, [rows, trees]."""
    # Leaves stand behind the inner nodes; their numbers pass through float32, which is exact for so many.
    ensemble = TreeEnsemble(len(trees), [_numbered(tree, place) for place, tree in enumerate(trees)])
    starts = np.cumsum([0, *(len(values) for _, values, _, _ in models[:-1])])
    found = graph.cast(ensemble.emit(graph, columns, double=True), "int64")
    leaf = graph.add("Add", found, graph.constant(starts[np.newaxis]))

    def table(arrays: Sequence[NDArray[Any]], *, width: int | None = None, empty: float = 0.0) -> str:
        if width is not None:
            arrays = [np.pad(a, ((0, 0), (0, width - a.shape[1])), constant_values=empty) for a in arrays]
        return graph.add("Gather", graph.constant(np.concatenate(arrays)), leaf, axis=0)

    score = table([constant for constant, _, _, _ in models])
    if most == 0:
        return score
    places = table([features for _, _, features, _ in models], width=most, empty=-1)
    factors = table([coefficients for _, _, _, coefficients in models], width=most)
    # -1 is the last column: a zero, behind the features.
    wide = graph.add("Pad", numbers, graph.constant(np.array([0, 0, 0, 1])), graph.constant(np.array(0.0), np.float64))
    flat = graph.add("Reshape", places, graph.constant([0, -1]))
    shape = graph.constant([0, len(trees), most])
    values = graph.add("Reshape", graph.add("GatherElements", wide, flat, axis=1), shape)
    missing = graph.add("ReduceMax", graph.cast(graph.add("IsNaN", values), "int64"), graph.constant([2]), keepdims=0)
    for place in range(most):
        one, factor = (graph.add("Gather", tensor, graph.constant([place]), axis=2) for tensor in (values, factors))
        product = graph.add("Squeeze", graph.add("Mul", one, factor), graph.constant([2]))
        score = graph.add("Add", score, product)
    return graph.add("Where", graph.cast(missing, "bool"), table([values for _, values, _, _ in models]), score)


def _numbered(tree: Tree, target: int) -> Tree:
    leaves = tree.left < 0
    numbers = np.where(leaves, np.cumsum(leaves) - 1, 0).astype(np.float64)
    return Tree(tree.column, tree.threshold, tree.left, tree.right, tree.missing_left, numbers, target)
