"""What an answer's numbers become in JSON, also those that JSON or a sum of them does not hold."""

import numpy as np
import pytest

from sealift.errors import InputError
from sealift.serving.protocol.tensors import json_of_tensor

LARGEST = np.finfo(np.float64).max


@pytest.mark.parametrize("values", [[1.5, -2.0], [LARGEST, LARGEST], [-LARGEST, -LARGEST], []], ids=str)
def test_finite_numbers_are_themselves_though_their_sum_may_not_be_finite(values):
    assert json_of_tensor("x", np.array(values))["data"] == values


@pytest.mark.parametrize("values", [[1.0, np.nan], [np.nan, LARGEST, LARGEST]], ids=str)
def test_nan_is_null(values):
    assert json_of_tensor("x", np.array(values))["data"] == [None if np.isnan(value) else value for value in values]


@pytest.mark.parametrize("values", [[np.inf], [np.inf, -np.inf], [np.nan, np.inf], [-np.inf, 1.0]], ids=str)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_infinity_is_refused(values, dtype):
    with pytest.raises(InputError, match="infinity"):
        json_of_tensor("x", np.array(values, dtype))
