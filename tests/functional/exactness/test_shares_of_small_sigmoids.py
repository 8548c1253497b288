"""Sigmoids that are all next to zero are made to sum to one: what is left of each must be as exact as a large one."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.svm import LinearSVC

from sealift_bundler import convert

GENERATOR = np.random.default_rng(5)
ANGLES = np.array([0.0, 2.1, 4.2])
CLASSES = np.repeat([0, 1, 2], 100)
CENTERS = np.c_[np.cos(ANGLES), np.sin(ANGLES)] * 30
ROWS = CENTERS[CLASSES] + GENERATOR.normal(size=(300, 2))
# Between the three groups every classifier of one against the rest says no.
BETWEEN = GENERATOR.normal(size=(300, 2)) * 4


@pytest.mark.parametrize(
    "original",
    [
        OneVsRestClassifier(LogisticRegression(C=1e6, max_iter=500)),
        SGDClassifier(loss="log_loss", random_state=0),
        CalibratedClassifierCV(LinearSVC(random_state=0), cv=3),
    ],
    ids=["one versus rest", "sgd", "calibrated"],
)
def test_shares_between_the_classes(original):
    original.fit(ROWS, CLASSES)
    for member in getattr(original, "estimators_", [original]):
        if hasattr(member, "coef_"):  # surer of itself
            member.coef_, member.intercept_ = member.coef_ * 8, member.intercept_ * 8
    expected = original.predict_proba(BETWEEN)
    answers = convert(original, ROWS[::3]).open().predict_proba(BETWEEN)
    np.testing.assert_allclose(answers, expected, 1e-5, 1e-5)


def test_confidences_of_one_against_one_do_not_overflow():
    original = OneVsOneClassifier(LogisticRegression()).fit(ROWS / 1e3, CLASSES)
    largest = max(np.abs(member.decision_function(BETWEEN)).max() for member in original.estimators_)
    far = BETWEEN * (1.6e38 / largest)
    answers = convert(original, ROWS[::3] / 1e3).open().decision_function(far)
    np.testing.assert_allclose(answers, original.decision_function(far), 1e-5, 1e-5)
