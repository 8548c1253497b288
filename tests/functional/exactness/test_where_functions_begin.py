"""Logarithms, roots and quantiles of rounded numbers: they are a number, infinite or an end where the original's is."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes the class importable
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
)
from support.answers.row_by_row import boundary_rows, refused_rows, wrong_rows

from sealift_bundler import convert
from sealift_bundler.errors import ConversionError, ParityError

POWERS = 10.0 ** np.random.default_rng(3).integers(1, 5, (600, 2))
FIT = 300


def function(name):
    return FunctionTransformer(getattr(np, name))


def beside(values):
    """Rows of each value in one column, and of the numbers around it."""
    near = [values]
    for _ in range(8):
        near = [np.nextafter(near[0], -np.inf), *near, np.nextafter(near[-1], np.inf)]
    return np.stack([np.concatenate(near), np.full(len(values) * len(near), 100.0)], axis=1)


def fitted(*steps, rows=POWERS):
    return make_pipeline(*steps).fit(rows[:FIT], np.log10(rows[:FIT, 0]) + rows[:FIT, 1] / 1e4)


@pytest.mark.parametrize("last", [[function("trunc"), LinearRegression()], [function("isfinite"), Ridge()], [Ridge()]])
@pytest.mark.parametrize(
    ("first", "then", "begins"),
    [
        ("log10", "log1p", [0.1]),
        ("log2", "log1p", [0.5]),
        ("log", "log1p", [1 / np.e]),
        ("log10", "sqrt", [1.0]),
        ("log1p", "log", [0.0]),
        ("log2", "log10", [1.0]),
    ],
)
def test_a_function_of_a_rounded_number_begins_where_the_originals_does(first, then, begins, last):
    original = fitted(function(first), function(then), *last)
    model = convert(original, POWERS[FIT : FIT + 50]).open()
    odd = np.concatenate([beside(np.array(begins)), boundary_rows(POWERS), [[-1.0, 100.0], [np.nan, 100.0]]])
    assert wrong_rows(original, model, odd) == []
    # A logarithm is made of the last bits of what is next to its end: such rows are refused.
    assert then != "sqrt" or refused_rows(original, model, odd) == 0


def test_a_power_that_takes_numbers_above_zero_alone():
    original = fitted(function("log10"), PowerTransformer("box-cox"), function("trunc"), LinearRegression())
    model = convert(original, POWERS[FIT : FIT + 50]).open()
    assert wrong_rows(original, model, np.concatenate([beside(np.array([1.0])), boundary_rows(POWERS)])) == []


@pytest.mark.parametrize("then", [function("sqrt"), function("log1p")], ids=str)
def test_behind_a_power(then):
    rows = np.random.default_rng(4).lognormal(0, 1, (600, 2)) + 9
    first = PowerTransformer("yeo-johnson", standardize=False)
    original = fitted(first, then, function("trunc"), LinearRegression(), rows=rows)
    model = convert(original, rows[FIT : FIT + 50]).open()
    grown = original[:1].transform(rows[FIT:])
    assert (grown > 0).all()
    # Where the power is zero, or minus one, and on both sides.
    odd = beside(np.array([0.0, -0.5, 1e-3, 12.0]))
    assert wrong_rows(original, model, odd) == []


@pytest.mark.parametrize("between", ["nan_to_num", "mean", "neighbors", "regressions"])
@pytest.mark.parametrize(
    ("first", "then", "begins"), [("log10", "log1p", 0.1), ("log10", "sqrt", 1.0), ("cbrt", "log", 1e-27)]
)
def test_behind_what_fills_in_missing_numbers(first, between, then, begins):
    rows = np.random.default_rng(5).uniform(5, 4000, (600, 2))
    filling = {"mean": SimpleImputer(), "neighbors": KNNImputer(), "regressions": IterativeImputer(max_iter=1)}
    original = fitted(function(first), filling.get(between, function("nan_to_num")), function(then), Ridge(), rows=rows)
    if (between, then) == ("nan_to_num", "sqrt"):
        # It makes zeros, and so do logarithms.
        with pytest.raises(ParityError, match=r"'functiontransformer-3'.*last bits decide.*'functiontransformer-1'"):
            convert(original, rows[FIT : FIT + 50])
        return
    model = convert(original, rows[FIT : FIT + 50]).open()
    odd = np.concatenate([beside(np.array([begins])), boundary_rows(rows), [[np.nan, 100.0], [-1.0, 100.0]]])
    assert wrong_rows(original, model, odd) == []
    assert refused_rows(original, model, rows) == 0


def test_arctanh_of_a_rounded_one():
    rows = np.random.default_rng(6).normal(size=(600, 2))
    ends = beside(np.array([18.0, 19.0, 19.0615, -19.0]))
    original = make_pipeline(function("tanh"), function("arctanh"), Ridge()).fit(rows, rows.sum(axis=1))
    model = convert(original, rows[FIT : FIT + 50]).open()
    assert wrong_rows(original, model, ends) == []
    assert refused_rows(original, model, rows) == 0
    infinite = make_pipeline(*original[:-1], function("nan_to_num"), original[-1])
    with pytest.raises(ParityError, match=r"'functiontransformer-2'.*last bits decide.*'functiontransformer-1'"):
        convert(infinite, rows[FIT : FIT + 50])


@pytest.mark.parametrize("name", ["arctanh", "log1p"])
def test_float32_does_not_round_to_where_a_function_is_infinite(name):
    rows = np.random.default_rng(7).uniform(-0.9, 0.9, (600, 2))
    original = make_pipeline(function(name), function("nan_to_num"), Ridge()).fit(rows, rows.sum(axis=1))
    model = convert(original, rows[FIT : FIT + 50]).open()
    odd = np.array([[1 - 1e-12, 0.5], [-1 + 1e-12, 0.5], [-1 + 1e-9, 0.1], [1 - 1e-9, 0.1]])
    assert wrong_rows(original, model, odd) == []


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_the_end_of_quantiles_that_repeat(distribution):
    quantiles = QuantileTransformer(n_quantiles=40, output_distribution=distribution)
    original = fitted(function("log2"), quantiles, LinearRegression())
    model = convert(original, POWERS[FIT : FIT + 50]).open()
    ends = [float(POWERS[:, 0].min()), 100.0, float(POWERS[:, 0].max())]
    assert wrong_rows(original, model, beside(np.array(ends))) == []


@pytest.mark.parametrize(
    "last", [HistGradientBoostingRegressor(max_iter=5), RandomForestRegressor(5)], ids=lambda x: type(x).__name__
)
@pytest.mark.parametrize("between", [[], [MaxAbsScaler()]], ids=["alone", "scaled"])
def test_products_of_rounded_numbers_in_front_of_trees_are_refused(last, between):
    original = fitted(function("log"), PolynomialFeatures(2), *between, last)
    with pytest.raises(ConversionError, match=r"its answers jump, and the numbers of step 'polynomialfeatures'"):
        convert(original, POWERS[FIT:])
    # Without rounding they are the same to the last bit, and a sum hardly sees it.
    exact = fitted(PolynomialFeatures(2), *between, last)
    assert wrong_rows(exact, convert(exact, POWERS[FIT:]).open(), boundary_rows(POWERS)) == []
    smooth = fitted(function("log"), PolynomialFeatures(2), *between, Ridge())
    assert wrong_rows(smooth, convert(smooth, POWERS[FIT:]).open(), boundary_rows(POWERS)) == []
