"""`sealift bench`, and the figures that a release engineer may record; the values are whatever this machine does."""

import json
from functools import partial

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from support.release.channel_simulator import renamed, toy_files

from sealift.cli import cli
from sealift.model import Model
from sealift.model.documents.description import ModelDescription
from sealift.model.trial.benchmark import PERCENTILES, benchmark
from sealift.testing import ToyModel, toy_store
from sealift_bundler import convert
from sealift_bundler.cli import command as bundler
from sealift_bundler.packing.blobs import read_manifest
from sealift_bundler.proof.documents import canonical
from sealift_bundler.proof.recording import with_benchmark
from sealift_common.blob import Blob
from sealift_common.console import run
from sealift_common.oci.compression import expand

pytestmark = pytest.mark.usefixtures("opened_here")

QUICK = ["--seconds", "0.05", "--rows", "32"]


def recorded(note):
    document = json.loads(toy_files()["model.json"]) | {"name": "noted"}
    document["conversion"]["benchmark"] = note
    return {**toy_files(), "model.json": canonical(document)}


@pytest.fixture(scope="module")
def conversion():
    rows = np.random.default_rng(2).normal(size=(40, 3))
    return convert(LogisticRegression().fit(rows, rows[:, 0] > 0), rows, name="fast", version="1.0.0")


@pytest.fixture
def bench(call, no_replay):
    return partial(call, cli, "bench")


def test_a_table_of_figures(bench, conversion):
    with toy_store(models={"fast": conversion.files, "noted": with_benchmark_of(conversion, "noted")}):
        status, out, err = bench("fast", *QUICK)
        assert (status, err) == (0, "")
        lines = out.splitlines()
        assert lines[0].startswith("fast 1.0.0, ")
        assert [line.split("  ")[0] for line in lines[2:6]] == [f"one row, {name}" for name in PERCENTILES]
        assert lines[-1].startswith("nothing was recorded at build")
        status, out, _ = bench("noted", *QUICK)
        assert out.splitlines()[1].split() == ["here", "at", "build"]
        assert "nothing was recorded" not in out


def with_benchmark_of(conversion, name):
    files = renamed(conversion.files, name, "1.0.0")
    return with_benchmark(type(conversion)(files)).files


def test_figures_as_json(bench, conversion):
    with toy_store(models={"noted": with_benchmark_of(conversion, "noted")}) as toys:
        status, out, _ = bench("noted", *QUICK, "--threads", 1, "--json")
        document = json.loads(out)
        assert status == 0
        assert (document["model"], document["digest"]) == ("noted", toys.store.find("noted").manifest.digest)
        assert document["threads"] == 1
        for figures in (document["here"], document["recorded"]):
            latency = [figures["latency_us"][name] for name in PERCENTILES]
            assert latency == sorted(latency)
            assert latency[0] > 0
            assert figures["rows_per_second"] > 0
            assert set(figures["machine"]) == {"cpu", "cores", "onnxruntime"}
        assert document["here"]["batch_rows"] == 32


@pytest.mark.parametrize(
    "note",
    ["fast", {}, {"latency_us": {"p50": "1"}, "machine": {}, "rows_per_second": 1, "batch_rows": 1}, {"machine": 3}],
)
def test_a_note_of_another_form_is_no_note(bench, note):
    with toy_store(models={"noted": recorded(note)}):
        status, out, err = bench("noted", *QUICK)
        assert (status, err) == (0, "")
        assert out.splitlines()[-1].startswith("nothing was recorded")


def test_every_interface_can_be_timed():
    import onnx
    from onnx import TensorProto, helper

    def graph(shape):
        made = helper.make_graph(
            [helper.make_node("Add", ["x", "x"], ["y"])],
            "double",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        )
        return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()

    assert onnx.checker.check_model(graph([2])) is None
    example = {"x": np.ones((2, 2), np.float32)}
    for files, batch_rows in (
        (ToyModel(columns={"a": "str", "b": "float"}).files("t"), 8),
        (toy_files(), 8),
        (ToyModel(onnx=graph([None, 2]), examples=example).files("t"), 8),
        (ToyModel(onnx=graph([2, 2]), examples=example).files("t"), 1),
    ):
        found = benchmark(Model.from_files(files), files["golden.json"], batch_rows=8, seconds=0.01)
        assert (found.batch_rows, set(found.latency_us)) == (batch_rows, set(PERCENTILES))
        assert found.calls > 0


def test_conversion_is_the_same_bytes_each_time_unless_figures_are_asked_for(conversion):
    rows = np.random.default_rng(2).normal(size=(40, 3))
    again = convert(LogisticRegression().fit(rows, rows[:, 0] > 0), rows, name="fast", version="1.0.0")
    assert dict(again.files) == dict(conversion.files)
    noted = with_benchmark(conversion)
    assert {name for name in noted.files if noted.files[name] != conversion.files[name]} == {"model.json"}
    described = json.loads(noted.files["model.json"])
    note = described["conversion"].pop("benchmark")
    assert set(note) == {"machine", "latency_us", "calls", "rows_per_second", "batch_rows"}
    assert canonical(described) == conversion.files["model.json"]
    assert ModelDescription.parse(noted.files["model.json"]).conversion["benchmark"] == note


def test_the_option_of_convert_and_add(channel, tmp_path, capsys):
    rows = np.random.default_rng(2).normal(size=(40, 3))
    joblib.dump(LogisticRegression().fit(rows, rows[:, 0] > 0), tmp_path / "m.joblib")
    np.savetxt(tmp_path / "rows.csv", rows, delimiter=",", header="a,b,c", comments="")
    (tmp_path / "m.toml").write_text(
        'name = "m"\nversion = "1.0.0"\nsource = "m.joblib"\nsamples = "rows.csv"\nlicenses = ["MIT"]\n'
    )
    made = added_description(channel, tmp_path / "m.toml", capsys)
    assert made["conversion"]["benchmark"]["rows_per_second"] > 0
    arguments = [str(tmp_path / "m.joblib"), "--samples", str(tmp_path / "rows.csv"), "-o", str(tmp_path / "out")]
    assert run(bundler, "sealift-bundler", ["convert", *arguments, "--benchmark"]) == 0, capsys.readouterr().err
    described = json.loads((tmp_path / "out" / "model.json").read_bytes())
    assert described["conversion"]["benchmark"]["rows_per_second"] > 0


def added_description(channel, recipe, capsys):
    arguments = ["add", str(recipe), "--channel", str(channel.directory), "--benchmark"]
    assert run(bundler, "sealift-bundler", arguments) == 0, capsys.readouterr().err
    (reference,) = channel.channel.staged().values()
    channel.release()
    model = next(iter(channel.channel.released()))
    manifest = read_manifest(channel.channel.blobs_dir, model, Blob(reference.digest, reference.size))
    (file,) = (file for file in manifest.files if file.name == "model.json")
    data = (channel.channel.blobs_dir / file.blob.digest.removeprefix("sha256:")).read_bytes()
    return json.loads(b"".join(expand([data], file.plain, file.name)) if file.compressed else data)
