"""`sealift predict` on rows of every format and any number, as a user pipes them."""

import csv
import io
import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.release.channel_simulator import ChannelSimulator, renamed
from support.release.instance import Instance

from sealift.store import Store
from sealift_bundler import convert


def written(frame, path):
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        frame.to_parquet(path, row_group_size=11)
    else:
        frame.to_json(path, orient="records", lines=path.suffix == ".jsonl")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_no_rows_are_a_document_of_no_answers(predict, frame, tmp_path, suffix):
    status, out, _ = predict("table", "--input", written(frame[:0], tmp_path / f"rows{suffix}"), "--json", "--proba")
    assert status == 0
    document = json.loads(out)
    assert (document["predict"], document["predict_proba"]) == ([], [])


def test_a_wide_heading_takes_no_minute(predict, tmp_path):
    names = ",".join(map(str, range(100_000)))
    (tmp_path / "rows.csv").write_text(f"{names}\n")
    started = time.process_time()
    status, _, err = predict("table", "--input", tmp_path / "rows.csv")
    assert (status, "is missing" in err) == (41, True)
    assert time.process_time() - started < 20


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl", ".parquet"])
@pytest.mark.parametrize("size", [1, 7, 30, 4096])
def test_every_format_and_batch_size_gives_the_same_answers(predict, frame, expected, tmp_path, suffix, size):
    rows = written(frame, tmp_path / f"rows{suffix}")
    status, out, err = predict("table", "--input", rows, "--format", "jsonl", "--batch-rows", size)
    assert (status, err) == (0, "")
    assert [json.loads(line)["predict"] for line in out.splitlines()] == expected


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """An instance whose models were proven on narrow numbers, and the rows of each as they were proven."""
    base = tmp_path_factory.mktemp("narrow")
    channel, instance = ChannelSimulator(base / "channel"), Instance(base / "instance")
    rng = np.random.default_rng(5)
    floats = rng.normal(0.1, 3, (60, 2)).astype(np.float32)
    bytes_, longs = rng.integers(-99, 99, (60, 2)).astype(np.int8), rng.integers(-9, 9, (60, 2))
    labels = floats[:, 0] > 0
    rows = {
        "floats": floats,
        "longs": longs,
        "bytes": bytes_,
        "floats-frame": pd.DataFrame(floats, columns=["a", "b"]),
        "bytes-frame": pd.DataFrame(bytes_, columns=["a", "b"]),
    }
    for name, samples in rows.items():
        estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(samples, labels)
        channel.add(name, files=convert(estimator, samples, name=name, version="1.0.0").files)
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(base))
    return instance, rows


NARROW = ["floats", "longs", "bytes", "floats-frame", "bytes-frame"]


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl"])
@pytest.mark.parametrize("name", NARROW)
def test_text_has_no_width_and_takes_that_of_the_model(narrow, predict, tmp_path, name, suffix):
    instance, rows = narrow
    samples, path = rows[name], tmp_path / f"rows{suffix}"
    expected = Store(instance.store_path, trust=instance.trust_path).load(name).predict_proba(samples)
    frame = pd.DataFrame(samples, columns=["a", "b"])
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        # What float32 rounds to has more digits in float64: a user writes the short ones.
        plain = json.loads(frame.to_json(orient="records" if name.endswith("frame") else "values", double_precision=9))
        path.write_text(json.dumps(plain) if suffix == ".json" else "\n".join(map(json.dumps, plain)))
    places = ["--store", instance.store_path, "--trust", instance.trust_path]
    status, out, err = predict(name, "--input", path, "--proba", "--format", "jsonl", "--batch-rows", 7, *places)
    assert (status, err) == (0, "")
    # The shortest text that leads to the same number in the answer's own width.
    given = np.array([json.loads(line)["predict_proba"] for line in out.splitlines()], expected.dtype)
    assert np.array_equal(given, expected)


def test_parquet_has_widths_which_must_be_those_of_the_model(narrow, predict, tmp_path):
    instance, rows = narrow
    places = ["--store", instance.store_path, "--trust", instance.trust_path]
    frame = pd.DataFrame(rows["floats"], columns=["a", "b"])
    frame.to_parquet(tmp_path / "same.parquet")
    frame.astype(np.float64).to_parquet(tmp_path / "wide.parquet")
    assert predict("floats", "--input", tmp_path / "same.parquet", *places)[0] == 0
    status, out, err = predict("floats", "--input", tmp_path / "wide.parquet", *places)
    assert (status, out) == (41, "")
    assert "has dtype float64; the model was proven on float32" in err


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl"])
@pytest.mark.parametrize(
    ("name", "value", "dtype"),
    [
        ("floats", "1e39", "float32"),
        ("floats-frame", "-3.4028236e38", "float32"),
        ("bytes", "128", "int8"),
        ("bytes-frame", "-129", "int8"),
        ("longs", "9223372036854775808", "int64"),
    ],
)
def test_a_value_beyond_the_width_is_named_with_row_and_column(narrow, predict, tmp_path, name, value, dtype, suffix):
    instance, _ = narrow
    path, column = tmp_path / f"rows{suffix}", "'b'" if name.endswith("frame") else "1"
    if suffix == ".csv":
        path.write_text(f"a,b\n1,2\n3,4\n1,{value}\n")
    else:
        lines = [f'{{"a": 1, "b": {one}}}' if name.endswith("frame") else f"[1, {one}]" for one in ("2", "4", value)]
        path.write_text("\n".join(lines) if suffix == ".jsonl" else f"[{', '.join(lines)}]")
    places = ["--store", instance.store_path, "--trust", instance.trust_path]
    status, out, err = predict(name, "--input", path, *places)
    assert status == 41
    assert err.count("\n") == 1
    seen = json.loads(value)
    assert f"row 2: column {column} is {seen}, beyond the range of {dtype}" in err
    assert len(out.splitlines()) == 2


def test_parquet_through_polars_where_there_is_no_pyarrow(predict, frame, expected, tmp_path, monkeypatch):
    rows = written(frame, tmp_path / "rows.parquet")
    import sealift.rows.parquet_rows as module

    monkeypatch.setattr(module, "find_spec", lambda name: name == "polars" or None)
    status, out, _ = predict("table", "--input", rows, "--format", "jsonl", "--batch-rows", 7)
    assert status == 0
    assert [json.loads(line)["predict"] for line in out.splitlines()] == expected
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    status, out, err = predict("table", "--input", rows)
    assert (status, out) == (3, "")
    assert err == (
        "sealift: reading Parquet needs the Python package 'pyarrow' or 'polars'; install one, or give .csv [local]\n"
    )


def test_parquet_of_a_matrix_and_of_texts(predict, tmp_path):
    frame = pd.DataFrame(np.float32([[2, 2, 0, 0], [-2, -2, 0, 0]]), columns=list("abcd"))
    frame.to_parquet(tmp_path / "m.parquet")
    assert predict("matrix", "--input", tmp_path / "m.parquet")[:2] == (0, "1\n0\n")
    pd.DataFrame({"text": ["you fool", "fine day"]}).to_parquet(tmp_path / "t.parquet")
    assert predict("text", "--input", tmp_path / "t.parquet")[:2] == (0, "true\nfalse\n")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    status, _, err = predict("matrix", "--input", tmp_path / "bad.parquet")
    assert status == 41
    assert "cannot be read as Parquet" in err


def test_each_form_of_answers(predict, frame, expected, tmp_path):
    rows = written(frame[:3], tmp_path / "rows.csv")
    _, tsv, _ = predict("table", "--input", rows)
    assert tsv.splitlines() == [label.replace("\t", "\\t") for label in expected[:3]]
    _, tsv, _ = predict("table", "--input", rows, "--proba", "--batch-rows", 2)
    lines = tsv.splitlines()
    assert (lines[0], len(lines)) == ("predict\tpredict_proba_no\tpredict_proba_yes\\tor so", 4)
    assert sum(map(float, lines[1].split("\t")[1:])) == pytest.approx(1)
    _, text, _ = predict("table", "--input", rows, "--proba", "--format", "csv", "--batch-rows", 2)
    table = list(csv.reader(io.StringIO(text)))
    assert table[0] == ["predict", "predict_proba_no", "predict_proba_yes\tor so"]
    assert [row[0] for row in table[1:]] == expected[:3]
    assert [sum(map(float, row[1:])) for row in table[1:]] == pytest.approx([1, 1, 1])
    _, text, _ = predict("table", "--input", rows, "--proba", "--format", "json")
    document = json.loads(text)
    assert (document["model"], document["predict"]) == ("table", expected[:3])
    assert document["digest"].startswith("sha256:")
    assert predict("table", "--input", rows, "--proba", "--json")[1] == text


def test_quoted_fields_with_line_ends_bom_and_crlf(predict, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_bytes(
        '\ufeffid,text\r\n1,"you\r\nfool, ""you"""\r\n2,"fine\u2028day"\r\n\r\n3,fool\x85night\r\n'.encode()
    )
    for size in (1, 2, 100):
        status, out, _ = predict("text", "--input", rows, "--batch-rows", size)
        assert (status, out) == (0, "true\nfalse\ntrue\n")
    # U+2028 and U+0085 are characters of a text, and no ends of lines.
    (tmp_path / "rows.txt").write_bytes("\ufefffine\u2028day\r\n\r\nyou\x85fool".encode())
    # The empty line is a text as well; without a word, this model says true.
    assert predict("text", "--input", tmp_path / "rows.txt")[:2] == (0, "false\ntrue\ntrue\n")
    (tmp_path / "rows.jsonl").write_bytes('\ufeff"fine\u2028day"\r\n\r\n"you fool"\r\n'.encode())
    assert predict("text", "--input", tmp_path / "rows.jsonl")[:2] == (0, "false\ntrue\n")


@pytest.mark.parametrize("size", [1, 4, 100])
@pytest.mark.parametrize(
    ("name", "bad", "words"),
    [
        ("rows.csv", "many,red\n", ["row 9: column 'size' is 'many'"]),
        ("rows.csv", "1,red,more\n", ["row 9 has 3 fields; expected 2"]),
        ("rows.csv", ",red\n", ["row 9: column 'size' is missing"]),
        ("rows.csv", '1,"re\n', ["row 9 is not CSV"]),
        ("rows.jsonl", '{"size": 1}\n', ["row 9: row lacks 'color'", "row 9: column 'color' is missing"]),
        ("rows.jsonl", '{"size": "x", "color": "red"}\n', ["row 9: column 'size' is 'x'"]),
        ("rows.jsonl", '{"size": 1,\n', ["row 9, line 10 is not JSON"]),
        ("rows.jsonl", '{"size": NaN, "color": "red"}\n', ["row 9, line 10 holds NaN"]),
        ("rows.jsonl", "[1, 2]\n", ["row 9, line 10 holds a list; expected a dict"]),
    ],
)
def test_an_error_names_the_row_and_the_answers_before_it_are_written(
    predict, frame, expected, tmp_path, size, name, bad, words
):
    rows = written(frame[:9], tmp_path / name)
    good = '1,"red"\n' if name.endswith("csv") else '{"size": 1, "color": "red"}\n'
    rows.write_text(rows.read_text() + bad + good)
    output = tmp_path / "answers"
    status, out, err = predict("table", "--input", rows, "--format", "csv", "--output", output, "--batch-rows", size)
    assert (status, out) == (41, "")
    assert any(word in err for word in words), err
    assert err.count("\n") == 1
    assert [row[0] for row in csv.reader(io.StringIO(output.read_text()))] == ["predict", *expected[:9]]
    status, out, _ = predict("table", "--input", rows, "--format", "json", "--batch-rows", size)
    assert (status, out) == (41, "")
    status, out, _ = predict("table", "--input", rows, "--json", "--batch-rows", size)
    document = json.loads(out)
    assert (status, list(document), document["error"]["code"]) == (41, ["error"], "input")


@pytest.mark.parametrize("text", ['[{"size": NaN, "color": "red"}]', '[{"size": 1, "size": 2, "color": "red"}]', "[1,"])
def test_a_document_that_is_not_json_is_wrong_input(predict, tmp_path, text):
    (tmp_path / "rows.json").write_text(text)
    status, out, err = predict("table", "--input", tmp_path / "rows.json")
    assert (status, out) == (41, "")
    assert "rows.json" in err


def test_an_error_that_only_onnx_runtime_sees_is_found_by_halving():
    from sealift.errors import InputError
    from sealift.rows.answering import answer_batches
    from sealift.rows.batch import Batch

    class Fake:
        def answers(self, methods, rows):
            if 13 in rows:
                raise InputError("model 'fake' cannot take these values")
            return {"predict": np.array(rows)}

    stream = answer_batches(Fake(), [Batch(0, 8, list(range(8))), Batch(8, 8, list(range(8, 16)))], ["predict"])
    assert next(stream)["predict"].tolist() == list(range(8))
    assert next(stream)["predict"].tolist() == [8, 9, 10, 11, 12]
    with pytest.raises(InputError, match="row 13: model 'fake' cannot take"):
        next(stream)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--input", "{rows}", "--output", "{rows}"], 2, "is the input; writing would destroy the rows"),
        (["--input", "{rows}", "--output", "{tmp}/none/x"], 2, "/none' does not exist; make it first"),
        (["--input", "{tmp}/none.csv"], 3, "cannot read rows from"),
        (["--input", "{tmp}"], 3, "Is a directory"),
        (["--input", "{rows}.xlsx"], 3, "No such file"),
        (["--input", "{rows}", "--format", "xml"], 2, "'xml' is not one of"),
        (["--input", "{rows}", "--batch-rows", "0"], 2, "not in the range"),
    ],
)
def test_bad_arguments_leave_everything_as_it_is(predict, frame, tmp_path, arguments, status, words):
    rows = written(frame, tmp_path / "rows.csv")
    before = rows.read_bytes()
    got, out, err = predict("table", *[one.format(rows=rows, tmp=tmp_path) for one in arguments])
    assert (got, out) == (status, ""), err
    assert words in err
    assert rows.read_bytes() == before


def test_half_a_document_does_not_replace_a_whole_one(predict, frame, tmp_path):
    rows = written(frame[:9], tmp_path / "rows.csv")
    rows.write_text(rows.read_text() + "x,red\n")
    answers = tmp_path / "answers"
    answers.write_text("yesterday's")
    status, _, _ = predict("table", "--input", rows, "--format", "json", "--output", answers, "--batch-rows", 1)
    assert (status, answers.read_text()) == (41, "yesterday's")
    # Rows that were answered are kept, as on standard output.
    status, _, _ = predict("table", "--input", rows, "--format", "jsonl", "--output", answers, "--batch-rows", 1)
    assert (status, len(answers.read_text().splitlines())) == (41, 9)
    assert (
        sorted(os.listdir(tmp_path)).count("answers") == len([n for n in os.listdir(tmp_path) if "answers" in n]) == 1
    )


def test_a_dash_is_standard_output(predict, frame, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = written(frame[:9], tmp_path / "rows.csv")
    expected = predict("table", "--input", rows)
    assert predict("table", "--input", rows, "--output", "-") == expected
    assert expected[0] == 0
    assert not Path("-").exists()


def test_a_refused_header_does_not_empty_the_output(predict, tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    (tmp_path / "answers").write_text("yesterday's")
    status, _, err = predict("table", "--input", tmp_path / "rows.csv", "--output", tmp_path / "answers")
    assert status == 41
    assert "column 'size' is missing" in err
    assert (tmp_path / "answers").read_text() == "yesterday's"


def test_probabilities_of_a_model_without_them(installed, channel, instance, predict, tmp_path, monkeypatch):
    from sklearn.linear_model import LinearRegression

    rows = np.random.default_rng(0).normal(size=(30, 2))
    files = convert(LinearRegression().fit(rows, rows[:, 0]), rows, name="line", version="1.0.0").files
    channel.add("line", files=renamed(files, "line", "1.0.0"))
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path))
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    arguments = ["--store", instance.store_path, "--trust", instance.trust_path, "--input", tmp_path / "rows.csv"]
    status, out, err = predict("line", *arguments, "--proba")
    assert (status, out) == (2, "")
    assert "model 'line' has no predict_proba" in err
    assert float(predict("line", *arguments)[1]) == pytest.approx(1)


def test_the_limits_of_a_row_and_of_a_document(predict, tmp_path, monkeypatch):
    from sealift import limits
    from sealift.rows import csv_rows, json_rows, jsonl_rows, lines

    small = limits.Limits(row_size_bytes=1000, rows_json_size_bytes=2000)
    for module in (csv_rows, json_rows, jsonl_rows, lines):
        monkeypatch.setattr(module, "LIMITS", small)
    for name, text, status, words in (
        ("a.txt", "fine\n" + "x" * 2000, 41, "line 2 is longer than 1,000 bytes"),
        ("a.csv", 'text\nfine\n"open' + "\nmore" * 1000, 41, "row 1 is not CSV"),
        ("a.json", json.dumps(["fine"] * 1000), 12, "read whole: give .jsonl"),
    ):
        (tmp_path / name).write_text(text)
        got, out, err = predict("text", "--input", tmp_path / name)
        assert (got, out) == (status, "" if status == 12 else "false\n"), err
        assert words in err
    csv.field_size_limit(131_072)
