"""Whether all numbers are finite, asked in one pass."""

import numpy as np
import pytest

from sealift.model.inputs.values import all_finite


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.filterwarnings("error")
def test_finite_is_asked_of_many_values_without_a_warning(dtype, order):
    values = np.full((300, 100), np.finfo(dtype).max, dtype, order=order)
    assert all_finite(values)  # though their sum is not
    for wrong in (np.nan, np.inf, -np.inf):
        for place in ((0, 0), (299, 99), (150, 50)):
            other = values.copy(order=order)
            other[place] = wrong
            assert not all_finite(other)
    opposite = np.zeros((300, 100), dtype, order=order)
    opposite[0, 0], opposite[1, 1] = np.inf, -np.inf
    assert not all_finite(opposite)
    assert not all_finite(np.repeat(opposite, 4, axis=0)[::2].T)
