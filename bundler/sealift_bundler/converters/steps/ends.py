"""Where a function ends: exponentials and powers, which are infinite from the number on from which the original's are.

exp2(1024) is infinite, and exp(1024 · log(2)) of a graph the largest float64. The next step may raise for infinity. So
whether a number is finite is asked of the one in front of all roundings, with the end pulled back (`boundaries`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift_bundler.converters.steps import Context, Feature, Features, columns_of
from sealift_bundler.converters.steps.arithmetic import column, concatenated
from sealift_bundler.converters.steps.boundaries import Function, base_of, first_true, refused, stays_true, through
from sealift_bundler.converters.steps.domains import NEAR, decided_by_last_bits, has_way_back

# They overflow in a graph at another number than in NumPy.
_ENDING = {np.exp, np.exp2, np.expm1, np.sinh, np.cosh}
# They overflow at the same number, and elsewhere only where that was rounded otherwise.
_ENDING_OF_ROUNDED = {np.square, np.rad2deg, np.degrees}


def ends_elsewhere(context: Context, function: Any, feature: Feature) -> bool:
    """Return whether a function of a feature may overflow elsewhere in a graph than in the original."""
    if context.narrow and np.dtype(feature.dtype) != np.float32:
        # What overflows in float32 long before the original does stays infinite, and a later rung answers it.
        return False
    return function in _ENDING or (function in _ENDING_OF_ROUNDED and feature.rough is not None)


def ended(
    context: Context, estimator: Any, features: Features, given: str, made: str, functions: Sequence[Function]
) -> str:
    """Make numbers infinite where the original's are, and finite where those are.

    Args:
        context: The conversion.
        estimator: The step, for error messages.
        features: What the step is given.
        given: Their tensor, [rows, features].
        made: What the graph makes of it: near the ends finite or infinite, whichever the original's numbers are.
        functions: What the original does to each feature: rising, or the same on both sides of zero.

    Returns:
        The numbers [rows, features]; NaN stays. The graph refuses a rounded number without a way back beside an end.

    Raises:
        NeverConverts: a function in front of the step falls again beside the end.
    """
    graph = context.graph
    ends = [_ends(context, estimator, *pair) for pair in zip(features, functions, strict=True)]
    made = _clear_of_them(context, estimator, features, given, made, ends)
    if any(has_way_back(feature) for feature in features):
        bases = [_base(context, feature, column(graph, given, place)) for place, feature in enumerate(features)]
        given = concatenated(graph, bases)
    largest = float(np.finfo(graph.dtype).max)
    finite = graph.add("Where", graph.add("Greater", made, graph.constant(largest)), graph.constant(largest), made)
    finite = graph.add("Where", graph.add("Less", made, graph.constant(-largest)), graph.constant(-largest), finite)
    number = graph.add("Equal", made, made)
    for operator, bounds, values in (
        ("Less", [end.low for end in ends], [end.below for end in ends]),
        ("GreaterOrEqual", [end.high for end in ends], [np.inf for _ in ends]),
    ):
        there = np.isfinite(np.array([bounds]))
        if there.any():
            bound = np.clip(np.where(there, np.array([bounds]), 0.0), -largest, largest)
            beyond = graph.add("And", graph.add(operator, given, graph.constant(bound)), graph.constant(there))
            beyond = graph.add("And", beyond, number)
            finite = graph.add("Where", beyond, graph.constant(np.array([values])), finite)
    return finite


def _clear_of_them(
    context: Context, estimator: Any, features: Features, given: str, made: str, ends: "Sequence[_Ends]"
) -> str:
    graph = context.graph
    blind = np.array([[feature.rough is not None and not has_way_back(feature) for feature in features]])
    if not blind.any():
        return made
    near = ""
    for bounds in (np.array([[end.low for end in ends]]), np.array([[end.high for end in ends]])):
        there = blind & np.isfinite(bounds)
        bound = np.where(there, bounds, 0.0)
        apart = graph.add("Abs", graph.add("Sub", given, graph.constant(bound)))
        found = graph.add("LessOrEqual", apart, graph.constant(np.abs(bound) * NEAR))
        found = graph.add("And", found, graph.constant(there))
        near = graph.add("Or", near, found) if near else found
    return context.trapped(made, near, columns_of(features), decided_by_last_bits(context, estimator, features))


@dataclass(frozen=True)
class _Ends:
    """The first number of which the original's is finite, what it is below that, and the first of which it is not."""

    low: float
    below: float
    high: float


def _ends(context: Context, estimator: Any, feature: Feature, function: Function) -> _Ends:
    pull = feature.rough.pull if feature.rough is not None and has_way_back(feature) else None
    before = pull.functions if pull is not None else ()
    dtype = np.dtype(feature.dtype)
    if dtype == np.float32:
        before = (lambda x: x.astype(dtype), *before)

    def holds(x: NDArray[Any], place: NDArray[Any]) -> NDArray[Any]:
        number = through(before, x)
        value = through((function,), number)
        begun = (value > -np.inf) & ~((value == np.inf) & (number < 0))
        held: NDArray[Any] = np.where(place == 0, begun, (value == np.inf) & (number > 0))
        return held

    low, high = first_true(holds, 2)
    if holds(np.array([-np.finfo(np.float64).max]), np.zeros(1, dtype=int))[0]:
        low = -np.inf  # It has no lower end.
    if before and not stays_true(holds, np.array([low, high])):
        raise refused(context, estimator, feature)
    below = through((*before, function), np.nextafter(np.array([low]), -np.inf))[0] if np.isfinite(low) else -np.inf
    return _Ends(float(low), float(below), float(high))


def _base(context: Context, feature: Feature, number: str) -> str:
    pull = feature.rough.pull if feature.rough is not None and has_way_back(feature) else None
    return number if pull is None else base_of(context, pull)
