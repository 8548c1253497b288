"""Whatever table or array is given: the original's own answer, or an InputError of one line; never anything else."""

import datetime as dt
import decimal
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from support.release import prediction_case
from support.release.prediction_case import ROWS, Raises, X


@pytest.fixture(scope="module")
def matrix():
    return prediction_case.matrix()


@pytest.fixture(scope="module")
def gaps():
    return prediction_case.gaps()


@pytest.fixture(scope="module")
def frame():
    return prediction_case.frame()


class Subclass(np.ndarray):
    """An array of somebody's own class."""


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
    "DataFrame with one float32 column": (pd.DataFrame(X).astype({1: np.float32}), "answered"),
    "float32 DataFrame": (pd.DataFrame(X.astype(np.float32)), "refused"),
    "int8 DataFrame": (pd.DataFrame(np.ones((2, 3), dtype=np.int8)), "refused"),
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
    "class of tables": (pd.DataFrame, "refused"),
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


VALUES = ["red", None, "blue", "red", "red"]


def objects(values):
    return pd.Series(values, dtype=object)


DECIMALS = pd.Series([decimal.Decimal("1.5")] * 5, dtype=pd.ArrowDtype(pa.decimal128(5, 2)))
COLUMNS = {  # column, values, verdict
    "object": ("a", ROWS["a"].astype(object), "answered"),
    "Float64": ("a", ROWS["a"].astype("Float64"), "answered"),
    "Arrow double": ("a", ROWS["a"].astype("float64[pyarrow]"), "answered"),
    "category of numbers": ("a", ROWS["a"].astype("category"), "answered"),
    # The scaler behind it would take the absent entries for something else than zeros.
    "sparse": ("a", pd.arrays.SparseArray(ROWS["a"]), "refused"),
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
    "string with NA": ("c", pd.array(VALUES, dtype="string"), "answered"),
    "None for NaN": ("c", objects(VALUES), "answered"),
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
