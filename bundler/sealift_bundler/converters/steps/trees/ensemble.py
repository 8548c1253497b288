"""Trees of any library as one TreeEnsembleRegressor over the columns that their splits test.

Every split becomes `value <= threshold` on float32 or float64 values, as the library itself compares.
A split on a set of categories tests a column of its own: 1 where the row's category is in the set.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import numpy_helper

from sealift_bundler.converters.graph import ML, Graph

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Tree:
    """One tree; every array has one entry a node, and node 0 is the root.

    A row goes left where its `column` is at most `threshold`; a missing value goes left where
    `missing_left` says so. A node whose `left` is -1 is a leaf, and adds `value` to `target`; where
    `value` is [nodes, outputs], to as many targets from there on.
    """

    column: Ints
    threshold: Floats
    left: Ints
    right: Ints
    missing_left: NDArray[Any]
    value: NDArray[Any]
    target: int = 0


def leaf(value: float, target: int) -> Tree:
    """Make a tree of one leaf: a number to start from."""
    none = np.array([-1], dtype=np.int64)
    return Tree(none * 0, np.zeros(1), none, none, np.zeros(1, dtype=bool), np.array([value]), target)


@dataclass(frozen=True)
class _Leaves:
    """Contributions of leaves to targets; one entry for each leaf and target."""

    treeids: Ints
    nodeids: Ints
    targets: Ints
    weights: Floats


@dataclass
class TreeEnsemble:
    """An ensemble whose leaves are summed by target."""

    targets: int
    trees: list[Tree] = field(default_factory=list)

    def emit(self, graph: Graph, columns: str, *, double: bool = False) -> str:
        """Add the ensemble to a graph, summed as the operator does it: in float32, in an order of its own.

        Args:
            graph: The graph.
            columns: The tensor [rows, columns] that the splits test.
            double: `columns` and every comparison are float64; otherwise float32.

        Returns:
            The sums [rows, targets], float32.
        """
        return self._emit(graph, columns, self._leaves(), self.targets, double=double)

    def emit_float64(self, graph: Graph, columns: str) -> str:
        """Add the ensemble to a graph: float64 columns and comparisons, and sums to float64 precision.

        Returns:
            The sums [rows, targets], float64.
        """
        # The operator's output is float32 whatever its input. So leaves are cut in three: high parts, multiples
        # of one power of two so coarse that every sum of them is exact in float32; the same of what is left of them;
        # and the small rest. Where leaves of opposite signs leave little of a sum, two parts would not do.
        leaves = self._leaves()
        high = self._coarse(leaves, leaves.weights)
        middle = self._coarse(leaves, leaves.weights - high)
        parts = [high, middle, leaves.weights - high - middle]
        all_ = _Leaves(
            np.tile(leaves.treeids, len(parts)),
            np.tile(leaves.nodeids, len(parts)),
            np.concatenate([leaves.targets + place * self.targets for place in range(len(parts))]),
            np.concatenate(parts),
        )
        sums = graph.cast(self._emit(graph, columns, all_, len(parts) * self.targets, double=True), "float64")
        low, middle_sum, high_sum = (
            graph.add("Gather", sums, graph.constant(np.arange(self.targets) + place * self.targets), axis=1)
            for place in (2, 1, 0)
        )
        return graph.add("Add", high_sum, graph.add("Add", middle_sum, low))

    def emit_in_order(self, graph: Graph, columns: str) -> str:
        """Add the ensemble in float32, its trees summed one after another, as they are in the list.

        The operator sums in an order of its own, and float32 sums of the same numbers in another order
        differ. So each tree gets a column, and the columns are summed by an operator that has an order.

        Returns:
            The sums [rows, targets], float32.
        """
        order = sorted(range(len(self.trees)), key=lambda index: self.trees[index].target)
        apart = TreeEnsemble(
            len(self.trees), [replace(self.trees[index], target=place) for place, index in enumerate(order)]
        )
        each = apart.emit(graph, columns)
        sums = []
        start = 0
        for target in range(self.targets):
            end = start + sum(tree.target == target for tree in self.trees)
            mine = (
                each if self.targets == 1 else graph.add("Gather", each, graph.constant([*range(start, end)]), axis=1)
            )
            running = graph.add("CumSum", mine, graph.constant(np.array(1)))
            sums.append(graph.add("Gather", running, graph.constant([end - start - 1]), axis=1))
            start = end
        return sums[0] if self.targets == 1 else graph.add("Concat", *sums, axis=1)

    def _leaves(self) -> _Leaves:
        if not self.trees:
            raise ValueError("an ensemble without trees")
        sizes = [len(tree.left) for tree in self.trees]
        is_leaf = np.concatenate([tree.left for tree in self.trees]) < 0
        values = np.concatenate([tree.value.reshape(len(tree.left), -1) for tree in self.trees])
        # A leaf that adds nothing at all needs one entry all the same.
        wanted = is_leaf[:, np.newaxis] & (values != 0)
        wanted[:, 0] |= is_leaf & ~wanted.any(axis=1)
        node, place = np.nonzero(wanted)
        return _Leaves(
            np.repeat(np.arange(len(sizes)), sizes)[node],
            np.concatenate([np.arange(size) for size in sizes])[node],
            np.repeat([tree.target for tree in self.trees], sizes)[node] + place,
            values[node, place],
        )

    def _nodes(self) -> dict[str, NDArray[Any]]:
        sizes = [len(tree.left) for tree in self.trees]
        is_leaf = np.concatenate([tree.left for tree in self.trees]) < 0

        def of(values: Sequence[NDArray[Any]], other: Any) -> NDArray[Any]:
            return np.where(is_leaf, other, np.concatenate(values))

        return {
            "nodes_treeids": np.repeat(np.arange(len(sizes)), sizes),
            "nodes_nodeids": np.concatenate([np.arange(size) for size in sizes]),
            "nodes_featureids": of([tree.column for tree in self.trees], 0),
            "nodes_values": of([tree.threshold for tree in self.trees], 0.0),
            "nodes_truenodeids": of([tree.left for tree in self.trees], 0),
            "nodes_falsenodeids": of([tree.right for tree in self.trees], 0),
            "nodes_missing_value_tracks_true": of([tree.missing_left for tree in self.trees], 0).astype(np.int64),
            "nodes_modes": np.where(is_leaf, "LEAF", "BRANCH_LEQ"),
        }

    def _coarse(self, leaves: _Leaves, weights: Floats) -> Floats:
        """Round weights to multiples of a power of two of which every sum over the trees is exact in float32."""
        largest = np.zeros(len(self.trees))
        np.maximum.at(largest, leaves.treeids, np.abs(weights))
        bound = max(float(largest.sum()), float(np.finfo(np.float32).tiny))
        # Sums stay below 2 * bound; 24 bits hold every multiple of `step` up to there.
        step = 2.0 ** (np.ceil(np.log2(bound)) - 22)
        return np.asarray(np.round(weights / step) * step)

    def _emit(self, graph: Graph, columns: str, leaves: _Leaves, targets: int, *, double: bool) -> str:
        whole = self._nodes() | {
            "target_treeids": leaves.treeids,
            "target_nodeids": leaves.nodeids,
            "target_ids": leaves.targets,
            "target_weights": leaves.weights,
        }
        tensors = {}
        if double:
            for key in ("nodes_values", "target_weights"):
                tensors[f"{key}_as_tensor"] = numpy_helper.from_array(whole.pop(key).astype(np.float64), key)
        return graph.add(
            "TreeEnsembleRegressor",
            columns,
            domain=ML,
            n_targets=targets,
            aggregate_function="SUM",
            post_transform="NONE",
            **{key: values.tolist() for key, values in whole.items()},
            **tensors,
        )
