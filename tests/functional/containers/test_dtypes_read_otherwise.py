"""Numbers in a dtype that the original reads in its own way: the same answer, or a refusal with the dtype to give."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from lightgbm import LGBMRegressor
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.kernel_approximation import AdditiveChi2Sampler
from sklearn.linear_model import LinearRegression
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier, XGBRegressor

from sealift import InputError
from sealift_bundler import convert

GENERATOR = np.random.default_rng(71)
ROWS = np.abs(np.c_[GENERATOR.normal(2, 1, 500), 2.0**25 + GENERATOR.integers(0, 2000, 500)])
TARGET = np.sin(ROWS[:, 0] * 3) + ROWS[:, 1] % 7
LIGHTGBM = LGBMRegressor(n_estimators=10, verbose=-1, n_jobs=1)
XGBOOST = XGBRegressor(n_estimators=10, n_jobs=1)


@pytest.mark.parametrize(
    "original",
    [LIGHTGBM, XGBOOST, XGBRegressor(n_estimators=10, booster="gblinear", n_jobs=1)],
    ids=["lightgbm", "xgboost", "gblinear"],
)
def test_boosters_read_another_byte_order_otherwise(original):
    original.fit(ROWS[:300], TARGET[:300])
    model = convert(original, ROWS[300:400]).open()
    swapped = ROWS[400:].astype(ROWS.dtype.newbyteorder())
    with pytest.raises(InputError, match=r"bytes of .* in another order.*\.astype\('float64'\)"):
        model.predict(swapped)
    np.testing.assert_allclose(model.predict(swapped.astype("float64")), original.predict(ROWS[400:]), 1e-5)


def test_only_lightgbm_rounds_long_doubles():
    long = ROWS[400:].astype(np.longdouble)
    with pytest.raises(InputError, match=r"dtype longdouble.*\.astype\('float64'\)"):
        convert(LIGHTGBM.fit(ROWS[:300], TARGET[:300]), ROWS[300:400]).open().predict(long)
    model = convert(XGBOOST.fit(ROWS[:300], TARGET[:300]), ROWS[300:400]).open()
    np.testing.assert_allclose(model.predict(long), XGBOOST.predict(long), 1e-5)


def test_scikit_learn_reads_every_byte_order_alike():
    original = make_pipeline(StandardScaler(), LinearRegression()).fit(ROWS[:300], TARGET[:300])
    swapped = ROWS[400:].astype(ROWS.dtype.newbyteorder())
    answers = convert(original, ROWS[300:400]).open().predict(swapped)
    np.testing.assert_allclose(answers, original.predict(swapped), 1e-5)


@pytest.mark.parametrize("method", ["predict_proba", "transform"])
def test_steps_that_cut_off_what_they_make_of_integers(method):
    rows = GENERATOR.integers(1, 9, (500, 2)) + GENERATOR.random((500, 2))
    original = GaussianMixture(2, random_state=0) if method == "predict_proba" else AdditiveChi2Sampler()
    original.fit(rows[:300])
    model = convert(original, rows[300:400]).open()
    np.testing.assert_allclose(getattr(model, method)(rows[400:]), getattr(original, method)(rows[400:]), 1e-5, 1e-5)
    whole = np.floor(rows[400:])
    np.testing.assert_allclose(getattr(model, method)(whole), getattr(original, method)(whole), 1e-5, 1e-5)
    for integers in (whole.astype(np.int64), whole.astype(int).tolist(), whole > 4, pd.DataFrame(whole.astype(int))):
        with pytest.raises(InputError, match="the original cuts off fractions of what it makes of them"):
            getattr(model, method)(integers)


def test_a_frame_of_integers_alone_is_cut_off():
    rows = pd.DataFrame(GENERATOR.integers(1, 9, (500, 2)) + GENERATOR.random((500, 2)), columns=["a", "b"])
    original = GaussianMixture(2, random_state=0).fit(rows[:300])
    one = rows.assign(a=np.floor(rows["a"]).astype(int))
    model, one = convert(original, one[300:400]).open(), one[400:]
    np.testing.assert_allclose(model.predict_proba(one), original.predict_proba(one), 1e-5, 1e-5)
    with pytest.raises(InputError, match="the original cuts off fractions"):
        model.predict_proba(np.floor(rows[400:]).astype(int))


def test_steps_behind_a_scaler_see_no_integers():
    rows = GENERATOR.integers(1, 9, (500, 2)) + GENERATOR.random((500, 2))
    original = make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0)).fit(rows[:300])
    whole = np.floor(rows[400:]).astype(np.int64)
    answers = convert(original, rows[300:400]).open().predict_proba(whole)
    np.testing.assert_allclose(answers, original.predict_proba(whole), 1e-5, 1e-5)


CITIES = pd.DataFrame(
    {"x": GENERATOR.normal(size=500), "city": pd.Categorical(GENERATOR.choice(["Lima", "Lyon", "Oslo"], 500))}
)
NORTH = ((CITIES["city"] == "Oslo") | (CITIES["x"] > 1)).astype(int).to_numpy()


def cities(*names):
    return pd.DataFrame({"x": np.zeros(len(names)), "city": pd.Categorical(names)})


def test_xgboost_takes_no_category_that_it_was_not_trained_on():
    original = XGBClassifier(n_estimators=5, n_jobs=1, enable_categorical=True).fit(CITIES[:300], NORTH[:300])
    model = convert(original, CITIES[300:400]).open()
    known = cities("Oslo", "Lima", None)
    np.testing.assert_allclose(model.predict_proba(known), original.predict_proba(known), 1e-5)
    with pytest.raises(Exception, match="not in the training set"):
        original.predict(cities("Oslo", "Quito"))
    with pytest.raises(InputError, match="'city' row 1 is 'Quito', which is not one of the categories"):
        model.predict(cities("Oslo", "Quito"))


def test_a_null_of_an_arrow_dictionary_is_a_category_to_scikit_learn():
    original = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype")
    original.fit(CITIES[:300], NORTH[:300])
    model = convert(original, CITIES[300:400]).open()
    known = pa.Table.from_pandas(CITIES[400:], preserve_index=False)
    np.testing.assert_allclose(model.predict_proba(known), original.predict_proba(known), 1e-5)
    missing = cities("Oslo", None)
    np.testing.assert_allclose(model.predict_proba(missing), original.predict_proba(missing), 1e-5)
    with pytest.raises(InputError, match="'city' row 1 is null in an Arrow dictionary"):
        model.predict(pa.Table.from_pandas(missing, preserve_index=False))
