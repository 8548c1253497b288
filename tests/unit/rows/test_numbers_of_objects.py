"""Numbers that come as Python's objects, in lists and dicts."""

import numpy as np
import pandas as pd
import pytest

from sealift.model.inputs.values import numbers


@pytest.mark.parametrize("large", [2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)])
def test_integers_that_no_float64_holds_stay_what_they_are(large):
    column = np.array([large, 7], dtype=object)
    found = numbers(column, "x")
    assert found.tolist() == [large, 7]
    assert found.dtype == pd.DataFrame({"x": [large, 7]})["x"].dtype


def test_beside_a_float_or_a_gap_they_are_floats_as_in_pandas():
    for other in (0.5, None):
        found = numbers(np.array([2**53 + 1, other], dtype=object), "x")
        expected = pd.DataFrame({"x": [2**53 + 1, other]})["x"]
        assert np.array_equal(found, expected, equal_nan=True)
