"""Where answers jump: comparisons that fall as in the original, however a number in front of them was rounded.

The logarithm of a graph, of NumPy and of another processor differ in the last bit, and log10(1000) is on a boundary
of floor. So a number that a graph cannot have bit for bit is not compared at all, where it is an increasing
function of one that it has: the boundary is pulled back through the original's own function, by bisection over all
float64 numbers, and the graph compares the other number with that. Elsewhere the two steps are refused.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift_bundler.converters.graph import Graph
from sealift_bundler.converters.steps import Context, Feature, Features, Fill, Pull, Rough, gather
from sealift_bundler.converters.steps.arithmetic import concatenated, row_sum

Function = Callable[[NDArray[Any]], NDArray[Any]]
# Tells for numbers, and the places of conditions, whether each holds.
Condition = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]
# How many float64 numbers away from a boundary both sides are looked at: next to it, and as far as rounding may reach.
_BESIDE = np.unique([1, 2, 3, 4, *(factor * 2**power for power in range(3, 31) for factor in (1, 3))])

# Whole numbers up to here are exact in float32.
EXACT_IN_FLOAT32 = 2**24
# Jumps are listed up to here, on both sides of zero: all those of any logarithm of a float64.
_FARTHEST_JUMP = 2048
# Up to this many they are all compared with.
_FEW_JUMPS = 64
_LARGEST = np.finfo(np.float64).max


@dataclass(frozen=True)
class Compared:
    """A number to compare: a tensor [rows, 1], and where its boundaries are in that tensor."""

    tensor: str
    functions: tuple[Function, ...] = ()
    # Raised where a function falls again beside a boundary, as some of NumPy's do where they are nearly flat.
    error: Exception | None = None
    fills: tuple[Fill, ...] = ()
    # The number itself as the graph has it, [rows, 1].
    own: str = ""

    def then(self, function: Function) -> "Compared":
        """What a function makes of the number; what the graph has itself stays."""
        return replace(self, functions=(*self.functions, function), fills=_fills_then(self.fills, function))

    def reached(self, graph: Graph, edges: Any, *, above: bool = False) -> str:
        """Whether the original's number is at least each of the edges, or above it, bool [rows, edges]; NaN is not."""
        known = np.asarray(edges, dtype=np.float64)
        starts = self.above(known) if above else self.at_least(known)
        found = graph.add("GreaterOrEqual", self.tensor, graph.constant(starts[np.newaxis]))
        for fill in self.fills:
            if fill.value is None:
                mine = graph.add("Greater" if above else "GreaterOrEqual", self.own, graph.constant(known[np.newaxis]))
            else:
                mine = graph.constant((fill.value > known if above else fill.value >= known)[np.newaxis])
            # ONNX Runtime chooses between numbers and texts, and not between truths.
            found = graph.add("And", found, graph.add("Not", fill.mask))
            found = graph.add("Or", found, graph.add("And", mine, fill.mask))
        return found

    def at_least(self, edges: Any) -> NDArray[Any]:
        """Return e for each edge, so that `tensor` >= e exactly where the original's number is at least the edge."""
        known: NDArray[Any] = np.array(edges, dtype=np.float64)
        if not self.functions:
            return known
        return self._pulled(lambda x, place: self._value(x) >= known[place], len(known))

    def above(self, edges: Any) -> NDArray[Any]:
        """Return e for each edge, so that `tensor` >= e exactly where the original's number is above the edge."""
        known: NDArray[Any] = np.asarray(edges, dtype=np.float64)
        if not self.functions:
            following: NDArray[Any] = np.nextafter(known, np.inf)
            return following
        return self._pulled(lambda x, place: self._value(x) > known[place], len(known))

    def _pulled(self, holds: Condition, count: int) -> NDArray[Any]:
        found = first_true(holds, count)
        if self.error is not None and not stays_true(holds, found):
            raise self.error
        return found

    def _value(self, x: NDArray[Any]) -> NDArray[Any]:
        return through(self.functions, x)


def through(functions: tuple[Function, ...], x: NDArray[Any]) -> NDArray[Any]:
    """Apply the original's functions one after another, without NumPy's warnings."""
    with np.errstate(all="ignore"):
        for function in functions:
            x = function(x)
    return x


def compared(context: Context, estimator: Any, feature: Feature) -> Compared:
    """Make a number ready for comparisons with anything.

    Raises:
        NeedsLaterRung: on the float32 rung, where a rounded number may be on the other side.
        NeverConverts: it is not the original's number bit for bit, and there is no way back from it.
    """
    if context.narrow:
        raise context.climb("its answers jump, and float32 rounds the number in front of it", estimator)
    check_double(context, estimator, (feature,))
    column = gather(context, (feature,), estimator)
    rough = feature.rough
    if rough is None:
        return Compared(column)
    if rough.pull is None:
        raise refused(context, estimator, feature)
    graph = context.graph
    # What the functions make NaN of is NaN here, too; a comparison with it is false.
    nan = graph.constant(np.array(np.nan))
    there = graph.add("Where", graph.add("IsNaN", column), nan, base_of(context, rough.pull))
    return Compared(there, rough.pull.functions, refused(context, estimator, feature), rough.pull.fills, column)


def base_of(context: Context, pull: Pull) -> str:
    """The column that a rough number is a function of, [rows, 1]."""
    return context.graph.add("Gather", pull.tensor, context.graph.constant([pull.index]), axis=1)


def check_double(context: Context, estimator: Any, features: Features) -> None:
    """Check that the original has none of these numbers from arithmetic in float32; note where sparse rows differ.

    Raises:
        NeverConverts: it has.
    """
    if any(feature.divided for feature in features):
        context.reads.setdefault("absent", "refused")
    if any(feature.single for feature in features):
        raise context.refuse(
            "its answers jump, and it is given what scikit-learn computes in float32, whose last digit a graph does "
            "not repeat; give float64 samples: .astype('float64')",
            estimator,
        )


def number_among(features: Features, value: float) -> float:
    """A Python number as NumPy compares it with an array of these features: of their dtype, if that is of floats."""
    dtype = np.result_type(*(np.dtype(feature.dtype) for feature in features))
    return float(dtype.type(value)) if dtype.kind == "f" else float(value)


def refused(context: Context, estimator: Any, feature: Feature) -> Exception:
    """Make the error for a step that jumps behind one that rounds otherwise."""
    first = feature.rough.step if feature.rough is not None else "another step"
    return context.refuse(
        f"its answers jump, and the numbers of step {first} in front of it differ in a graph in their last bit, "
        "which decides a row on a boundary; give it the columns as they are, in front of that step or beside it in a "
        "ColumnTransformer",
        estimator,
    )


def check_compared(context: Context, estimator: Any, features: Features, values: Any = None) -> None:
    """Check that features can be compared as they are with values, by default with any.

    Raises:
        NeedsLaterRung: on the float32 rung, unless features and values are whole numbers.
        NeverConverts: a feature is not the original's number bit for bit, nor is its sign all that matters.
    """
    known = np.asarray([] if values is None else values, dtype=np.float64)
    whole = values is not None and np.array_equal(known, np.round(known)) and np.all(np.abs(known) < EXACT_IN_FLOAT32)
    if context.narrow:
        if not whole or not all(feature.integral for feature in features):
            raise context.climb("its answers jump, and float32 rounds the number in front of it", estimator)
        return
    check_double(context, estimator, features)
    for feature in features:
        zeros = values is not None and not known.any() and feature.rough is not None and feature.rough.signed
        if feature.rough is not None and not zeros:
            raise refused(context, estimator, feature)


def equal(context: Context, estimator: Any, feature: Feature, values: NDArray[Any]) -> str:
    """Whether a feature equals each of the finite or missing values, bool [rows, values]; missing ones equal none."""
    graph = context.graph
    known = values[~np.isnan(values)]
    rough = feature.rough
    signed = rough is not None and rough.signed and not known.any()
    if context.narrow or rough is None or rough.pull is None or signed:
        check_compared(context, estimator, (feature,), known)
        return graph.add("Equal", gather(context, (feature,), estimator), graph.constant(values[np.newaxis]))
    number = compared(context, estimator, feature)
    there = ~np.isnan(values)
    asked = np.where(there, values, 0.0)
    passed = graph.add("Not", number.reached(graph, asked, above=True))
    return graph.add("And", graph.add("And", number.reached(graph, asked), passed), graph.constant(there[np.newaxis]))


def is_above(context: Context, estimator: Any, features: Features, threshold: float) -> str:
    """Whether each feature is above a threshold, bool [rows, features]; only on the float64 rung."""
    graph = context.graph
    if context.narrow:
        raise context.climb("its answers jump, and float32 rounds the number in front of it", estimator)
    check_double(context, estimator, features)
    as_it_is = [feature.rough is None or (feature.rough.signed and threshold == 0) for feature in features]
    if all(as_it_is):
        return graph.add("Greater", gather(context, features, estimator), graph.constant(threshold))
    parts = []
    for feature, plain in zip(features, as_it_is, strict=True):
        if plain:
            parts.append(graph.add("Greater", gather(context, (feature,), estimator), graph.constant(threshold)))
            continue
        parts.append(compared(context, estimator, feature).reached(graph, [threshold], above=True))
    return concatenated(graph, parts)


def whole(context: Context, estimator: Any, feature: Feature, step: Function, rounded: str) -> str:
    """A whole number that rises with a feature, [rows, 1], as `step` makes it of the original's number.

    Args:
        context: The conversion.
        estimator: The step, for error messages.
        feature: Not the original's number bit for bit.
        step: Such as numpy.floor.
        rounded: The tensor of what the graph makes of its own number: right, or one too many or too few.
    """
    graph = context.graph
    number = compared(context, estimator, feature)
    functions = (*number.functions, step)
    ends = _ends(functions)
    if ends is None:
        raise refused(context, estimator, feature)
    low, high = (int(np.clip(end, -_FARTHEST_JUMP, _FARTHEST_JUMP)) for end in ends)
    if (low, high) != ends:
        beyond = graph.add("Greater", graph.add("Abs", rounded), graph.constant(float(_FARTHEST_JUMP - 1)))
        reason = (
            f"step {context.where(estimator)} gives a number beyond {_FARTHEST_JUMP - 1:,}, where a graph may round "
            f"step {feature.rough.step if feature.rough else ''} to another one"
        )
        rounded = context.trapped(rounded, beyond, [feature.column], reason)
    levels = np.arange(low, high + 1)
    # The first number that gives each level; the lowest is given by all that give any.

    def holds(x: NDArray[Any], place: NDArray[Any]) -> NDArray[Any]:
        reached: NDArray[Any] = through(functions, x) >= levels[place]
        return reached

    starts = first_true(holds, len(levels))
    if not stays_true(holds, starts):
        raise refused(context, estimator, feature)
    starts[0] = -np.inf
    if len(levels) <= _FEW_JUMPS:
        passed = graph.add("GreaterOrEqual", number.tensor, graph.constant(starts[np.newaxis, 1:]))
        right = graph.add("Add", row_sum(graph, graph.cast(passed, graph.dtype)), graph.constant(float(low)))
    else:
        right = _looked_up(graph, number.tensor, rounded, starts, low)
    for fill in number.then(step).fills:
        right = graph.add("Where", fill.mask, rounded if fill.value is None else graph.constant(fill.value), right)
    # An infinity, or NaN, is what it is.
    finite = graph.add("Equal", graph.add("Sub", rounded, rounded), graph.constant(0.0))
    return graph.add("Where", finite, right, rounded)


def _looked_up(graph: Graph, x: str, rounded: str, starts: NDArray[Any], low: int) -> str:
    """The level of `x` by where levels start, from one that is right, or one too many or too few."""
    table = graph.constant(np.append(starts, np.inf))
    first, last = graph.constant(float(low)), graph.constant(float(low + len(starts) - 1))
    known = graph.add("Where", graph.add("IsNaN", rounded), first, graph.add("Clip", rounded, first, last))
    place = graph.cast(graph.add("Sub", known, first), "int64")
    below = graph.add("Less", x, graph.add("Gather", table, place, axis=0))
    after = graph.add("Gather", table, graph.add("Add", place, graph.constant(1)), axis=0)
    beyond = graph.add("GreaterOrEqual", x, after)
    return graph.add("Add", known, graph.add("Sub", graph.cast(beyond, graph.dtype), graph.cast(below, graph.dtype)))


def _ends(functions: tuple[Function, ...]) -> tuple[float, float] | None:
    """The lowest and the highest whole number that functions give; None where they give no finite one."""
    # Beyond the numbers that a function takes, and where it overflows, there are none.
    least = first_true(lambda x, _place: through(functions, x) > -np.inf, 1)
    overflows = first_true(lambda x, _place: through(functions, x) == np.inf, 1)
    values = through(functions, np.append(least, min(np.nextafter(overflows, -np.inf)[0], _LARGEST)))
    return (float(values[0]), float(values[1])) if np.isfinite(values).all() else None


def _ordered(numbers: NDArray[Any]) -> NDArray[np.int64]:
    """Integers in the order of float64 numbers."""
    bits = numbers.view(np.int64)
    return np.where(bits >= 0, bits, -(bits & np.int64(2**63 - 1)))


def _number(ordered: NDArray[np.int64]) -> NDArray[Any]:
    bits = np.where(ordered >= 0, ordered, -ordered | np.int64(-(2**63)))
    numbers: NDArray[Any] = bits.view(np.float64)
    return numbers


def first_true(holds: Condition, count: int) -> NDArray[Any]:
    """The first float64 from which on each of `count` conditions holds, infinity where it never does.

    Args:
        holds: Tells for numbers, and the places 0 to `count` - 1 of the conditions, whether each holds.
        count: How many conditions there are.
    """
    places = np.arange(count)
    low = np.full(count, _ordered(np.array([-_LARGEST]))[0])
    high = np.full(count, _ordered(np.array([_LARGEST]))[0])
    never = ~holds(_number(high), places)
    while (low < high).any():
        # The mean, rounded down, without an overflow.
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        true = holds(_number(middle), places)
        high = np.where(true, middle, high)
        low = np.where(true, low, np.minimum(middle + 1, high))
    return np.where(never, np.inf, _number(high))


def stays_true(holds: Condition, starts: NDArray[Any]) -> bool:
    """Return whether no condition holds close below its first float64, and each holds close above it."""
    finite = np.flatnonzero(np.isfinite(starts))
    places, offsets = (values.ravel() for values in np.meshgrid(finite, _BESIDE, indexing="ij"))
    least = _ordered(np.array([_LARGEST]))[0]
    middle = _ordered(starts[places])
    low, high = _number(np.maximum(middle - offsets, -least)), _number(np.minimum(middle + offsets, least))
    return not (holds(low, places) & (low < starts[places])).any() and bool(holds(high, places).all())


def extended(
    feature: Feature, function: Function | None, step: str, *, starts: bool, signed: bool = False
) -> Rough | None:
    """The way back from an increasing function of a feature; None where there is none.

    Args:
        feature: What the function is applied to.
        function: As the original computes it; None for one that does not only rise.
        step: The name of the step that applies it.
        starts: Whether its numbers are not bit for bit those of the original.
        signed: Whether it keeps the sign, and zero alone is zero.

    Returns:
        The Rough of the result, or None where it is the original's number bit for bit.
    """
    if feature.rough is None and not starts:
        return None
    before = feature.rough
    name = before.step if before is not None and before.step else step
    signed = signed and (before is None or before.signed)
    if function is None or (before is not None and before.pull is None):
        # A function that falls leaves no way back to take.
        unordered = before is not None and (before.unordered or before.pull is not None)
        return Rough(name, signed=signed, unordered=unordered, coarse=before is not None and before.coarse)
    pull = before.pull if before is not None and before.pull is not None else Pull(feature.tensor, feature.index, ())
    pull = replace(pull, functions=(*pull.functions, function), fills=_fills_then(pull.fills, function))
    return Rough(name, pull, signed, coarse=before is not None and before.coarse)


def filled_in(feature: Feature, mask: str, value: float | None, step: str) -> Rough | None:
    """What is known of a feature where some numbers are filled in.

    Args:
        feature: The numbers before.
        mask: Which ones are filled in, bool [rows, 1].
        value: What with; None where the graph rounds that, by the step of this name.
        step: The name of the step.
    """
    before = feature.rough
    if before is None and value is not None:
        return None
    if before is not None and before.pull is None:
        return replace(before, signed=False)
    pull = Pull(feature.tensor, feature.index, ()) if before is None or before.pull is None else before.pull
    pull = replace(pull, fills=(*pull.fills, Fill(mask, value)))
    return replace(before or Rough(step), pull=pull, signed=False)


def _fills_then(fills: tuple[Fill, ...], function: Function) -> tuple[Fill, ...]:
    return tuple(
        fill if fill.value is None else Fill(fill.mask, float(through((function,), np.array([fill.value]))[0]))
        for fill in fills
    )
