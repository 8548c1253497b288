"""Rows far from all stored ones, whose nearest neighbors follow from rounding: an answer of the original's, or none."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from support.answers.row_by_row import refused_rows, wrong_rows

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
