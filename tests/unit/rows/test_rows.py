"""Rows of files: every format gives what the model takes, and every refusal says where."""

from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.release.channel_simulator import toy_files

from sealift.errors import InputError, LocalError, MalformedError
from sealift.model.documents.description import Column, ModelDescription
from sealift.rows import fields
from sealift.rows.batch import Batch, batched
from sealift.rows.source import Source
from sealift.testing import ToyModel

# The defaults of `pandas.read_csv(na_values=…)`, as its documentation lists them.
NUMBERS = ["-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "NaN", "nan"]
NOTHING = ["", "#N/A", "#N/A N/A", "#NA", "<NA>", "N/A", "NA", "NULL", "None", "n/a", "null"]


@pytest.fixture(scope="module")
def description():
    return ModelDescription.parse(toy_files()["model.json"])


def read(path, description, size=4096):
    with Source(path).batches(description, size) as batches:
        return list(batches)


def write(path, text):
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("size", [1, 2, 4096])
def test_rows_are_read_from_every_format(tmp_path, description, size):
    expected = [[1.0, 2.0], [3.0, 4.5]]
    for name, text in {
        "a.csv": "x,y\n1,2\n3,4.5\n",
        "a.json": "[[1,2],[3,4.5]]",
        "a.jsonl": "[1,2]\n[3,4.5]\n",
    }.items():
        batches = read(write(tmp_path / name, text), description, size)
        assert [batch.first for batch in batches] == list(range(0, 2, min(size, 2)))
        assert np.concatenate([np.asarray(batch.rows, float) for batch in batches]).tolist() == expected
    (batch,) = read(write(tmp_path / "a.txt", "one\ntwo\n"), description)
    assert batch == Batch(0, 2, ["one", "two"])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "x,y\n1\n", "row 0 has 1 field; expected 2"),
        ("a.csv", "x,y\n1,two\n", "row 0: column 'y' is 'two'; expected a number"),
        ("a.csv", "", "is empty"),
        ("a.csv", '"x,y\n1,2\n', "line of column names is not CSV"),
        ("a.json", "{", "is not JSON"),
        ("a.json", "3", "holds no array"),
        ("a.jsonl", "[1,2]\n[1,\n", "row 1, line 2 is not JSON"),
        ("a.jsonl", "[1,2]\n[1]\n", "row 1, line 2 has 1 value; expected 2"),
        ("a.jsonl", '[1,2]\n{"x": 1}\n', "row 1, line 2 holds a dict; expected a list"),
        ("a.jsonl", "[" * 5000 + "\n", "row 0, line 1 nests deeper"),
        ("a.xlsx", "", "suffix '.xlsx'"),
    ],
)
def test_files_that_hold_no_rows_are_refused(tmp_path, description, name, text, message):
    with pytest.raises((InputError, MalformedError), match=message):
        read(write(tmp_path / name, text), description)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"fine\n\xff\n", "line 2 is not UTF-8 at byte 0"),
        ("fine".encode("utf-16"), "is UTF-16; expected UTF-8"),
    ],
)
def test_other_encodings_are_refused(tmp_path, description, data, message):
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "a.txt", description)


def test_a_file_that_is_not_there_is_a_local_error(tmp_path, description):
    with pytest.raises(LocalError, match="No such file"):
        read(tmp_path / "none.csv", description)
    with pytest.raises(LocalError, match="Is a directory"):
        read(write(tmp_path / "a.csv", "").parent, description)


def test_without_a_suffix_the_model_decides(description):
    assert Source(Path("-")).format_for(description) == "csv"
    assert Source(Path("rows.CSV")).format_for(description) == "csv"
    assert Source(Path("rows.dat"), "jsonl").format_for(description) == "jsonl"


def test_rows_before_an_error_come_first():
    def rows():
        yield from range(5)
        raise InputError("row 5 is wrong")

    stream = batched(rows(), 3, list)
    assert next(stream) == Batch(0, 3, [0, 1, 2])
    assert next(stream) == Batch(3, 2, [3, 4])
    with pytest.raises(InputError, match="row 5"):
        next(stream)


def test_a_wide_row_makes_a_small_batch(tmp_path, description, monkeypatch):
    from sealift.rows import csv_rows

    monkeypatch.setattr(csv_rows, "_BATCH_VALUES", 7)
    batches = read(write(tmp_path / "a.csv", "x,y\n" + "1,2\n" * 8), description)
    assert [batch.count for batch in batches] == [3, 3, 2]


def test_parts_of_each_kind_of_rows():
    assert Batch(4, 3, [1, 2, 3]).part(1, 3) == Batch(5, 2, [2, 3])
    part = Batch(4, 3, {"x": np.arange(3)}).part(1, 3)
    assert (part.first, part.rows["x"].tolist()) == (5, [1, 2])


def test_fields_are_read_as_pandas_reads_them():
    whole, real = Column("n", "int", None), Column("x", "float", "nan")
    assert np.isnan(fields.number("NA", real, "x"))
    assert [fields.number(text, real, "x") for text in ("1", " 2.5", "true", "FALSE", "1e3")] == [1, 2.5, 1, 0, 1000]
    assert fields.number("9007199254740993", real, "x") == 2.0**53
    assert fields.number("9007199254740994", whole, "n") == 2.0**53 + 2
    assert fields.number("9007199254740993", whole._replace(dtype="int64"), "n") == 2**53 + 1
    with pytest.raises(InputError, match="'1_000'; expected a number"):
        fields.number("1_000", real, "x")
    with pytest.raises(InputError, match="'9007199254740993', an integer that is not exact"):
        fields.number("9007199254740993", whole, "n")
    assert [fields.text(text) for text in ("", "NULL", "no")] == [None, None, "no"]


@pytest.mark.parametrize("field", [*NUMBERS, *NOTHING, "-", "none", "NAN"])
def test_a_missing_field_is_what_pandas_reads_as_missing(field):
    read = pd.read_csv(StringIO(f'x,y\n"{field}",1\nword,2\n'))["x"]
    assert (fields.text(field) is None) == pd.isna(read[0])


def test_a_document_may_hold_columns_or_tensors(tmp_path):
    columns = ModelDescription.parse(ToyModel(columns={"a": "str", "b": "float"}).files("t")["model.json"])
    path = write(tmp_path / "a.json", '{"a": ["x", null, "z"], "b": [1, 2.5, null]}')
    first, second = read(path, columns, 2)
    assert (first.first, first.count, second.first, second.count) == (0, 2, 2, 1)
    assert (second.rows["a"].tolist(), second.rows["b"].tolist()) == (["z"], [None])
    with pytest.raises(InputError, match="columns of the lengths"):
        read(write(path, '{"a": ["x"], "b": []}'), columns)
    with pytest.raises(InputError, match=r"this is one row; put it into a list: \[{…}\]$"):
        read(write(path, '{"a": "x", "b": 1}'), columns)
    with pytest.raises(InputError, match="has a single value in column 'b'"):
        read(write(path, '{"a": ["x"], "b": 1}'), columns)
    tensors = columns._replace(interface="tensors")
    (batch,) = read(write(path, '{"numbers": [[1], [2]], "texts": [["x"], ["y"]]}'), tensors, 1)
    assert (batch.count, batch.rows["numbers"].dtype, batch.rows["texts"].shape) == (None, np.float64, (2, 1))
    for name in ("a.csv", "a.jsonl"):
        with pytest.raises(InputError, match=r"takes named tensors: give a \.json"):
            read(write(tmp_path / name, "x"), tensors)


def test_a_tensor_holds_the_very_values_that_were_given(tmp_path):
    toy = ModelDescription.parse(ToyModel(columns={"a": "float"}).files("t")["model.json"])
    for dtype, text, message in (
        ("float32", "[[1, 1e39]]", r"'x' has 1e\+39 at \[0, 1\], which float32 does not hold"),
        ("int64", "[1, 2.5]", r"'x' has 2.5 at \[1\], which int64 does not hold"),
        ("bool", "[true, 2]", r"'x' has 2 at \[1\], which bool does not hold"),
    ):
        tensors = toy._replace(interface="tensors", inputs=(toy.inputs[0]._replace(name="x", dtype=dtype),))
        with pytest.raises(InputError, match=message):
            read(write(tmp_path / "a.json", f'{{"x": {text}}}'), tensors)
        (batch,) = read(write(tmp_path / "a.json", '{"x": [[0, 1]]}'), tensors)
        assert (batch.rows["x"].dtype, batch.rows["x"].tolist()) == (dtype, [[0, 1]])


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.jsonl"])
def test_integers_stay_exact_and_the_rows_before_a_wrong_one_come_first(tmp_path, description, name):
    (tensor,) = description.inputs
    whole = tuple(column._replace(kind="int", dtype="int64", missing=None) for column in tensor.columns)
    exact = description._replace(inputs=(tensor._replace(columns=whole),))

    def text(*rows):
        lines = [",".join(row) if name == "a.csv" else f"[{', '.join(row)}]" for row in rows]
        return f"[{','.join(lines)}]" if name == "a.json" else "\n".join(["x,y"] * (name == "a.csv") + lines) + "\n"

    (batch,) = read(write(tmp_path / name, text(("9007199254740993", "1"), ("-9007199254740993", "2.0"))), exact)
    assert (batch.rows.dtype, batch.rows.tolist()) == (np.int64, [[2**53 + 1, 1], [-(2**53) - 1, 2]])
    write(tmp_path / name, text(("1", "2"), ("3", "4"), ("5", "1e20"), ("9223372036854775808", "8")))
    with Source(tmp_path / name).batches(exact) as batches:
        assert next(batches).rows.tolist() == [[1, 2], [3, 4]]
        with pytest.raises(InputError, match=r"^row 2: column 1 is 1e\+20, beyond the range of int64$"):
            next(batches)
