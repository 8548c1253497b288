"""Whatever is given to a model: the original's own answer, or an InputError of one line; never anything else."""

import contextlib
import datetime as dt
import decimal
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sealift import InputError
from sealift_bundler import convert


class Case:
    """An original and what it became."""

    def __init__(self, original, samples):
        self.original = original
        self.samples = samples
        self.model = convert(original, samples).open(threads=1)

    def verdict(self, rows, same_rows=None):
        """Give "answered" or "refused"; fail on any other error and on any other answer than the original's.

        Args:
            rows: what the model is given.
            same_rows: the same for the original, where that takes another kind; None gives it `rows`.
        """
        expected = refusal = found = None
        with warnings.catch_warnings(), contextlib.suppress(Exception):  # the original raises whatever it likes
            warnings.simplefilter("ignore")
            expected = self.original.predict(rows if same_rows is None else same_rows)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                found = self.model.predict(rows)
            except InputError as error:
                refusal = str(error)
        if refusal is not None:
            assert refusal
            assert "\n" not in refusal
            return "refused"
        assert expected is not None, f"the original refuses what is answered with {found!r}"
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        else:
            np.testing.assert_array_equal(found, expected)
        return "answered"


@pytest.fixture(scope="module")
def matrix():
    rows = np.random.default_rng(0).normal(size=(200, 3))
    labels = np.where(rows[:, 0] > 0, "yes", "never")
    return Case(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels), rows)


@pytest.fixture(scope="module")
def gaps():
    """A matrix with missing values."""
    rows = np.random.default_rng(1).normal(size=(300, 3)).astype(np.float32)
    target = rows[:, 0] + rows[:, 1]
    rows[::7, 1] = np.nan
    return Case(HistGradientBoostingRegressor(max_iter=15).fit(rows, target), rows)


@pytest.fixture(scope="module")
def frame():
    generator = np.random.default_rng(0)
    rows = pd.DataFrame({"a": generator.normal(size=200), "n": generator.integers(0, 9, 200)})
    rows["flag"] = generator.random(200) > 0.5
    rows["c"] = generator.choice(["red", "grün", "blue"], 200)
    rows.loc[3, "a"] = np.nan
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["a", "n"]),
        ("passthrough", ["flag"]),
        (OneHotEncoder(handle_unknown="ignore"), ["c"]),
    )
    return Case(make_pipeline(columns, LogisticRegression()).fit(rows, rows["n"] > 4), rows)


@pytest.fixture(scope="module")
def text():
    texts = ["red apple pie", "green pear", "Blue berry jam", "plum"] * 20
    return Case(make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [t[0] in "rg" for t in texts]), texts)


class Subclass(np.ndarray):
    """An array of somebody's own class."""


class Raises:
    """An object whose conversion to an array fails in its own way."""

    def __array__(self, *_, **__):
        raise RuntimeError("no")

    def __iter__(self):
        raise RuntimeError("no")


X = np.random.default_rng(2).normal(size=(4, 3))
READ_ONLY = X.copy()
READ_ONLY.setflags(write=False)
MATRICES = {
    "ready": (X, "answered"),
    "one row": (X[:1], "answered"),
    "Fortran order": (np.asfortranarray(X), "answered"),
    "big-endian": (X.astype(">f8"), "answered"),
    "every second column": (np.repeat(X, 2, axis=1)[:, ::2], "answered"),
    "backwards": (X[::-1, ::-1], "answered"),
    "transposed view": (X[:3].T.copy().T, "answered"),
    "broadcast": (np.broadcast_to(X[0], (5, 3)), "answered"),
    "read-only": (READ_ONLY, "answered"),
    "subclass": (X.view(Subclass), "answered"),
    "pickled": (pickle.loads(pickle.dumps(X)), "answered"),  # noqa: S301 - its dtype is another object
    "objects": (X.astype(object), "answered"),
    "int64": (np.ones((2, 3), dtype=np.int64), "answered"),
    "booleans": (np.ones((2, 3), dtype=bool), "answered"),
    "lists": (X.tolist(), "answered"),
    "tuples": (tuple(map(tuple, X)), "answered"),
    "list of arrays": (list(X), "answered"),
    "ranges": ([range(3)], "answered"),
    "huge integer": ([[2**70, 1, 2]], "answered"),
    "memoryview": (memoryview(X), "answered"),
    "DataFrame": (pd.DataFrame(X), "answered"),
    "other names": (pd.DataFrame(X, columns=list("cab")), "answered"),
    "MultiIndex": (pd.DataFrame(X, columns=pd.MultiIndex.from_product([["a"], ["x", "y", "z"]])), "answered"),
    "Float64": (pd.DataFrame(X).astype("Float64"), "answered"),
    "categories": (pd.DataFrame(X).astype("category"), "answered"),
    "polars": (pl.DataFrame(X), "answered"),
    "Arrow": (pa.table({"a": [1.0], "b": [2.0], "c": [3.0]}), "answered"),
    "no masked value": (np.ma.masked_array(X), "answered"),
    "masked": (np.ma.masked_array(X, mask=X > 0), "refused"),
    "numpy.matrix": (np.asmatrix(X), "refused"),
    "too few columns": (X[:, :2], "refused"),
    "one dimension": (X[0], "refused"),
    "no dimension": (np.array(1.0), "refused"),
    "three dimensions": (X[None], "refused"),
    "float32": (X.astype(np.float32), "refused"),
    "float16": (X.astype(np.float16), "refused"),
    "longdouble": (X.astype(np.longdouble), "refused"),
    "int32": (np.ones((2, 3), dtype=np.int32), "refused"),
    "complex": (X.astype(complex), "refused"),
    "complex object": (np.array([[np.complex64(1 + 2j), 2, 3]], dtype=object), "refused"),
    "duration object": (np.array([[np.timedelta64(1, "s"), 2, 3]], dtype=object), "refused"),
    "text object": (np.array([[1, "a", 2]], dtype=object), "refused"),
    "None": (np.array([[1, None, 2]], dtype=object), "refused"),
    "Decimal": ([[decimal.Decimal(1), 2, 3]], "refused"),
    "date": ([[dt.datetime(2026, 1, 1, tzinfo=dt.UTC), 2, 3]], "refused"),
    "beyond float64": ([[10**400, 1, 2]], "refused"),
    "beyond float32": ([[1e300, 1, 2]], "refused"),
    "NaN": ([[np.nan, 1, 2]], "refused"),
    "infinity": ([[1, -np.inf, 2]], "refused"),
    "digits": (np.array([["1", "2", "3"]]), "refused"),
    "bytes": (np.array([[b"1", b"2", b"3"]]), "refused"),
    "datetimes": (np.zeros((1, 3), dtype="M8[s]"), "refused"),
    "records": (np.zeros((2, 3), dtype=[("a", "f8")]), "refused"),
    "void": (np.zeros((2, 3), dtype="V8"), "refused"),
    "missing Float64": (pd.DataFrame(X).astype("Float64").mask(pd.DataFrame(X) > 0), "refused"),
    "text columns": (pd.DataFrame(X).astype(str), "refused"),
    "Series": (pd.Series([1.0, 2, 3]), "refused"),
    "LazyFrame": (pl.DataFrame(X).lazy(), "refused"),
    "sparse of another shape": (scipy.sparse.csr_matrix((10**6, 10**6)), "refused"),
    "unequal lengths": ([[1, 2, 3], [1]], "refused"),
    "mixed list": ([[1, "a", None]], "refused"),
    "lists of lists": ([[[1], [2], [3]]], "refused"),
    "lone surrogate": ([["\ud800", 1, 2]], "refused"),
    "empty list": ([], "refused"),
    "empty rows": ([[], []], "refused"),
    "generator": ((row for row in X), "refused"),
    "set": ({1, 2, 3}, "refused"),
    "nothing": (None, "refused"),
    "string": ("abc", "refused"),
    "number": (3, "refused"),
    "dict": ({"a": [1], "b": [2], "c": [3]}, "refused"),
    "list of dicts": ([{"a": 1}], "refused"),
    "raises": (Raises(), "refused"),
    "list of what raises": ([[Raises(), 1, 2]], "refused"),
    "class": (int, "refused"),
}


@pytest.mark.parametrize("name", MATRICES)
def test_a_matrix(name, matrix):
    rows, verdict = MATRICES[name]
    assert matrix.verdict(rows) == verdict


def test_a_memory_mapped_matrix(matrix, tmp_path):
    np.save(tmp_path / "rows.npy", X)
    assert matrix.verdict(np.load(tmp_path / "rows.npy", mmap_mode="r")) == "answered"


def test_a_sparse_matrix_is_answered_as_the_dense_one(matrix):
    for make in (scipy.sparse.csr_matrix, scipy.sparse.coo_array):
        assert matrix.verdict(make(X), X) == "answered"


def test_missing_numbers_where_the_original_takes_them(gaps):
    rows = gaps.samples[:20].copy()
    rows[5, 2] = np.nan  # a column without one in the samples: a tree sends it one way, and so do we
    assert gaps.verdict(rows) == "answered"
    assert gaps.verdict(np.asfortranarray(rows)) == "answered"
    rows[6, 0] = np.inf
    assert gaps.verdict(rows) == "refused"


ROWS = pd.DataFrame(
    {
        "a": [1.5, np.nan, -0.5, 2.0, 0.0],
        "n": [1, 8, 3, 4, 5],
        "flag": [True, False, True, True, False],
        "c": ["red", "grün", "blue", "violet", ""],
    }
)
VALUES = ["red", None, "blue", "red", "red"]


def objects(values):
    return pd.Series(values, dtype=object)


DECIMALS = pd.Series([decimal.Decimal("1.5")] * 5, dtype=pd.ArrowDtype(pa.decimal128(5, 2)))
COLUMNS = {  # column, values, verdict
    "object": ("a", ROWS["a"].astype(object), "answered"),
    "Float64": ("a", ROWS["a"].astype("Float64"), "answered"),
    "Arrow double": ("a", ROWS["a"].astype("float64[pyarrow]"), "answered"),
    "category of numbers": ("a", ROWS["a"].astype("category"), "answered"),
    "sparse": ("a", pd.arrays.SparseArray(ROWS["a"]), "answered"),
    "integers for floats": ("a", 1, "answered"),
    "all None": ("a", None, "answered"),
    "booleans for floats": ("a", True, "answered"),
    "numbers big-endian": ("a", ROWS["a"].astype(">f8"), "answered"),
    "float32": ("a", ROWS["a"].astype("float32"), "refused"),
    "objects of float32": ("a", objects([np.float32(value) for value in ROWS["a"]]), "answered"),
    "digits": ("a", "1.5", "refused"),
    "infinity": ("a", np.inf, "refused"),
    "beyond float32": ("a", -1e300, "refused"),
    "complex": ("a", 1j, "refused"),
    "datetime": ("a", pd.Timestamp("2026"), "refused"),
    "datetime with zone": ("a", pd.Timestamp("2026", tz="UTC"), "refused"),
    "duration": ("a", pd.Timedelta(1), "refused"),
    "period": ("a", pd.Period("2026"), "refused"),
    "interval": ("a", pd.Interval(0, 1), "refused"),
    "Decimal": ("a", decimal.Decimal(1), "refused"),
    "Arrow decimal": ("a", DECIMALS, "refused"),
    "lists": ("a", objects([[1]] * 5), "refused"),
    "arrays": ("a", objects([np.ones(20)] * 5), "refused"),
    "Int64": ("n", ROWS["n"].astype("Int64"), "answered"),
    "Int64 with NA": ("n", pd.array([1, None, 2, 3, 4], dtype="Int64"), "answered"),
    "floats for integers": ("n", ROWS["n"].astype(float), "answered"),
    "2^62": ("n", 2**62, "answered"),
    "2^70": ("n", 2**70, "answered"),
    "beyond float64": ("n", 10**400, "refused"),
    "fraction": ("n", 1.5, "refused"),
    "int32": ("n", ROWS["n"].astype("int32"), "refused"),
    "uint64": ("n", ROWS["n"].astype("uint64"), "refused"),
    "boolean": ("flag", ROWS["flag"].astype("boolean"), "answered"),
    "objects of booleans": ("flag", ROWS["flag"].astype(object), "answered"),
    "boolean with NA": ("flag", pd.array([True, None, True, False, True], dtype="boolean"), "refused"),
    "text for booleans": ("flag", "True", "refused"),
    "half": ("flag", 0.5, "refused"),
    "category": ("c", ROWS["c"].astype("category"), "answered"),
    "category with NaN": ("c", pd.Categorical(VALUES), "answered"),
    "string": ("c", ROWS["c"].astype("string"), "answered"),
    "string of Arrow": ("c", ROWS["c"].astype("string[pyarrow]"), "answered"),
    "str with NaN": ("c", pd.Series(VALUES, dtype="str"), "answered"),
    "numpy.str_": ("c", objects([np.str_("red")] * 5), "answered"),
    "long text": ("c", "r" * 100_000, "answered"),
    "string with NA": ("c", pd.array(VALUES, dtype="string"), "refused"),
    "None for NaN": ("c", objects(VALUES), "refused"),
    "NUL": ("c", "re\0d", "refused"),
    "lone surrogate": ("c", objects(["\ud800"] * 5), "refused"),
    "the token": ("c", "\U0010ffff", "refused"),
    "bytes": ("c", b"red", "refused"),
    "str and bytes": ("c", objects(["red", b"red", "x", "y", "z"]), "refused"),
    "mixed": ("c", objects(["red", 1, "x", 2.5, "z"]), "refused"),
    "numbers for text": ("c", 1, "refused"),
    "booleans for text": ("c", True, "refused"),
    "lists for text": ("c", objects([["red"]] * 5), "refused"),
}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("count", [5, 1], ids=["rows", "row"])
def test_a_column(name, count, frame):
    column, values, verdict = COLUMNS[name]
    rows = ROWS.assign(**{column: values})
    # The first of the rows may be an ordinary one: one row is enough for an answer, not for a refusal.
    first = rows.iloc[:count] if verdict == "answered" or count > 1 else rows.iloc[1:2]
    assert frame.verdict(first) == verdict


TABLES = {  # rows, the same for the original, verdict
    "order": (ROWS[["c", "n", "a", "flag"]], None, "answered"),
    "further column": (ROWS.assign(z=1), None, "answered"),
    "columns named like Arrow's": (ROWS.assign(column_names=1, num_rows=2), None, "answered"),
    "list of dicts": (ROWS.to_dict("records"), ROWS, "answered"),
    "tuple of dicts": (tuple(ROWS.to_dict("records")), ROWS, "answered"),
    "dict of lists": (ROWS.to_dict("list"), ROWS, "answered"),
    "dict of Series": (dict(ROWS.items()), ROWS, "answered"),
    "dict of arrays": ({name: ROWS[name].to_numpy() for name in ROWS}, ROWS, "answered"),
    "wide strings": ({**ROWS.to_dict("list"), "c": ROWS["c"].to_numpy().astype("U7")}, ROWS, "answered"),
    "polars": (pl.from_pandas(ROWS), ROWS.assign(a=ROWS["a"]), "answered"),
    "polars categories": (pl.from_pandas(ROWS).with_columns(pl.col("c").cast(pl.Categorical)), ROWS, "answered"),
    "Arrow": (pa.Table.from_pandas(ROWS), ROWS, "answered"),
    "Arrow batch": (pa.RecordBatch.from_pandas(ROWS), ROWS, "answered"),
    "Arrow dictionary": (
        pa.table({**ROWS.to_dict("list"), "c": pa.array(ROWS["c"]).dictionary_encode()}),
        ROWS,
        "answered",
    ),
    "Arrow view": (pa.table({**ROWS.to_dict("list"), "c": pa.array(ROWS["c"], pa.string_view())}), ROWS, "answered"),
    "column missing": (ROWS.drop(columns="n"), None, "refused"),
    "column twice": (pd.concat([ROWS, ROWS[["n"]]], axis=1), None, "refused"),
    "integer names": (ROWS.set_axis(range(4), axis=1), None, "refused"),
    "MultiIndex": (ROWS.set_axis(pd.MultiIndex.from_product([["a"], ROWS.columns]), axis=1), None, "refused"),
    "MultiIndex of the names": (
        ROWS.set_axis(pd.MultiIndex.from_tuples([(name, "") for name in ROWS]), axis=1),
        None,
        "refused",
    ),
    "Arrow column twice": (pa.Table.from_pandas(ROWS).append_column("a", pa.array(ROWS["a"])), None, "refused"),
    "Arrow lists": (pa.table({**ROWS.to_dict("list"), "a": [[1.0]] * 5}), None, "refused"),
    "Arrow bytes": (pa.table({**ROWS.to_dict("list"), "c": pa.array([b"red"] * 5)}), None, "refused"),
    "LazyFrame": (pl.from_pandas(ROWS).lazy(), None, "refused"),
    "polars structs": (pl.from_pandas(ROWS).with_columns(a=pl.struct("a", "n")), None, "refused"),
    "polars lists": (pl.from_pandas(ROWS).with_columns(a=pl.concat_list("a", "a")), None, "refused"),
    "one dict": (ROWS.to_dict("records")[0], None, "refused"),
    "dict of dicts": (ROWS.to_dict(), None, "refused"),
    "dict of lists of lists": ({**ROWS.to_dict("list"), "a": [[1]] * 5}, None, "refused"),
    "dict of unequal lists": ({**ROWS.to_dict("list"), "a": [[1], [2, 3], 1, 1, 1]}, None, "refused"),
    "dict of unequal lengths": ({**ROWS.to_dict("list"), "a": [1.0]}, None, "refused"),
    "dict with a matrix": ({**ROWS.to_dict("list"), "a": np.ones((5, 1))}, None, "refused"),
    "dict with a 0-d array": ({**ROWS.to_dict("list"), "a": np.array(1.0)}, None, "refused"),
    "dict with a masked array": (
        {**ROWS.to_dict("list"), "a": np.ma.masked_array(np.ones(5), mask=[1, 0, 0, 0, 0])},
        None,
        "refused",
    ),
    "dict with a set": ({**ROWS.to_dict("list"), "a": {1, 2}}, None, "refused"),
    "dict with a generator": ({**ROWS.to_dict("list"), "a": (number for number in range(5))}, None, "refused"),
    "dict with a string": ({**ROWS.to_dict("list"), "c": "abcde"}, None, "refused"),
    "dict with bytes": ({**ROWS.to_dict("list"), "c": np.array([b"red"] * 5)}, None, "refused"),
    "dict with sparse": ({**ROWS.to_dict("list"), "a": scipy.sparse.csr_matrix(np.ones((5, 1)))}, None, "refused"),
    "dict with what raises": ({**ROWS.to_dict("list"), "a": Raises()}, None, "refused"),
    "empty dict": ({}, None, "refused"),
    "a dict lacks a column": ([*ROWS.to_dict("records"), {"a": 1.0}], None, "refused"),
    "dicts and a number": ([*ROWS.to_dict("records"), 1], None, "refused"),
    "generator of dicts": ((row for row in ROWS.to_dict("records")), None, "refused"),
    "array": (X, None, "refused"),
    "list": ([1, 2], None, "refused"),
    "empty list": ([], None, "refused"),
    "Series": (ROWS["a"], None, "refused"),
    "Series of dicts": (pd.Series(ROWS.to_dict("records")), None, "refused"),
    "nothing": (None, None, "refused"),
    "string": ("red", None, "refused"),
    "raises": (Raises(), None, "refused"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table(name, frame):
    rows, same_rows, verdict = TABLES[name]
    assert frame.verdict(rows, same_rows) == verdict


TEXTS = {  # makes the rows, verdict
    "list": (lambda: ["red", "Pear jam"], "answered"),
    "tuple": (lambda: ("red", "x"), "answered"),
    "generator": (lambda: (word for word in ["red", "plum"]), "answered"),
    "set": (lambda: {"red"}, "answered"),
    "array": (lambda: np.array(["red", "plum jam"]), "answered"),
    "objects": (lambda: np.array(["red", "x"], dtype=object), "answered"),
    "StringDType": (lambda: np.array(["red"], dtype=np.dtypes.StringDType()), "answered"),
    "Series": (lambda: pd.Series(["red", "x"]), "answered"),
    "category": (lambda: pd.Series(["red", "x"], dtype="category"), "answered"),
    "Index": (lambda: pd.Index(["red", "x"]), "answered"),
    "polars": (lambda: pl.Series(["red", "x"]), "answered"),
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
    max_examples=150,
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
