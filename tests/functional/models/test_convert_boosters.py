"""XGBoost, LightGBM and CatBoost: estimators, pipelines and their own files agree, or are refused by name."""

import re

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sealift_bundler import ConversionError, SourceError, convert

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("opened_here")]

ROWS = 400
GENERATOR = np.random.default_rng(7)
X = pd.DataFrame(
    {
        "my col-1": GENERATOR.normal(size=ROWS).round(3),
        "price in €": GENERATOR.lognormal(3, 1, ROWS),
        "count": GENERATOR.integers(0, 9, ROWS),
        "at": GENERATOR.integers(1_600_000_000, 1_700_000_000, ROWS),
    }
)
X.loc[::7, "price in €"] = np.nan
CITY = GENERATOR.choice(["Zürich", "Genève", "東京", "x"], ROWS)
SIZE = GENERATOR.choice([3, 5, 7, 100], ROWS)
CATEGORIES = X.assign(city=pd.Categorical(CITY), size=pd.Categorical(SIZE))
CATEGORIES.loc[5, "city"] = np.nan
VALUES = X.assign(city=CITY, size=SIZE)
SIGNAL = (X["my col-1"] > 0) * 1 + (X["count"] > 4) + (CITY == "東京") * 2
TARGETS = {
    "binary": (SIGNAL > 1).to_numpy().astype(int),
    "multiclass": np.clip(SIGNAL, 0, 3).to_numpy().astype(int),
    "regression": (SIGNAL * 100 + GENERATOR.normal(size=ROWS)).to_numpy(),
}
SMALL = {"n_estimators": 25, "max_depth": 4}
TASKS = pytest.mark.parametrize("task", TARGETS)


def proven(model, rows):
    conversion = convert(model, rows)
    assert conversion.parity["labels_wrong"] == conversion.parity["scores_wrong"] == 0
    return conversion


def xgb(task, **options):
    kind = xgboost.XGBRegressor if task == "regression" else xgboost.XGBClassifier
    return kind(**(SMALL | options))


def lgbm(task, **options):
    kind = lightgbm.LGBMRegressor if task == "regression" else lightgbm.LGBMClassifier
    return kind(**(SMALL | {"verbose": -1} | options))


def cat(task, **options):
    kind = catboost.CatBoostRegressor if task == "regression" else catboost.CatBoostClassifier
    return kind(**({"iterations": 25, "depth": 4, "verbose": 0, "allow_writing_files": False} | options))


@TASKS
@pytest.mark.parametrize("make", [xgb, lgbm, cat])
def test_numbers_with_missing_values_and_any_column_names(make, task):
    conversion = proven(make(task).fit(X, TARGETS[task]), X)
    assert [column.name for column in conversion.description.columns] == list(X.columns)
    turned = X[list(X.columns[::-1])]
    # LightGBM takes the columns of a frame by their places, and the loader refuses what it would mix up.
    rows = turned.to_dict("list") if make is lgbm else turned
    assert conversion.open().predict(rows).shape[0] == ROWS


@TASKS
@pytest.mark.parametrize("make", [xgb, lgbm, cat])
def test_early_stopping_answers_with_the_best_iteration(make, task):
    target = TARGETS[task]
    held = (X[300:], target[300:])
    if make is xgb:
        model = make(task, n_estimators=150, early_stopping_rounds=3).fit(
            X[:300], target[:300], eval_set=[held], verbose=False
        )
    elif make is lgbm:
        stop = lightgbm.early_stopping(3, verbose=False)
        model = make(task, n_estimators=150).fit(X[:300], target[:300], eval_set=[held], callbacks=[stop])
    else:
        model = make(task, iterations=150, early_stopping_rounds=3).fit(X[:300], target[:300], eval_set=held)
    proven(model, X)


@TASKS
def test_xgboost_categories_of_a_data_frame(task):
    model = xgb(task, enable_categorical=True, max_cat_to_onehot=1).fit(CATEGORIES, TARGETS[task])
    opened = proven(model, CATEGORIES).open()
    as_text = CATEGORIES.assign(city=CATEGORIES["city"].astype(object), size=CATEGORIES["size"].astype(int))
    assert (opened.predict(as_text) == model.predict(CATEGORIES)).mean() > 0.999


@TASKS
def test_lightgbm_categories_of_a_data_frame(task):
    proven(lgbm(task, cat_smooth=1, min_data_per_group=5).fit(CATEGORIES, TARGETS[task]), CATEGORIES)


@TASKS
@pytest.mark.parametrize(
    "options", [{}, {"grow_policy": "Lossguide"}, {"one_hot_max_size": 10}, {"max_ctr_complexity": 1}], ids=str
)
def test_catboost_categorical_features(task, options):
    proven(cat(task, cat_features=["city", "size"], **options).fit(VALUES, TARGETS[task]), VALUES)


def test_catboost_needs_samples_with_every_category():
    model = cat("regression", cat_features=["city"]).fit(VALUES, TARGETS["regression"])
    with pytest.raises(ConversionError, match="categories of 'city' that the samples do not hold"):
        convert(model, VALUES[VALUES["city"] != "x"])


@TASKS
def test_xgboost_dart(task):
    proven(xgb(task, booster="dart", rate_drop=0.3).fit(X, TARGETS[task]), X)


@TASKS
def test_xgboost_linear(task):
    rows = X.fillna(0.0).assign(at=X["at"] / 1e9)
    model = (xgboost.XGBRegressor if task == "regression" else xgboost.XGBClassifier)(booster="gblinear")
    proven(model.fit(rows, TARGETS[task]), rows)


def test_xgboost_adds_up_in_its_own_order():
    conversion = proven(xgb("regression", n_estimators=200).fit(X, TARGETS["regression"]), X)
    assert conversion.parity["largest_absolute_error"] == 0


@pytest.mark.parametrize(
    "model",
    [
        xgboost.XGBRegressor(objective="count:poisson", **SMALL),
        xgboost.XGBRegressor(objective="reg:quantileerror", quantile_alpha=[0.1, 0.9], **SMALL),
        xgboost.XGBClassifier(missing=0, **SMALL),
        xgboost.XGBRFClassifier(**SMALL),
        lightgbm.LGBMClassifier(boosting_type="dart", verbose=-1, **SMALL),
        lightgbm.LGBMClassifier(boosting_type="rf", bagging_freq=1, bagging_fraction=0.6, verbose=-1, **SMALL),
        lightgbm.LGBMRegressor(zero_as_missing=True, verbose=-1, **SMALL),
        lightgbm.LGBMRegressor(objective="tweedie", verbose=-1, **SMALL),
        lightgbm.LGBMRegressor(reg_sqrt=True, verbose=-1, **SMALL),
        catboost.CatBoostRegressor(loss_function="Poisson", iterations=20, verbose=0, allow_writing_files=False),
        catboost.CatBoostRegressor(nan_mode="Max", iterations=20, verbose=0, allow_writing_files=False),
    ],
    ids=lambda model: re.sub(r"\s+", " ", type(model).__name__),
)
def test_objectives_and_missing_rules(model):
    kind = "binary" if "Classifier" in type(model).__name__ else "regression"
    proven(model.fit(X.fillna(0.0) if getattr(model, "missing", 1) == 0 else X, np.abs(TARGETS[kind])), X)


@pytest.mark.parametrize("make", [xgb, lgbm, cat])
def test_inside_a_pipeline(make):
    columns = make_column_transformer(
        (StandardScaler(), ["my col-1", "price in €"]),
        (OneHotEncoder(handle_unknown="ignore"), ["city"]),
        remainder="passthrough",
    )
    proven(make_pipeline(columns, make("multiclass")).fit(VALUES, TARGETS["multiclass"]), VALUES)


@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_xgboost_files(tmp_path, suffix):
    path = tmp_path / f"model.{suffix}"
    model = xgb("binary").fit(X, TARGETS["binary"])
    model.save_model(path)
    opened = proven(path, X).open()
    np.testing.assert_allclose(opened.predict_proba(X), model.predict_proba(X), atol=1e-6)
    model.get_booster().save_model(path)
    np.testing.assert_allclose(proven(path, X).open().predict(X), model.predict_proba(X)[:, 1], atol=1e-6)


def test_lightgbm_file(tmp_path):
    model = lgbm("multiclass").fit(CATEGORIES, TARGETS["multiclass"])
    model.booster_.save_model(tmp_path / "model.txt")
    opened = proven(tmp_path / "model.txt", CATEGORIES).open()
    np.testing.assert_allclose(opened.predict(CATEGORIES), model.predict_proba(CATEGORIES), atol=1e-9)


def test_catboost_file(tmp_path):
    model = cat("binary", cat_features=["city", "size"]).fit(VALUES, TARGETS["binary"])
    model.save_model(str(tmp_path / "model.cbm"))
    opened = proven(tmp_path / "model.cbm", VALUES).open()
    assert (opened.predict(VALUES) == model.predict(VALUES)).all()


@pytest.mark.parametrize("name", ["model.json", "model.txt", "model.cbm"])
def test_a_damaged_file_is_refused(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(SourceError, match="is not a model that"):
        convert(tmp_path / name, X)
