"""Trees over columns of text: of thousands of columns they test few."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from sealift_bundler.converters.steps import Features
from sealift_bundler.converters.steps.text.columns import SparseColumns

_KEPT = ("threshold", "children_left", "children_right", "node_count", "missing_go_to_left", "value")


def narrowed(features: Features, trees: Sequence[Any]) -> tuple[Features, Sequence[Any]]:
    """The columns of text that fitted trees test, as ordinary features, and the same trees over them; others as is."""
    if not isinstance(features, SparseColumns):
        return features, trees
    tested = np.unique(np.concatenate([tree.feature[tree.children_left >= 0] for tree in trees]))
    if len(tested) == 0:  # every tree is one leaf; the operator wants a column all the same
        tested = np.array([0])
    place = np.zeros(len(features), dtype=np.int64)
    place[tested] = np.arange(len(tested))
    moved = []
    for tree in trees:
        kept = {name: getattr(tree, name) for name in _KEPT if hasattr(tree, name)}
        moved.append(SimpleNamespace(feature=place[tree.feature], **kept))
    return features.select(tested).scattered(), moved
