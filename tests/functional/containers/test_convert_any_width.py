"""Columns that only trees and boosters read are taken in every width, because these cast them; others are not."""

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.answers.row_by_row import boundary_rows
from xgboost import XGBClassifier

from sealift import InputError
from sealift_bundler import convert

GENERATOR = np.random.default_rng(8)
ROWS = GENERATOR.normal(size=(3000, 3)) * 3
TARGET = (ROWS[:, 0] + GENERATOR.normal(size=3000) / 3 > 0).astype(int)


def forest():
    return RandomForestClassifier(5, random_state=0)


CASTING = {
    "XGBoost": XGBClassifier(n_estimators=9, n_jobs=1),
    "LightGBM": LGBMClassifier(n_estimators=9, verbose=-1, n_jobs=1),
    "CatBoost": CatBoostClassifier(iterations=9, verbose=0, allow_writing_files=False),
    "forest": forest(),
    "gradient boosting": GradientBoostingClassifier(n_estimators=5),
    "histogram boosting": HistGradientBoostingClassifier(max_iter=5),
    "voting": VotingClassifier([("a", forest()), ("b", XGBClassifier(n_estimators=3))], voting="soft"),
}


@pytest.mark.parametrize("proven", ["float64", "float32"])
@pytest.mark.parametrize("original", CASTING.values(), ids=CASTING)
def test_trees_and_boosters_answer_in_every_width(original, proven):
    original.fit(ROWS[:500], TARGET[:500])
    model = convert(original, ROWS[500:700].astype(proven)).open()
    near = boundary_rows(ROWS)
    near = near[np.abs(near).max(axis=1) < 1e30]
    for rows in (ROWS, near):
        for dtype in ("float32", "float64"):
            given = rows.astype(dtype)
            np.testing.assert_array_equal(model.predict(given), original.predict(given))
            np.testing.assert_allclose(model.predict_proba(given), original.predict_proba(given), atol=1e-6)
    for dtype in ("int8", "int64", "float16"):
        given = (ROWS * 9).astype(dtype)
        np.testing.assert_allclose(model.predict_proba(given), original.predict_proba(given), atol=1e-6)


@pytest.mark.parametrize(
    "original",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), forest()),
        StackingClassifier([("a", forest())], passthrough=True, cv=2),
    ],
    ids=["linear", "scaler", "linear on top of a stack"],
)
def test_what_computes_in_the_width_of_its_rows_is_given_its_own(original):
    model = convert(original.fit(ROWS[:500], TARGET[:500]), ROWS[500:700]).open()
    with pytest.raises(
        InputError, match=r"dtype float32; the model was proven on float64, and the original may answer"
    ):
        model.predict(ROWS.astype("float32"))


def test_each_column_of_a_table_by_itself():
    frame = pd.DataFrame(ROWS, columns=["a", "b", "c"])
    columns = ColumnTransformer([("as they are", "passthrough", ["a", "c"]), ("scaled", StandardScaler(), ["b"])])
    original = make_pipeline(columns, forest()).fit(frame[:500], TARGET[:500])
    model = convert(original, frame[500:700]).open()
    given = frame.astype({"a": "float32", "c": "float32"})
    np.testing.assert_array_equal(model.predict(given), original.predict(given))
    with pytest.raises(InputError, match="'b' has dtype float32"):
        model.predict(frame.astype({"b": "float32"}))
