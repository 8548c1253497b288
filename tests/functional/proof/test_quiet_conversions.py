"""What NumPy and scikit-learn warn of in rows that nobody but the proof made is not shown to the caller."""

import warnings

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sealift_bundler import convert
from sealift_bundler.errors import ConversionError

ROWS = np.random.default_rng(2).random((300, 2)) + 1


def test_no_warning_of_rows_that_are_not_the_callers():
    original = make_pipeline(FunctionTransformer(np.log), Ridge()).fit(ROWS[:200], ROWS[:200, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        convert(original, ROWS[200:])


def test_a_function_without_a_counterpart_is_named_by_its_library():
    original = make_pipeline(FunctionTransformer(expit), Ridge()).fit(ROWS[:200], ROWS[:200, 0])
    with pytest.raises(ConversionError, match=r"scipy\.special\.expit has no exact counterpart"):
        convert(original, ROWS[200:])
