"""Rounded numbers that a later step gives no way back from: what would show it is refused, and names both steps."""

import numpy as np
import pytest
from hunt.boundaries import boundaries
from lightgbm import LGBMRegressor
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes the class importable
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
)
from support.answers.row_by_row import boundary_rows, refused_rows, wrong_rows

from sealift_bundler import convert
from sealift_bundler.errors import ConversionError

COUNTS = np.random.default_rng(7).poisson(3, (400, 2)) + 1.0
FIT = 300


def fitted(*steps, rows=COUNTS):
    return make_pipeline(*steps).fit(rows[:FIT], rows[:FIT].sum(axis=1))


def function(name):
    return FunctionTransformer(getattr(np, name))


@pytest.mark.parametrize("last", ["RandomForestRegressor", "LGBMRegressor"])
@pytest.mark.parametrize(
    "between",
    [function("negative"), function("abs"), function("cosh")],
    ids=["negative", "abs", "cosh"],
)
def test_trees_are_refused(between, last):
    if last == "LGBMRegressor":
        trees = LGBMRegressor(n_estimators=3, verbose=-1, min_child_samples=5)
    else:
        trees = RandomForestRegressor(5, random_state=0)
    original = fitted(PowerTransformer(), RobustScaler(), between, trees)
    with pytest.raises(ConversionError, match=rf"{last}.*its answers jump.*'powertransformer'"):
        convert(original, COUNTS[FIT:])
    # Without rounding in front, they are converted.
    exact = fitted(RobustScaler(), between, trees)
    assert wrong_rows(exact, convert(exact, COUNTS[FIT:]).open(), COUNTS) == []


def test_smooth_models_and_missing_numbers_are_converted():
    for last in (Ridge(), RandomForestRegressor(5, random_state=0)):
        original = fitted(PowerTransformer(), SimpleImputer(), last)
        assert wrong_rows(original, convert(original, COUNTS[FIT:]).open(), COUNTS) == []
    original = fitted(PowerTransformer(), RobustScaler(), SimpleImputer(missing_values=0), Ridge())
    assert wrong_rows(original, convert(original, COUNTS[FIT:]).open(), COUNTS) == []


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_interpolation_between_neighboring_quantiles_is_refused_behind_rounding(distribution):
    rows = np.random.default_rng(8).uniform(1, 100, (400, 2))
    quantiles = QuantileTransformer(n_quantiles=100, output_distribution=distribution)
    original = fitted(function("log1p"), quantiles, Ridge(), rows=rows)
    assert wrong_rows(original, convert(original, rows[FIT:]).open(), rows) == []
    known = original[1].quantiles_
    known[50, 0] = np.nextafter(known[49, 0], np.inf)
    with pytest.raises(ConversionError, match=r"QuantileTransformer.*interpolates between.*'functiontransformer'"):
        convert(original, rows[FIT:])
    # Nothing rounds in front of this one.
    exact = fitted(quantiles, Ridge(), rows=rows)
    exact[0].quantiles_[50, 0] = np.nextafter(exact[0].quantiles_[49, 0], np.inf)
    assert wrong_rows(exact, convert(exact, rows[FIT:]).open(), rows) == []


def test_quantiles_of_what_a_power_left_of_a_mean_are_refused():
    # Seconds since 1970 hardly differ: their power is one number up to its last bits, less a mean as large.
    rows = COUNTS.copy()
    rows[:, 1] = 1.7e9 + np.random.default_rng(10).uniform(0, 1e6, 400)
    original = fitted(function("log1p"), PowerTransformer(), QuantileTransformer(n_quantiles=50), Ridge(), rows=rows)
    original[1].lambdas_[1] = -7.8
    moved = original[1].transform(original[0].transform(rows))[:, 1]
    original[1]._scaler.mean_[1] += moved.mean() * original[1]._scaler.scale_[1]
    original[1]._scaler.scale_[1] = 1.0
    left = np.sort(original[:2].transform(rows)[:, 1])
    original[2].quantiles_[:, 1] = np.quantile(left, np.linspace(0, 1, 50))
    with pytest.raises(ConversionError, match=r"QuantileTransformer.*interpolates between.*'functiontransformer'"):
        convert(original, rows[FIT:])


LASTS = ("trees", "bins", "floor", "quantiles", "binarized", "sentinel")


@pytest.mark.parametrize(
    ("first", "filling", "last"),
    [
        *(("log1p", "mean", last) for last in LASTS),
        *(("power", filling, "trees") for filling in ("sentinel", "mean", "zero", "neighbors", "regressions")),
        ("log1p", "sentinel", "bins"),
        ("log1p", "zero", "quantiles"),
        ("log1p", "neighbors", "floor"),
        ("log1p", "regressions", "sentinel"),
        ("power", "sentinel", "binarized"),
    ],
)
def test_numbers_that_were_filled_in_fall_as_in_the_original(first, filling, last):
    generator = np.random.default_rng(14)
    rows = generator.lognormal(1, 1, (500, 2)) + 1
    if filling != "neighbors":
        rows[:, 1] = np.where(generator.random(500) < 0.3, 4.0, np.round(rows[:, 1], 2))
    rows[generator.random(rows.shape) < 0.2] = np.nan
    fillings = {
        "sentinel": SimpleImputer(missing_values=np.log1p(4.0), strategy="median"),
        "mean": SimpleImputer(),
        "zero": function("nan_to_num"),
        "neighbors": KNNImputer(),
        "regressions": IterativeImputer(max_iter=1),
    }
    bins = KBinsDiscretizer(5, encode="ordinal", quantile_method="averaged_inverted_cdf")
    lasts = {
        "trees": [LGBMRegressor(n_estimators=5, verbose=-1, min_child_samples=3)],
        "bins": [MinMaxScaler(), bins, Ridge()],
        "floor": [MinMaxScaler((0, 9), clip=True), function("floor"), Ridge()],
        "quantiles": [QuantileTransformer(n_quantiles=20, output_distribution="normal"), Ridge()],
        "binarized": [function("cbrt"), Binarizer(threshold=1.0), Ridge()],
        "sentinel": [SimpleImputer(missing_values=0.0), Ridge()],
    }
    if filling == "sentinel":
        rows = np.nan_to_num(rows, nan=4.0)
    target = np.nan_to_num(rows[:FIT], nan=9).sum(axis=1)
    firsts = {"log1p": [function("log1p")], "power": [PowerTransformer(), RobustScaler()]}
    original = make_pipeline(*firsts[first], fillings[filling], *lasts[last]).fit(rows[:FIT], target)
    model = convert(original, rows[FIT:]).open()
    known = np.nan_to_num(rows, nan=4.0)
    edges = boundaries(original.predict, known, generator, 1000)
    holes = edges[:200].copy()
    holes[:, 1] = np.nan
    odd = np.concatenate([boundary_rows(known), edges, holes if filling != "sentinel" else edges])
    assert wrong_rows(original, model, odd) == []
    assert refused_rows(original, model, rows) == 0


def test_weights_of_columns_are_on_the_way_back():
    rows = np.random.default_rng(15).uniform(1, 100, (400, 2))
    logs = ColumnTransformer([("logs", function("log"), [0, 1])], transformer_weights={"logs": 3.0})
    for last in ([function("floor"), Ridge()], [LGBMRegressor(n_estimators=5, verbose=-1)]):
        original = fitted(logs, *last, rows=rows)
        model = convert(original, rows[FIT:]).open()
        edges = boundaries(original.predict, rows, np.random.default_rng(16), 1000)
        assert wrong_rows(original, model, np.concatenate([rows, edges])) == []
