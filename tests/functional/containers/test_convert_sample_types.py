"""Digits that are categories: the file's types must not turn them into numbers behind the model's back."""

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sealift_bundler import SourceError, convert

pytestmark = pytest.mark.usefixtures("opened_here")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"weight": rng.normal(size=120), "cylinders": rng.choice(["4", "06", "8", None], size=120)})
    labels = (frame["cylinders"].fillna("4") == "8") ^ (frame["weight"] > 1)
    text = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    model = make_pipeline(
        ColumnTransformer([("number", "passthrough", ["weight"]), ("text", text, ["cylinders"])]), LogisticRegression()
    ).fit(frame, labels)
    path = tmp_path_factory.mktemp("model") / "model.joblib"
    joblib.dump(model, path)
    return path, frame


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl"])
def test_a_file_keeps_text_that_looks_like_numbers(suffix, trained, tmp_path):
    path, frame = trained
    samples = tmp_path / f"samples{suffix}"
    if suffix == ".csv":
        frame.to_csv(samples, index=False)
    else:
        frame.to_json(samples, orient="records", lines=suffix == ".jsonl")
    conversion = convert(path, samples)
    original = joblib.load(path)
    assert (conversion.open().predict(frame) == original.predict(frame)).all()


def test_numbers_where_text_was_learned_are_refused(trained):
    path, frame = trained
    numbers = frame.assign(cylinders=pd.to_numeric(frame["cylinders"]))
    with pytest.raises(
        SourceError, match=r"'cylinders' of the samples has dtype float64; the model was trained on text"
    ):
        convert(joblib.load(path), numbers)
