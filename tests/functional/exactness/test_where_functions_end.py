"""Exponentials and powers: they are infinite from the number on from which the original's are, and finite up to it."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, FunctionTransformer, PowerTransformer, StandardScaler
from support.answers.row_by_row import refused_rows, wrong_rows

from sealift_bundler import convert

ROWS = np.random.default_rng(5).lognormal(0, 1, (600, 2))
FIT = 300


def function(name):
    return FunctionTransformer(getattr(np, name))


def fitted(*steps, rows=ROWS):
    return make_pipeline(*steps).fit(rows[:FIT], np.log1p(rows[:FIT, 0]) + rows[:FIT, 1])


def beside(values, dtype=np.float64):
    """Rows of each value in one column, and of the numbers around it."""
    near = [np.array(values, dtype=dtype)]
    for _ in range(8):
        near = [np.nextafter(near[0], dtype(-np.inf)), *near, np.nextafter(near[-1], dtype(np.inf))]
    first = np.concatenate(near)
    return np.stack([first, np.ones(len(first), dtype=dtype)], axis=1)


def end(steps, of=np.isfinite):
    """The largest positive number of which functions, one after another, give a finite one."""
    low, high = 1.0, 1.7e308
    for _ in range(200):
        # Halfway in size, then in value.
        middle = np.sqrt(low) * np.sqrt(high) if high > 4 * low else low + (high - low) / 2
        value = middle
        with np.errstate(all="ignore"):
            for step in steps:
                value = getattr(np, step)(value)
        low, high = (middle, high) if of(value) else (low, middle)
    return low


@pytest.mark.parametrize(
    ("steps", "last"),
    [
        (["exp"], "isfinite"),
        (["exp2"], "binarized"),
        (["expm1"], "trees"),
        (["sinh"], "binarized"),
        (["cosh"], "isfinite"),
        (["log1p", "exp2"], "binarized"),
        (["cbrt", "sinh"], "trees"),
        (["cbrt", "cosh"], "isfinite"),
        (["expm1", "square"], "isfinite"),
        (["expm1", "degrees"], "binarized"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else value,
)
def test_a_function_ends_where_the_originals_does(steps, last):
    trees = [HistGradientBoostingRegressor(max_iter=2)]
    ends = {"binarized": [Binarizer(), Ridge()], "isfinite": [function("isfinite"), Ridge()], "trees": trees}
    original = fitted(*map(function, steps), *ends[last])
    model = convert(original, ROWS[FIT : FIT + 50]).open()
    last_finite = end(steps)
    odd = np.concatenate([beside([last_finite, -last_finite]), beside([1e308, -1e308, 700.0, 711.0, -745.0])])
    assert wrong_rows(original, model, odd) == []
    assert refused_rows(original, model, odd) == 0


@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
@pytest.mark.parametrize("before", [[], ["expm1"]], ids=["exact", "rounded"])
@pytest.mark.parametrize("standardize", [True, False])
def test_a_power_ends_where_the_originals_does(method, before, standardize):
    rows = np.random.default_rng(6).uniform(0.1, 3, (600, 2)) ** 0.25
    power = PowerTransformer(method, standardize=standardize)
    original = fitted(*map(function, before), power, Binarizer(), Ridge(), rows=rows)
    model = convert(original, rows[FIT : FIT + 50]).open()
    grown = 10.0 ** np.linspace(2, 308, 40)
    odd = beside([*grown, *-grown, *(1 / grown), end(["exp"])])
    alone = original[:-2]
    with np.errstate(all="ignore"):
        first = next((place for place, value in enumerate(grown) if not _answers(alone, value)), None)
    if first:
        odd = np.concatenate([odd, beside([_last_taken(alone, grown[first - 1], grown[first])])])
    assert wrong_rows(original, model, odd) == []
    assert refused_rows(original, model, odd) == 0


def _answers(steps, value):
    try:
        return bool(np.isfinite(steps.transform([[value, 1.0]])).all())
    except ValueError:
        return False


def _last_taken(steps, low, high):
    while (middle := low + (high - low) / 2) not in (low, high):
        low, high = (middle, high) if _answers(steps, middle) else (low, middle)
    return low


@pytest.mark.parametrize("name", ["exp2", "sinh"])
def test_what_is_given_in_float32_ends_in_float32(name):
    rows = ROWS.astype(np.float32)
    original = fitted(function(name), StandardScaler(), Ridge(), rows=rows)
    model = convert(original, rows[FIT : FIT + 50]).open()
    with np.errstate(over="ignore"):
        values = np.arange(80, 130, 0.25, dtype=np.float32)
        first = float(values[~np.isfinite(getattr(np, name)(values))][0])
    assert wrong_rows(original, model, beside([first, first - 0.25, 128.0, 88.72284, 89.41598], np.float32)) == []


def test_the_hyperbolic_sine_keeps_small_numbers():
    original = fitted(function("sinh"), function("sign"), Ridge())
    model = convert(original, ROWS[FIT : FIT + 50]).open()
    odd = np.stack([np.array([1e-300, -1e-300, 1e-17, -1e-17, 0.0, 0.01, -0.01]), np.ones(7)], axis=1)
    assert wrong_rows(original, model, odd) == []
    assert refused_rows(original, model, odd) == 0
