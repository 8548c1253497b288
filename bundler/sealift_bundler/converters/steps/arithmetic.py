"""Arithmetic that several emitters share, all in the graph's own floating-point type."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift_bundler.converters.graph import ML, Graph, numbers_of
from sealift_bundler.converters.steps import Context, Features, Heads, class_labels, columns_of, flat, numbers

# Three operators for each column; beyond this, one product of matrices is worth its rounding.
_MOST_COLUMNS = 128
# Of a squared distance that is computed as x² - 2 xy + y², relative to x²; and a gap in which it matters to nobody.
_ROUNDING, _LEAST_GAP = 1e-15, 1e-5


def wide_numbers(context: Context, estimator: Any, features: Features) -> str:
    """Make one float64 tensor of the features.

    Raises:
        NeedsLaterRung: on the float32 rung; distances, exponentials and steps magnify its rounding.
    """
    if context.narrow:
        raise context.climb("it computes in float64", estimator)
    return numbers(context, features, estimator)


def not_negative(context: Context, estimator: Any, features: Features, tensor: str) -> str:
    """Let the graph refuse a negative number, as the original does."""
    below = context.graph.add("Less", tensor, context.graph.constant(0.0))
    return context.trapped(
        tensor, below, columns_of(features), f"step {context.where(estimator)} takes no negative number"
    )


def row_sum(graph: Graph, tensor: str) -> str:
    """The sum of each row, [rows, 1]."""
    return graph.add("ReduceSum", tensor, graph.constant([1]), keepdims=1)


def sum_of_few(graph: Graph, tensor: str) -> str:
    """The sum of each row, [rows, 1], one number after the other: the same bits in whichever row of a batch."""
    running = graph.add("CumSum", tensor, graph.constant(np.int64(1)))
    return graph.add("Gather", running, graph.constant([-1]), axis=1)


def sigmoid(graph: Graph, tensor: str) -> str:
    """1 / (1 + exp(-x)); ONNX Runtime's own loses the digits of what is next to zero, and shares are made of these."""
    one = graph.constant(1.0)
    return graph.add("Div", one, graph.add("Add", graph.add("Exp", graph.add("Neg", tensor)), one))


def column(graph: Graph, tensor: str, index: int) -> str:
    """One column of a tensor, [rows, 1]."""
    return graph.add("Gather", tensor, graph.constant([index]), axis=1)


def as_column(graph: Graph, tensor: str) -> str:
    """Make [rows] into [rows, 1]."""
    return graph.add("Reshape", tensor, graph.constant([-1, 1]))


def concatenated(graph: Graph, parts: list[str]) -> str:
    """Put tensors [rows, …] side by side."""
    return parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)


def affine(graph: Graph, tensor: str, matrix: Any, shift: Any = None) -> str:
    """X · matrix + shift; the matrix is [columns, outputs]."""
    product = graph.add("MatMul", tensor, graph.constant(numbers_of(matrix)))
    return product if shift is None else graph.add("Add", product, graph.constant(numbers_of(shift)))


def sequential_sum(graph: Graph, tensor: str, axis: int = 1) -> str:
    """The sum along an axis, added one by one from the first as a Python loop does, so that rounding is the same."""
    running = graph.add("CumSum", tensor, graph.constant(np.int64(axis)))
    last = graph.add("Gather", running, graph.constant([-1]), axis=axis)
    return graph.add("Squeeze", last, graph.constant([axis]))


def squared_distances(graph: Graph, tensor: str, points: Any) -> str:
    """Squared Euclidean distances to the points [count, columns], as [rows, count], never below zero.

    Everything is measured from the mean of the points, which keeps epoch seconds from cancelling.
    """
    points = numbers_of(points)
    center = points.mean(axis=0)
    points = points - center
    tensor = graph.add("Sub", tensor, graph.constant(center))
    own = row_sum(graph, graph.add("Mul", tensor, tensor))
    across = graph.add("MatMul", tensor, graph.constant(-2.0 * points.T))
    total = graph.add("Add", graph.add("Add", own, across), graph.constant((points**2).sum(axis=1)[np.newaxis]))
    return graph.add("Max", total, graph.constant(0.0))


def exact_squared_distances(graph: Graph, tensor: str, points: Any) -> str:
    """Squared Euclidean distances to the points, column by column: equal rows are at distance zero."""
    points = numbers_of(points)
    if points.shape[1] > _MOST_COLUMNS:
        return squared_distances(graph, tensor, points)
    total = ""
    for index in range(points.shape[1]):
        apart = graph.add("Sub", column(graph, tensor, index), graph.constant(points[np.newaxis, :, index]))
        square = graph.add("Mul", apart, apart)
        total = graph.add("Add", total, square) if total else square
    return total


def nearest(graph: Graph, tensor: str, points: Any) -> str:
    """The index of the nearest point, int64 [rows]; the first of equally near ones.

    As in KMeans, x² is left out of x² - 2 xy + y²: of a row far from all points it leaves rounding alone.
    """
    points = numbers_of(points)
    center = points.mean(axis=0)
    points = points - center
    tensor = graph.add("Sub", tensor, graph.constant(center))
    across = graph.add("MatMul", tensor, graph.constant(-2.0 * points.T))
    return graph.add("ArgMin", graph.add("Add", across, graph.constant((points**2).sum(axis=1)[np.newaxis])), axis=1,
                     keepdims=0)  # fmt: skip


def measurable(
    context: Context, estimator: Any, features: Features, tensor: str, distances: str, share: float = 1.0
) -> str:
    """Let the graph refuse rows so far that the original's squared distances, x² - 2 xy + y², are rounding alone.

    Args:
        context: The conversion.
        estimator: The step, for the message.
        features: What it is given.
        tensor: The rows, as they are measured.
        distances: Squared, [rows, at least 2 points].
        share: What of the difference of the two least rounding may be.
    """
    graph = context.graph
    nearest_two, _ = graph.add_many("TopK", distances, graph.constant(np.array([2])), outputs=2, axis=1, largest=0)
    gap = graph.add("Sub", column(graph, nearest_two, 1), column(graph, nearest_two, 0))
    rounding = graph.add("Mul", row_sum(graph, graph.add("Mul", tensor, tensor)), graph.constant(_ROUNDING))
    # Where distances are next to nothing, so is what rounding does to them.
    allowed = graph.add("Max", graph.add("Mul", gap, graph.constant(share)), graph.constant(_LEAST_GAP))
    bad = graph.add("Not", graph.add("LessOrEqual", rounding, allowed))
    reason = f"step {context.where(estimator)} is given a row so far from all that rounding decides how near it is"
    name = features[0].column if len(features) == 1 else None
    return context.trapped(distances, bad, [name], reason)


def class_index(graph: Graph, label: str, classes: Any) -> str:
    """Turn labels [rows] back into the index of the class, int64 [rows]."""
    array = np.asarray(classes)
    if array.dtype.kind in "OU":
        return graph.add(
            "LabelEncoder",
            label,
            domain=ML,
            keys_strings=[str(value) for value in array],
            values_int64s=list(range(len(array))),
            default_int64=-1,
        )
    dtype = {"b": np.bool_, "f": np.float64}.get(array.dtype.kind, np.int64)
    found = graph.add("Equal", as_column(graph, label), graph.constant(array[np.newaxis], dtype))
    return graph.add("ArgMax", graph.cast(found, "int32"), axis=1, keepdims=0)


def one_hot(graph: Graph, index: str, count: int) -> str:
    """Turn an index int64 [rows] into [rows, count] of zeros and ones."""
    found = graph.add("Equal", as_column(graph, index), graph.constant(np.arange(count)[np.newaxis]))
    return graph.cast(found, graph.dtype)


def divided_by_sum(graph: Graph, tensor: str) -> str:
    """Make each row sum to one; rows of zeros stay."""
    total = sum_of_few(graph, tensor)
    zero = graph.add("Equal", total, graph.constant(0.0))
    return graph.add("Div", tensor, graph.add("Where", zero, graph.constant(1.0), total))


def threshold_label(graph: Graph, scores: str, threshold: float, classes: NDArray[Any], *, above: bool = True) -> str:
    """The second class where scores [rows, 1] or [rows] are above the threshold, or `above=False` at least at it."""
    operator = "Greater" if above else "GreaterOrEqual"
    positive = graph.cast(graph.add(operator, flat(graph, scores), graph.constant(float(threshold))), "int64")
    return class_labels(graph, positive, classes)


def outlier_heads(graph: Graph, scores: str, *, strict: bool = False) -> Heads:
    """Heads of an outlier detector: +1 where the score is at least zero (above it if `strict`), else -1."""
    scores = flat(graph, scores)
    inside = graph.add("Greater" if strict else "GreaterOrEqual", scores, graph.constant(0.0))
    label = graph.add("Where", inside, graph.constant(1), graph.constant(-1))
    return {"label": label, "scores": scores}


def positive_score(graph: Graph, heads: Heads) -> tuple[str, bool] | None:
    """The score of the positive class [rows, 1] of a binary classifier, and whether it is a probability."""
    if "scores" in heads:
        return as_column(graph, heads["scores"]), False
    if "probabilities" in heads:
        return column(graph, heads["probabilities"], 1), True
    if "values" in heads:
        return as_column(graph, heads["values"]), False
    return None
