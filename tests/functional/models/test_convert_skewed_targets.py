"""Boosted trees of skewed targets: prices, bytes, durations, where an answer is small beside the sum it comes from."""

import numpy as np
import pytest
from lightgbm import LGBMRegressor
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor

from sealift_bundler import convert

GENERATOR = np.random.default_rng(17)
ROWS = GENERATOR.normal(size=(12_000, 5))
TARGETS = {
    "lognormal bytes": np.exp(ROWS[:, 0] * 3 + 10),
    "nothing or a million": np.where(ROWS[:, 0] > 0, 1e6, 0.0),
    "a small part of a large number": 1e9 + ROWS[:, 0],
    "both signs": np.sinh(ROWS[:, 0] * 6),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "original",
    [
        HistGradientBoostingRegressor(max_iter=60),
        GradientBoostingRegressor(n_estimators=20, random_state=0),
        LGBMRegressor(n_estimators=60, verbose=-1, n_jobs=1),
    ],
    ids=lambda model: type(model).__name__,
)
def test_skewed_targets_agree_from_five_samples_on(original, target):
    original.fit(ROWS[:1500], TARGETS[target][:1500])
    model = convert(original, ROWS[1500:1505]).open()
    np.testing.assert_allclose(model.predict(ROWS[2000:]), original.predict(ROWS[2000:]), rtol=1e-5, atol=1e-5)
