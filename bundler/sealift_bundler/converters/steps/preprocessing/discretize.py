"""Emitters of transformations column by column: bins, powers, quantiles, splines, polynomials."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.interpolate import BSpline, PPoly
from scipy.special import boxcox
from sklearn.preprocessing import (
    Binarizer,
    KBinsDiscretizer,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
)

from sealift_bundler.converters.graph import Graph, numbers_of
from sealift_bundler.converters.steps import (
    Context,
    Features,
    columns_of,
    features_of,
    numbers,
    one_to_one,
    transforms,
)
from sealift_bundler.converters.steps.arithmetic import column, concatenated, wide_numbers
from sealift_bundler.converters.steps.boundaries import (
    Compared,
    check_compared,
    compared,
    extended,
    is_above,
    number_among,
)
from sealift_bundler.converters.steps.domains import above_zero
from sealift_bundler.converters.steps.ends import ended
from sealift_bundler.converters.steps.functions import FUNCTIONS
from sealift_bundler.converters.steps.magnified import magnifies, refused_magnifying, sharpened
from sealift_bundler.converters.steps.tabulated import normal_quantile, piecewise

# scikit-learn keeps the normal quantile function this far from 0 and 1.
_BOUNDS = 1e-7


@transforms(Binarizer)
def _binarizer(context: Context, estimator: Binarizer, features: Features) -> Features:
    above = is_above(context, estimator, features, number_among(features, estimator.threshold))
    return one_to_one(features, context.graph.cast(above, context.graph.dtype), exact=True, integral=True, rough=None)


@transforms(KBinsDiscretizer)
def _bins(context: Context, estimator: KBinsDiscretizer, features: Features) -> Features:
    graph = context.graph
    parts = []
    width = 0
    for index, edges in enumerate(estimator.bin_edges_):
        number = compared(context, estimator, features[index])
        count = int(estimator.n_bins_[index])
        passed = graph.cast(number.reached(graph, numbers_of(edges)[1:-1]), graph.dtype)
        place = graph.add("ReduceSum", passed, graph.constant([1]), keepdims=1)
        if estimator.encode == "ordinal":
            parts.append(place)
            width += 1
            continue
        found = graph.add("Equal", place, graph.constant(np.arange(count, dtype=np.float64)[np.newaxis]))
        parts.append(graph.cast(found, graph.dtype))
        width += count
    return features_of(concatenated(graph, parts), width, exact=True, integral=True)


@transforms(PowerTransformer)
def _power(context: Context, estimator: PowerTransformer, features: Features) -> Features:
    graph = context.graph
    tensor = wide_numbers(context, estimator, features)
    if estimator.method == "box-cox":
        sides = [
            above_zero(context, estimator, feature, column(graph, tensor, index))
            for index, feature in enumerate(features)
        ]
        at_most, kept = (concatenated(graph, [*parts]) for parts in zip(*sides, strict=True))
        reason = f"step {context.where(estimator)} takes numbers above zero alone"
        tensor = context.trapped(kept, at_most, columns_of(features), reason)
    parts = []
    for index, power in enumerate(estimator.lambdas_):
        x = column(graph, tensor, index)
        if np.isnan(power):
            parts.append(x)
        elif estimator.method == "box-cox":
            parts.append(_box_cox(graph, x, float(power)))
        else:
            parts.append(_yeo_johnson(graph, x, float(power)))
    given = tensor
    powers = [_one_power(estimator, index, scaled=False) for index in range(len(features))]
    tensor = ended(context, estimator, features, given, concatenated(graph, parts), powers)
    if estimator.standardize:
        scaler = estimator._scaler  # noqa: SLF001 - there is no public form
        reason = f"step {context.where(estimator)} makes an infinite number, which its own scaler does not take"
        tensor = context.trapped(tensor, graph.add("IsInf", tensor), columns_of(features), reason)
        tensor = graph.add("Sub", tensor, graph.constant(numbers_of(scaler.mean_)))
        tensor = graph.add("Div", tensor, graph.constant(numbers_of(scaler.scale_)))
        powers = [_one_power(estimator, index) for index in range(len(features))]
        tensor = ended(context, estimator, features, given, tensor, powers)
    step = context.where(estimator)
    made = one_to_one(features, tensor, doubt=step)
    scaler = estimator._scaler if estimator.standardize else None  # noqa: SLF001 - there is no public form
    moments = [(0.0, 1.0)] * len(features) if scaler is None else [*zip(scaler.mean_, scaler.scale_, strict=True)]
    return tuple(
        replace(
            made[index],
            rough=sharpened(extended(feature, _one_power(estimator, index), step, starts=True), *moments[index]),
        )
        for index, feature in enumerate(features)
    )


def _one_power(
    estimator: PowerTransformer, index: int, *, scaled: bool = True
) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """What a PowerTransformer does to one column, as scikit-learn computes it; not `scaled` leaves out its scaler."""
    power = estimator.lambdas_[index]
    function = {"box-cox": boxcox, "yeo-johnson": stats.yeojohnson}[estimator.method]
    scaler = estimator._scaler if estimator.standardize and scaled else None  # noqa: SLF001 - there is no public form

    def apply(x: NDArray[Any]) -> NDArray[Any]:
        x = x if np.isnan(power) else np.asarray(function(x, power), dtype=np.float64)
        return x if scaler is None else (x - float(scaler.mean_[index])) / float(scaler.scale_[index])

    return apply


def _grown(graph: Graph, logarithm: str, power: float) -> str:
    """(exp(power · log) - 1) / power, or the logarithm itself for a power of zero."""
    if abs(power) < np.spacing(1.0):
        return logarithm
    grown = FUNCTIONS[np.expm1](graph, graph.add("Mul", logarithm, graph.constant(power)))
    return graph.add("Div", grown, graph.constant(power))


def _box_cox(graph: Graph, x: str, power: float) -> str:
    return _grown(graph, graph.add("Log", x), power)


def _yeo_johnson(graph: Graph, x: str, power: float) -> str:
    # A missing value is neither at least zero nor below; it goes through the second branch as it is.
    positive = graph.add("GreaterOrEqual", x, graph.constant(0.0))
    upper = FUNCTIONS[np.log1p](graph, graph.add("Where", positive, x, graph.constant(0.0)))
    lower = FUNCTIONS[np.log1p](graph, graph.add("Where", positive, graph.constant(0.0), graph.add("Neg", x)))
    below = graph.add("Neg", _grown(graph, lower, 2.0 - power))
    return graph.add("Where", positive, _grown(graph, upper, power), below)


@transforms(QuantileTransformer)
def _quantile(context: Context, estimator: QuantileTransformer, features: Features) -> Features:
    graph = context.graph
    tensor = wide_numbers(context, estimator, features)
    references = numbers_of(estimator.references_)
    normal = estimator.output_distribution == "normal"
    parts = []
    for index in range(len(features)):
        known = numbers_of(estimator.quantiles_[:, index])
        x = column(graph, tensor, index)
        rough = features[index].rough
        jumps = repeats(known) or (normal and rough is not None and rough.pull is not None)
        number = compared(context, estimator, features[index]) if jumps else Compared(x)
        if magnifies(features[index], known, references):
            raise refused_magnifying(context, estimator, features[index])
        share = _rank(graph, x, number, known, references)
        at_low, at_high = _ends(graph, number, known, normal=normal)
        share = graph.add("Where", at_high, graph.constant(1.0), share)
        share = graph.add("Where", at_low, graph.constant(0.0), share)
        if normal:
            least, most = _BOUNDS - np.spacing(1.0), 1 - (_BOUNDS - np.spacing(1.0))
            share = normal_quantile(graph, graph.add("Clip", share, graph.constant(least), graph.constant(most)))
        parts.append(graph.add("Where", graph.add("IsNaN", x), graph.constant(np.array(np.nan)), share))
    step = context.where(estimator)
    return tuple(
        replace(made, rough=extended(feature, _one_quantile(estimator, index), step, starts=True))
        for index, (made, feature) in enumerate(
            zip(one_to_one(features, concatenated(graph, parts)), features, strict=True)
        )
    )


def _ends(graph: Graph, number: Compared, known: Any, *, normal: bool) -> tuple[str, str]:
    """Whether a number is at the lower end, and at the upper one."""
    x, low, high = number.tensor, float(known[0]), float(known[-1])
    if number.functions or number.fills:
        less = number.then(lambda x: x - _BOUNDS) if normal else number
        more = number.then(lambda x: x + _BOUNDS) if normal else number
        over = less.reached(graph, [low], above=not normal)
        return graph.add("Not", over), more.reached(graph, [high], above=normal)
    if normal:
        return (
            graph.add("Less", graph.add("Sub", x, graph.constant(_BOUNDS)), graph.constant(low)),
            graph.add("Greater", graph.add("Add", x, graph.constant(_BOUNDS)), graph.constant(high)),
        )
    return graph.add("LessOrEqual", x, graph.constant(low)), graph.add("GreaterOrEqual", x, graph.constant(high))


def _one_quantile(estimator: QuantileTransformer, index: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """What a QuantileTransformer does to one column, as scikit-learn computes it."""

    def apply(x: NDArray[Any]) -> NDArray[Any]:
        known = estimator.quantiles_[:, index]
        made: NDArray[Any] = estimator._transform_col(np.array(x), known, inverse=False)  # noqa: SLF001 - no public form
        return made

    return apply


def repeats(known: NDArray[Any]) -> bool:
    """Return whether a quantile repeats: the rank of a number jumps there."""
    return bool((np.diff(known) == 0).any())


def _rank(graph: Graph, x: str, number: Compared, known: Any, references: Any) -> str:
    """The mean of interpolating from below and from above: they differ where a quantile repeats."""
    inside = graph.add("Clip", x, graph.constant(float(known[0])), graph.constant(float(known[-1])))
    inside = graph.add("Where", graph.add("IsNaN", x), graph.constant(float(known[0])), inside)
    last = len(known) - 1
    # Beyond the ends every number is where the end is, and a missing one at the lower end.
    first, others = graph.constant((known == known[0])[np.newaxis]), graph.constant((known != known[-1])[np.newaxis])
    at_most = _count(graph, graph.add("Or", number.reached(graph, known), first))
    below = _count(graph, graph.add("And", number.reached(graph, known, above=True), others))
    steps = np.diff(known)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(steps > 0, np.diff(references) / steps, 0.0)
    left = graph.add("Sub", at_most, graph.constant(1))
    up = _line(graph, inside, left, known, references, np.append(slopes, 0.0))
    right = graph.add("Min", below, graph.constant(last))
    down = _line(graph, inside, right, known, references, np.insert(slopes, 0, 0.0))
    return graph.add("Mul", graph.add("Add", up, down), graph.constant(0.5))


def _count(graph: Graph, found: str) -> str:
    return graph.add("ReduceSum", graph.cast(found, "int64"), graph.constant([1]), keepdims=1)


def _line(graph: Graph, x: str, place: str, known: Any, values: Any, slopes: Any) -> str:
    """values[place] + slopes[place] · (x - known[place])."""
    start, slope, value = (graph.add("Gather", graph.constant(table), place) for table in (known, slopes, values))
    return graph.add("Add", value, graph.add("Mul", slope, graph.add("Sub", x, start)))


@transforms(SplineTransformer)
def _spline(context: Context, estimator: SplineTransformer, features: Features) -> Features:
    graph = context.graph
    if estimator.extrapolation == "error":
        raise context.refuse("it raises outside its knots (extrapolation='error'), which a graph cannot; "
                             "use 'constant'", estimator)  # fmt: skip
    tensor = wide_numbers(context, estimator, features)
    if estimator.degree == 0:
        check_compared(context, estimator, features)
    parts = []
    width = 0
    # scikit-learn raises the degree by which it finds the boundary knots after the first linear column.
    bound = estimator.degree
    for index, spline in enumerate(estimator.bsplines_):
        x = column(graph, tensor, index)
        knots = np.unique(spline.t)
        # Each function of the basis rises by one at most, and as steeply as its degree says.
        if magnifies(features[index], knots, np.arange(len(knots)) * float(max(spline.k, 1))):
            raise refused_magnifying(context, estimator, features[index])
        basis, count = _basis(graph, x, spline, estimator, bound)
        if estimator.extrapolation == "linear":
            bound = max(bound, min(bound + 1, 2))
        if getattr(estimator, "handle_missing", "error") == "zeros":
            basis = graph.add("Where", graph.add("IsNaN", x), graph.constant(0.0), basis)
        kept = count if estimator.include_bias else count - 1
        if kept != count:
            basis = graph.add("Gather", basis, graph.constant(np.arange(kept)), axis=1)
        parts.append(basis)
        width += kept
    return features_of(concatenated(graph, parts), width)


def _basis(graph: Graph, x: str, spline: Any, estimator: SplineTransformer, bound: int) -> tuple[str, int]:
    degree = spline.k
    low, high = float(spline.t[bound]), float(spline.t[-bound - 1])
    count = spline.c.shape[1]
    knots = np.asarray(spline.t)
    starts = knots[:-1]
    # Knots that repeat make pieces of no length.
    real = np.flatnonzero((np.diff(knots) > 0) & (starts >= low) & (starts < high))
    each = [PPoly.from_spline(BSpline(knots, spline.c[:, place], degree)).c for place in range(count)]
    coefficients = np.stack(each, axis=2)[::-1][:, real].transpose(1, 0, 2)
    inside = x
    if estimator.extrapolation == "periodic":
        span = graph.constant(high - low)
        offset = graph.add("Sub", x, graph.constant(low))
        # What is left of a division is exact, however far the row is.
        left = graph.add("Mod", offset, span, fmod=1)
        negative = graph.add("Less", left, graph.constant(0.0))
        left = graph.add("Where", negative, graph.add("Add", left, span), left)
        inside = graph.add("Add", graph.constant(low), left)
    elif estimator.extrapolation in ("constant", "linear"):
        inside = graph.add("Clip", x, graph.constant(low), graph.constant(high))
    basis = piecewise(graph, inside, starts[real], np.ascontiguousarray(coefficients))
    if estimator.extrapolation == "linear":
        # Beyond the boundary knots a spline goes on as a straight line.
        at_low, at_high = spline(low, nu=1), spline(high, nu=1)
        edge = max(min(bound + 1, 2), bound)
        slope_low, slope_high = np.zeros(count), np.zeros(count)
        slope_low[:edge], slope_high[count - edge :] = at_low[:edge], at_high[count - edge :]
        beyond = graph.add("Sub", x, inside)
        before = graph.add("Min", beyond, graph.constant(0.0))
        after = graph.add("Max", beyond, graph.constant(0.0))
        basis = graph.add("Add", basis, graph.add("Mul", before, graph.constant(slope_low[np.newaxis])))
        basis = graph.add("Add", basis, graph.add("Mul", after, graph.constant(slope_high[np.newaxis])))
    return basis, count


@transforms(PolynomialFeatures)
def _polynomial(context: Context, estimator: PolynomialFeatures, features: Features) -> Features:
    graph = context.graph
    tensor = numbers(context, features, estimator)
    powers = np.asarray(estimator.powers_)
    # From the last factor to the first, as scikit-learn multiplies: rounding is then the same.
    factors = [np.repeat(np.arange(len(row)), row)[::-1] for row in powers]
    most = max((len(row) for row in factors), default=0)
    # A column of ones stands for the factors that a shorter product lacks.
    one = graph.add("Add", graph.add("Mul", _finite(graph, column(graph, tensor, 0)), graph.constant(0.0)),
                    graph.constant(1.0))  # fmt: skip
    padded = graph.add("Concat", tensor, one, axis=1)
    table = np.full((len(factors), max(most, 1)), len(features))
    for place, row in enumerate(factors):
        table[place, : len(row)] = row
    product = graph.add("Gather", padded, graph.constant(table[:, 0]), axis=1)
    for power in range(1, table.shape[1]):
        factor = graph.add("Gather", padded, graph.constant(table[:, power]), axis=1)
        product = graph.add("Mul", product, factor)
    rough = any(feature.rough for feature in features)
    step = context.where(estimator)
    made = features_of(product, len(factors), same=not context.sparse and not rough)
    return tuple(
        replace(feature, doubt=step, rough=feature.rough and replace(feature.rough, unordered=rough))
        for feature in made
    )


def _finite(graph: Graph, tensor: str) -> str:
    return graph.add("Where", graph.add("IsNaN", tensor), graph.constant(0.0), tensor)
