"""The labels of classifiers that answer in another dtype than their classes have, or in one that nothing can carry."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.tree import DecisionTreeClassifier

from sealift_bundler import convert
from sealift_bundler.errors import ConversionError

GENERATOR = np.random.default_rng(8)
ROWS = GENERATOR.normal(size=(120, 2))
NAMES = np.array(["low", "middle", "high"], dtype=object)[np.digitize(ROWS[:, 0], [-0.5, 0.5])]


def test_labels_of_objects_that_are_answered_as_strings():
    original = GaussianProcessClassifier(optimizer=None).fit(ROWS[:60], NAMES[:60])
    answers = convert(original, ROWS[60:90]).open().predict(ROWS[90:])
    expected = original.predict(ROWS[90:])
    np.testing.assert_array_equal(answers, expected)
    assert answers.dtype.kind == expected.dtype.kind


def test_labels_of_bytes_are_refused():
    original = DecisionTreeClassifier().fit(ROWS, NAMES.astype("S"))
    with pytest.raises(ConversionError, match=r"labels are bytes.*train it on strings"):
        convert(original, ROWS)
