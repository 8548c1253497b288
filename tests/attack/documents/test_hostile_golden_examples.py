"""Golden examples and front ends that are signed and still wrong: refused by their form, with the store unchanged."""

import json

import numpy as np
import pytest
from support.hostile.documents import model_json, v2_tensor
from support.release.channel_simulator import toy_files

from sealift.errors import (
    LimitError,
    MalformedError,
    SelfTestError,
    UnsupportedVersionError,
)
from sealift.model.documents import golden
from sealift.model.documents.description import ModelDescription
from sealift.model.frontend import document as frontend
from sealift.model.trial.process import run_in_child


def _golden(change):
    document = json.loads(toy_files()["golden.json"])
    change(document)
    return json.dumps(document).encode()


def _request(*tensors):
    return lambda d: d["examples"][0]["request"].update(inputs=list(tensors))


def _first_output(**values):
    return lambda d: d["examples"][0]["response"]["outputs"][0].update(values)


GOLDEN = {
    "an unknown schema": lambda d: d.update(schema="sealift.golden/9"),
    "no examples": lambda d: d.update(examples=[]),
    "257 examples": lambda d: d.update(examples=d["examples"] * 257),
    "no inputs": _request(),
    "no outputs": lambda d: d["examples"][0]["response"].update(outputs=[]),
    "no rows": _request({"name": "rows", "datatype": "FP32", "shape": [0, 4], "data": []}),
    "no values": _request({"name": "rows", "datatype": "FP32", "shape": [1, 0], "data": []}),
    "a scalar": _request({"name": "rows", "datatype": "FP32", "shape": [], "data": [1.0]}),
    "an input twice": lambda d: d["examples"][0]["request"]["inputs"].append(d["examples"][0]["request"]["inputs"][0]),
    "an input more": lambda d: d["examples"][0]["request"]["inputs"].append(v2_tensor([[1.0]], name="more")),
    "rows too wide": _request(v2_tensor(np.zeros((3, 5)))),
    "rows too narrow": _request(v2_tensor(np.zeros((3, 3)))),
    "rows of one dimension": _request(v2_tensor(np.zeros(4))),
    "rows of three dimensions": _request(v2_tensor(np.zeros((3, 4, 1)))),
    "rows of text": _request(v2_tensor([["a"] * 4] * 3, "BYTES")),
    "more rows than answers": _request(v2_tensor(np.zeros((1000, 4)))),
    "a size of 2^63": _request({"name": "rows", "datatype": "FP32", "shape": [0, 2**63], "data": []}),
    "a negative size": _request({"name": "rows", "datatype": "FP32", "shape": [-1, -4], "data": [1.0] * 4}),
    "a boolean size": _request({"name": "rows", "datatype": "FP32", "shape": [True, 4], "data": [1.0] * 4}),
    "100 dimensions": _request({"name": "rows", "datatype": "FP32", "shape": [1] * 100, "data": [1.0]}),
    "huge sizes": _request({"name": "rows", "datatype": "FP32", "shape": [10**4000] * 50, "data": [1.0]}),
    "fewer values than its shape": _request({"name": "rows", "datatype": "FP32", "shape": [1, 4], "data": [1.0]}),
    "an unknown datatype": _request({"name": "rows", "datatype": "FP8", "shape": [1, 4], "data": [1.0] * 4}),
    "an integer beyond its type": _request({"name": "rows", "datatype": "INT8", "shape": [1, 4], "data": [1000] * 4}),
    "an integer of 400 digits": _request({"name": "rows", "datatype": "FP64", "shape": [1, 4], "data": [10**400] * 4}),
    "booleans as numbers": _request({"name": "rows", "datatype": "FP32", "shape": [1, 4], "data": [True] * 4}),
    "an answer fewer": lambda d: d["examples"][0]["response"]["outputs"].pop(),
    "an answer more": lambda d: d["examples"][0]["response"]["outputs"].append(v2_tensor([1.0], name="oracle")),
    "an answer of another name": _first_output(name="predict2"),
    "an answer twice": lambda d: d["examples"][0]["response"]["outputs"].append(
        d["examples"][0]["response"]["outputs"][0]
    ),
    "an answer without rows": _first_output(shape=[0], data=[]),
    "an answer that is a scalar": _first_output(shape=[], data=[1]),
    "an unknown key": lambda d: d["examples"][0].update(hook=1),
}


@pytest.mark.parametrize("what", GOLDEN)
def test_golden_examples_are_refused_before_anything_runs(what):
    description = ModelDescription.parse(model_json())
    assert golden.parse(_golden(lambda _: None), description)
    with pytest.raises((MalformedError, LimitError, UnsupportedVersionError)) as caught:
        golden.parse(_golden(GOLDEN[what]), description)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("what", ["no outputs", "rows too wide", "a size of 2^63", "huge sizes"])
def test_install_refuses_golden_examples(what, refuse):
    refuse(MalformedError, files={"golden.json": _golden(GOLDEN[what])})


def _described(interface, columns, dtype="float32", shape=("rows", 4), **more):
    document = json.loads(model_json())
    document["interface"] = interface
    document["inputs"] = [{"name": "x", "dtype": dtype, "shape": list(shape), "columns": columns, **more}]
    return ModelDescription.parse(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ([v2_tensor([1.0], name="a")], "lacks the column 'b'"),
        ([v2_tensor([1.0], name="a"), v2_tensor([1.0, 2.0], name="b")], r"has shape \[2\]; expected 1 rows"),
        ([v2_tensor([1.0], name="a"), v2_tensor([[1.0]], name="b")], r"has shape \[1, 1\]; expected \[rows\]"),
        ([v2_tensor([1.0], name="a"), v2_tensor(["x"], "BYTES", name="b")], "holds BYTES; the model takes numbers"),
    ],
)
def test_golden_columns(tensors, message):
    columns = [{"name": name, "kind": "float"} for name in "ab"]
    description = _described("columns", columns, shape=("rows", 2))
    rows = len(tensors[0]["data"])

    def change(document):
        document["examples"][0]["request"]["inputs"] = tensors
        for output in document["examples"][0]["response"]["outputs"]:
            width = output["shape"][1:]
            output["shape"] = [rows, *width]
            output["data"] = output["data"][: rows * int(np.prod(width))]

    with pytest.raises(MalformedError, match=message):
        golden.parse(_golden(change), description)


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ([v2_tensor(np.zeros((2, 4)), name="y")], [v2_tensor(np.zeros(2), name="label")], "the model takes"),
        ([v2_tensor(np.zeros((2, 5)), name="x")], [v2_tensor([1.0], name="scores")], r"has shape \[2, 5\]"),
        ([v2_tensor(np.zeros((2, 4), int), "INT64", name="x")], [v2_tensor([1.0], name="scores")], "holds INT64"),
        ([v2_tensor(np.zeros((2, 4)), name="x")], [v2_tensor([1.0], name="other")], "expects 'other'"),
    ],
)
def test_golden_tensors(inputs, outputs, message):
    description = _described("tensors", [])

    def change(document):
        document["examples"] = [{"request": {"inputs": inputs}, "response": {"outputs": outputs}}]

    with pytest.raises(MalformedError, match=message):
        golden.parse(_golden(change), description)


COUNTER = {
    "analyzer": "word",
    "lowercase": True,
    "ngram_range": [1, 1],
    "token_pattern": r"(?u)\b\w\w+\b",
    "vocabulary": ["aa", "bb", "cc", "dd"],
    "binary": False,
}


FRONTENDS = {
    "a pattern that is none": {"token_pattern": "("},
    "a pattern of two groups": {"token_pattern": "(a)(b)"},
    "a pattern of 1,001 characters": {"token_pattern": "a" * 1001},
    "a pattern that repeats too often": {"token_pattern": "a{99999999999999999999}"},
    "a pattern with a look-behind of any width": {"token_pattern": "(?<=a+)b"},
    "a pattern with an unknown flag": {"token_pattern": "(?z)a"},
    "a pattern that is a number": {"token_pattern": 1},
    "n-grams from zero": {"ngram_range": [0, 1]},
    "n-grams of 101": {"ngram_range": [1, 101]},
    "n-grams that are booleans": {"ngram_range": [True, True]},
    "three ends of n-grams": {"ngram_range": [1, 2, 3]},
    "an analyzer that is code": {"analyzer": "lambda text: text"},
    "accents of another kind": {"strip_accents": "eval"},
    "a vocabulary of numbers": {"vocabulary": [1]},
    "stop words of lists": {"stop_words": [[]]},
    "no columns to hash into": {"vocabulary": [], "hashing": {"columns": 0, "alternate_sign": True}},
    "2^31 columns to hash into": {"vocabulary": [], "hashing": {"columns": 2**31, "alternate_sign": True}},
    "2^24 + 1 columns to hash into": {"vocabulary": [], "hashing": {"columns": 2**24 + 1, "alternate_sign": True}},
    "a vocabulary and hashing": {"hashing": {"columns": 8, "alternate_sign": True}},
    "an unknown key": {"preprocessor": "os.system"},
}


@pytest.mark.parametrize("what", FRONTENDS)
@pytest.mark.filterwarnings("error")
def test_front_end(what):
    frontend.parse(json.dumps({"schema": frontend.SCHEMA, "counters": [COUNTER]}).encode())
    changed = json.dumps({"schema": frontend.SCHEMA, "counters": [COUNTER | FRONTENDS[what]]}).encode()
    with pytest.raises((MalformedError, LimitError)) as caught:
        frontend.parse(changed)
    assert "\n" not in str(caught.value)
    sparse = {"kind": "counter", "layout": "sparse", "term_values": 1, "row_values": 0}
    frontend.parse(json.dumps({"schema": frontend.KINDS_SCHEMA, "frontends": [COUNTER | sparse]}).encode())
    changed = json.dumps({"schema": frontend.KINDS_SCHEMA, "frontends": [COUNTER | sparse | FRONTENDS[what]]}).encode()
    with pytest.raises((MalformedError, LimitError)) as caught:
        frontend.parse(changed)
    assert "\n" not in str(caught.value)


def _text_model(directory, pattern, text):
    """The toy's graph behind a front end of four words."""
    document = json.loads(model_json())
    column = {"name": "text", "kind": "str"}
    document["interface"] = "text"
    document["inputs"] = [{**document["inputs"][0], "columns": [column], "frontend": 0}]
    example = json.loads(toy_files()["golden.json"])["examples"][0]
    example["request"]["inputs"] = [v2_tensor([text], "BYTES")]
    for output in example["response"]["outputs"]:
        width = output["shape"][1:]
        output.update(shape=[1, *width], data=output["data"][: int(np.prod(width))])
    counter = COUNTER | {"token_pattern": pattern}
    for name, data in {
        "model.onnx": toy_files()["model.onnx"],
        "model.json": json.dumps(document).encode(),
        "golden.json": json.dumps({"schema": golden.SCHEMA, "examples": [example]}).encode(),
        "frontend.json": json.dumps({"schema": frontend.SCHEMA, "counters": [counter]}).encode(),
    }.items():
        (directory / name).write_bytes(data)


@pytest.mark.slow
def test_a_token_pattern_that_backtracks_without_end_meets_the_time_limit_of_the_self_test(tmp_path):
    """At prediction time nothing can stop it: that is in the threat model, under what a signer can do."""
    _text_model(tmp_path, r"(\w+)+!", "a" * 60)
    with pytest.raises(SelfTestError, match="did not finish its self-test in 3 s"):
        run_in_child(tmp_path, "toy 1.0.0", timeout_s=3)
