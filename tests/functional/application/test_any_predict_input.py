"""Texts, tensors, many rows, many threads, anything at all: the original's answer or an InputError."""

import enum
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from support.depth import DEPTH
from support.release import prediction_case
from support.release.prediction_case import ROWS, Raises, X

from sealift import InputError
from sealift.model import Model
from sealift.testing import ToyModel


@pytest.fixture(scope="module")
def matrix():
    return prediction_case.matrix()


@pytest.fixture(scope="module")
def gaps():
    return prediction_case.gaps()


@pytest.fixture(scope="module")
def frame():
    return prediction_case.frame()


@pytest.fixture(scope="module")
def text():
    return prediction_case.text()


# Its members are texts whose `str()` says something else.
Fruit = enum.Enum("Fruit", {"RED": "red"}, type=str)


TEXTS = {  # makes the rows, verdict
    "list": (lambda: ["red", "Pear jam"], "answered"),
    "tuple": (lambda: ("red", "x"), "answered"),
    "generator": (lambda: (word for word in ["red", "plum"]), "answered"),
    "set": (lambda: {"red"}, "refused"),
    "array": (lambda: np.array(["red", "plum jam"]), "answered"),
    "objects": (lambda: np.array(["red", "x"], dtype=object), "answered"),
    "StringDType": (lambda: np.array(["red"], dtype=np.dtypes.StringDType()), "answered"),
    "Series": (lambda: pd.Series(["red", "x"]), "answered"),
    "category": (lambda: pd.Series(["red", "x"], dtype="category"), "answered"),
    "Index": (lambda: pd.Index(["red", "x"]), "answered"),
    "polars": (lambda: pl.Series(["red", "x"]), "answered"),
    "enumeration": (lambda: [Fruit.RED], "answered"),
    "numpy.str_": (lambda: [np.str_("red")], "answered"),
    "line ends": (lambda: ["red\r\n\u2028pear"], "answered"),
    "long": (lambda: ["red " * 100_000], "answered"),
    "empty text": (lambda: [""], "answered"),
    "one string": (lambda: "red", "refused"),
    "one bytes": (lambda: b"red", "refused"),
    "list of bytes": (lambda: [b"red"], "refused"),
    "array of bytes": (lambda: np.array([b"red"]), "refused"),
    "two dimensions": (lambda: np.array([["red"]]), "refused"),
    "no dimension": (lambda: np.array("red"), "refused"),
    "None": (lambda: ["red", None], "refused"),
    "NaN": (lambda: ["red", np.nan], "refused"),
    "NA": (lambda: pd.Series(["red", None], dtype="string"), "refused"),
    "polars null": (lambda: pl.Series(["red", None]), "refused"),
    "masked": (lambda: np.ma.masked_array(np.array(["red", "x"], dtype=object), mask=[1, 0]), "refused"),
    "number": (lambda: [1], "refused"),
    "endless number": (lambda: [10**5000], "refused"),
    "lists": (lambda: [["red"]], "refused"),
    "equal lists": (lambda: [["red", "x"], ["y", "z"]], "refused"),
    "lone surrogate": (lambda: ["\ud800"], "refused"),
    "NUL": (lambda: ["red\0"], "refused"),
    "the token": (lambda: ["\U0010ffff"], "refused"),
    "frame": (lambda: pd.DataFrame({"text": ["red"]}), "refused"),
    "dict": (lambda: {"text": "red"}, "refused"),
    "list of dicts": (lambda: [{"text": "red"}], "refused"),
    "range": (lambda: range(3), "refused"),
    "nothing": (lambda: None, "refused"),
    "raises": (Raises, "refused"),
    "class": (lambda: str, "refused"),
    "class of tables": (lambda: pa.Table, "refused"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts(name, text):
    make, verdict = TEXTS[name]
    assert text.verdict(make(), make()) == verdict


def test_arrow_text_is_answered_as_a_list(text):
    for rows in (pa.array(["red", "plum"]), pa.chunked_array([["red"], ["plum"]])):
        assert text.verdict(rows, ["red", "plum"]) == "answered"


def test_no_rows_are_answered_with_none_of_the_right_shape_and_dtype(matrix, frame, text, gaps):
    for case, rows in (
        (matrix, matrix.samples[:0]),
        (frame, frame.samples.iloc[:0]),
        (text, []),
        (gaps, gaps.samples[:0]),
    ):
        for method in case.model.description.methods:
            found, expected = getattr(case.model, method)(rows), getattr(case.original, method)(case.samples[:2])
            assert (found.dtype, found.shape) == (expected.dtype, (0, *expected.shape[1:]))


def test_labels_are_as_wide_as_the_widest(matrix):
    yes = matrix.samples[matrix.samples[:, 0] > 1]
    assert matrix.model.predict(yes).dtype == matrix.original.predict(yes).dtype == np.dtype("<U5")


def test_many_rows_go_through_the_graph_in_chunks(matrix, frame):
    rows = np.resize(matrix.samples, (300_001, 3))
    assert matrix.verdict(rows) == "answered"
    rows[299_999, 1] = np.inf
    with pytest.raises(InputError, match="column 1 row 299999 is infinite"):
        matrix.model.predict(rows)
    many = pd.concat([ROWS] * 30_000, ignore_index=True)
    assert frame.verdict(many) == "answered"
    many.loc[149_998, "c"] = "a\0"
    with pytest.raises(InputError, match="column 'c' row 149998 holds a NUL"):
        frame.model.predict(many)


def test_many_threads_share_one_model(matrix, frame, text):
    def answers(place):
        part = slice(place, place + 1 + place % 5)
        return (
            matrix.model.predict(matrix.samples[part]),
            frame.model.predict_proba(frame.samples.iloc[part]),
            text.model.predict(text.samples[part]),
        )

    places = [place % 100 for place in range(400)]
    alone = {place: answers(place) for place in set(places)}
    with ThreadPoolExecutor(8) as pool:
        for place, found in zip(places, pool.map(answers, places), strict=True):
            for ours, expected in zip(found, alone[place], strict=True):
                np.testing.assert_array_equal(ours, expected)


BAD_TENSORS = {
    "nothing": (lambda name: None, "expected a dict"),
    "a list": (lambda name: [1], "expected a dict"),
    "missing": (lambda name: {}, "is missing"),
    "unknown": (lambda name: {name: X, 1: X, "x": X}, "tensor 1 is unknown"),
    "unequal lengths": (lambda name: {name: [[1], [1, 2]]}, "is a list that cannot be read"),
    "raises": (lambda name: {name: Raises()}, "cannot be read"),
    "None": (lambda name: {name: None}, "dtype object"),
    "text": (lambda name: {name: "a"}, "dtype <U1"),
    "complex": (lambda name: {name: X * 1j}, "dtype complex128"),
    "shape": (lambda name: {name: X[:, :2]}, r"shape \[4, 2\]"),
}


@pytest.mark.parametrize("name", BAD_TENSORS)
def test_named_tensors(name, matrix):
    make, message = BAD_TENSORS[name]
    with pytest.raises(InputError, match=message):
        matrix.model.run(make(matrix.model.inputs[0].name))


@pytest.mark.parametrize("value", [5, None, np.nan, b"red", "re\0d", "\ud800", ["red"]], ids=repr)
def test_a_string_tensor_takes_nothing_for_its_str(value, frame):
    tensors = {
        tensor.name: np.zeros((1, len(tensor.columns)), dtype=tensor.dtype)
        for tensor in frame.model.inputs
        if tensor.dtype != "string"
    }
    (strings,) = (tensor.name for tensor in frame.model.inputs if tensor.dtype == "string")
    cell = np.empty((1, 1), dtype=object)
    cell[0, 0] = value
    with pytest.raises(InputError):
        frame.model.run({**tensors, strings: cell})
    frame.model.run({**tensors, strings: [["red"]]})


@pytest.fixture(scope="module")
def toy():
    """A model that knows the text "red"."""
    return Model.from_files(ToyModel(columns={"c": "str", "n": "float"}, answers={"red": "yes"}).files("toy"))


def test_a_text_of_another_class_is_the_same_text(toy):
    assert toy.predict([{"c": Fruit.RED, "n": 1.0}]).tolist() == ["yes"]
    for rows in ([[Fruit.RED]], np.array([[Fruit.RED]], dtype=object)):
        assert toy.run({"texts": rows, "numbers": [[1.0]]})["label"].tolist() == ["yes"]


@pytest.mark.parametrize("value", [5, 1.5, True, b"red", "red\0"], ids=repr)
def test_a_list_of_texts_holds_nothing_else(value, toy):
    with pytest.raises(InputError, match=r"tensor 'texts' is .* at "):
        toy.run({"texts": [["red"], [value]], "numbers": [[1.0], [1.0]]})


@pytest.mark.parametrize(
    "table", [pd.DataFrame, pl.DataFrame, pa.Table, mock.Mock()], ids=["pandas", "polars", "Arrow", "mock"]
)
def test_no_table_at_all(table, toy):
    with pytest.raises(InputError, match=r"rows are a .* cannot be read as a table"):
        toy.predict(table)


def test_a_row_of_a_frame_is_no_frame(toy):
    with pytest.raises(InputError, match="rows are a Series"):
        toy.predict(pd.Series([1.0], index=["columns"]))


def test_named_numbers_that_do_not_fit_the_tensor_are_refused():
    examples = {"n": np.array([[1]], np.int32), "x": np.array([[[1.0]]], np.float32)}
    graph = helper.make_graph(
        [helper.make_node("Identity", ["n"], ["n_out"]), helper.make_node("Identity", ["x"], ["x_out"])],
        "same",
        [
            helper.make_tensor_value_info("n", TensorProto.INT32, ["rows", 1]),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 1, 1]),
        ],
        [
            helper.make_tensor_value_info("n_out", TensorProto.INT32, ["rows", 1]),
            helper.make_tensor_value_info("x_out", TensorProto.FLOAT, ["rows", 1, 1]),
        ],
    )
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()
    model = Model.from_files(ToyModel(onnx=data, examples=examples).files("same"))
    assert model.run({"n": [[7]], "x": [[[0.5]]]})["n_out"].tolist() == [[7]]
    for wrong, message in (
        ({"n": [[2**32 + 7]]}, "tensor 'n' row 0, column 0 is beyond the range of int32"),
        ({"x": [[[1e300]]]}, r"tensor 'x' place \[0, 0, 0\] is beyond the range of float32"),
        ({"n": np.ma.masked_array([[7]], mask=[[1]], dtype=np.int32)}, "masked"),
    ):
        with pytest.raises(InputError, match=message):
            model.run({**examples, **wrong})


NUMBERS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-(2**80), 2**80),
    st.booleans(),
    st.none(),
    st.floats(width=32).map(np.float32),
    st.integers(-(2**63), 2**63 - 1).map(np.int64),
)
ANYTHING = st.one_of(
    NUMBERS, st.text(max_size=4), st.binary(max_size=3), st.complex_numbers(), st.decimals(), st.just(pd.NA)
)
HYPOTHESIS = settings(
    max_examples=37 * DEPTH,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@HYPOTHESIS
@given(rows=st.lists(st.lists(st.one_of(NUMBERS, ANYTHING), min_size=2, max_size=4), min_size=1, max_size=3))
def test_any_lists(rows, matrix):
    matrix.verdict(rows)


@HYPOTHESIS
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {"a": ANYTHING, "n": st.one_of(st.integers(0, 9), ANYTHING), "flag": st.booleans(), "c": ANYTHING}
        ),
        min_size=1,
        max_size=3,
    )
)
def test_any_frame(rows, frame):
    # scikit-learn itself cannot read NA among objects as a number; it is answered as the NaN that it stands for.
    same = [{**row, **{name: np.nan for name in ("a", "n") if row[name] is pd.NA}} for row in rows]
    frame.verdict(pd.DataFrame(rows), pd.DataFrame(same))


@HYPOTHESIS
@given(texts=st.lists(st.one_of(st.text(max_size=30), ANYTHING), min_size=1, max_size=4))
def test_any_texts(texts, text):
    text.verdict(texts)


@HYPOTHESIS
@given(
    values=st.lists(st.floats(allow_subnormal=False), min_size=3, max_size=9).filter(
        lambda values: len(values) % 3 == 0
    ),
    dtype=st.sampled_from(["f4", "f8", ">f4", ">f8", "f2", "i8", "i4", "u8", "?", "O"]),
    order=st.sampled_from("CF"),
)
def test_any_array(values, dtype, order, matrix, gaps):
    with np.errstate(all="ignore"):
        rows = np.array(values).reshape(-1, 3).astype(dtype, order=order)
    for case in (matrix, gaps):
        case.verdict(rows)
