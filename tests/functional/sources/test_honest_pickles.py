"""Pickles that libraries write open as before: `make pickles` tries every estimator and every pipeline of the suite."""

import datetime as dt
import decimal
import functools
import pickle
import warnings
from pathlib import Path

import catboost
import cloudpickle
import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest
import scipy.special
import scipy.stats
import skops.io
import xgboost
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sweep import estimators
from sweep.pickles import WAYS, problem_of

from sealift_bundler.source.openers import open_model
from sealift_bundler.source.pickles import open_pickle
from sealift_bundler.source.unpickling.states import Distribution

GENERATOR = np.random.default_rng(0)
X = pd.DataFrame({"a": GENERATOR.normal(size=60), "b": GENERATOR.integers(0, 5, 60)})
Y = (X["a"] > 0).astype(int)
TABLE = pd.DataFrame(
    {
        "text": ["a", "b"],
        "category": pd.Categorical(["x", "y"]),
        "time": pd.to_datetime(["2020", "2021"]),
        "integer": pd.array([1, None], dtype="Int64"),
    }
)

# One of each kind of thing that estimators hold; all of them take half a minute.
HOLDERS = [
    *("BisectingKMeans", "Birch", "CalibratedClassifierCV", "ColumnTransformer", "CountVectorizer", "GridSearchCV"),
    *("GaussianProcessClassifier", "GradientBoostingClassifier", "HistGradientBoostingClassifier", "IterativeImputer"),
    *("KNeighborsClassifier", "MLPClassifier", "OutputCodeClassifier", "RandomForestClassifier", "SGDClassifier"),
    *("SelectKBest", "SparseRandomProjection", "SplineTransformer", "StackingClassifier", "TunedThresholdClassifierCV"),
    *("TransformedTargetRegressor", "FeatureAgglomeration", "LocalOutlierFactor", "BayesianGaussianMixture"),
]
BOOSTERS = {
    "XGBoost": lambda: xgboost.XGBClassifier(n_estimators=3).fit(X, Y),
    "XGBoost's booster": lambda: xgboost.train({}, xgboost.DMatrix(X, label=Y), 2),
    "LightGBM": lambda: lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(X, Y, eval_set=[(X, Y)]),
    "LightGBM's booster": lambda: lightgbm.LGBMRegressor(n_estimators=3, verbose=-1).fit(X, Y).booster_,
    "CatBoost": lambda: catboost.CatBoostClassifier(iterations=3, verbose=0, allow_writing_files=False).fit(X, Y),
}
RANGES = {"C": scipy.stats.loguniform(0.1, 10), "max_iter": scipy.stats.randint(50, 99), "tol": scipy.stats.uniform()}
VALUES = {
    "distributions of SciPy": lambda: RandomizedSearchCV(LogisticRegression(), RANGES, n_iter=2, cv=2).fit(X, Y),
    "callbacks of XGBoost": lambda: xgboost.XGBClassifier(callbacks=[xgboost.callback.EarlyStopping(2)]),
    "ufunc": lambda: FunctionTransformer(np.log1p),
    "ufunc of SciPy": lambda: FunctionTransformer(scipy.special.expit),
    "partial of a listed function": lambda: FunctionTransformer(functools.partial(np.clip, a_min=0, a_max=1)),
    "columns of pandas": lambda: make_column_transformer((StandardScaler(), X.columns[:1])).fit(X),
    "tables": lambda: [TABLE, X, X["a"], X.index, pd.MultiIndex.from_tuples([(1, "a")]), pd.NA],
    "sparse": lambda: [kind(np.eye(3)) for kind in (sparse.csr_matrix, sparse.csc_array, sparse.dok_matrix)],
    "random states": lambda: [
        np.random.default_rng(1),
        np.random.RandomState(0),
        np.random.Generator(np.random.SFC64()),
    ],
    "dtypes": lambda: [np.float64, np.dtype("M8[D]"), np.dtype([("a", "i4"), ("b", "O")], align=True)],
    "records": lambda: [np.array([(1, 2.0)], "i4,f8"), np.array([(1, "x")], [("a", "i4"), ("b", "O")])],
    "texts of NumPy": lambda: np.array(["a", "bb"], dtype=np.dtypes.StringDType()),
    "masked": lambda: np.ma.array([1, 2], mask=[0, 1]),
    "constructors": lambda: [{1}, frozenset([1]), 1j, bytearray(b"ab"), b"\xff", range(3), slice(1, None), object()],
    "standard library": lambda: [dt.datetime.now(dt.UTC), dt.timedelta(1), decimal.Decimal("1.5"), Path("a/b")],
}
ARRAYS = {
    "object": np.array(["a", None, 1.5], dtype=object),
    "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "other bytes first": np.array([1, 2], dtype=">f8"),
    "empty": np.zeros((0, 3)),
    "text": np.array(["a", "bcd"]),
    "one number": np.array(1.5),
    "times": np.array(["2020-01-01"], dtype="M8[D]"),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_estimators(name, tmp_path):
    assert problem_of(next(iter(estimators.fitted(name)))[0], tmp_path) == ""


@pytest.mark.parametrize("kind", [*BOOSTERS, *VALUES])
def test_kinds(kind, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = {**BOOSTERS, **VALUES}[kind]()
        assert problem_of(made, tmp_path) == ""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays(kind, way, tmp_path):
    array = ARRAYS[kind]
    WAYS[way](array, tmp_path / "a.pkl")
    opened = open_pickle(tmp_path / "a.pkl")
    assert opened.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
    assert opened.flags.f_contiguous == array.flags.f_contiguous
    assert opened.flags.writeable
    np.testing.assert_array_equal(opened, array)


def test_models_answer_as_before(tmp_path):
    for make in (
        BOOSTERS["XGBoost"],
        BOOSTERS["LightGBM"],
        BOOSTERS["CatBoost"],
        lambda: LogisticRegression().fit(X, Y),
    ):
        original = make()
        joblib.dump(original, tmp_path / "m.joblib", compress=3)
        opened = open_pickle(tmp_path / "m.joblib")
        np.testing.assert_array_equal(opened.predict_proba(X), original.predict_proba(X))


def test_cloudpickle_of_importable_classes(tmp_path):
    """As MLflow writes it; a lambda in it would be code."""
    (tmp_path / "m.pkl").write_bytes(cloudpickle.dumps(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)))
    assert open_pickle(tmp_path / "m.pkl").predict(X[:3]).shape == (3,)


def test_nothing_stands_for_a_distribution(tmp_path):
    joblib.dump(VALUES["distributions of SciPy"](), tmp_path / "m.joblib")
    opened = open_pickle(tmp_path / "m.joblib")
    assert {type(found) for found in opened.param_distributions.values()} == {Distribution}
    assert vars(opened.param_distributions["C"]) == {}


@pytest.mark.parametrize("function", [np.log1p, np.max, np.clip, scipy.special.expit])
def test_functions_in_skops_files(function, tmp_path):
    """They are objects with attributes, and of no file."""
    skops.io.dump(make_pipeline(FunctionTransformer(function), StandardScaler()), tmp_path / "m.skops")
    assert open_model(tmp_path / "m.skops")[0].func is function


def test_a_dtype_in_a_skops_file(tmp_path):
    skops.io.dump(OneHotEncoder(dtype=np.dtype("f4")).fit([[1], [2]]), tmp_path / "m.skops")
    assert open_model(tmp_path / "m.skops").dtype == np.float32


def test_a_memory_map_that_was_saved_again(tmp_path):
    joblib.dump(LogisticRegression().fit(X, Y), tmp_path / "m.joblib")
    mapped = joblib.load(tmp_path / "m.joblib", mmap_mode="r")
    for way, write in WAYS.items():
        write(mapped, tmp_path / "again.pkl")
        opened = open_pickle(tmp_path / "again.pkl")
        assert opened.predict(X[:3]).shape == (3,), way
        assert type(opened.coef_) is np.ndarray


def test_files_of_the_numpy_before(tmp_path):
    """NumPy 1 called its core `numpy.core`."""
    data = pickle.dumps([np.arange(3), np.float32(2)], 2).replace(b"numpy._core", b"numpy.core")
    (tmp_path / "m.pkl").write_bytes(data)
    array, number = open_pickle(tmp_path / "m.pkl")
    assert (array.tolist(), number) == ([0, 1, 2], 2)


def test_what_is_shared_stays_shared(tmp_path):
    scaler = StandardScaler().fit(X)
    joblib.dump([scaler, scaler, np.dtype("f4"), np.zeros(2, "f4")], tmp_path / "m.joblib")
    first, second, dtype, array = open_pickle(tmp_path / "m.joblib")
    assert first is second
    assert dtype == array.dtype
