"""What an original answers may depend on the container and the dtype of its rows: the same answers, or a refusal."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    Normalizer,
    OneHotEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeRegressor
from xgboost import XGBClassifier

from sealift import InputError
from sealift.errors import Error
from sealift_bundler import convert
from sealift_bundler.errors import ConversionError

GENERATOR = np.random.default_rng(16)
DENSE = np.where(GENERATOR.random((700, 6)) < 0.7, 0, GENERATOR.normal(size=(700, 6)))
LABELS = (DENSE[:, 0] + DENSE[:, 1] > 0).astype(int)
SPARSE = (sp.csr_matrix, sp.csc_matrix, sp.csr_array, sp.csc_array, sp.coo_matrix)
# Seconds of a few days: integers beyond 2^24, which float32 does not tell apart.
SECONDS = np.c_[1_700_000_000 + GENERATOR.integers(0, 200_000, 6000), GENERATOR.integers(0, 50, 6000)]
WAVES = np.sin((SECONDS[:, 0] - 1_700_000_000) / 200_000 * 60) + (SECONDS[:, 1] > 25)


def xgboost(**options):
    return XGBClassifier(n_estimators=8, n_jobs=1, **options)


def lightgbm(cls=LGBMRegressor, **options):
    return cls(n_estimators=40, verbose=-1, n_jobs=1, **options)


def agree(original, converted, rows):
    methods = [name for name in ("predict", "predict_proba") if hasattr(original, name)]
    for name in methods:
        assert np.allclose(getattr(converted, name)(rows), getattr(original, name)(rows), atol=1e-5, rtol=1e-5), name


@pytest.mark.parametrize("kind", SPARSE, ids=lambda kind: kind.__name__)
def test_xgboost_takes_absent_entries_for_missing(kind):
    original = xgboost().fit(kind(DENSE[:300]), LABELS[:300])
    conversion = convert(original, kind(DENSE[300:400]))
    converted = conversion.open()
    for served in (*SPARSE, np.asarray, lambda rows: pd.DataFrame.sparse.from_spmatrix(sp.csr_matrix(rows))):
        agree(original, converted, served(DENSE[400:]))
    # A reader of the first schema would make zeros of them.
    assert b'"sealift.model/2"' in conversion.files["model.json"]


@pytest.mark.parametrize(
    "original", [xgboost(), xgboost(missing=0.0), xgboost(booster="gblinear"), GridSearchCV(xgboost(), {"max_depth": [2, 4]}, cv=2)],
    ids=["plain", "zero is missing", "linear", "search"],
)  # fmt: skip
def test_xgboost_of_dense_rows_takes_sparse_ones(original):
    conversion = convert(original.fit(DENSE[:300], LABELS[:300]), DENSE[300:400])
    for served in (np.asarray, sp.csr_matrix, sp.csc_array):
        agree(original, conversion.open(), served(DENSE[400:]))
    assert b'"sealift.model/1"' in conversion.files["model.json"]


def test_a_step_in_front_of_xgboost_that_may_pass_on_a_sparse_matrix():
    original = make_pipeline(MaxAbsScaler(), xgboost()).fit(DENSE[:300], LABELS[:300])
    converted = convert(original, DENSE[300:400]).open()
    agree(original, converted, DENSE[400:])
    with pytest.raises(InputError, match="csr_matrix, whose absent entries a step of the original"):
        converted.predict(sp.csr_matrix(DENSE[400:]))
    original.fit(sp.csr_matrix(DENSE[:300]), LABELS[:300])
    with pytest.raises(Error, match=r"step 'xgbclassifier' \(XGBClassifier\): XGBoost takes the absent entries"):
        convert(original, sp.csr_matrix(DENSE[300:400]))


def test_a_sparse_matrix_that_a_step_makes_for_xgboost():
    texts = [" ".join(GENERATOR.choice(["red", "green", "blue", "one", "two", "three"], 4)) for _ in range(400)]
    labels = np.array(["red" in text for text in texts]).astype(int)
    original = make_pipeline(TfidfVectorizer(), xgboost()).fit(texts[:200], labels[:200])
    agree(original, convert(original, texts[200:300]).open(), texts[300:])
    frame = pd.DataFrame({"color": GENERATOR.choice(list("abcdef"), 400), "n": GENERATOR.normal(size=400)})
    encoded = ColumnTransformer([("one", OneHotEncoder(handle_unknown="ignore"), ["color"])], remainder="passthrough")
    original = make_pipeline(encoded, xgboost()).fit(frame[:200], frame["color"][:200].isin(["a", "c"]))
    agree(original, convert(original, frame[200:300]).open(), frame[300:].assign(color="unseen"))


@pytest.mark.parametrize(
    "original",
    [
        lightgbm(LGBMClassifier),
        lightgbm(LGBMClassifier, zero_as_missing=True),
        CatBoostClassifier(iterations=8, verbose=0, allow_writing_files=False),
        RandomForestClassifier(6, random_state=0),
        make_pipeline(MaxAbsScaler(), LogisticRegression()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_others_take_absent_entries_for_zero(original):
    converted = convert(original.fit(sp.csr_matrix(DENSE[:300]), LABELS[:300]), sp.csr_matrix(DENSE[300:400])).open()
    agree(original, converted, sp.csr_matrix(DENSE[400:]))
    agree(original, converted, DENSE[400:])


def test_lightgbm_rounds_integers_of_an_array():
    original = lightgbm(min_child_samples=3, max_bin=1000).fit(SECONDS[:2000], WAVES[:2000])
    converted = convert(original, SECONDS[2000:2200]).open()
    agree(original, converted, SECONDS[2200:])
    agree(original, converted, SECONDS[2200:].tolist())
    tables = (pd.DataFrame(SECONDS), pa.table({"a": SECONDS[:, 0], "b": SECONDS[:, 1]}))
    for served in (SECONDS.astype(float), SECONDS.astype(object), *tables):
        with pytest.raises(InputError, match=r"LightGBM rounds integers of arrays to float32.*of dtype int64"):
            converted.predict(served)
    small = SECONDS[2200:] % 1000
    for served in (small, small.astype(float), pd.DataFrame(small), small.astype(object)):
        agree(original, converted, served)


def named(rows):
    return pd.DataFrame(rows, columns=["at", "count"])


@pytest.mark.parametrize("container", [np.asarray, named], ids=["array", "frame"])
def test_lightgbm_of_floats_and_frames_is_asked_with_integers(container):
    original = lightgbm(min_child_samples=3, max_bin=1000).fit(container(SECONDS[:2000].astype(float)), WAVES[:2000])
    converted = convert(original, container(SECONDS[2000:2200].astype(float))).open()
    for served in (SECONDS[2200:], SECONDS[2200:].astype(float)):
        agree(original, converted, container(served))


def test_a_frame_for_lightgbm_that_was_trained_on_an_array():
    original = lightgbm(min_child_samples=3, max_bin=1000).fit(SECONDS[:2000], WAVES[:2000])
    frame = named(SECONDS)
    converted = convert(original, frame[2000:2200]).open()
    agree(original, converted, frame[2200:])
    agree(original, converted, SECONDS[2200:])


def test_integers_that_reach_lightgbm_through_a_pipeline():
    frame = named(SECONDS)
    original = make_pipeline(
        ColumnTransformer([("all", "passthrough", ["at", "count"])]), lightgbm(min_child_samples=3, max_bin=1000)
    ).fit(frame[:2000], WAVES[:2000])
    converted = convert(original, frame[2000:2200]).open()
    agree(original, converted, frame[2200:])
    with pytest.raises(InputError, match=r"'at' row 2200 is beyond 2\^24|'at' row 0 is beyond 2\^24"):
        converted.predict(frame[2200:].astype(float))


@pytest.mark.parametrize("container", ["frame", "nullable", "arrow", "polars", "list", "objects", "fortran"])
def test_every_container_is_what_the_original_is_asked_with(container):
    rows = GENERATOR.normal(size=(500, 3))
    names = ["a", "b", "c"]
    wrap = {
        "frame": lambda x: pd.DataFrame(x, columns=names),
        "nullable": lambda x: pd.DataFrame(x, columns=names).astype("Float64"),
        "arrow": lambda x: pa.table(dict(zip(names, x.T, strict=True))),
        "polars": lambda x: pl.DataFrame(dict(zip(names, x.T, strict=True))),
        "list": lambda x: x.tolist(),
        "objects": lambda x: x.astype(object),
        "fortran": np.asfortranarray,
    }[container]
    original = make_pipeline(StandardScaler(), RandomForestClassifier(6, random_state=0))
    original.fit(wrap(rows[:200]), rows[:200, 0] > 0)
    asked = []
    plain = original.predict
    vars(original)["predict"] = lambda given: asked.append(type(given)) or plain(given)
    converted = convert(original, wrap(rows[200:300])).open()
    assert set(asked) == {type(wrap(rows))}
    agree(original, converted, wrap(rows[300:]))


@pytest.mark.parametrize("served", ["float32", "int64", "bool"])
def test_rows_of_another_dtype_than_float32_are_refused(served):
    rows = (GENERATOR.normal(size=(300, 2)) * 9).astype(np.float32)
    converted = convert(LogisticRegression().fit(rows, rows[:, 0] > 0), rows).open()
    if served == "float32":
        converted.predict(rows)
        return
    with pytest.raises(InputError, match=rf"dtype {served}; the model was proven on float32.*astype\('float32'\)"):
        converted.predict(rows.astype(served))


@pytest.mark.parametrize("wrap", [pa.Table.from_pandas, pl.from_pandas], ids=["arrow", "polars"])
def test_the_width_of_floats_counts_in_every_table(wrap):
    frame = pd.DataFrame(GENERATOR.normal(size=(300, 2)), columns=["a", "b"])
    original = make_pipeline(ColumnTransformer([("s", StandardScaler(), ["a", "b"])]), DecisionTreeRegressor())
    converted = convert(original.fit(frame, frame["a"]), frame).open()
    agree(original, converted, wrap(frame))
    with pytest.raises(InputError, match="'a' has dtype float32; the model was proven on float64"):
        converted.predict(wrap(frame.astype("float32")))


def test_what_is_computed_in_float32_is_refused_before_a_step_that_jumps():
    rows = (GENERATOR.normal(size=(300, 3)) * 1000).astype(np.float32)
    original = make_pipeline(StandardScaler(), Normalizer(), DecisionTreeRegressor()).fit(rows, rows[:, 0])
    with pytest.raises(Error, match=r"step 'decisiontreeregressor'.*computes in float32.*astype\('float64'\)"):
        convert(original, rows)
    convert(DecisionTreeRegressor().fit(rows, rows[:, 0]), rows)
    convert(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, rows[:, 0] > 0), rows)


def test_half_precision_is_refused_where_scikit_learn_computes_in_it():
    rows = GENERATOR.normal(size=(300, 3)).astype(np.float16)
    with pytest.raises(Error, match=r"step 'standardscaler'.*computes in float16.*astype\('float64'\)"):
        convert(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, rows[:, 0] > 0), rows)
    convert(DecisionTreeRegressor().fit(rows, rows[:, 0]), rows)


@pytest.mark.parametrize(("function", "dtype"), [(np.square, "int64"), (np.log1p, "int8"), (np.exp, "bool")])
def test_functions_of_integers_that_wrap_around_or_lose_digits_are_refused(function, dtype):
    rows = GENERATOR.integers(0, 2, (300, 2)).astype(dtype)
    original = make_pipeline(FunctionTransformer(function), LogisticRegression()).fit(rows, rows[:, 0] > 0)
    with pytest.raises(Error, match=rf"numpy.{function.__name__} of {dtype} is computed in integers.*float64"):
        convert(original, rows)


def test_a_function_is_not_served_booleans():
    rows = GENERATOR.integers(0, 2, (300, 2)).astype(float)
    original = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()).fit(rows, rows[:, 0] > 0)
    converted = convert(original, rows).open()
    for served in (rows.astype(bool), pd.DataFrame(rows).astype("Int8"), pl.DataFrame(rows.astype("int16"))):
        with pytest.raises(InputError, match=r"has dtype .*astype\('float64'\)"):
            converted.predict(served)


def test_squares_of_large_integers_wrap_around_in_the_original():
    rows = np.random.default_rng(5).normal(size=(300, 2))
    original = make_pipeline(FunctionTransformer(np.square), LinearRegression()).fit(rows, rows[:, 0])
    model = convert(original, rows[200:]).open()
    small = np.array([[3, -4], [2**24, 1]])
    np.testing.assert_allclose(model.predict(small), original.predict(small), 1e-5)
    with pytest.raises(InputError, match="is beyond 2\\^24 in an array of dtype int64"):
        model.predict(np.array([[3_300_000_000, 1]]))


def test_objects_are_not_rounded_where_integers_of_an_array_are():
    rows = np.c_[2**25 + np.arange(600), np.arange(600) % 7].astype(np.uint32)
    original = LGBMRegressor(n_estimators=20, min_child_samples=4, verbose=-1, n_jobs=1).fit(
        rows, np.sin(rows[:, 0] / 9)
    )
    model = convert(original, rows[300:]).open()
    np.testing.assert_allclose(model.predict(rows), original.predict(rows), 1e-5)
    with pytest.raises(InputError, match="is beyond 2\\^24"):
        model.predict(rows.astype(object))


def test_a_scaler_that_centers_dense_rows_alone_is_refused_on_sparse_ones():
    rows = np.random.default_rng(6).normal(size=(300, 2)) + 3
    original = make_pipeline(RobustScaler(), Ridge()).fit(rows, rows[:, 0])
    with pytest.raises(ConversionError, match=r"'robustscaler' \(RobustScaler\): it centers dense rows"):
        convert(original, sp.csr_matrix(rows[200:]))
