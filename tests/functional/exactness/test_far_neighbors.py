"""Rows far from all stored ones, whose nearest neighbors follow from rounding: an answer of the original's, or none."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    LocalOutlierFactor,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
)
from support.answers.row_by_row import refused_rows, row_by_row, wrong_rows

from sealift_bundler import convert

ROWS = np.random.default_rng(11).lognormal(0, 1, (400, 2))
# Many stored rows are nearly equally far along the second column; the first one tells them apart, in few last bits.
ROWS[:, 1] = 10.0 ** (np.random.default_rng(12).integers(0, 5, 400) / 2) + 1e-6 * ROWS[::-1, 0]
FIT = 300


@pytest.mark.parametrize("kind", [KNeighborsRegressor, KNeighborsClassifier])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
def test_far_rows_are_answered_as_by_the_original_or_refused(kind, container):
    target = ROWS[:FIT, 0] if kind is KNeighborsRegressor else (ROWS[:FIT, 0] > 1).astype(int)
    original = kind(3).fit(container(ROWS[:FIT]), target)
    model = convert(original, container(ROWS[FIT:])).open()
    far = ROWS[FIT:].copy()
    far[:, 1] = 10.0 ** np.linspace(11.5, 12.5, 100)
    assert wrong_rows(original, model, far) == []
    assert refused_rows(original, model, ROWS) == 0


@pytest.mark.parametrize("algorithm", ["auto", "brute"])
def test_the_outlier_factor_of_far_rows(algorithm):
    original = LocalOutlierFactor(n_neighbors=5, novelty=True, algorithm=algorithm).fit(ROWS[:FIT])
    model = convert(original, ROWS[FIT:]).open()
    for exponent in (8, 12, 15):
        far = ROWS[FIT:].copy()
        far[:, 1] = 10.0 ** np.linspace(exponent - 0.5, exponent + 0.5, 100)
        scores = row_by_row(original.decision_function, far)
        got = row_by_row(model.decision_function, far)
        assert [
            have for have, want in zip(got, scores, strict=True) if have is not None and not np.isclose(have, want)
        ] == []
    assert refused_rows(original, model, ROWS) == 0


@pytest.mark.parametrize("algorithm", ["kd_tree", "brute"])
@pytest.mark.parametrize("kind", [RadiusNeighborsRegressor, RadiusNeighborsClassifier])
@pytest.mark.parametrize("away", [0.0, 1e3])
def test_rows_on_the_radius(kind, algorithm, away):
    generator = np.random.default_rng(13)
    stored = generator.normal(size=(300, 2)) + away
    target = stored[:, 0] if kind is RadiusNeighborsRegressor else (stored[:, 0] > away).astype(int)
    options = {} if kind is RadiusNeighborsRegressor else {"outlier_label": 1}
    original = kind(radius=0.5, algorithm=algorithm, **options).fit(stored, target)
    near = generator.normal(size=(100, 2)) + away
    model = convert(original, near).open()
    turn = generator.uniform(0, 2 * np.pi, 300)
    on = stored + 0.5 * np.stack([np.cos(turn), np.sin(turn)], axis=1) * (
        1 + generator.integers(-4, 5, (300, 1)) * 1e-16
    )
    got, expected = row_by_row(model.predict, on), row_by_row(original.predict, on)
    assert all(have is None or np.isclose(have, want, equal_nan=True) for have, want in zip(got, expected, strict=True))
    assert refused_rows(original, model, near) == 0
