"""Pipelines and ensembles of imbalanced-learn: samplers do nothing at prediction, in memory and from a pickle."""

import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from imblearn.ensemble import (
    BalancedBaggingClassifier,
    BalancedRandomForestClassifier,
    EasyEnsembleClassifier,
    RUSBoostClassifier,
)
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import Pipeline, make_pipeline
from imblearn.under_sampling import RandomUnderSampler, TomekLinks
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from xgboost import XGBClassifier

from sealift_bundler import convert

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("opened_here")]

GENERATOR = np.random.default_rng(3)
ROWS = 4000
FRAME = pd.DataFrame(
    {
        "n": GENERATOR.normal(size=ROWS),
        "k": GENERATOR.integers(0, 9, ROWS),
        "city": GENERATOR.choice(["Oslo", "Lima", "Bern"], ROWS),
        "free text": GENERATOR.choice(["some", "other"], ROWS),
    }
)
TARGET = (FRAME["n"] + GENERATOR.normal(size=ROWS) / 2 > 1).astype(int)
FIT, PROOF = 600, 800


def columns():
    return ColumnTransformer(
        [("n", StandardScaler(), ["n", "k"]), ("c", OneHotEncoder(handle_unknown="ignore"), ["city"])]
    )


MODELS = {
    "over": lambda: make_pipeline(columns(), SMOTE(), LogisticRegression()),
    "under": lambda: Pipeline([("c", columns()), ("u", RandomUnderSampler()), ("m", XGBClassifier(n_estimators=5))]),
    "two samplers": lambda: make_pipeline(columns(), RandomOverSampler(), TomekLinks(), RandomForestClassifier(5)),
    "sampler first": lambda: make_pipeline(RandomUnderSampler(), columns(), LogisticRegression()),
    "search": lambda: GridSearchCV(make_pipeline(columns(), SMOTE(), LogisticRegression()), {"smote__k_neighbors": [3]}, cv=2),
    "calibration": lambda: CalibratedClassifierCV(make_pipeline(columns(), SMOTE(), RandomForestClassifier(5)), cv=2),
    "forest": lambda: make_pipeline(columns(), BalancedRandomForestClassifier(5)),
    "bagging": lambda: make_pipeline(columns(), BalancedBaggingClassifier(n_estimators=3)),
    "easy": lambda: make_pipeline(columns(), EasyEnsembleClassifier(n_estimators=2)),
    "boosting": lambda: make_pipeline(columns(), RUSBoostClassifier(n_estimators=3)),
}  # fmt: skip


PICKLED = [MODELS[name] for name in ("two samplers", "forest", "easy", "boosting")]


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_what_is_balanced_in_training_answers_as_it_does(make, tmp_path):
    original = make().fit(FRAME[:FIT], TARGET[:FIT])
    joblib.dump(original, tmp_path / "model.joblib")
    rows = FRAME[PROOF:].assign(city=lambda rows: rows["city"].where(rows["n"] < 1, "Rome"))
    # Of a pickle only what imbalanced-learn has classes for, each once.
    for model in (original, tmp_path / "model.joblib") if make in PICKLED else (original,):
        opened = convert(model, FRAME[FIT:PROOF]).open()
        np.testing.assert_array_equal(opened.predict(rows), original.predict(rows))
        np.testing.assert_allclose(opened.predict_proba(rows), original.predict_proba(rows), atol=1e-5)


def test_it_is_not_imported_for_others():
    code = (
        "import sys, numpy as np; from sklearn.linear_model import LinearRegression; from sealift_bundler import convert\n"
        "rows = np.arange(20.0).reshape(10, 2); convert(LinearRegression().fit(rows, rows[:, 0]), rows)\n"
        "sys.exit('imblearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False).returncode == 0
