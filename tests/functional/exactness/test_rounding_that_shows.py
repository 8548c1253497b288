"""Smooth steps that are so steep that the last bits in front of them make an answer: refused, with both steps named."""

import numpy as np
import pytest
from hunt.boundaries import boundaries
from lightgbm import LGBMRegressor
from sklearn.decomposition import PCA
from sklearn.impute import KNNImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PowerTransformer, SplineTransformer, StandardScaler
from support.answers.row_by_row import refused_rows, row_by_row, wrong_rows

from sealift_bundler import convert
from sealift_bundler.errors import ConversionError

FIT = 300
ROWS = np.random.default_rng(21).uniform(1, 100, (400, 2))


def fitted(*steps, rows=ROWS):
    return make_pipeline(*steps).fit(rows[:FIT], rows[:FIT].sum(axis=1))


@pytest.mark.parametrize("degree", [1, 3])
def test_splines_with_neighboring_knots(degree):
    splines = SplineTransformer(n_knots=6, degree=degree, knots="quantile", extrapolation="linear")
    original = fitted(FunctionTransformer(np.log1p), splines, Ridge())
    assert wrong_rows(original, convert(original, ROWS[FIT:]).open(), ROWS) == []
    rows = ROWS.copy()
    rows[: FIT // 2, 0] = np.expm1(np.nextafter(np.log1p(50.0), np.inf))
    rows[FIT // 2 : FIT - 40, 0] = 50.0
    close = fitted(FunctionTransformer(np.log1p), splines, Ridge(), rows=rows)
    assert (np.diff(np.unique(close[1].bsplines_[0].t)) < 1e-14).any()
    with pytest.raises(ConversionError, match=r"SplineTransformer.*interpolates between.*'functiontransformer'"):
        convert(close, ROWS[FIT:])


def test_isotonic_regressions_with_neighboring_thresholds():
    rows = ROWS[:, :1] * 1e6
    original = make_pipeline(FunctionTransformer(np.log1p), IsotonicRegression(out_of_bounds="clip"))
    original.fit(rows[:FIT], np.arange(FIT))
    assert wrong_rows(original, convert(original, rows[FIT:]).open(), rows) == []
    known = original[1].X_thresholds_
    known[-1] = np.nextafter(known[-2], np.inf)
    original[1].y_thresholds_[-1] = original[1].y_thresholds_[-2] + 9
    original[1]._build_f(known, original[1].y_thresholds_)
    with pytest.raises(ConversionError, match=r"IsotonicRegression.*interpolates between.*'functiontransformer'"):
        convert(original, rows[FIT:])


def test_the_range_of_an_isotonic_regression_of_logarithms():
    rows = ROWS[:, :1].copy()
    original = make_pipeline(FunctionTransformer(np.log1p), IsotonicRegression()).fit(rows[:FIT], rows[:FIT, 0])
    model = convert(original, rows[np.argsort(rows[:FIT, 0])[50:250]]).open()
    ends = np.array([[rows[:FIT].min()], [rows[:FIT].max()]])
    near = [ends]
    for _ in range(6):
        near = [np.nextafter(near[0], 0), *near, np.nextafter(near[-1], np.inf)]
    expected, got = original.predict(np.concatenate(near)), row_by_row(model.predict, np.concatenate(near))
    assert np.isnan(expected).any()
    assert [have for have, want in zip(got, expected, strict=True) if not np.isclose(have, want, equal_nan=True)] == []


@pytest.mark.parametrize("between", [[], [PCA(2)], [StandardScaler()]], ids=["power", "projection", "scaler"])
def test_what_a_scaler_leaves_of_nearly_equal_numbers(between):
    rows = ROWS.copy()
    rows[:, 1] = 1.7e9 + np.random.default_rng(22).uniform(0, 1e6, 400)
    power = PowerTransformer().fit(rows[:FIT])
    # The power that a fit finds for some such columns: all numbers are one up to their last bits.
    power.lambdas_[1] = -0.9
    power._scaler.fit(PowerTransformer(standardize=False).fit(rows[:FIT]).transform(rows[:FIT]))
    moved = (np.exp(-0.9 * np.log1p(rows[:FIT, 1])) - 1) / -0.9
    power._scaler.mean_[1], power._scaler.scale_[1] = moved.mean(), moved.std()
    seen = power.transform(rows[:FIT])
    steps = [step.fit(seen) for step in between]
    for last in (
        Ridge(),
        *([LGBMRegressor(n_estimators=3, verbose=-1)] if isinstance((between or [0])[0], PCA) else []),
    ):
        given = seen
        for step in steps:
            given = step.transform(given)
        original = make_pipeline(power, *steps, last.fit(given, rows[:FIT, 0]))
        with pytest.raises(ConversionError, match=r"what a scaler leaves of numbers.*step '(powertransformer|pca)'"):
            convert(original, rows[FIT:])
    if not between:
        # Trees compare the numbers in front of all rounding.
        original = make_pipeline(power, LGBMRegressor(n_estimators=5, verbose=-1).fit(seen, rows[:FIT, 1] - 1.7e9))
        model = convert(original, rows[FIT:]).open()
        edges = boundaries(original.predict, rows, np.random.default_rng(23), 500)
        assert wrong_rows(original, model, np.concatenate([rows, edges])) == []


def test_equally_near_rows_to_fill_in_from():
    generator = np.random.default_rng(24)
    rows = np.concatenate([generator.integers(0, 4, (400, 2)), generator.normal(size=(400, 2))], axis=1).astype(float)
    rows[generator.random(400) < 0.1, 3] = np.nan
    original = make_pipeline(KNNImputer(n_neighbors=3), Ridge()).fit(rows[:FIT], generator.normal(size=FIT))
    model = convert(original, rows[FIT:]).open()
    # The one column that is left has four values.
    odd = rows[FIT:].copy()
    odd[:, 1:] = np.nan
    assert wrong_rows(original, model, odd) == []
    assert row_by_row(model.predict, odd) == [None] * len(odd)
    assert refused_rows(original, model, rows) == 0
