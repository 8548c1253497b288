"""Files of trained models: opened in a child process, or refused in one line."""

import json
import re
from pathlib import Path

import joblib
import magika
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.hostile.own_code import FULL, own_pickle

from sealift.model.trial.process import run_in_child
from sealift_bundler import ConversionError, SourceError, convert
from sealift_bundler.cli.convert import command
from sealift_bundler.proof.in_child import ChildLimits
from sealift_common import console

pytestmark = pytest.mark.usefixtures("opened_here")

MAGIKA = Path(magika.__file__).parent / "models" / "standard_v3_3" / "model.onnx"


@pytest.fixture(scope="module")
def table():
    generator = np.random.default_rng(0)
    return pd.DataFrame({"a": generator.normal(size=80), "b": generator.integers(0, 9, 80)})


@pytest.fixture
def saved(tmp_path, table):
    original = make_pipeline(StandardScaler(), LogisticRegression()).fit(table, table["a"] > 0)
    joblib.dump(original, tmp_path / "model.joblib", compress=3)
    table.to_csv(tmp_path / "rows.csv", index=False)
    return original


def run(*arguments):
    return console.run(command, "sealift-bundler convert", [str(argument) for argument in arguments])


@pytest.mark.own_process
def test_the_command_writes_a_directory_that_passes_its_self_test(tmp_path, saved, capsys):
    out = tmp_path / "out"
    arguments = ["--samples", tmp_path / "rows.csv", "-o", out, "--name", "toy", "--version", "1.2.3", "--json"]
    assert run(tmp_path / "model.joblib", *arguments) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["rung"] == "float32"
    assert result["parity"]["labels_wrong"] == 0
    assert sorted(path.name for path in out.iterdir()) == ["golden.json", "model.json", "model.onnx"]
    assert run_in_child(out, "toy", timeout_s=60).rows > 50


def test_a_directory_that_is_not_empty_is_left_alone(tmp_path, saved, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("keep")
    assert run(tmp_path / "model.joblib", "--samples", tmp_path / "rows.csv", "-o", tmp_path / "out") == 2
    assert (tmp_path / "out" / "mine").read_text() == "keep"
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_nothing_is_written_when_the_samples_do_not_fit(tmp_path, saved, capsys):
    (tmp_path / "other.csv").write_text("a,c\n1,2\n")
    out = tmp_path / "out"
    assert run(tmp_path / "model.joblib", "--samples", tmp_path / "other.csv", "-o", out) == SourceError.exit_code
    assert not out.exists()
    error = capsys.readouterr().err
    assert "missing ['b']" in error
    assert "['c']" in error


@pytest.mark.parametrize(
    ("version", "remedy"),
    [
        (
            "1.1",
            r"Sealift takes scikit-learn .*>=1\.6.*where scikit-learn 1\.1\.1 is installed, export it with skl2onnx",
        ),
        ("1.7", r"run pip install 'scikit-learn==1\.7\.1'"),
    ],
)
def test_a_pickle_of_another_scikit_learn_names_a_way_that_can_be_gone(tmp_path, saved, version, remedy):
    joblib.dump(saved, tmp_path / "old.joblib")
    data = (tmp_path / "old.joblib").read_bytes()
    (tmp_path / "old.joblib").write_bytes(
        re.sub(rb"(_sklearn_version.{0,4})\d\.\d", rb"\g<1>" + version.encode(), data, flags=re.DOTALL)
    )
    with pytest.raises(SourceError, match=rf"saved by scikit-learn {version}.*{remedy}"):
        convert(tmp_path / "old.joblib", tmp_path / "rows.csv")


@pytest.mark.own_process
def test_a_pickle_that_needs_a_missing_module_names_it(tmp_path, table):
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04cgone_away.parts\nModel\n.")
    with pytest.raises(SourceError, match=r"needs the module 'gone_away'.*install 'gone_away'"):
        convert(tmp_path / "model.pkl", table, trust_globals=["gone_away.parts.Model"])


@pytest.mark.own_process
def test_a_pickle_that_hangs_is_stopped(tmp_path, table, monkeypatch):
    (tmp_path / "model.pkl").write_bytes(own_pickle(tmp_path, monkeypatch, "import time\ntime.sleep(600)"))
    with pytest.raises(SourceError, match="took longer than 8 s"):
        convert(tmp_path / "model.pkl", table, limits=ChildLimits(timeout_s=8), trust_globals=[FULL])


@pytest.mark.own_process
def test_a_pickle_that_kills_its_process_is_a_refusal(tmp_path, table, monkeypatch):
    (tmp_path / "model.pkl").write_bytes(own_pickle(tmp_path, monkeypatch, "import os\nos.abort()"))
    with pytest.raises(SourceError, match="ended its process with signal 6"):
        convert(tmp_path / "model.pkl", table, trust_globals=[FULL])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.joblib", None, "does not exist"),
        ("model.doc", b"", "has the suffix '.doc'; expected one of .joblib, "),
        ("model.pkl", b"not a pickle", "cannot be opened"),
        ("model.onnx", b"not a graph", "is not an ONNX model"),
    ],
)
def test_files_that_are_no_models_are_refused(tmp_path, table, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message):
        convert(tmp_path / name, table)


def test_a_directory_is_no_model(tmp_path, table):
    with pytest.raises(SourceError, match="is a directory"):
        convert(tmp_path, table)


def test_a_ready_made_model_is_kept_byte_for_byte(tmp_path):
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz", bytes=generator.integers(0, 257, (12, 2048)).astype("int32"))
    conversion = convert(MAGIKA, tmp_path / "rows.npz", name="magika", version="1.0.3")
    assert conversion.files["model.onnx"] == MAGIKA.read_bytes()
    assert "no other original" in conversion.parity["reference"]
    model = conversion.open()
    assert [tensor.name for tensor in model.inputs] == ["bytes"]
    assert model.run({"bytes": np.zeros((2, 2048), np.int32)})["target_label"].shape == (2, 214)


def test_recorded_answers_that_a_ready_made_model_does_not_give_are_refused(tmp_path):
    wrong = {"bytes": np.zeros((3, 2048), np.int32), "target_label": np.zeros((3, 214), np.float32)}
    with pytest.raises(Exception, match="does not answer as the original"):
        convert(MAGIKA, wrong)


def test_a_ready_made_model_may_not_reach_outside_its_folder(tmp_path):
    import onnx
    from onnx import TensorProto, helper

    weights = helper.make_tensor("w", TensorProto.FLOAT, [2], [0.0, 0.0])
    weights.ClearField("float_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../secret")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
        [weights],
    )
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_bytes(bytes(8))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    (tmp_path / "in" / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ConversionError, match=r"keeps its weights in '../secret'"):
        convert(tmp_path / "in" / "model.onnx", {"x": np.zeros(2, np.float32)})
    assert onnx.__version__
