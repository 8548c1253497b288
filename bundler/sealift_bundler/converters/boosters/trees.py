"""Boosted trees of any library, as one TreeEnsembleRegressor over the columns that their splits test.

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

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tree:
    """One tree; every array has one entry a node, and node 0 is the root.

    A row goes left where its `column` is at most `threshold`; a missing value goes left where
    `missing_left` says so. A node whose `left` is -1 is a leaf, and adds `value` to `target`.
    """

    column: Ints
    threshold: Floats
    left: Ints
    right: Ints
    missing_left: NDArray[np.bool_]
    value: Floats
    target: int = 0


def leaf(value: float, target: int) -> Tree:
    """Make a tree of one leaf: a number to start from."""
    none = np.array([-1], dtype=np.int64)
    return Tree(none * 0, np.zeros(1), none, none, np.zeros(1, dtype=bool), np.array([value]), target)


@dataclass
class Trees:
    """An ensemble whose leaves are summed by target."""

    targets: int
    trees: list[Tree] = field(default_factory=list)

    def emit(self, graph: Graph, columns: str, *, double: bool) -> str:
        """Add the ensemble to a graph.

        Args:
            graph: The graph.
            columns: The tensor [rows, columns] that the splits test.
            double: Compare in float64 and sum to float64 precision; otherwise all is float32.

        Returns:
            The sums [rows, targets]: float64 where `double`, else float32.
        """
        if not self.trees:
            raise ValueError("an ensemble without trees")
        attributes = self._nodes()
        leaves = [np.flatnonzero(tree.left < 0) for tree in self.trees]
        sizes = [len(found) for found in leaves]
        treeids = np.repeat(np.arange(len(self.trees)), sizes)
        nodeids = np.concatenate(leaves)
        targets = np.repeat([tree.target for tree in self.trees], sizes)
        weights = np.concatenate([tree.value[found] for tree, found in zip(self.trees, leaves, strict=True)])
        if not double:
            return self._ensemble(graph, columns, attributes, (treeids, nodeids, targets, weights), double=False)
        # The operator's output is float32 whatever its input. So leaves are cut in two: high parts, multiples
        # of one power of two so coarse that every sum of them is exact in float32, and the small rest.
        high = self._coarse(weights, targets, treeids)
        both = (
            np.concatenate([treeids, treeids]),
            np.concatenate([nodeids, nodeids]),
            np.concatenate([targets, targets + self.targets]),
            np.concatenate([high, weights - high]),
        )
        halves = graph.cast(self._ensemble(graph, columns, attributes, both, double=True), "float64")
        order = [graph.constant(np.arange(self.targets) + first) for first in (0, self.targets)]
        return graph.add("Add", *(graph.add("Gather", halves, indices, axis=1) for indices in order))

    def emit_in_order(self, graph: Graph, columns: str) -> str:
        """Add the ensemble in float32, its trees summed one after another, as they are in the list.

        The operator sums in an order of its own, and float32 sums of the same numbers in another order
        differ. So each tree gets a column, and the columns are summed by an operator that has an order.

        Returns:
            The sums [rows, targets], float32.
        """
        order = sorted(range(len(self.trees)), key=lambda index: self.trees[index].target)
        apart = Trees(len(self.trees))
        apart.trees = [replace(self.trees[index], target=place) for place, index in enumerate(order)]
        each = apart.emit(graph, columns, double=False)
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

    def _nodes(self) -> dict[str, Any]:
        sizes = [len(tree.left) for tree in self.trees]
        leaf = np.concatenate([tree.left for tree in self.trees]) < 0

        def of(values: Sequence[NDArray[Any]], other: Any) -> NDArray[Any]:
            return np.where(leaf, other, np.concatenate(values))

        return {
            "nodes_treeids": np.repeat(np.arange(len(sizes)), sizes),
            "nodes_nodeids": np.concatenate([np.arange(size) for size in sizes]),
            "nodes_featureids": of([tree.column for tree in self.trees], 0),
            "nodes_values": of([tree.threshold for tree in self.trees], 0.0),
            "nodes_truenodeids": of([tree.left for tree in self.trees], 0),
            "nodes_falsenodeids": of([tree.right for tree in self.trees], 0),
            "nodes_missing_value_tracks_true": of([tree.missing_left for tree in self.trees], 0).astype(np.int64),
            "nodes_modes": np.where(leaf, "LEAF", "BRANCH_LEQ"),
        }

    def _coarse(self, weights: Floats, targets: Ints, treeids: Ints) -> Floats:
        largest = np.zeros(len(self.trees))
        np.maximum.at(largest, treeids, np.abs(weights))
        bound = max(float(largest.sum()), float(np.finfo(np.float32).tiny))
        # Sums stay below 2 * bound; 24 bits hold every multiple of `step` up to there.
        step = 2.0 ** (np.ceil(np.log2(bound)) - 22)
        return np.asarray(np.round(weights / step) * step)

    def _ensemble(
        self,
        graph: Graph,
        columns: str,
        nodes: dict[str, Any],
        leaves: tuple[Ints, Ints, Ints, Floats],
        *,
        double: bool,
    ) -> str:
        keys = ("target_treeids", "target_nodeids", "target_ids", "target_weights")
        whole = nodes | dict(zip(keys, leaves, strict=True))
        attributes: dict[str, Any] = {key: values.tolist() for key, values in whole.items()}
        if double:
            for key in ("nodes_values", "target_weights"):
                del attributes[key]
                attributes[f"{key}_as_tensor"] = numpy_helper.from_array(whole[key].astype(np.float64), key)
        return graph.add(
            "TreeEnsembleRegressor",
            columns,
            domain=ML,
            n_targets=self.targets * (2 if double else 1),
            aggregate_function="SUM",
            post_transform="NONE",
            **attributes,
        )
