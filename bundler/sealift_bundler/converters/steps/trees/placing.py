"""Numbers in front of trees that a graph rounds otherwise: put between the same thresholds as in the original.

A tree asks only between which of its thresholds a number lies. Where the number is an increasing function of one that
the graph has bit for bit, that one is looked up among the thresholds pulled back (see `boundaries`), and the tree sees
the threshold that is next to the original's number.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift_bundler.converters.steps import Context, Feature, Features, Pull
from sealift_bundler.converters.steps.arithmetic import column, concatenated
from sealift_bundler.converters.steps.boundaries import Compared, base_of, compared, refused
from sealift_bundler.converters.steps.trees.ensemble import Tree, TreeEnsemble

# The place among thresholds passes through float32, which is exact up to here.
_MOST_THRESHOLDS = 2**24


def to_float32(x: NDArray[Any]) -> NDArray[Any]:
    """Round as trees do that compare in float32."""
    return x.astype(np.float32).astype(np.float64)


def placed(
    context: Context,
    features: Features,
    tensor: str,
    trees: Sequence[Tree],
    dtype: str,
    rounding: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
) -> str:
    """Put rough numbers with a way back where the original's lie among the thresholds of trees.

    Args:
        context: The conversion.
        features: The first columns of `tensor`.
        tensor: What the trees see, [rows, at least as many columns].
        trees: Those that see it.
        dtype: Of `tensor`, and of every threshold.
        rounding: What the trees do to numbers before they compare them; None for float64.

    Returns:
        The tensor, or one like it with other numbers that go the same ways.
    """
    graph = context.graph
    thresholds = {
        place: known
        for place, feature in enumerate(features)
        if feature.rough is not None
        and feature.rough.pull is not None
        and 0 < len(known := _thresholds(trees, place)) < _MOST_THRESHOLDS
    }
    if context.narrow or not thresholds:
        return tensor
    parts: list[str] = []
    start = 0
    for place, known in thresholds.items():
        if place > start:
            parts.append(graph.add("Gather", tensor, graph.constant([*range(start, place)]), axis=1))
        rough = features[place].rough
        if rough is not None and rough.pull is not None:
            parts.append(_moved(context, column(graph, tensor, place), rough.pull, known, dtype, rounding))
        start = place + 1
    rest = graph.add("Slice", tensor, *(graph.constant([value]) for value in (start, np.iinfo(np.int64).max, 1)))
    return concatenated(graph, [*parts, rest])


def marked(
    context: Context,
    estimator: Any,
    features: Features,
    tensor: str,
    ends: tuple[float, float],
    dtype: str,
    rounding: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
) -> str:
    """Tell which of the original's numbers lie between two ends, which some trees take for missing ones.

    Args:
        context: The conversion.
        estimator: The trees, for error messages.
        features: The columns of `tensor`.
        tensor: What the trees see, [rows, columns].
        ends: The least and the largest number that counts as missing.
        dtype: Of `tensor`.
        rounding: What the trees do to numbers before they compare them; None for float64.

    Returns:
        bool [rows, columns].

    Raises:
        NeverConverts: a number is rounded otherwise in a graph, and has no way back.
    """
    graph = context.graph
    low, high = (graph.constant(np.array(end), np.dtype(dtype)) for end in ends)
    found = graph.add("And", graph.add("GreaterOrEqual", tensor, low), graph.add("LessOrEqual", tensor, high))
    if not any(_decided_by_rounding(feature, ends) for feature in features):
        return found
    parts = []
    for place, feature in enumerate(features):
        if not _decided_by_rounding(feature, ends):
            parts.append(column(graph, found, place))
            continue
        if feature.rough is not None and feature.rough.pull is None:
            raise refused(context, estimator, feature)
        number = replace(compared(context, estimator, feature), own=graph.cast(column(graph, tensor, place), "float64"))
        number = number if rounding is None else number.then(rounding)
        passed = graph.add("Not", number.reached(graph, ends[1:], above=True))
        parts.append(graph.add("And", number.reached(graph, ends[:1]), passed))
    return concatenated(graph, parts)


def _decided_by_rounding(feature: Feature, ends: tuple[float, float]) -> bool:
    # Of a number that is zero where the original's is, zero alone is asked for, or next to nothing beside it.
    return feature.rough is not None and not (feature.rough.signed and ends[0] <= 0 <= ends[1])


def _thresholds(trees: Sequence[Tree], place: int) -> NDArray[Any]:
    return np.unique(np.concatenate([tree.threshold[(tree.column == place) & (tree.left >= 0)] for tree in trees]))


def _moved(
    context: Context,
    number: str,
    pull: Pull,
    thresholds: NDArray[Any],
    dtype: str,
    rounding: Callable[[NDArray[Any]], NDArray[Any]] | None,
) -> str:
    graph = context.graph
    number_there = Compared("", pull.functions, fills=pull.fills)
    number_there = number_there if rounding is None else number_there.then(rounding)
    above = number_there.above(thresholds)
    places = TreeEnsemble(1, [_search(above)]).emit(graph, base_of(context, pull), double=True)
    table = np.append(thresholds, np.inf)[:, np.newaxis]
    index = graph.add("Reshape", graph.cast(places, "int64"), graph.constant([-1]))
    moved = graph.add("Gather", graph.constant(table, np.dtype(dtype)), index, axis=0)
    for fill in number_there.fills:
        mine = number
        if fill.value is not None:
            mine = graph.constant(table[[(fill.value > thresholds).sum()]], np.dtype(dtype))
        moved = graph.add("Where", fill.mask, mine, moved)
    return graph.add("Where", graph.add("IsNaN", number), number, moved)


def _search(starts: NDArray[Any]) -> Tree:
    """A tree that counts how many of the sorted numbers are at most the column 0."""
    count = len(starts)
    nodes = 2 * count + 1
    left, right = np.full(nodes, -1), np.full(nodes, -1)
    threshold, value = np.zeros(nodes), np.zeros(nodes)
    # Of each node the range of places that are left; a node without any is a leaf.
    waiting, used = [(0, 0, count)], 1
    while waiting:
        node, low, high = waiting.pop()
        if low == high:
            value[node] = low
            continue
        middle = (low + high) // 2
        threshold[node] = np.nextafter(starts[middle], -np.inf)
        left[node], right[node] = used, used + 1
        waiting += [(used, low, middle), (used + 1, middle + 1, high)]
        used += 2
    none = np.zeros(nodes, dtype=np.int64)
    return Tree(none, threshold, left, right, none.astype(bool), value)
