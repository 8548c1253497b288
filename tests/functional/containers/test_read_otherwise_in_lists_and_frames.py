"""Objects, lists and frames whose values the original reads otherwise than as numbers of the proven dtype."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from lightgbm import LGBMClassifier
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from sealift import InputError
from sealift.rows.source import Source
from sealift_bundler import convert

GENERATOR = np.random.default_rng(83)
ROWS = np.c_[GENERATOR.integers(0, 6, 400).astype(float), GENERATOR.integers(1, 9, 400)]
ROWS[::7, 0] = np.nan
LABELS = (np.nan_to_num(ROWS[:, 0], nan=9.0) + ROWS[:, 1] > 8).astype(int)
NAMES = ["a", "b"]
NONES = np.where(np.isnan(ROWS[300:]), None, ROWS[300:].astype(object))
TREE = DecisionTreeClassifier(random_state=0)


def frame(rows):
    return pd.DataFrame(rows, columns=NAMES)


@pytest.mark.parametrize(
    "step",
    [
        SimpleImputer(strategy="most_frequent"),
        SimpleImputer(strategy="constant", fill_value=3.0),
        MissingIndicator(features="all"),
        OneHotEncoder(handle_unknown="ignore"),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2),
        TargetEncoder(),
    ],
    ids=lambda step: type(step).__name__,
)
def test_none_is_refused_where_a_step_takes_only_nan_for_missing(step):
    original = make_pipeline(step, TREE).fit(ROWS[:300], LABELS[:300])
    model = convert(original, ROWS[:300]).open()
    np.testing.assert_allclose(model.predict_proba(ROWS[300:]), original.predict_proba(ROWS[300:]), 1e-5)
    for rows in (NONES, NONES.tolist(), pd.DataFrame(NONES)):
        with pytest.raises(InputError, match=r"row 1, column 0 is None, .* give numpy\.nan"):
            model.predict(rows)
    tabled = make_pipeline(ColumnTransformer([("step", step, NAMES)]), TREE).fit(frame(ROWS[:300]), LABELS[:300])
    model = convert(tabled, frame(ROWS[:300])).open()
    with pytest.raises(InputError, match=r"column 'a' row 1 is None, .* give numpy\.nan"):
        model.predict(frame(NONES))


@pytest.mark.parametrize("strategy", ["mean", "median"])
def test_none_is_nan_to_a_step_that_makes_floats_of_objects(strategy):
    imputer = SimpleImputer(strategy=strategy, add_indicator=True)
    original = make_pipeline(imputer, TREE).fit(ROWS[:300], LABELS[:300])
    model = convert(original, ROWS[:300]).open()
    for rows in (NONES, NONES.tolist()):
        np.testing.assert_allclose(model.predict_proba(rows), original.predict_proba(rows), 1e-5)


def test_null_in_json_is_nan_as_json_has_no_other(tmp_path):
    original = make_pipeline(SimpleImputer(strategy="most_frequent"), TREE).fit(ROWS[:300], LABELS[:300])
    model = convert(original, ROWS[:300]).open()
    place = tmp_path / "rows.json"
    place.write_text(json.dumps(NONES.tolist()))
    with Source(place).batches(model.description) as batches:
        answers = [model.predict(batch.rows) for batch in batches]
    np.testing.assert_array_equal(np.concatenate(answers), original.predict(ROWS[300:]))


XGBOOST = XGBClassifier(n_estimators=5, n_jobs=1)
LIGHTGBM = LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1)


@pytest.mark.parametrize(
    ("original", "trained"),
    [(XGBOOST, np.asarray), (XGBOOST, frame), (LIGHTGBM, np.asarray)],
    ids=["xgboost, array", "xgboost, frame", "lightgbm, array"],
)
def test_boosters_read_the_codes_of_categories(original, trained):
    rows = np.where(np.isnan(ROWS), 0.0, ROWS) * 10
    original.fit(trained(rows[:300]), LABELS[:300])
    model = convert(original, trained(rows[:300])).open()
    coded = frame(rows[300:]).astype({"b": int}).astype({"b": "category"})
    given = coded if trained is frame else coded.set_axis([0, 1], axis=1)
    assert not np.allclose(original.predict_proba(given), original.predict_proba(trained(rows[300:])))
    for part in (given, given[:1]):
        with pytest.raises(InputError, match=r"column ('b'|1) has dtype category.*\.astype\('float64'\)"):
            model.predict_proba(part)
    answers = model.predict_proba(given.astype("float64"))
    np.testing.assert_allclose(answers, original.predict_proba(given.astype("float64")), 1e-5)


@pytest.mark.parametrize(
    "original",
    [XGBClassifier(n_estimators=5, n_jobs=1, enable_categorical=True), LIGHTGBM],
    ids=["xgboost", "lightgbm"],
)
def test_a_category_that_a_booster_was_trained_on_is_no_number(original):
    rows = frame(np.nan_to_num(ROWS)).astype({"b": int}).astype({"b": "category"})
    original.fit(rows[:300], LABELS[:300])
    model = convert(original, rows[:300]).open()
    np.testing.assert_allclose(model.predict_proba(rows[300:]), original.predict_proba(rows[300:]), 1e-5)


def test_xgboost_makes_a_sparse_matrix_of_a_memoryview():
    original = XGBOOST.fit(ROWS[:300], LABELS[:300])
    model = convert(original, ROWS[:300]).open()
    rows = np.nan_to_num(ROWS[300:])
    assert not np.allclose(original.predict_proba(memoryview(rows)), original.predict_proba(rows))
    with pytest.raises(InputError, match=r"a memoryview, whose zeros .* give numpy\.asarray"):
        model.predict_proba(memoryview(rows))
    np.testing.assert_allclose(model.predict_proba(rows.tolist()), original.predict_proba(rows.tolist()), 1e-5)


WIDE = np.abs(GENERATOR.normal(3, 2, (400, 2))).round(2)


def logarithm(step):
    return make_pipeline(FunctionTransformer(np.log1p), step).fit(WIDE[:300], WIDE[:300, 0])


@pytest.mark.parametrize("dtype", ["int8", "float16", "float32", "bool"])
def test_a_function_computes_in_the_dtype_of_numpy_scalars_and_of_each_column(dtype):
    model = convert(logarithm(LinearRegression()), WIDE[:300]).open()
    short = WIDE[300:].astype(dtype)
    for rows in (list(short), [list(row) for row in short]):
        with pytest.raises(InputError, match=rf"has dtype {dtype}; the model was proven on float64"):
            model.predict(rows)
    mixed = pd.DataFrame(WIDE[300:]).astype({1: dtype})
    with pytest.raises(InputError, match=rf"column 1 has dtype {dtype}; the model was proven on float64"):
        model.predict(mixed)


def test_a_list_of_numbers_of_float32_is_float32_to_a_step_in_front_of_a_tree():
    original = make_pipeline(StandardScaler(), TREE).fit(WIDE[:300], LABELS[:300])
    model = convert(original, WIDE[:300]).open()
    with pytest.raises(InputError, match="has dtype float32; the model was proven on float64"):
        model.predict(list(WIDE[300:].astype("float32")))
    np.testing.assert_array_equal(model.predict(WIDE[300:].tolist()), original.predict(WIDE[300:].tolist()))
    alone = DecisionTreeClassifier(random_state=0).fit(WIDE[:300], LABELS[:300])
    rows = list(WIDE[300:].astype("float32"))
    np.testing.assert_array_equal(convert(alone, WIDE[:300]).open().predict(rows), alone.predict(rows))


def orders(rows):
    turned = rows[["b", "a"]]
    return [turned, turned[:1], pa.Table.from_pandas(turned, preserve_index=False), pl.from_pandas(turned)]


def test_lightgbm_takes_columns_by_their_places():
    rows = frame(np.nan_to_num(ROWS))
    original = LIGHTGBM.fit(rows[:300], LABELS[:300])
    assert not np.allclose(original.predict_proba(rows[["b", "a"]]), original.predict_proba(rows))
    model = convert(original, rows[:300]).open()
    for turned in orders(rows):
        with pytest.raises(InputError, match=r"column 'b' stands where 'a' stood.*give the columns in that order"):
            model.predict_proba(turned)
    expected = original.predict_proba(rows[300:])
    more = rows[300:].assign(more=1)[["more", "a", "b"]]
    for given in (rows[300:], more, rows[300:][["b", "a"]].to_dict("list"), rows[300:][["b", "a"]].to_dict("records")):
        np.testing.assert_allclose(model.predict_proba(given), expected, 1e-5)


def test_xgboost_takes_columns_of_arrow_and_polars_by_their_places():
    rows = frame(np.nan_to_num(ROWS))
    original = XGBOOST.fit(rows[:300], LABELS[:300])
    model = convert(original, rows[:300]).open()
    for table, turned in zip(
        (pa.Table.from_pandas(rows, preserve_index=False), pl.from_pandas(rows)), orders(rows)[2:], strict=True
    ):
        assert not np.allclose(original.predict_proba(turned), original.predict_proba(table))
        np.testing.assert_allclose(model.predict_proba(table), original.predict_proba(table), 1e-5)
        with pytest.raises(InputError, match=r"column 'b' stands where 'a' stood.*give the columns in that order"):
            model.predict_proba(turned)


def test_a_step_that_takes_columns_by_name_does_so_in_front_of_lightgbm():
    passing = ColumnTransformer([("b", "passthrough", ["b"]), ("a", "passthrough", ["a"])])
    rows = frame(np.nan_to_num(ROWS))
    original = make_pipeline(passing, LIGHTGBM).fit(rows[:300], LABELS[:300])
    model = convert(original, rows[:300]).open()
    turned = rows[["b", "a"]]
    np.testing.assert_allclose(model.predict_proba(turned), original.predict_proba(turned), 1e-5)
