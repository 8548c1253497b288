"""Steps whose answers jump: floor, bins, categories and sentinels fall as in the original, or are refused by name."""

import numpy as np
import pytest
import scipy.sparse
from catboost import CatBoostRegressor
from hunt.boundaries import boundaries
from hypothesis import given, settings
from hypothesis import strategies as st
from lightgbm import LGBMRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import BernoulliNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeRegressor
from support.answers.row_by_row import boundary_rows, refused_rows, wrong_rows
from support.depth import DEPTH
from xgboost import XGBRegressor

from sealift_bundler import convert
from sealift_bundler.errors import ConversionError, ParityError

GENERATOR = np.random.default_rng(7)
COUNTS = GENERATOR.integers(0, 400, (600, 2)).astype(float)
AMOUNTS = np.round(GENERATOR.lognormal(3, 2, (600, 2)) + 1, 2)
FIT = 300


def bins():
    return KBinsDiscretizer(8, encode="ordinal", quantile_method="averaged_inverted_cdf")


def function(name):
    return FunctionTransformer(getattr(np, name))


def fitted(steps, rows):
    target = np.floor(np.log1p(np.abs(rows[:FIT, 0])) * 3) + rows[:FIT, 1] % 3
    return make_pipeline(*steps).fit(rows[:FIT], target)


def falls_as_the_original(steps, rows, samples=10):
    original = fitted(steps, rows)
    model = convert(original, rows[FIT : FIT + samples]).open()
    assert wrong_rows(original, model, boundary_rows(rows)) == []
    return original, model


@pytest.mark.parametrize("name", ["floor", "ceil", "rint", "trunc", "sign"])
def test_rounding_sees_float64(name):
    rows = GENERATOR.random((600, 2)) * 9.7 + 0.03
    original, model = falls_as_the_original([function(name), LinearRegression()], rows)
    odd = np.array([[2.9999999999999996, 5.1], [3.00000001, 5.1], [2.5000000001, 5.1], [1e-50, 5.1], [-1e-50, 5.1]])
    assert wrong_rows(original, model, odd) == []
    assert refused_rows(original, model, odd) == 0


@pytest.mark.parametrize(
    "step",
    [
        SimpleImputer(missing_values=-1),
        MissingIndicator(missing_values=-1, features="all"),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-2),
        Binarizer(threshold=-1),
    ],
    ids=lambda step: type(step).__name__,
)
def test_a_sentinel_is_one_number(step):
    rows = np.where(GENERATOR.random((600, 2)) < 0.3, -1.0, GENERATOR.integers(0, 4, (600, 2)))
    original = fitted([step, LinearRegression()], rows)
    model = convert(original, rows[FIT:]).open()
    beside = np.array([[-1.0, 2.0], [-1.00000001, 2.0], [np.nextafter(-1.0, 0), 2.0], [2.9999999999, 0.0]])
    assert wrong_rows(original, model, beside) == []


@pytest.mark.parametrize(
    "step",
    [Binarizer(threshold=0.1), BernoulliNB(binarize=0.1), SimpleImputer(missing_values=0.1)],
    ids=lambda step: type(step).__name__,
)
def test_numpy_compares_float32_with_a_rounded_threshold(step):
    rows = np.round(GENERATOR.random((600, 2)), 1).astype(np.float32)
    last = [] if isinstance(step, BernoulliNB) else [LinearRegression()]
    original = make_pipeline(step, *last).fit(rows[:FIT], rows[:FIT, 0] > 0.4)
    model = convert(original, rows[FIT : FIT + 50]).open()
    beside = np.array([[np.nextafter(np.float32(0.1), np.float32(side)), 0.1] for side in (0, 1)], dtype=np.float32)
    assert wrong_rows(original, model, np.concatenate([rows, beside])) == []


def test_whole_columns_stay_in_float32():
    rows = COUNTS.astype(int)
    for step in (function("floor"), OneHotEncoder(handle_unknown="ignore"), SimpleImputer(missing_values=0)):
        original = fitted([step, DecisionTreeRegressor(max_depth=3)], rows)
        assert convert(original, rows[FIT:]).rung == "float32"


@pytest.mark.parametrize("name", ["log10", "log2", "log", "log1p", "cbrt", "tanh", "arcsinh"])
@pytest.mark.parametrize("step", ["floor", "ceil", "rint", "sign"])
def test_a_rounded_function_in_front_of_rounding(name, step):
    falls_as_the_original([function(name), function(step), LinearRegression()], AMOUNTS)


@pytest.mark.parametrize("samples", [3, 50])
@pytest.mark.parametrize(
    "first",
    [
        [function("log1p")],
        [function("cbrt")],
        [PowerTransformer()],
        [function("log1p"), StandardScaler()],
        [function("log1p"), MinMaxScaler(), function("sqrt")],
        [function("sqrt"), RobustScaler()],
        [StandardScaler(), PolynomialFeatures(2, include_bias=False)],
    ],
    ids=lambda steps: "-".join(getattr(getattr(s, "func", s), "__name__", type(s).__name__) for s in steps),
)
@pytest.mark.parametrize("step", [bins(), QuantileTransformer(n_quantiles=40)], ids=lambda s: type(s).__name__)
def test_bins_that_end_at_values_of_the_rows(first, step, samples):
    original, model = falls_as_the_original([*first, step, LinearRegression()], COUNTS, samples)
    assert wrong_rows(original, model, COUNTS) == []
    assert refused_rows(original, model, COUNTS) == 0


def test_thresholds_of_a_histogram_that_are_values_of_the_rows():
    rows = GENERATOR.integers(0, 3000, (600, 2)).astype(float)
    steps = [function("log1p"), HistGradientBoostingRegressor(max_iter=10, max_bins=20)]
    original, model = falls_as_the_original(steps, rows)
    assert wrong_rows(original, model, rows) == []


def test_categories_behind_a_rounded_function():
    rows = COUNTS // 40
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    falls_as_the_original([function("log1p"), encoder, LinearRegression()], rows)
    falls_as_the_original([function("exp"), SimpleImputer(missing_values=1.0), LinearRegression()], rows)


@pytest.mark.parametrize("first", [Normalizer(), function("cbrt")], ids=["normalizer", "cbrt"])
def test_the_sign_survives_rounding(first):
    rows = COUNTS - 200
    original = make_pipeline(first, BernoulliNB()).fit(rows[:FIT], rows[:FIT, 0] > 3)
    model = convert(original, rows[FIT:]).open()
    probes = boundary_rows(rows)
    probes = probes[np.abs(probes).max(axis=1) < 1e30]
    np.testing.assert_array_equal(model.predict(probes), original.predict(probes))


@pytest.mark.parametrize(
    ("steps", "names"),
    [
        ([PCA(2), bins(), LinearRegression()], ("'pca' (PCA)", "'kbinsdiscretizer' (KBinsDiscretizer)")),
        ([Normalizer(), function("floor"), LinearRegression()], ("'normalizer'", "'functiontransformer'")),
        ([function("cos"), function("rint"), LinearRegression()], ("transformer-1'", "transformer-2'")),
    ],
    ids=["pca", "normalizer", "cosine"],
)
def test_where_there_is_no_way_back_both_steps_are_named(steps, names):
    with pytest.raises(ConversionError) as caught:
        convert(fitted(steps, COUNTS), COUNTS[FIT:])
    for name in names:
        assert name in str(caught.value)


def test_the_remedy_of_that_refusal_helps():
    from sklearn.compose import make_column_transformer

    beside = make_column_transformer((PCA(2), [0, 1]), (bins(), [0, 1]))
    falls_as_the_original([beside, LinearRegression()], COUNTS)


@pytest.mark.parametrize(
    "last",
    [
        RandomForestRegressor(5, random_state=0),
        HistGradientBoostingRegressor(max_iter=8, max_bins=30),
        LGBMRegressor(n_estimators=8, min_child_samples=4, verbose=-1, n_jobs=1),
        LGBMRegressor(n_estimators=8, min_child_samples=4, zero_as_missing=True, verbose=-1, n_jobs=1),
        XGBRegressor(n_estimators=8, n_jobs=1),
        XGBRegressor(n_estimators=8, missing=0.0, n_jobs=1),
        CatBoostRegressor(iterations=8, verbose=0, allow_writing_files=False, thread_count=1),
    ],
    ids=lambda model: f"{type(model).__name__}-{getattr(model, 'missing', '')}-{getattr(model, 'zero_as_missing', '')}",
)
@pytest.mark.parametrize(
    "first",
    [
        [function("log1p")],
        [PowerTransformer(), function("tanh")],
        [QuantileTransformer(n_quantiles=20), function("exp")],
    ],
    ids=["log1p", "power-tanh", "quantile-exp"],
)
def test_trees_behind_a_rounded_function_turn_where_the_original_does(first, last):
    original = fitted([*first, last], AMOUNTS)
    edges = boundaries(original.predict, AMOUNTS, np.random.default_rng(1), 600)
    model = convert(original, AMOUNTS[FIT:]).open()
    assert wrong_rows(original, model, edges) == []


@pytest.mark.parametrize(
    "scaler", [StandardScaler(with_mean=False), MaxAbsScaler()], ids=lambda step: type(step).__name__
)
def test_sparse_rows_are_multiplied_with_what_others_are_divided_by(scaler):
    rows = scipy.sparse.csr_array(np.where(GENERATOR.random((600, 2)) < 0.5, 0, AMOUNTS))
    original = make_pipeline(scaler, DecisionTreeRegressor(random_state=0)).fit(rows[:FIT], AMOUNTS[:FIT, 0])
    ask = lambda some: original.predict(scipy.sparse.csr_array(some))  # noqa: E731
    edges = scipy.sparse.csr_array(boundaries(ask, rows.toarray(), np.random.default_rng(1), 600))
    model = convert(original, rows[FIT:]).open()
    np.testing.assert_array_equal(model.predict(edges), original.predict(edges))


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_rows_of_a_tiny_norm_stay_as_they_are(norm):
    rows = GENERATOR.normal(size=(600, 2))
    original = make_pipeline(Normalizer(norm), LinearRegression()).fit(rows, rows[:, 0])
    model = convert(original, rows[FIT:]).open()
    tiny = np.outer([1e-10, 2.3e-15, 2.2e-15, 1e-15, 1e-160, 0.0], [0.0, 1.0])
    np.testing.assert_allclose(model.predict(tiny), original.predict(tiny))


FUNCTIONS = st.sampled_from(
    [
        "log",
        "log1p",
        "log2",
        "log10",
        "sqrt",
        "cbrt",
        "exp",
        "square",
        "abs",
        "negative",
        "tanh",
        "arcsinh",
        "nan_to_num",
    ]
)
FIRST = st.one_of(
    FUNCTIONS.map(function),
    st.sampled_from([StandardScaler(), PowerTransformer(), MinMaxScaler(), PolynomialFeatures(2), RobustScaler()]),
)
JUMPS = st.one_of(
    st.sampled_from(["floor", "ceil", "rint", "trunc", "sign"]).map(function),
    st.sampled_from([0.0, 1.0, 0.3]).map(lambda threshold: Binarizer(threshold=threshold)),
    st.sampled_from([bins(), KBinsDiscretizer(4, encode="onehot-dense", strategy="uniform")]),
    st.sampled_from([SimpleImputer(missing_values=0.0), QuantileTransformer(n_quantiles=40)]),
)
LAST = st.sampled_from([LinearRegression(), DecisionTreeRegressor(max_depth=5), RandomForestRegressor(5)])


@settings(max_examples=8 * DEPTH)
@given(st.lists(FIRST, max_size=2), JUMPS, LAST, st.sampled_from([COUNTS, AMOUNTS]))
def test_random_pipelines_agree_or_are_refused(first, jump, last, rows):
    try:
        original = fitted([*first, jump, last], rows)
    except ValueError:
        return  # such as the logarithm of zero
    try:
        model = convert(original, rows[FIT : FIT + 20]).open()
    except (ConversionError, ParityError):
        return
    assert wrong_rows(original, model, boundary_rows(rows)) == []


@pytest.mark.parametrize("booster", [LGBMRegressor, XGBRegressor])
def test_zeros_that_a_booster_takes_for_missing_are_the_originals(booster):
    # Of some rows the logarithm is the mean itself, of their neighbors in the last bits it is beside it.
    rows = 2.0**25 + GENERATOR.integers(0, 2000, (600, 2)).astype(float)
    options = {"zero_as_missing": True, "verbose": -1} if booster is LGBMRegressor else {"missing": 0.0}
    scaled = make_pipeline(function("log10"), StandardScaler()).fit(rows[:FIT])
    scaled[1].mean_ = np.log10(np.median(rows[:FIT], axis=0))
    scaled[1].scale_ = np.ones(2)
    seen = scaled.transform(rows[:FIT])
    seen[::2, 0] = 0.0
    last = booster(n_estimators=20, **options).fit(seen, GENERATOR.normal(size=FIT) + 5 * (seen[:, 0] == 0))
    original = make_pipeline(*scaled, last)
    model = convert(original, rows[FIT:]).open()
    near = np.median(rows[:FIT], axis=0) + np.arange(-40, 40)[:, np.newaxis] * np.spacing(2.0**25)
    assert len(np.unique(original.predict(near))) > 1
    assert wrong_rows(original, model, near) == []
    turned = make_pipeline(PCA(2).fit(rows[:FIT]), booster(n_estimators=3, **options).fit(seen, np.arange(FIT)))
    with pytest.raises(ConversionError, match=r"its answers jump.*'pca' \(PCA\)"):
        convert(turned, rows[FIT:])
