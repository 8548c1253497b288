"""Every form of answers: one value, one list, several lists a row; texts that would break a line; numbers without JSON."""

import csv
import io
import json
from types import SimpleNamespace

import numpy as np
import pytest

from sealift.cli.answers.answer_writer import FORMATS, AnswerWriter

MODEL = SimpleNamespace(name="m", version="1.0.0", digest="sha256:0", classes=np.array(["a", "b,c"], dtype=object))


def written(kind, *batches, model=MODEL):
    text = io.StringIO()
    writer = AnswerWriter(text.write, model, kind)
    for batch in batches:
        writer.take(batch)
    writer.end()
    return text.getvalue()


def test_labels_are_one_line_each_whatever_they_hold():
    labels = np.array(["plain", "tab\there", "two\nlines", "back\\slash", "é"], dtype=object)
    text = written("tsv", {"predict": labels})
    assert text.splitlines() == ["plain", "tab\\there", "two\\nlines", "back\\\\slash", "é"]
    assert [
        json.loads(line)["predict"] for line in written("jsonl", {"predict": labels}).splitlines()
    ] == labels.tolist()
    assert [row[0] for row in csv.reader(io.StringIO(written("csv", {"predict": labels})))][1:] == labels.tolist()


def test_headings_come_once_and_name_classes_and_places():
    batch = {"predict": np.array(["a"], object), "predict_proba": np.array([[0.25, 0.75]])}
    assert written("csv", batch, batch) == 'predict,predict_proba_a,"predict_proba_b,c"\n' + "a,0.25,0.75\n" * 2
    assert written("tsv", batch, batch) == "predict\tpredict_proba_a\tpredict_proba_b,c\n" + "a\t0.25\t0.75\n" * 2
    assert written("tsv", {"transform": np.array([[1.5, 2.5]])}) == "[1.5, 2.5]\n"
    assert (
        written("csv", {"transform": np.array([[1.5, 2.5, 3.5]])}).splitlines()[0]
        == "transform_0,transform_1,transform_2"
    )


@pytest.mark.parametrize(
    ("kind", "methods", "expected"),
    [
        ("csv", ["predict", "predict_proba"], 'predict,predict_proba_a,"predict_proba_b,c"\n'),
        ("tsv", ["predict", "predict_proba"], "predict\tpredict_proba_a\tpredict_proba_b,c\n"),
        ("csv", ["predict"], "predict\n"),
        ("tsv", ["predict"], ""),
        ("jsonl", ["predict"], ""),
    ],
)
def test_without_rows_there_is_a_heading_where_there_is_one_with_rows(kind, methods, expected):
    text = io.StringIO()
    AnswerWriter(text.write, MODEL, kind, methods).end()
    assert text.getvalue() == expected


def test_several_labels_a_row():
    proba = [np.array([[0.25, 0.75], [1.0, 0.0]]), np.array([[0.5, 0.5], [0.0, 1.0]])]
    batch = {"predict": np.array([[1, 0], [0, 1]]), "predict_proba": proba}
    first = json.loads(written("jsonl", batch).splitlines()[0])
    assert first == {"predict": [1, 0], "predict_proba": [[0.25, 0.75], [0.5, 0.5]]}
    head, row, _ = csv.reader(io.StringIO(written("csv", batch)))
    assert head == ["predict_0", "predict_1", *(f"predict_proba_{place}" for place in range(4))]
    assert row == ["1", "0", "0.25", "0.75", "0.5", "0.5"]


@pytest.mark.parametrize("kind", ["json", "jsonl"])
def test_json_has_no_nan(kind):
    text = written(kind, {"predict": np.array([np.nan, np.inf, 1.5])})
    assert "NaN" not in text
    assert "Infinity" not in text
    found = (
        json.loads(text)["predict"] if kind == "json" else [json.loads(line)["predict"] for line in text.splitlines()]
    )
    assert found == [None, None, 1.5]


def test_a_document_joins_its_batches():
    document = json.loads(written("json", {"predict": np.array([1])}, {"predict": np.array([2, 3])}))
    assert document == {"model": "m", "version": "1.0.0", "digest": "sha256:0", "predict": [1, 2, 3]}


@pytest.mark.parametrize("kind", FORMATS)
def test_no_rows_and_a_tensor_without_rows(kind):
    assert (written(kind) == "") == (kind != "json")
    text = written(kind, {"y": np.float32(2.5)}, model=SimpleNamespace(**{**vars(MODEL), "classes": None}))
    assert "2.5" in text


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_numbers_are_as_short_as_they_can_be_read_back(kind, dtype):
    values = np.array([0.1, 0.9, 1 / 3, 1e-7, 65000, 0.0, -2.5], dtype)
    text = written(kind, {"predict": values}, model=SimpleNamespace(**{**vars(MODEL), "classes": None}))
    assert "0.9" in text
    assert "0.8999" not in text
    shown = {
        "tsv": lambda: [float(line) for line in text.splitlines()],
        "csv": lambda: [float(line) for line in text.splitlines()[1:]],
        "jsonl": lambda: [json.loads(line)["predict"] for line in text.splitlines()],
        "json": lambda: json.loads(text)["predict"],
    }[kind]()
    assert np.array_equal(np.array(shown).astype(dtype), values)


def test_narrow_numbers_that_are_none():
    values = np.array([np.nan, np.inf, -np.inf], np.float32)
    assert written("tsv", {"predict": values}).split() == ["NaN", "Infinity", "-Infinity"]
    assert [json.loads(line)["predict"] for line in written("jsonl", {"predict": values}).splitlines()] == [None] * 3
