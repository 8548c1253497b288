"""Bundles that need a newer reader, through a registry: several graphs, weights, side files."""

import json

import pytest
from support.release.command_line import in_process
from support.release.weights import gguf, safetensors
from support.servers.registry_server import docker_registry

from sealift.cli import cli
from sealift.errors import MalformedError
from sealift.testing import ToyFiles, ToyGraphs, ToyModel
from sealift_bundler.packing.parts import split
from sealift_bundler.release.modelpack import Descriptor, write_model
from sealift_bundler.release.staging import stage
from sealift_common.names import ModelVersion
from sealift_common.oci import layout

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_replay")]

PAIR = ToyGraphs({"encoder": ToyModel(), "decoder": ToyModel()}, side_files={"labels.csv": b"a,b\n"})
WEIGHTS = {"a.safetensors": safetensors(), "b.gguf": gguf(), "tokenizer.json": b"{}"}


def run(instance, *arguments, status=0):
    done = in_process(cli, *arguments, environment=instance.environment)
    assert done.returncode == status, done.stderr
    return done


def staged(channel, name, files, form):
    model = ModelVersion.parse(name, "1.0.0")
    blobs = channel.channel.blobs_dir
    stage(channel.channel, model, write_model(blobs, model, files, Descriptor(), form=form))


@pytest.fixture
def address(tmp_path):
    with docker_registry(tmp_path / "registry") as server:
        yield f"oci://{server.host}/models/sim"


@pytest.fixture
def bundle(channel, instance, tmp_path):
    channel.add("toy", "1.0.0")
    staged(channel, "pair", PAIR.files("pair"), layout.ONNX)
    staged(channel, "weights", ToyFiles(WEIGHTS).files("weights"), "files")
    channel.release()
    instance.pin(channel.root_bytes)
    return channel.pack(tmp_path / "newer.tar")


def test_every_kind_is_pushed_and_installed(bundle, address, instance, tmp_path):
    assert b'"io.sealift.bundle.format":"3"' in bundle.read_bytes()
    (tmp_path / "parts").mkdir()
    assert len(split(bundle, tmp_path / "parts", 12_000)) > 1
    pushed = json.loads(run(instance, "push", tmp_path / "parts", address, "--json").stdout)
    assert json.loads(run(instance, "push", bundle, address, "--json").stdout)["sent"] == 0
    claimed = json.loads(run(instance, "inspect", address, "--json").stdout)
    assert {one["name"]: one["reader"] for one in claimed["models"]} == {
        "pair": "0.2.0",
        "toy": "0.1.0",
        "weights": "0.2.0",
    }
    assert "accepted: sim release 2" in run(instance, "verify", address).stdout
    run(instance, "install", "--dry-run", address)
    installed = json.loads(run(instance, "install", f"{address}@{pushed['digest']}", "--json").stdout)
    assert installed["active"] == {"pair": "1.0.0", "toy": "1.0.0", "weights": "1.0.0"}
    folder = instance.store_path / "current" / "weights"
    assert {name: (folder / name).read_bytes() for name in WEIGHTS} == WEIGHTS
    with instance.store.load("pair") as model:
        assert (model.description.graphs, model.file("labels.csv")) == (("decoder", "encoder"), b"a,b\n")
    file = folder / "b.gguf"
    file.chmod(0o644)
    file.write_bytes(gguf()[:-1] + b"x")
    run(instance, "check", status=33)
    assert json.loads(run(instance, "check", "--repair", address, "--json").stdout)["repaired"] == ["weights:1.0.0"]
    assert not json.loads(run(instance, "install", "--if-newer", address, "--json").stdout)["changed"]


def test_only_the_file_that_changed_travels(bundle, address, channel, instance):
    run(instance, "push", bundle, address)
    run(instance, "install", address)
    model = ModelVersion.parse("weights", "1.1.0")
    files = ToyFiles({**WEIGHTS, "tokenizer.json": b'{"a": 1}'}, version="1.1.0").files("weights")
    stage(channel.channel, model, write_model(channel.channel.blobs_dir, model, files, Descriptor(), form="files"))
    channel.release()
    pushed = json.loads(run(instance, "push", channel.pack(bundle.with_name("b.tar")), address, "--json").stdout)
    assert pushed["sent_bytes"] < 20_000
    run(instance, "install", address)
    assert (instance.store_path / "current/weights/tokenizer.json").read_bytes() == b'{"a": 1}'


def test_a_header_that_lies_is_refused_from_a_registry_too(channel, instance, address, tmp_path):
    files = ToyFiles({"prompt.txt": b"x"}).files("weights")
    staged(channel, "weights", {**files, "a.safetensors": safetensors()[:-1]}, "files")
    channel.release()
    instance.pin(channel.root_bytes)
    run(instance, "push", channel.pack(tmp_path / "b.tar"), address)
    before = instance.snapshot()
    for command in ("verify", "install"):
        done = run(instance, command, address, status=MalformedError.exit_code)
        assert (done.stdout, done.stderr.count("\n")) == ("", 1)
        assert "'a.safetensors' of weights 1.0.0: its tensors end at byte" in done.stderr
    assert not (instance.store_path / "current").exists()
    assert {name for name in instance.snapshot() if "models/" in name} == {name for name in before if "models/" in name}
