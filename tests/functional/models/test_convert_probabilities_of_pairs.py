"""Probabilities that LIBSVM couples from those of pairs of classes: the rounds of its own method, row by row."""

import numpy as np
import pytest
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, NuSVC

from sealift_bundler import convert

pytestmark = pytest.mark.filterwarnings("ignore")

GENERATOR = np.random.default_rng(26)
ROWS = GENERATOR.normal(size=(3500, 4)) * [1, 5, 1, 1]
NOISE = GENERATOR.normal(size=3500) / 2
CLASSES = {count: np.clip(np.round(ROWS[:, 0] + NOISE + count / 2), 0, count - 1).astype(int) for count in (2, 3, 6)}


@pytest.mark.parametrize("count", CLASSES)
@pytest.mark.parametrize(
    "make", [SVC, NuSVC, lambda **options: SVC(kernel="linear", **options)], ids=["rbf", "nu", "linear"]
)
def test_probabilities_of_support_vector_machines(make, count):
    labels = np.array([f"class {index}" for index in range(count)])[CLASSES[count]]
    options = {"nu": 0.05} if make is NuSVC else {}
    original = make_pipeline(StandardScaler(), make(probability=True, random_state=0, **options))
    original.fit(ROWS[:300], labels[:300])
    model = convert(original, ROWS[300:500]).open()
    far = ROWS[:200] * 1e6
    for rows in (ROWS[500:], far, ROWS[:1]):
        np.testing.assert_array_equal(model.predict(rows), original.predict(rows))
        np.testing.assert_allclose(model.predict_proba(rows), original.predict_proba(rows), atol=1e-9)


def test_they_vote():
    members = [("svc", SVC(probability=True, random_state=0)), ("linear", LogisticRegression())]
    original = VotingClassifier(members, voting="soft").fit(ROWS[:300], CLASSES[3][:300])
    model = convert(original, ROWS[300:500]).open()
    np.testing.assert_allclose(model.predict_proba(ROWS), original.predict_proba(ROWS), atol=1e-9)
