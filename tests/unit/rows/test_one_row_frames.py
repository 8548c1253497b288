"""One row read value by value is what its columns are, or is left to them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.depth import DEPTH

from sealift.model.inputs.one_row import read_row

CELLS = st.one_of(
    st.floats(),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.text(max_size=3),
    st.none(),
    st.just(pd.NA),
    st.binary(max_size=2),
    st.floats(width=32).map(np.float32),
    st.integers(0, 255).map(np.uint8),
    st.dates(),
)
DTYPES = st.sampled_from(
    [None, "object", "str", "string", "float64", "float32", "int64", "Int64", "Float64", "category"]
)


@settings(max_examples=100 * DEPTH)
@given(cells=st.lists(st.tuples(CELLS, DTYPES), min_size=1, max_size=4), odd=st.booleans())
def test_it_gives_what_each_column_gives(cells, odd):
    columns = {}
    for place, (cell, dtype) in enumerate(cells):
        try:
            with np.errstate(all="ignore"):
                columns[f"c{place}"] = pd.Series([cell], dtype=dtype)
        except (TypeError, ValueError, OverflowError):
            columns[f"c{place}"] = pd.Series([cell], dtype=object)
    frame = pd.DataFrame({**columns, **({"unused": [pd.Timestamp("2026")]} if odd else {})})
    texts = [name for name in columns if frame[name].dtype.kind == "O"]
    numbers = [name for name in columns if name not in texts]
    found = read_row(frame, texts, numbers)
    if found is None:
        return
    for name in columns:
        expected = frame[name].to_numpy()
        assert found[name].dtype == expected.dtype
        np.testing.assert_array_equal(found[name], expected)


def test_an_ordinary_row_is_read():
    frame = pd.DataFrame({"a": [1.5], "n": [2], "flag": [True], "c": ["red"]})
    found = read_row(frame, ["c"], ["a", "n", "flag"])
    assert {name: (values.dtype.kind, values.tolist()) for name, values in found.items()} == {
        "a": ("f", [1.5]),
        "n": ("i", [2]),
        "flag": ("b", [True]),
        "c": ("O", ["red"]),
    }


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1.5]}),
        pd.DataFrame([[1.5, "red", 1.5]], columns=["a", "c", "a"]),
        pd.DataFrame({"a": ["1.5"], "c": ["red"]}),
        pd.DataFrame({"a": [1.5], "c": [None]}),
        pd.DataFrame({"a": [1.5], "c": [7]}),
        pd.DataFrame([[1.5, "red"]], columns=pd.MultiIndex.from_tuples([("a", ""), ("c", "")])),
    ],
)
def test_anything_else_is_left_to_the_columns(frame):
    assert read_row(frame, ["c"], ["a"]) is None
