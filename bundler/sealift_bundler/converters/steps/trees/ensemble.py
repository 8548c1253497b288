"""Trees as one TreeEnsembleRegressor: what the emitters of every ensemble of trees share.

scikit-learn's trees round their input to float32 and compare it with float64 thresholds; the histogram
boosters compare in float64. Both are kept.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import numpy_helper

from sealift_bundler.converters.graph import ML, Graph
from sealift_bundler.converters.steps import Context, Features, numbers


@dataclass
class Ensemble:
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


def add_tree(ensemble: Ensemble, tree: Any, weights: NDArray[Any], first_target: int = 0) -> None:
    """Add a fitted `tree_`; `weights` is [nodes, targets]."""
    leaf = tree.children_left == -1
    missing_left = getattr(tree, "missing_go_to_left", np.zeros(len(leaf), dtype=np.uint8))
    ensemble.add(
        feature=tree.feature,
        threshold=largest_float32(tree.threshold),
        left=tree.children_left,
        right=tree.children_right,
        leaf=leaf,
        missing_left=missing_left,
        weights=weights,
        first_target=first_target,
    )


def largest_float32(threshold: NDArray[Any]) -> NDArray[Any]:
    """The largest float32 that is not above each threshold: x <= it exactly where x <= threshold."""
    rounded = threshold.astype(np.float32)
    return np.where(rounded > threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def tree_input(context: Context, estimator: Any, features: Features) -> str:
    """The float32 tensor that a tree sees."""
    tensor = numbers(context, features, estimator)
    if not context.narrow:
        return context.graph.cast(tensor, "float32")
    if not all(feature.exact for feature in features):
        raise context.climb("float32 rounding in front of a tree can cross a threshold", estimator)
    return tensor
