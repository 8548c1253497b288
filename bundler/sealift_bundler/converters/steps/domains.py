"""Where a function begins: logarithms and roots of rounded numbers, which decide there what is a number at all.

log1p(log10(0.1)) is minus infinity, and log10(0.1) one bit more in a graph, of which log1p is an ordinary number. So
whether there is a number is asked of the one in front of all roundings, with the boundary pulled back (`boundaries`).
Where there is no way back, a number beside the end of a function is refused.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift_bundler.converters.graph import Graph
from sealift_bundler.converters.steps import Context, Feature, Features, columns_of, gather
from sealift_bundler.converters.steps.boundaries import Compared, base_of, first_true, refused, stays_true, through

# They begin at zero, which a number that keeps its sign is where the original's is.
_AT_ZERO = {np.log, np.log2, np.log10, np.sqrt}
BEGINNING = {np.log1p, *_AT_ZERO}
# Where functions of rounded numbers are infinite, or no number on the other side.
_ENDS = {np.log1p: (-1.0,), np.arctanh: (-1.0, 1.0), **dict.fromkeys(_AT_ZERO, (0.0,))}
# Beyond it, rounding changes a logarithm by less than a hundredth of the tolerance.
NEAR = 1e-9


def has_way_back(feature: Feature) -> bool:
    """Return whether a number is rounded, and a function of one that is not, without exceptions."""
    return feature.rough is not None and feature.rough.pull is not None and not feature.rough.pull.fills


def begins_elsewhere(function: Any, feature: Feature) -> bool:
    """Return whether a function of a feature may begin elsewhere in a graph than in the original."""
    signed = feature.rough is not None and feature.rough.signed and function in _AT_ZERO
    return function in BEGINNING and has_way_back(feature) and not signed


def begun(context: Context, estimator: Any, feature: Feature, emitter: Callable[[Graph, str], str]) -> str:
    """A function of a rounded number, [rows, 1]: finite, infinite and NaN where the original's is.

    Args:
        context: The conversion, on a float64 rung.
        estimator: The FunctionTransformer, for its function and for error messages.
        feature: A number for which `begins_elsewhere` holds.
        emitter: Writes the function.

    Raises:
        NeverConverts: a function in front of it falls again beside the boundary.
    """
    graph = context.graph
    number = gather(context, (feature,), estimator)
    if feature.rough is None or feature.rough.pull is None:
        return emitter(graph, number)
    before = feature.rough.pull.functions
    functions = (*before, estimator.func)
    # The first numbers that give minus infinity, and more than that.
    starts = first_true(lambda x, place: _holds(through(functions, x), place), 2)
    if not stays_true(lambda x, place: _holds(through(functions, x), place), starts):
        raise refused(context, estimator, feature)
    base = base_of(context, feature.rough.pull)
    first = starts[1:] if np.isfinite(starts[1]) else np.array([np.finfo(np.float64).max])
    kept = _kept_above(graph, number, through(before, first))
    if estimator.func is not np.sqrt:
        # The logarithm of what is next to its end is made of the last bits of that.
        end = -1.0 if estimator.func is np.log1p else 0.0
        near = graph.add("Less", kept, graph.constant(end + NEAR))
        near = graph.add("And", near, _reached(graph, base, starts[1]))
        reason = f"step {context.where(estimator)} is given a number so close to {end:g} that its last bits decide"
        kept = context.trapped(kept, near, [feature.column], reason)
    made = emitter(graph, kept)
    below = graph.add(
        "Where", _reached(graph, base, starts[0]), graph.constant(-np.inf), graph.constant(np.array(np.nan))
    )
    return graph.add("Where", _reached(graph, base, starts[1]), made, below)


def clear_of_ends(context: Context, estimator: Any, features: Features, tensor: str) -> str:
    """Let the graph refuse numbers so close to an end of a function that how they were rounded decides what it gives.

    Args:
        context: The conversion.
        estimator: The FunctionTransformer, for its function and for error messages.
        features: The columns of `tensor`; those that `begun` looks after are left to it.
        tensor: [rows, features].
    """
    graph, function = context.graph, estimator.func
    ends = _ENDS.get(function, ())
    asked = [
        feature.rough is not None
        and not begins_elsewhere(function, feature)
        and not (feature.rough.signed and function in _AT_ZERO)
        for feature in features
    ]
    if not ends or not any(asked):
        return tensor
    near = ""
    for end in ends:
        apart = graph.add("Abs", graph.add("Sub", tensor, graph.constant(end)))
        found = graph.add("Less", apart, graph.constant(NEAR))
        near = graph.add("Or", near, found) if near else found
    near = graph.add("And", near, graph.constant(np.array([asked])))
    return context.trapped(tensor, near, columns_of(features), decided_by_last_bits(context, estimator, features))


def decided_by_last_bits(context: Context, estimator: Any, features: Features) -> str:
    """The reason for which a graph refuses a number at the end of a function."""
    first = next((feature.rough.step for feature in features if feature.rough and feature.rough.step), "")
    rounding = f", which step {first} rounds" if first and first != context.where(estimator) else ""
    return (
        f"step {context.where(estimator)} is given a number so close to the end of its function that its last bits "
        f"decide{rounding}"
    )


def _holds(values: NDArray[Any], place: NDArray[Any]) -> NDArray[Any]:
    reached: NDArray[Any] = np.where(place == 0, values >= -np.inf, values > -np.inf)
    return reached


def above_zero(context: Context, estimator: Any, feature: Feature, number: str) -> tuple[str, str]:
    """Tell whether a number is at most zero where the original's is, bool [rows, 1], and keep all others above zero.

    Args:
        context: The conversion, on a float64 rung.
        estimator: The step, for error messages.
        feature: The number; where it has no way back it is taken as it is.
        number: Its tensor [rows, 1].

    Returns:
        The mask, and the number.
    """
    graph = context.graph
    zero = graph.constant(0.0)
    rough = feature.rough
    if rough is None or rough.pull is None or rough.signed or not has_way_back(feature):
        return graph.add("LessOrEqual", number, zero), number
    compared = Compared("", rough.pull.functions, refused(context, estimator, feature))
    start = compared.above([0.0])
    base = base_of(context, rough.pull)
    reached = _reached(graph, base, start[0])
    at_most = graph.add("And", graph.add("Not", reached), graph.add("Equal", base, base))
    least = through(rough.pull.functions, np.where(np.isfinite(start), start, 1.0))
    return at_most, _kept_above(graph, number, np.maximum(least, np.finfo(np.float64).tiny))


def _reached(graph: Graph, base: str, start: float) -> str:
    return graph.add("GreaterOrEqual", base, graph.constant(float(start)))


def _kept_above(graph: Graph, number: str, least: NDArray[Any]) -> str:
    """The number, or `least` where it is below that; NaN stays."""
    low = graph.constant(least[np.newaxis])
    return graph.add("Where", graph.add("Less", number, low), low, number)
