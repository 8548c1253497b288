"""Boosters of less common kinds agree on rows that the conversion did not see."""

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sealift_bundler import ConversionError, convert

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("opened_here")]

GENERATOR = np.random.default_rng(19)
ROWS = np.round(GENERATOR.normal(size=(4000, 4)), 2)
BINARY = (ROWS[:, 0] + GENERATOR.normal(size=4000) / 3 > 0).astype(int)
THREE = BINARY + (ROWS[:, 1] > 1)
VALUES = ROWS[:, 0] * 3 + ROWS[:, 1]
LABELS = np.c_[BINARY, THREE > 1]
HOLES = np.where(GENERATOR.random(ROWS.shape) < 0.1, np.nan, ROWS)
FEW = {"n_estimators": 8, "n_jobs": 1}
LIGHT = {**FEW, "verbose": -1}
CAT = {"iterations": 8, "verbose": 0, "allow_writing_files": False}
VECTORS = {**FEW, "multi_strategy": "multi_output_tree", "tree_method": "hist"}


def logistic(target, raw):
    share = 1 / (1 + np.exp(-raw))
    return share - target, share * (1 - share)


def squares(target, raw):
    return raw - target, np.ones_like(raw)


def sizes(rows):
    frame = pd.DataFrame(rows, columns=list("abcd"))
    ordered = pd.CategoricalDtype(["S", "M", "L"], ordered=True)
    size = np.array(["S", "M", "L"])[np.digitize(frame["c"], [-0.5, 0.5])]
    frame["size"] = pd.Categorical(np.where(frame["d"] > 1.2, None, size), dtype=ordered)
    return frame.drop(columns="c")


def summed(kind, target, **weights):
    members = [kind(random_seed=seed, **CAT).fit(ROWS[:600], target[:600]) for seed in (1, 2)]
    return catboost.sum_models(members, **weights)


XGB, LGBM, CATBOOST = xgboost.XGBClassifier, lightgbm.LGBMClassifier, catboost.CatBoostClassifier
KINDS = {
    "LightGBM, objective of one's own": (LGBM(objective=logistic, **LIGHT), BINARY, ROWS),
    "LightGBM, objective for numbers": (lightgbm.LGBMRegressor(objective=squares, **LIGHT), VALUES, ROWS),
    "LightGBM, linear leaves": (lightgbm.LGBMRegressor(linear_tree=True, **LIGHT), VALUES, HOLES),
    "LightGBM, linear leaves of classes": (LGBM(linear_tree=True, **LIGHT), THREE, HOLES),
    "LightGBM, ordered categories": (LGBM(**LIGHT), THREE, sizes(ROWS)),
    "XGBoost, ordered categories": (XGB(enable_categorical=True, **FEW), THREE, sizes(ROWS)),
    "XGBoost, several labels": (XGB(**FEW), LABELS, HOLES),
    "XGBoost, leaves of vectors": (xgboost.XGBRegressor(**VECTORS), np.c_[VALUES, BINARY], HOLES),
    "XGBoost, vectors of labels": (XGB(**VECTORS), LABELS, HOLES),
    "XGBoost, vectors of classes": (XGB(**VECTORS), THREE, HOLES),
    "XGBoost, hinge": (XGB(objective="binary:hinge", **FEW), BINARY, ROWS),
    "CatBoost, uncertainty": (catboost.CatBoostRegressor(loss_function="RMSEWithUncertainty", **CAT), VALUES, HOLES),
    "CatBoost, several labels": (CATBOOST(loss_function="MultiLogloss", **CAT), LABELS, HOLES),
}


def agrees(original, rows):
    model = convert(original, rows[600:800]).open()
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(original, method):
            expected, got = getattr(original, method)(rows[800:]), getattr(model, method)(rows[800:])
            exactly = 0.0 if np.asarray(expected).dtype.kind != "f" else 1e-5
            np.testing.assert_allclose(got, expected, rtol=exactly, atol=exactly)


@pytest.mark.parametrize("kind", KINDS)
def test_a_booster_of_this_kind(kind):
    original, target, rows = KINDS[kind]
    agrees(original.fit(rows[:600], target[:600]), rows)


@pytest.mark.parametrize(
    "make",
    [
        lambda: summed(CATBOOST, BINARY, weights=[0.5, 0.5]),
        lambda: summed(catboost.CatBoostRegressor, VALUES),
        lambda: catboost.to_classifier(summed(CATBOOST, BINARY)),
        lambda: catboost.to_regressor(summed(catboost.CatBoostRegressor, VALUES)),
    ],
    ids=["weighted", "numbers", "classifier", "regressor"],
)
def test_a_sum_of_catboost_models(make):
    agrees(make(), HOLES)


def test_boosters_without_their_estimators():
    plain = xgboost.train({"max_depth": 2, "objective": "binary:logistic"}, xgboost.DMatrix(ROWS, BINARY), 5)
    np.testing.assert_allclose(convert(plain, ROWS[:200]).open().predict(ROWS), plain.predict(xgboost.DMatrix(ROWS)))
    agrees(lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(ROWS, BINARY), 5), ROWS)


@pytest.mark.parametrize("options", [{"a_min": -1, "a_max": 1}, {"a_min": None, "a_max": 0.3}, {"min": -0.5, "max": 2}])
def test_a_function_that_clips(options):
    clip = FunctionTransformer(np.clip, kw_args=options)
    agrees(make_pipeline(clip, StandardScaler(), LogisticRegression()).fit(ROWS[:600], BINARY[:600]), ROWS)
    forest = RandomForestClassifier(5, random_state=0)
    agrees(make_pipeline(clip, forest).fit(ROWS[:600], BINARY[:600]), ROWS)


def test_columns_that_are_named_by_numbers():
    frame = pd.DataFrame(ROWS)
    columns = ColumnTransformer([("scaled", StandardScaler(), [0, 2])], remainder="passthrough")
    for original in (XGB(**FEW), LGBM(**LIGHT), make_pipeline(columns, LogisticRegression())):
        agrees(original.fit(frame[:600], BINARY[:600]), frame)


def test_gradient_boosting_starts_from_another_model():
    agrees(GradientBoostingRegressor(init=Ridge(), n_estimators=5).fit(ROWS[:600], VALUES[:600]), ROWS)
    first = RandomForestClassifier(5, random_state=0)
    agrees(GradientBoostingClassifier(init=first, n_estimators=5).fit(ROWS[:600], THREE[:600]), ROWS)
    linear = GradientBoostingClassifier(init=LogisticRegression(), n_estimators=5).fit(ROWS[:600], BINARY[:600])
    with pytest.raises(ConversionError, match=r"starts from the probabilities of a LogisticRegression.*leave init out"):
        convert(linear, ROWS[600:800])


def test_text_features_of_catboost_are_refused_by_name():
    rows = pd.DataFrame({"size": np.arange(60.0), "note": ["red car", "blue car", "red bus"] * 20})
    original = catboost.CatBoostClassifier(iterations=2, verbose=0, allow_writing_files=False, text_features=["note"])
    original.fit(rows, rows["note"].str.startswith("red"))
    with pytest.raises(ConversionError, match=r"CatBoostClassifier.*text features \('note'\), which are not supported"):
        convert(original, rows)


@pytest.mark.parametrize("original", [AdaBoostClassifier(n_estimators=2), HistGradientBoostingClassifier(max_iter=2)])
def test_one_class_is_refused_by_boosters_that_compute_for_two(original):
    rows = np.arange(120.0).reshape(60, 2)
    original.fit(rows, np.ones(60))
    with pytest.raises(ConversionError, match="trained on rows of one class; train it on rows of two or more"):
        convert(original, rows)
