"""What a sparse matrix stores: numbers that are zero in float32 alone, and NaN that a step made of a stored number."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.tree import DecisionTreeRegressor
from xgboost import XGBRegressor

from sealift import InputError
from sealift_bundler import convert

GENERATOR = np.random.default_rng(12)
ROWS = np.c_[GENERATOR.normal(size=(500, 2)), GENERATOR.integers(0, 30, 500)]
TARGET = ROWS[:, 0] + (ROWS[:, 2] == 3)


def test_a_small_number_beside_categories_is_not_missing():
    encoded = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), [2]), remainder="passthrough")
    original = make_pipeline(encoded, XGBRegressor(n_estimators=10, n_jobs=1)).fit(ROWS[:300], TARGET[:300])
    model = convert(original, ROWS[300:400]).open()
    served = ROWS[400:].copy()
    served[::4, 0], served[1::4, 0], served[2::4, 1] = 5e-324, 0.0, -1e-60
    np.testing.assert_allclose(model.predict(served), original.predict(served), 1e-5, 1e-5)


@pytest.mark.parametrize("samples", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])
def test_trees_take_a_missing_number_of_a_step_in_dense_rows_alone(samples):
    original = make_pipeline(FunctionTransformer(np.log1p), DecisionTreeRegressor(max_depth=6, random_state=0))
    good = np.abs(ROWS)
    original.fit(samples(good[:300]), TARGET[:300])
    model = convert(original, samples(good[300:400])).open()
    np.testing.assert_allclose(model.predict(samples(good[400:])), original.predict(samples(good[400:])), 1e-5)
    bad = good[400:].copy()
    bad[0, 0] = -3.0
    with pytest.raises(ValueError, match="NaN"):
        original.predict(sp.csr_matrix(bad))
    with pytest.raises(InputError):
        model.predict(sp.csr_matrix(bad))
    if samples is np.asarray:
        np.testing.assert_allclose(model.predict(bad), original.predict(bad), 1e-5)
