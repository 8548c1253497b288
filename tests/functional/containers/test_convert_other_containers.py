"""Proven in one container and asked in another, in which the original answers otherwise: right, or refused."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from catboost import CatBoostRegressor
from lightgbm import LGBMRegressor
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, PoissonRegressor, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MaxAbsScaler,
    Normalizer,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.tree import DecisionTreeRegressor
from xgboost import XGBRegressor

from sealift import InputError
from sealift_bundler import convert
from sealift_bundler.errors import ConversionError

GENERATOR = np.random.default_rng(29)
ROWS = np.where(GENERATOR.random((500, 3)) < 0.4, 0, GENERATOR.normal(size=(500, 3)))
TARGET = ROWS.sum(axis=1)
NAMES = ["a", "b", "c"]


def frame(rows):
    return pd.DataFrame(rows, columns=NAMES)


def sparse_frame(rows):
    return pd.DataFrame.sparse.from_spmatrix(sp.csr_matrix(rows), columns=NAMES)


def holes(rows):
    rows = rows.copy()
    rows[::3, 1] = np.nan
    return rows


@pytest.mark.parametrize("samples", [np.asarray, frame], ids=["array", "frame"])
@pytest.mark.parametrize(
    "original",
    [DecisionTreeRegressor(), ExtraTreesRegressor(5), make_pipeline(FunctionTransformer(np.abs), RandomForestClassifier(5))],
    ids=["tree", "forest", "pipeline"],
)  # fmt: skip
def test_trees_refuse_a_missing_number_of_a_sparse_column(original, samples):
    labels = TARGET > 0 if hasattr(original, "steps") else TARGET
    original.fit(samples(ROWS[:300]), labels[:300])
    model = convert(original, samples(ROWS[300:400])).open()
    served = ROWS[400:]
    np.testing.assert_allclose(model.predict(sparse_frame(served)), original.predict(samples(served)), 1e-5, 1e-5)
    np.testing.assert_allclose(
        model.predict(samples(holes(served))), original.predict(samples(holes(served))), 1e-5, 1e-5
    )
    for rows in (holes(served), holes(served)[:1]):
        with pytest.raises(InputError, match=r"row 0 is missing in a column of a Sparse dtype.*\.sparse\.to_dense\(\)"):
            model.predict(sparse_frame(rows))


@pytest.mark.parametrize(
    "original",
    [
        XGBRegressor(n_estimators=5, n_jobs=1),
        LGBMRegressor(n_estimators=5, verbose=-1, n_jobs=1),
        CatBoostRegressor(iterations=5, verbose=0, allow_writing_files=False),
    ],
    ids=lambda model: type(model).__name__,
)
def test_boosters_take_a_missing_number_of_a_sparse_column(original):
    original.fit(ROWS[:300], TARGET[:300])
    model = convert(original, ROWS[300:400]).open()
    served = sparse_frame(holes(ROWS[400:]))
    np.testing.assert_allclose(model.predict(served), original.predict(served), 1e-5)


@pytest.mark.parametrize(
    "scaler", [MaxAbsScaler(), StandardScaler(with_mean=False)], ids=lambda step: type(step).__name__
)
def test_a_scaler_that_multiplies_sparse_rows_in_front_of_trees(scaler):
    original = make_pipeline(scaler, LGBMRegressor(n_estimators=5, verbose=-1, n_jobs=1)).fit(ROWS[:300], TARGET[:300])
    model = convert(original, ROWS[300:400]).open()
    np.testing.assert_allclose(model.predict(ROWS[400:]), original.predict(ROWS[400:]), 1e-5)
    for served in (sparse_frame(ROWS[400:]), sp.csr_matrix(ROWS[400:])):
        with pytest.raises(InputError, match="whose absent entries a step"):
            model.predict(served)
    sparse = sp.csr_matrix(ROWS)
    original.fit(sparse[:300], TARGET[:300])
    np.testing.assert_allclose(
        convert(original, sparse[300:400]).open().predict(sparse[400:]), original.predict(sparse[400:]), 1e-5
    )


def test_rows_of_tiny_numbers_are_divided_in_sparse_rows_alone():
    tiny = np.array([[0, 1e-20, 0], [1.0, 2.0, 0.0]])
    dense = make_pipeline(Normalizer(), Ridge()).fit(ROWS[:300], TARGET[:300])
    model = convert(dense, ROWS[300:400]).open()
    np.testing.assert_allclose(model.predict(tiny), dense.predict(tiny), 1e-5)
    with pytest.raises(InputError, match="whose absent entries a step"):
        model.predict(sp.csr_matrix(tiny))
    model = convert(dense, sp.csr_matrix(ROWS[300:400])).open()
    np.testing.assert_allclose(model.predict(ROWS[400:]), dense.predict(ROWS[400:]), 1e-5)
    with pytest.raises(InputError, match=r"step 'normalizer' \(Normalizer\) divides a row of numbers below 2.2e-15"):
        model.predict(tiny)


@pytest.mark.parametrize("dtype", ["Int64", pd.ArrowDtype(pa.int64())], ids=str)
def test_squares_of_pandas_own_integers_wrap_around(dtype):
    whole = frame(GENERATOR.integers(0, 50, (400, 3))).astype(dtype)
    original = make_pipeline(FunctionTransformer(np.square), LinearRegression()).fit(whole[:300], TARGET[:300])
    with pytest.raises(ConversionError, match=r"numpy.square of int64 is computed in integers.*float64"):
        convert(original, whole[300:])
    floats = whole.astype("float64")
    model = convert(original, floats[300:]).open()
    np.testing.assert_allclose(model.predict(floats), original.predict(floats), 1e-5, 1e-5)
    with pytest.raises(InputError, match=r"dtype .*nt64.*in which the original computes.*astype\('float64'\)"):
        model.predict(whole)


def test_a_frame_with_one_column_of_integers_wraps_around_there():
    mixed = frame(GENERATOR.integers(0, 50, (400, 3)).astype(float)).astype({"b": "int64"})
    original = make_pipeline(FunctionTransformer(np.square), LinearRegression()).fit(mixed[:300], TARGET[:300])
    with pytest.raises(ConversionError, match=r"numpy.square of int64 is computed in integers.*float64"):
        convert(original, mixed[300:])


def test_a_list_for_a_model_of_float32_holds_no_number_that_float32_takes_otherwise():
    rows = (ROWS * 9).astype(np.float32)
    original = make_pipeline(FunctionTransformer(np.square), Ridge()).fit(rows[:300], TARGET[:300])
    model = convert(original, rows[300:400]).open()
    served = np.round(rows[400:], 2).tolist()
    np.testing.assert_allclose(model.predict(served), original.predict(served), 1e-4, 1e-4)
    for odd in (1e20, -3e7, 1e-9):
        with pytest.raises(InputError, match=r"row 0, column 1 is beyond 2\^24, or below 1e-06, in a list"):
            model.predict([[1.0, odd, 1.0]])
    with pytest.raises(InputError, match="an array of objects, of which the original may make float64"):
        model.predict(rows[400:].astype(object))


def test_the_one_number_that_lightgbm_takes_for_zero_in_some_containers():
    rows = np.c_[ROWS[:, 0], np.where(ROWS[:, 1] > 0, 0, ROWS[:, 1] * 1e-30)]
    least = -float(np.float32(1e-35))
    original = LGBMRegressor(n_estimators=5, verbose=-1, n_jobs=1).fit(rows[:400], (rows[:400, 1] < 0) * 1.0)
    for samples in (rows[400:], sp.csr_matrix(rows[400:]), pa.table({"x": rows[400:, 0], "y": rows[400:, 1]})):
        model = convert(original, samples).open()
        around = np.array([[0.5, np.nextafter(least, end)] for end in (-np.inf, np.inf)] + [[0.5, 0.0]])
        np.testing.assert_allclose(model.predict(around), original.predict(around), 1e-5)
        with pytest.raises(InputError, match="for zero in some containers and not in others"):
            model.predict(np.array([[0.5, least]]))


@pytest.mark.parametrize("wrap", [pa.Table.from_pandas, pl.from_pandas], ids=["arrow", "polars"])
def test_what_overflows_in_float32_does_not_in_the_float64_of_other_tables(wrap):
    rows = frame(ROWS).astype("float32")
    steps = (StandardScaler(), PolynomialFeatures(3), PoissonRegressor())
    original = make_pipeline(*steps).fit(rows[:300], np.abs(TARGET[:300]))
    model = convert(original, rows[300:400]).open()
    np.testing.assert_allclose(model.predict(rows[400:]), original.predict(rows[400:]), 1e-4)
    far = frame(np.array([[30.0, 30.0, 30.0], [-30.0, 30.0, -30.0]])).astype("float32")
    assert (original.predict(wrap(far)) > np.finfo(np.float32).max).any()
    with pytest.raises(InputError, match="of which the original may make float64"):
        model.predict(wrap(far))


def arrow(rows):
    return pa.table(dict(zip(NAMES, rows.T, strict=True)))


def polars(rows):
    return pl.DataFrame(dict(zip(NAMES, rows.T, strict=True)))


STEPPED = make_pipeline(SimpleImputer(), Binarizer(threshold=0.1), LinearRegression())


@pytest.mark.parametrize("served", [arrow, polars])
@pytest.mark.parametrize("trained", [np.asarray, frame], ids=["array", "frame"])
def test_float32_in_another_librarys_table_is_float64_to_a_step_and_refused(trained, served):
    rows = ROWS.astype(np.float32)
    rows[::5, 0] = 0.1  # as float32, which float64 sees above 0.1
    original = STEPPED.fit(trained(rows[:300]), TARGET[:300])
    assert not np.allclose(original.predict(served(rows)), original.predict(trained(rows)))
    model = convert(original, trained(rows[300:400])).open()
    np.testing.assert_allclose(model.predict(trained(rows[400:])), original.predict(trained(rows[400:])), 1e-5, 1e-5)
    with pytest.raises(InputError, match="of which the original may make float64, and the model was proven on float32"):
        model.predict(served(rows[400:]))
    with pytest.raises(ConversionError, match=r"float32 in a .*Table|float32 in a .*DataFrame"):
        convert(original, served(rows[300:400]))


@pytest.mark.parametrize("served", [arrow, polars])
@pytest.mark.parametrize("original", [LGBMRegressor(n_estimators=5, verbose=-1), XGBRegressor(n_estimators=5), DecisionTreeRegressor()])  # fmt: skip
def test_trees_take_float32_in_another_librarys_table(original, served):
    rows = ROWS.astype(np.float32)
    original.fit(served(rows[:300]), TARGET[:300])
    model = convert(original, served(rows[300:400])).open()
    np.testing.assert_allclose(model.predict(served(rows[400:])), original.predict(served(rows[400:])), 1e-5, 1e-5)
