"""Rows become tensors, or an InputError names the column, the dtype and the row."""

import numpy as np
import pandas as pd
import pytest
from support.release.model_description import description

from sealift.errors import InputError
from sealift.model.documents.description import MISSING_TEXT, Column, TensorInput
from sealift.model.inputs.feeder import Feeder

COLUMNS = (
    TensorInput(
        "numbers", "float32", ("rows", 2), (Column("price", "float", "nan"), Column("count", "int", None)), None
    ),
    TensorInput("strings", "string", ("rows", 1), (Column("city", "str", MISSING_TEXT),), None),
)
TABLE = Feeder(description("columns", *COLUMNS), ())
MATRIX = Feeder(
    description(
        "matrix",
        TensorInput(
            "numbers", "float32", ("rows", 2), (Column("x0", "float", None), Column("x1", "float", None)), None
        ),
    ),
    (),
)
FRAME = pd.DataFrame({"city": ["Rome", None, "東京"], "count": [1, 2, 3], "price": [1.5, None, 2.5]})


class ArrowLike:
    """What pyarrow.Table looks like from here."""

    column_names = ("price", "count", "city")
    num_rows = 3

    def column(self, name):
        return FRAME[name]


class PolarsLike:
    """What polars.DataFrame looks like from here."""

    columns = ("price", "count", "city")
    shape = (3, 3)

    def __getitem__(self, name):
        return FRAME[name].to_numpy()


@pytest.mark.parametrize(
    "rows",
    [
        FRAME,
        FRAME.convert_dtypes(),
        FRAME.astype({"city": "category"}),
        FRAME.astype(object),
        FRAME.to_dict("records"),
        FRAME.to_dict("list"),
        {name: FRAME[name].to_numpy() for name in FRAME},
        ArrowLike(),
        PolarsLike(),
    ],
    ids=lambda rows: type(rows).__name__,
)
def test_every_kind_of_table_gives_the_same_tensors(rows):
    (feeds,) = TABLE.feeds(rows)
    np.testing.assert_array_equal(feeds["numbers"], np.array([[1.5, 1], [np.nan, 2], [2.5, 3]], np.float32))
    assert feeds["numbers"].dtype == np.float32
    assert feeds["strings"].tolist() == [["Rome"], [MISSING_TEXT], ["東京"]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"price": "cheap"}, "column 'price' row 0 is 'cheap'|column 'price' has dtype"),
        ({"price": np.inf}, "column 'price' row 0 is infinite"),
        ({"price": 1e300}, "column 'price' row 0 is beyond the range of float32"),
        ({"count": np.nan}, "column 'count' row 0 is missing"),
        ({"count": 1.5}, "column 'count' row 0 has a fraction"),
        ({"city": 7}, "column 'city' has dtype int64; expected text"),
        ({"city": "a\0b"}, "column 'city' row 0 holds a NUL"),
        ({"city": MISSING_TEXT}, "column 'city' row 0 is U.10FFFF"),
        ({"price": pd.Timestamp("2026-01-01")}, "column 'price' has dtype datetime64"),
    ],
)
def test_a_value_that_does_not_fit_is_named(changes, message):
    with pytest.raises(InputError, match=message):
        TABLE.feeds(FRAME.assign(**changes))


def test_half_of_a_surrogate_pair_is_no_text():
    with pytest.raises(InputError, match="column 'city' row 1 holds half of a surrogate pair"):
        TABLE.feeds([{"price": 1, "count": 1, "city": "a"}, {"price": 1, "count": 1, "city": "\ud800"}])


def test_only_where_a_value_may_miss_the_message_says_how():
    with pytest.raises(InputError, match="row 1 lacks 'price'; use None for a missing value"):
        TABLE.feeds([{"price": 1, "count": 1, "city": "a"}, {"count": 1, "city": "b"}])


def test_many_categories_are_named_in_part():
    column = Column("city", "str", None, categories=tuple(f"c{number}" for number in range(12)))
    table = Feeder(description("columns", TensorInput("strings", "string", ("rows", 1), (column,), None)), ())
    with pytest.raises(InputError, match=r"is 'x', which is not one of .* knows: 'c0', .*'c9' and 2 more$"):
        table.feeds([{"city": "x"}])


def test_values_of_mixed_types_are_named_by_row():
    rows = [{"price": 1, "count": 1, "city": "a"}, {"price": 1, "count": 1, "city": 5}]
    with pytest.raises(InputError, match=r"column 'city' row 1 is 5 \(int\); expected text"):
        TABLE.feeds(rows)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (FRAME.drop(columns="count"), "column 'count' is missing; the model takes 'price', 'count', 'city'"),
        ([{"price": 1, "count": 1, "city": "a"}, {"price": 1, "city": "b"}], "row 1 lacks 'count'$"),
        ([{"price": 1, "count": 1, "city": "a"}, 3], "row 1 is an int; expected a dict"),
        (np.zeros((2, 3)), "rows are an ndarray of shape"),
        ([], "rows are an empty list; expected a DataFrame"),
        ({"price": [1], "count": [1, 2], "city": ["a"]}, "different lengths"),
        ({"price": 1, "count": [1], "city": "a"}, "'price' is a single value"),
        ({"price": 1, "count": 1, "city": "a"}, r"^this is one row; put it into a list: \[{…}\]$"),
        (pd.concat([FRAME, FRAME[["price"]]], axis=1), "'price' appears more than once"),
    ],
)
def test_rows_of_another_form_are_refused(rows, message):
    with pytest.raises(InputError, match=message):
        TABLE.feeds(rows)


@pytest.mark.parametrize(
    "rows",
    [
        [[1, 2], [3, 4]],
        np.array([[1, 2], [3, 4]], dtype=">f8"),
        np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]),
        np.array([[1, 9, 2], [3, 9, 4]])[:, ::2],
        np.array([[1, 2], [3, 4]], dtype=object),
        pd.DataFrame({"a": [1, 3], "b": [2, 4]}),
    ],
)
def test_any_memory_layout_gives_the_same_matrix(rows):
    (feeds,) = MATRIX.feeds(rows)
    assert feeds["numbers"].tolist() == [[1, 2], [3, 4]]
    assert feeds["numbers"].flags.c_contiguous


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([1, 2], r"shape \[2\]; expected \[rows, 2\]; for one row pass"),
        ([[1, 2, 3]], r"shape \[1, 3\]; expected \[rows, 2\]"),
        (np.zeros((2, 2, 1)), r"shape \[2, 2, 1\]"),
        ([[1, 2], [3]], "different lengths"),
        ([["a", "b"]], "dtype <U1; expected numbers"),
        ([[1.0, np.nan]], "column 1 row 0 is missing"),
        ([[1 + 2j, 0]], "dtype complex128"),
        (np.array([[1, "x"]], dtype=object), "row 0, column 1 is 'x'"),
    ],
)
def test_a_matrix_that_does_not_fit_is_refused(rows, message):
    with pytest.raises(InputError, match=message):
        MATRIX.feeds(rows)


def test_no_rows_ask_the_graph_nothing():
    assert list(TABLE.feeds(FRAME.iloc[:0])) == []
    assert list(MATRIX.feeds(np.empty((0, 2)))) == []


WHOLE = Feeder(
    description("columns", TensorInput("numbers", "int32", ("rows", 1), (Column("count", "int", None),), None)), ()
)


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2.0**31, -(2.0**40), 1e300, np.uint64(2**63)])
def test_a_number_beyond_an_integer_tensor_is_refused_and_not_wrapped(value):
    with pytest.raises(InputError, match="column 'count' row 1 is beyond the range of int32"):
        WHOLE.feeds({"count": np.array([0, value], dtype=np.asarray(value).dtype)})


@pytest.mark.parametrize("value", [2**31 - 1, -(2**31), 7.0])
def test_a_number_within_an_integer_tensor_is_taken(value):
    (feeds,) = WHOLE.feeds({"count": np.array([value])})
    assert feeds["numbers"].tolist() == [[value]]


CATEGORIES = Feeder(
    description(
        "matrix",
        TensorInput("numbers", "float32", ("rows", 1), (Column("x0", "float", None, categories=(1.0, 2.5)),), None),
    ),
    (),
)


def test_an_unknown_category_in_a_matrix_of_floats_is_refused():
    (feeds,) = CATEGORIES.feeds(np.array([[1.0], [2.5]]))
    assert feeds["numbers"].tolist() == [[1.0], [2.5]]
    with pytest.raises(
        InputError, match=r"column 0 row 1 is not one of the categories that the model knows: 1\.0, 2\.5"
    ):
        CATEGORIES.feeds(np.array([[1.0], [2.0]]))


@pytest.mark.parametrize("size", [10, 100_000])
@pytest.mark.parametrize("odd", [None, np.nan, np.inf, 3e38])
def test_a_matrix_is_looked_at_whole(size, odd):
    rows = np.ones((size, 2), dtype=np.float32)
    if odd is not None:
        rows[size // 2 :, 1] = odd  # so many of the largest numbers have no finite sum
    if odd is None or odd == 3e38:
        (feeds,) = MATRIX.feeds(rows)
        assert feeds["numbers"] is rows
    else:
        with pytest.raises(InputError, match=f"column 1 row {size // 2} is"):
            MATRIX.feeds(rows)


def test_wide_counts_are_made_when_their_turn_comes():
    made = []

    class Counter:
        width = 1 << 18

        def build(self, dtype):
            return lambda texts: made.append(len(texts)) or np.zeros((len(texts), 1), dtype=dtype)

    column = (Column("text", "str", None),)
    feeds = Feeder(
        description("text", TensorInput("terms", "float32", ("rows", 1 << 18), column, 0)), (Counter(),)
    ).feeds(["a", "b", "c"])
    assert made == []
    assert len(list(feeds)) == 2
    assert made == [2, 1]
