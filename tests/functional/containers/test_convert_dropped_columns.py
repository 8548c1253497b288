"""Columns that a model drops are neither demanded nor typed, as in scikit-learn."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sealift import InputError
from sealift_bundler import SourceError, convert

pytestmark = pytest.mark.usefixtures("opened_here")

ROWS = 300
GENERATOR = np.random.default_rng(10)
# What is dropped stands first, so that the others have other places without it.
READ = pd.DataFrame(
    {"n": GENERATOR.normal(size=ROWS), "city": GENERATOR.choice(["x", "y"], ROWS), "k": GENERATOR.normal(size=ROWS)}
)
TARGET = (READ["n"] > 0).astype(int)
DROPPED = {
    "dates": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(ROWS), "h"),
    "lists": [["bug"]] * ROWS,
    "mixed": [1, "a"] * (ROWS // 2),
    "texts": ["free text"] * ROWS,
    "numbers": GENERATOR.normal(size=ROWS),
}


def columns(**options):
    return ColumnTransformer([("n", StandardScaler(), ["n", "k"]), ("c", OneHotEncoder(), ["city"])], **options)


def plain(**options):
    return make_pipeline(columns(**options), LogisticRegression())


def with_first(values):
    return pd.concat([pd.DataFrame({"first": values}), READ], axis=1)


MODELS = {
    "pipeline": plain,
    "drop by name": lambda: make_pipeline(
        ColumnTransformer([("n", StandardScaler(), ["n", "k"]), ("d", "drop", ["first"]), ("c", OneHotEncoder(), ["city"])]),
        LogisticRegression(),
    ),
    "search": lambda: GridSearchCV(plain(), {"logisticregression__C": [0.1, 1.0]}, cv=2),
    "calibration": lambda: CalibratedClassifierCV(plain(), cv=2),
    "voting": lambda: VotingClassifier([("a", plain()), ("b", plain())], voting="soft"),
    "stacking": lambda: StackingClassifier([("a", plain()), ("b", plain())], cv=2),
}  # fmt: skip


@pytest.mark.parametrize(
    ("make", "kind"),
    [*((MODELS["pipeline"], kind) for kind in DROPPED), *((make, "dates") for make in list(MODELS.values())[1:])],
    ids=[*DROPPED, *list(MODELS)[1:]],
)
def test_a_dropped_column_may_be_anything_and_be_missing(make, kind):
    rows = with_first(DROPPED[kind])
    original = make().fit(rows[:100], TARGET[:100])
    for samples in (rows[100:200], READ[100:200]):
        conversion = convert(original, samples)
        assert {column.name for column in conversion.description.columns} == set(READ.columns)
        for given in (rows[200:], READ[200:], READ[200:].to_dict("records")):
            expected = original.predict_proba(READ[200:])
            np.testing.assert_allclose(conversion.open().predict_proba(given), expected, atol=1e-5)


@pytest.mark.parametrize("wrap", [pl.from_pandas, pa.Table.from_pandas, lambda rows: rows.to_dict("records")])
def test_samples_of_any_container_may_hold_it_or_not(wrap):
    rows = with_first(DROPPED["texts"])
    original = plain().fit(rows[:100], TARGET[:100])
    for samples in (rows, READ):
        model = convert(original, wrap(samples)).open()
        np.testing.assert_allclose(model.predict_proba(READ), original.predict_proba(READ), atol=1e-5)


def test_columns_that_are_read_are_still_demanded():
    rows = with_first(DROPPED["numbers"])
    original = plain().fit(rows[:100], TARGET[:100])
    with pytest.raises(SourceError, match=r"missing \['k'\]"):
        convert(original, rows.drop(columns=["first", "k"]))
    with pytest.raises(InputError, match="column 'k' is missing"):
        convert(original, rows).open().predict(READ.drop(columns="k"))
    passed = plain(remainder="passthrough").fit(rows[:100], TARGET[:100])
    with pytest.raises(SourceError, match=r"missing \['first'\]"):
        convert(passed, READ)


def test_a_step_in_front_that_wants_every_column_gets_them():
    rows = with_first(DROPPED["numbers"])
    original = make_pipeline(FunctionTransformer(feature_names_out="one-to-one"), columns(), LogisticRegression())
    original.fit(rows[:100], TARGET[:100])
    names = {column.name for column in convert(original, rows).description.columns}
    assert names == set(rows.columns)
