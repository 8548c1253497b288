"""model.json and golden.json: strict, and every refusal says where."""

import base64
import json

import numpy as np
import pytest

from sealift.errors import MalformedError, SelfTestError, UnsupportedVersionError
from sealift.model import Model
from sealift.model.documents import golden
from sealift.model.documents.description import ModelDescription
from sealift.model.documents.file_set import check_file_set
from sealift.model.trial.process import run_in_child
from sealift.model.trial.replay import replay


@pytest.fixture(scope="module")
def files():
    from sklearn.linear_model import LogisticRegression

    from sealift_bundler import convert

    rows = np.random.default_rng(0).normal(size=(40, 2))
    return dict(convert(LogisticRegression().fit(rows, rows[:, 0] > 0), rows, name="toy", version="1.0.0").files)


def changed(document, path, value):
    copy = json.loads(document)
    place = copy
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(copy).encode()


def test_a_description_survives_the_round_trip(files):
    description = ModelDescription.parse(files["model.json"])
    assert description.methods == ("predict", "decision_function", "predict_proba")
    assert description.classes.values == (False, True)
    check_file_set(description, files, "toy")
    check_file_set(description, [*files, "CARD.md", "LICENSE", "mlbom.cdx.json"], "toy")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["name"], None, "lacks 'name'"),
        (["name"], 3, r"model\.json\.name is 3; expected a string"),
        (["more"], 1, "unknown key 'more'"),
        (["interface"], "socket", "'socket'; expected one of"),
        (["inputs"], [], "has no input"),
        (["inputs", 0, "dtype"], "complex64", r"inputs\[0\]\.dtype is 'complex64'"),
        (["inputs", 0, "shape"], ["rows", 7], "7.* and 2 columns"),
        (["inputs", 0, "columns", 0, "kind"], "date", "'date'"),
        (["outputs", 0, "role"], "oracle", "'oracle'"),
        (["outputs", 0, "returns"], "V8", "'V8'"),
        (["outputs", 1, "name"], "label", "output 'label' twice"),
        (["classes", "values"], ["x"], "not of dtype 'bool'"),
        (["tolerance", "atol"], -1, "at least 0"),
        (["requires", "opsets"], {"ai.onnx": "18"}, "opset '18'"),
    ],
)
def test_a_description_that_breaks_the_schema_is_malformed(files, path, value, message):
    with pytest.raises(MalformedError, match=message):
        ModelDescription.parse(changed(files["model.json"], path, value))


def test_a_newer_schema_is_an_unsupported_version(files):
    with pytest.raises(UnsupportedVersionError, match=r"sealift\.model/4"):
        ModelDescription.parse(changed(files["model.json"], ["schema"], "sealift.model/4"))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["model.onnx", "model.json"], "lacks 'golden.json'"),
        (["model.onnx", "model.json", "golden.json", "model.onnx.so"], "'model.onnx.so'"),
        (["model.onnx", "model.json", "golden.json", "model.onnx.data", "model.onnx.data.2"], "lacks a shard"),
    ],
)
def test_a_file_set_that_is_not_explained_is_malformed(files, names, message):
    with pytest.raises(MalformedError, match=message):
        check_file_set(ModelDescription.parse(files["model.json"]), names, "toy")


def test_the_graph_must_have_the_inputs_that_are_described(files):
    wrong = changed(files["model.json"], ["inputs", 0, "name"], "digits")
    with pytest.raises(MalformedError, match=r"'numbers'.*'digits'"):
        Model.from_files({**files, "model.json": wrong})


def test_golden_examples_replay(files):
    assert replay(Model.from_files(files), files["golden.json"]) > 30


def test_one_wrong_answer_fails_the_self_test(files):
    document = json.loads(files["golden.json"])
    outputs = document["examples"][0]["response"]["outputs"]
    answer = next(output for output in outputs if output["name"] == "predict")
    answer["data"][4] = not answer["data"][4]
    with pytest.raises(SelfTestError, match=r"'toy'.*predict differs in 1 of .* at \[4\]"):
        replay(Model.from_files(files), json.dumps(document).encode())


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        ({"name": "x", "datatype": "FP64", "shape": [2], "data": [1.0]}, "1 values for shape"),
        ({"name": "x", "datatype": "FP64", "shape": [1], "data": ["1"]}, "not FP64"),
        ({"name": "x", "datatype": "INT64", "shape": [1], "data": [10**30]}, "beyond INT64"),
        ({"name": "x", "datatype": "INT64", "shape": [1], "data": [True]}, "not INT64"),
        ({"name": "x", "datatype": "FP128", "shape": [1], "data": [1]}, "'FP128'"),
        ({"name": "x", "datatype": "FP64", "shape": [-1], "data": []}, "0 values"),
    ],
)
def test_golden_tensors_are_checked(tensor, message):
    example = {"request": {"inputs": [tensor]}, "response": {"outputs": []}}
    with pytest.raises(MalformedError, match=message):
        golden.parse(json.dumps({"schema": golden.SCHEMA, "examples": [example]}).encode())


def compact(**changes):
    tensor = {
        "name": "x",
        "datatype": "FP32",
        "shape": [1, 3],
        "base64": base64.b64encode(bytes(12)).decode(),
    } | changes
    example = {"request": {"inputs": [tensor]}, "response": {"outputs": [tensor]}}
    return json.dumps({"schema": golden.COMPACT_SCHEMA, "examples": [example]}).encode()


def test_large_tensors_are_bytes():
    numbers = np.array([1.5, -0.0, np.nan, np.inf], np.float32)
    (example,) = golden.parse(compact(shape=[2, 2], base64=base64.b64encode(numbers.astype("<f4").tobytes()).decode()))
    assert example.inputs["x"].dtype == np.float32
    assert example.inputs["x"].tobytes() == numbers.tobytes()
    # Small ones stand beside them, as in the first schema.
    plain = {"name": "x", "datatype": "FP32", "shape": [1], "data": [1.0]}
    document = {"examples": [{"request": {"inputs": [plain]}, "response": {"outputs": [plain]}}]}
    golden.parse(json.dumps({"schema": golden.COMPACT_SCHEMA, **document}).encode())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base64": "AAAA"}, "0 values for shape|3 bytes"),
        ({"base64": "!!!!"}, "holds no base64"),
        ({"base64": "AAA"}, "holds no base64"),
        ({"base64": "A\u00c4=="}, "holds no base64"),
        ({"base64": "AAAAAB=="}, "in another form"),
        ({"base64": ""}, "0 values for shape"),
        ({"base64": base64.b64encode(bytes(13)).decode()}, "13 bytes, of which no whole number of FP32"),
        ({"shape": [4]}, "3 values for shape"),
        ({"shape": [2**40, 2**40]}, "3 values for shape"),
        ({"shape": [1] * 33}, "3 values for shape"),
        ({"data": [1.0]}, "unknown key 'data'"),
        ({"datatype": "BYTES"}, "'BYTES'; expected one of"),
        ({"datatype": "BOOL", "shape": [3], "base64": "AAEC"}, "neither true nor false"),
        ({"base64": [1]}, "expected a string"),
    ],
)
def test_bytes_of_tensors_are_checked(changes, message):
    with pytest.raises(MalformedError, match=message):
        golden.parse(compact(**changes))


def test_the_first_schema_knows_no_bytes():
    with pytest.raises(MalformedError, match="unknown key 'base64'"):
        golden.parse(compact(data=[0.0, 0.0, 0.0]).replace(b"golden/2", b"golden/1"))


@pytest.fixture
def directory(tmp_path, files):
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_the_child_replays_the_directory(directory):
    assert run_in_child(directory, "toy 1.0.0", timeout_s=60).rows > 30


def test_a_damaged_graph_fails_in_the_child_and_names_the_model(directory):
    (directory / "model.onnx").write_bytes(b"\x08\x08")
    with pytest.raises(MalformedError, match=r"'toy 1\.0\.0' failed its self-test: model\.onnx is not an ONNX"):
        run_in_child(directory, "toy 1.0.0", timeout_s=60)


def test_a_crash_in_the_child_is_a_refusal(directory, monkeypatch):
    monkeypatch.setattr("sys.executable", str(crashing(directory)))
    with pytest.raises(SelfTestError, match="crashed its self-test with SIGSEGV"):
        run_in_child(directory, "toy", timeout_s=60)


def test_a_hang_in_the_child_is_a_refusal(directory):
    with pytest.raises(SelfTestError, match=r"did not finish its self-test in 0\.01 s"):
        run_in_child(directory, "toy", timeout_s=0.01)


def crashing(directory):
    script = directory / "crash.sh"
    script.write_text("#!/bin/sh\nkill -SEGV $$\n")
    script.chmod(0o755)
    return script
