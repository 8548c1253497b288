"""Rows so far that every stored point, center or centroid is about as near: the same answer, or a refusal."""

import numpy as np
import pytest
from sklearn.cluster import Birch, KMeans, MeanShift
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.preprocessing import SplineTransformer

from sealift import InputError
from sealift_bundler import convert

GENERATOR = np.random.default_rng(3)
ROWS = np.c_[GENERATOR.normal(size=(700, 2)), GENERATOR.lognormal(0, 1, 700)]
CLASSES = np.digitize(ROWS[:, 0] + ROWS[:, 2], [0.5, 1.5])


def far(power):
    rows = ROWS[400:].copy()
    rows[np.arange(300), GENERATOR.integers(0, 3, 300)] = GENERATOR.normal(size=300) * 10.0**power
    return rows


def test_the_nearest_center():
    original = KMeans(3, n_init=1, random_state=0).fit(ROWS[:300])
    model = convert(original, ROWS[300:400]).open()
    for power in range(0, 31, 3):
        rows = far(power)
        np.testing.assert_array_equal(model.predict(rows), original.predict(rows))


@pytest.mark.parametrize(
    "original",
    [MeanShift(bandwidth=1.5), Birch(n_clusters=3), NearestCentroid()],
    ids=["mean shift", "birch", "centroid"],
)
def test_the_nearest_by_distances_of_differences(original):
    model = convert(original.fit(ROWS[:300], CLASSES[:300]), ROWS[300:400]).open()
    refusals = []
    for row in np.concatenate([far(power)[:30] for power in (0, 3, 9, 12, 14, 15, 18)])[:, np.newaxis]:
        try:
            answer = model.predict(row)
        except InputError as error:
            refusals.append(str(error))
        else:
            np.testing.assert_array_equal(answer, original.predict(row))
    assert 0 < len(refusals) < 150
    assert all("so far from all that rounding decides" in refusal for refusal in refusals)


@pytest.mark.parametrize(
    "original",
    [
        KNeighborsClassifier(3, p=1),
        KNeighborsClassifier(3, metric="chebyshev"),
        KNeighborsClassifier(3),
        NearestCentroid(),
        NearestCentroid(priors="empirical"),
    ],
    ids=["manhattan", "chebyshev", "euclidean", "centroid", "centroid with priors"],
)
@pytest.mark.parametrize("labels", [CLASSES, CLASSES > 0], ids=["three classes", "two classes"])
def test_labels_of_far_rows(original, labels):
    original.fit(ROWS[:300], labels[:300])
    model = convert(original, ROWS[300:400]).open()
    np.testing.assert_array_equal(model.predict(ROWS[400:]), original.predict(ROWS[400:]))
    refusals = []
    for row in np.concatenate([far(power)[:30] for power in (6, 9, 12, 14, 15, 18, 200)])[:, np.newaxis]:
        try:
            answers = model.predict_proba(row)
        except InputError as error:
            refusals.append(str(error))
        else:
            np.testing.assert_allclose(answers, original.predict_proba(row), 1e-5, 1e-5)
    assert 0 < len(refusals) < 160
    assert all("so far from all that rounding decides" in refusal for refusal in refusals)


def test_periods_of_a_spline():
    original = SplineTransformer(extrapolation="periodic").fit(ROWS[:300])
    model = convert(original, ROWS[300:400]).open()
    for power in range(0, 16, 3):
        rows = far(power)
        np.testing.assert_allclose(model.transform(rows), original.transform(rows), 1e-5, 1e-5)
