"""Originals and what they became, and a check that the two give the same answer or a refusal."""

import contextlib
import functools
import warnings

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sealift import InputError
from sealift_bundler import convert


class Case:
    """An original and what it became."""

    def __init__(self, original, samples):
        self.original = original
        self.samples = samples
        self.model = convert(original, samples).open(threads=1)

    def verdict(self, rows, same_rows=None):
        """Give "answered" or "refused"; fail on any other error and on any other answer than the original's.

        Args:
            rows: what the model is given.
            same_rows: the same for the original, where that takes another kind; None gives it `rows`.
        """
        expected = refusal = found = None
        with warnings.catch_warnings(), contextlib.suppress(Exception):  # the original raises whatever it likes
            warnings.simplefilter("ignore")
            expected = self.original.predict(rows if same_rows is None else same_rows)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                found = self.model.predict(rows)
            except InputError as error:
                refusal = str(error)
        if refusal is not None:
            assert refusal
            assert "\n" not in refusal
            return "refused"
        assert expected is not None, f"the original refuses what is answered with {found!r}"
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        else:
            np.testing.assert_array_equal(found, expected)
        return "answered"


@functools.cache
def matrix():
    rows = np.random.default_rng(0).normal(size=(200, 3))
    labels = np.where(rows[:, 0] > 0, "yes", "never")
    return Case(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels), rows)


@functools.cache
def gaps():
    """A matrix with missing values."""
    rows = np.random.default_rng(1).normal(size=(300, 3)).astype(np.float32)
    target = rows[:, 0] + rows[:, 1]
    rows[::7, 1] = np.nan
    return Case(HistGradientBoostingRegressor(max_iter=15).fit(rows, target), rows)


@functools.cache
def frame():
    generator = np.random.default_rng(0)
    rows = pd.DataFrame({"a": generator.normal(size=200), "n": generator.integers(0, 9, 200)})
    rows["flag"] = generator.random(200) > 0.5
    rows["c"] = generator.choice(["red", "grün", "blue"], 200)
    rows.loc[3, "a"] = np.nan
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["a", "n"]),
        ("passthrough", ["flag"]),
        (OneHotEncoder(handle_unknown="ignore"), ["c"]),
    )
    return Case(make_pipeline(columns, LogisticRegression()).fit(rows, rows["n"] > 4), rows)


@functools.cache
def text():
    texts = ["red apple pie", "green pear", "Blue berry jam", "plum"] * 20
    return Case(make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [t[0] in "rg" for t in texts]), texts)


class Raises:
    """An object whose conversion to an array fails in its own way."""

    def __array__(self, *_, **__):
        raise RuntimeError("no")

    def __iter__(self):
        raise RuntimeError("no")


X = np.random.default_rng(2).normal(size=(4, 3))

ROWS = pd.DataFrame(
    {
        "a": [1.5, np.nan, -0.5, 2.0, 0.0],
        "n": [1, 8, 3, 4, 5],
        "flag": [True, False, True, True, False],
        "c": ["red", "grün", "blue", "violet", ""],
    }
)
