"""Samples that do not fit: the message names the column, what the model wants, and what to do; no library's own words."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sealift_bundler import SourceError, convert

ROWS = pd.DataFrame({"hours": np.arange(40.0), "count": np.arange(40) % 7})
MODEL = LinearRegression().fit(ROWS, ROWS["count"] * 2.0)
TEXTS = ["it crashes", "please add a button"] * 10
CLASSIFIER = make_pipeline(CountVectorizer(), LogisticRegression()).fit(TEXTS, ["bug", "wish"] * 10)
CITIES = pd.DataFrame({"city": ["Bonn", "Oslo"] * 10})
ENCODER = make_pipeline(OneHotEncoder(handle_unknown="error"), LinearRegression()).fit(CITIES, np.arange(20.0))

# Words of scikit-learn, NumPy and pandas.
RAW = ("could not convert", "Input X contains", "has no attribute", "feature names", "ValueError", "TypeError")


@pytest.mark.parametrize(
    ("model", "rows", "said"),
    [
        (
            MODEL,
            ROWS.rename(columns={"hours": "Hours"}),
            (
                r"missing \['hours'\]; not known to the model \['Hours'\]; 'Hours' may be 'hours'\. It was trained on 'hours', "
                "'count': rename columns"
            ),
        ),
        (MODEL, ROWS.assign(label=1), r"not known to the model \['label'\]\. It was trained on .* such as the label"),
        (MODEL, ROWS[["hours"]], r"missing \['count'\]"),
        (
            MODEL,
            ROWS.assign(hours=[1.5, np.nan, *range(38)]),
            r"column 'hours' of row 1 is nan \(.*\); row 0, which it takes, has 1\.5 .* there: give values of the kind",
        ),
        (
            MODEL,
            ROWS.assign(hours="a long time"),
            r"column 'hours' holds 'a long time' \(str\) in every row tried; the model takes a number there",
        ),
        (
            ENCODER,
            pd.DataFrame({"city": ["Bonn", "Rome"]}),
            r"column 'city' of row 1 is 'Rome' \(str\); row 0, which it takes, has 'Bonn'",
        ),
        (CLASSIFIER, pd.DataFrame({"a": ["x"], "b": ["y"]}), "2 text columns, expected exactly one"),
        (CLASSIFIER, ["fine", None], r"sample row 1 is None"),
        (MODEL, np.ones((3, 5)), r"have shape \[3, 5\]; expected \[rows, 2\]"),
    ],
    ids=["case", "label", "missing column", "missing value", "text", "category", "two texts", "none", "width"],
)
def test_wrong_samples_are_told_in_the_words_of_who_gave_them(model, rows, said):
    with pytest.raises(SourceError, match=said) as caught:
        convert(model, rows)
    assert not [word for word in RAW if word in str(caught.value)]
    assert "\n" not in str(caught.value)
