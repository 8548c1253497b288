"""Numbers for generated rows: from the range of the given ones, and none of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sealift_bundler.samples.generated.numbers import PLAIN, numbers_like


class Fixed:
    """A generator of the numbers that a test wants."""

    def __init__(self, *values):
        self.values = list(values)

    def random(self):
        return self.values.pop(0)


def test_a_fraction_is_drawn_between_its_bounds():
    # Eight bins, all but the last of one value: the bounds are those of the column. 0.25 + 0.5 * 10 = 5.25.
    assert numbers_like(np.array([0.25, 10.25]), 1, Fixed(0.0, 0.5)).tolist() == [5.25]
    # The last bin goes from 0.25 to 10.25.
    assert numbers_like(np.array([0.25, 10.25]), 1, Fixed(0.99, 0.1)).tolist() == [1.25]


def test_it_has_four_digits_of_the_range():
    # Of a range of 10, hundredths: 0.25 + 0.123456 * 10 = 1.48456.
    assert numbers_like(np.array([0.25, 10.25]), 1, Fixed(0.0, 0.123456)).tolist() == [1.48]


def test_a_fraction_that_is_given_is_drawn_again():
    assert numbers_like(np.array([0.25, 10.25]), 1, Fixed(0.0, 0.0, 0.0, 0.5)).tolist() == [5.25]


def test_the_same_fraction_everywhere_is_not_given():
    # A tenth of it, and one, to each side: from -0.5 to 1.5.
    assert numbers_like(np.array([0.5, 0.5]), 1, Fixed(0.0, 0.25)).tolist() == [0.0]


def test_whole_numbers_stay_whole():
    # Of 3 to 7, both included: 3 + floor(0.5 * 5) = 5.
    assert numbers_like(np.array([3, 7]), 1, Fixed(0.99, 0.5)).tolist() == [5]
    made = numbers_like(np.array([3.0, 7.0]), 1, Fixed(0.99, 0.5))
    assert (made.tolist(), made.dtype) == ([5.0], np.float64)


def test_a_small_whole_number_may_be_one_of_the_given():
    assert numbers_like(np.array([0, 1]), 2, Fixed(0.99, 0.0, 0.99, 0.6)).tolist() == [0, 1]


def test_a_large_one_is_moved_to_the_next_that_is_not_given():
    # 20,000 and 20,001 are given, so it goes to 19,999.
    assert numbers_like(np.array([20_000, 20_001, 90_000]), 1, Fixed(0.5, 0.0)).tolist() == [19_999]


def test_codes_stay_inside_their_range():
    every = np.arange(20_000, 20_010)
    assert 20_000 <= numbers_like(every, 1, Fixed(0.0, 0.0), outside=False)[0] <= 20_009
    assert not 20_000 <= numbers_like(every, 1, Fixed(0.0, 0.0))[0] <= 20_009


def test_an_identifier_of_every_row_is_of_no_row():
    identifiers = np.arange(1_000_000, 1_000_500)
    assert not set(numbers_like(identifiers, 400, np.random.default_rng(0)).tolist()) & set(identifiers.tolist())


def test_booleans_and_missing_numbers():
    assert numbers_like(np.array([True, True]), 2, Fixed(0.4, 0.6)).tolist() == [True, False]
    assert np.isnan(numbers_like(np.array([np.nan, np.inf]), 2, Fixed())).all()


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64", "uint64", "float32", "float64"])
def test_extremes_of_a_dtype(dtype):
    limits = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else np.finfo(dtype)
    values = np.array([limits.min, limits.max], dtype=dtype)
    made = numbers_like(values, 50, np.random.default_rng(0))
    assert made.dtype == dtype
    assert np.isfinite(made).all()


def test_chance_is_the_same_every_time():
    values = np.random.default_rng(1).normal(size=100)
    one, other = (numbers_like(values, 20, np.random.default_rng(5)) for _ in range(2))
    assert one.tolist() == other.tolist()
    assert len(set(one.tolist())) > 15


def _plain(value):
    return abs(value) < PLAIN and value == int(value)


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float64, st.integers(1, 30), elements=st.floats(width=64))
    | arrays(np.float32, st.integers(1, 30), elements=st.floats(width=32))
    | arrays(np.int64, st.integers(1, 30))
    | arrays(np.uint16, st.integers(1, 30))
)
def test_none_but_a_small_whole_number_is_ever_given(values):
    made = numbers_like(values, 20, np.random.default_rng(0))
    assert made.dtype == values.dtype
    given_values = set(values.tolist())
    assert [value for value in made.tolist() if value in given_values and not _plain(value)] == []
