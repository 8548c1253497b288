"""Generated rows have the samples' form, and none of what stands in them."""

import numpy as np
import pandas as pd
import pytest

from sealift_bundler.samples.generated.rows import Travelling, generated_rows
from sealift_bundler.samples.generated.words import PUBLIC_WORDS, harmless, plain_terms, texts
from sealift_bundler.samples.interfaces import SampleColumn, Samples

GENERATOR = np.random.default_rng(0)
ADDRESS = "maria.kowalska@customer-bank.example"


def made(samples, count=200, travelling=None):
    return generated_rows(samples, count, travelling or Travelling(), np.random.default_rng(7))


def frame(**columns):
    table = pd.DataFrame(columns)
    kinds = {"b": "bool", "i": "int", "f": "float"}
    described = [
        SampleColumn(
            name,
            kinds.get(table[name].dtype.kind, "str"),
            levels=tuple(table[name].dtype.categories) if isinstance(table[name].dtype, pd.CategoricalDtype) else None,
        )
        for name in table.columns
    ]
    return Samples("columns", table, described)


def test_a_table_keeps_its_names_dtypes_and_holes():
    samples = frame(
        price=[1.5, np.nan, 2.25, 9.75],
        half=np.array([1.5, 2.5, 3.5, 4.5], dtype=np.float32),
        count=np.array([1, 2, 3, 4], dtype=np.int8),
        flag=[True, False, True, True],
        kind=["a", None, "b", "a"],
        level=pd.Categorical(["x", "y", "x", None], categories=["x", "y", "z"]),
    )
    rows = made(samples, travelling=Travelling(frozenset("abxy"))).rows
    assert rows.dtypes.to_dict() == samples.rows.dtypes.to_dict()
    assert len(rows) == 200
    holes = rows.isna().mean()
    assert [name for name in rows if holes[name] > 0] == ["price", "kind", "level"]
    assert holes.max() < 0.2
    assert rows["kind"][rows["kind"].isna()].iloc[0] is samples.rows["kind"].iloc[1]
    assert set(rows["kind"].dropna()) == {"a", "b"}
    assert set(rows["level"].dropna()) == {"x", "y"}  # "z" is not in the graph
    assert set(rows["count"]) <= {1, 2, 3, 4}
    assert not set(rows["price"]) & {1.5, 2.25, 9.75}


def test_categories_are_those_of_the_graph_without_findings():
    samples = frame(author=["ann", ADDRESS, "only in the samples"])
    rows = made(samples, travelling=Travelling(frozenset(["ann", ADDRESS, "elsewhere"]))).rows
    assert set(rows["author"]) == {"ann"}


def test_a_column_without_known_categories_gets_public_words():
    rows = made(frame(note=["Kowalska", "Nowak"])).rows
    words = {word.strip(".!?").lower() for text in rows["note"] for word in text.split()}
    assert words <= set(PUBLIC_WORDS)


def test_a_counted_column_gets_terms_of_its_own_vocabulary():
    samples = frame(title=["one text", "other text"], body=["first", "second"])
    rows = made(samples, travelling=Travelling(frozenset(), {"title": ["zyzzyva"]})).rows
    assert rows["title"].str.lower().str.contains("zyzzyva").sum() > 100
    assert not rows["body"].str.lower().str.contains("zyzzyva").any()


def test_texts():
    samples = Samples("text", ["a secret of one row"], [SampleColumn("text", "str")])
    rows = made(samples, travelling=Travelling(frozenset(), {"text": ["secret", "row"]}))
    assert rows.interface == "text"
    assert all(isinstance(text, str) and 1 <= len(text.split()) <= 12 for text in rows.rows)
    assert samples.rows[0] not in rows.rows


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "bool"])
def test_a_matrix(dtype):
    array = (GENERATOR.normal(size=(30, 3)) * 100_000).astype(dtype)
    samples = Samples("matrix", array, [SampleColumn(f"x{place}", "float") for place in range(3)])
    rows = made(samples).rows
    assert (rows.shape, rows.dtype) == ((200, 3), np.dtype(dtype))


def test_a_matrix_has_holes_where_the_samples_have():
    array = np.array([[1.5, np.nan], [2.5, 3.5], [7.5, 9.5]])
    rows = made(Samples("matrix", array, [SampleColumn("x0", "float"), SampleColumn("x1", "float")])).rows
    assert np.isnan(rows).any(axis=0).tolist() == [False, True]


def test_tensors():
    rows = {
        "ids": GENERATOR.integers(20_000, 20_100, (10, 6)),
        "mask": np.ones((10, 6), dtype=np.int64),
        "text": np.array([["a"], ["b"]] * 5),
    }
    found = made(Samples("tensors", rows), 5).rows
    assert {name: values.shape for name, values in found.items()} == {"ids": (5, 6), "mask": (5, 6), "text": (5, 1)}
    # An identifier beyond the range would be of no token.
    assert rows["ids"].min() <= found["ids"].min() <= found["ids"].max() <= rows["ids"].max()
    assert (found["mask"] == 1).all()
    whole = made(Samples("tensors", {"image": np.ones((1, 3), dtype=np.float32) / 3}, whole=True), 5)
    assert (whole.rows["image"].shape, whole.whole) == ((1, 3), True)


def test_terms_are_letters_alone_and_no_finding():
    token = "glpat-Zx9kQw3RtYu7PoLmNbVc"  # invented
    vocabulary = ["dark", "dark mode", "x", "a1b2", " th", token, ADDRESS, "y" * 25, "two  spaces"]
    assert plain_terms(vocabulary) == ["dark", "dark mode", "th"]
    assert harmless([token, "fine", ADDRESS]) == ["fine"]


def test_public_words_are_public():
    assert len(set(PUBLIC_WORDS)) > 400
    assert all(word.isalpha() and word.islower() for word in PUBLIC_WORDS)
    assert harmless(PUBLIC_WORDS) == list(PUBLIC_WORDS)
    assert texts(3, (), np.random.default_rng(1)) == texts(3, (), np.random.default_rng(1))


@pytest.mark.parametrize("dtype", ["Int64", "Float32", "boolean", "double[pyarrow]", "int32[pyarrow]"])
def test_nullable_dtypes_of_pandas(dtype):
    series = pd.Series([1, 0, None, 1], dtype=dtype)
    kind = "bool" if dtype == "boolean" else "int" if "nt" in dtype else "float"
    rows = made(Samples("columns", pd.DataFrame({"x": series}), [SampleColumn("x", kind)])).rows
    assert rows["x"].dtype == series.dtype
    assert 0 < rows["x"].isna().mean() < 0.3
    assert set(rows["x"].dropna().tolist()) <= {0, 1}
