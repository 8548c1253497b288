"""`verify BUNDLE`: from the bundle to the root of the data snapshot without network, and where each link breaks."""

import json
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.gitlab.training import Training
from support.release.workbench import Workbench

from sealift.errors import DigestError, MalformedError
from sealift_common.contents.reading import read_contents
from sealift_pipeline.cli import command
from sealift_pipeline.errors import (
    ChainGateError,
    ChainModelError,
    ChainProofError,
    ChainRunError,
    ChainSnapshotError,
)
from sealift_pipeline.runs.document import Run, digest
from sealift_pipeline.runs.handed_over import trained_in
from sealift_pipeline.training.chain.links import linked
from sealift_pipeline.training.champions.champion import read_files

ERRORS = {
    "proof": ChainProofError,
    "run": ChainRunError,
    "model": ChainModelError,
    "data snapshot": ChainSnapshotError,
    "gate": ChainGateError,
}


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> Training:
    """A trained version, released and packed."""
    with pytest.MonkeyPatch.context() as patch:
        training = Training(Workbench(tmp_path_factory.mktemp("released"), patch), 560)
        training.retrain()
        training.release()
        assert training.bench.bundler("pack", "--channel", "ch", "-o", "c.tar")[0] == 0
        yield training


@pytest.fixture
def version(released):
    """What the pure part takes: manifest, proof, files."""
    (found,) = trained_in(released.channel)
    contents = read_contents(found.model, found.blob, released.channel.blob)
    return contents.manifest, contents.proof, dict(read_files(released.channel, contents.manifest))


def test_a_bundle_is_walked_to_the_root(released, call, monkeypatch) -> None:
    def refuse(*_):
        raise AssertionError("opened a socket")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.chdir(released.folder)
    status, out, err = call(command, "verify", "c.tar", "--pipeline", "events")
    assert status == 0, err
    lines = out.splitlines()
    assert lines[0] == "bundle: c release 2, every signature and every byte"
    assert lines[1] == "  by the root that it brings; give --root to check whose it is"
    assert lines[2] == "triage 1.0.0"
    assert lines[-1] == "  root: 560 rows of kind 'issue' as they were landed"
    status, out, _ = call(command, "verify", "c.tar", "--json", "--root", "ch/tuf/1.root.json", "--pipeline", "events")
    document = json.loads(out)
    (model,) = document["models"]
    assert (status, document["pinned"], model["verified"]) == (0, True, 560)


def test_every_link_breaks_with_an_error_of_its_own(version) -> None:
    manifest, proof, files = version
    assert linked(manifest, proof, files).run.model == manifest.model
    run = Run.parse(files["run.json"])

    def signed(made):
        """The same version, made and signed with another run: only the links can tell."""
        data = made.to_bytes()
        descriptor = {**manifest.descriptor, "revision": digest(data)}
        return manifest._replace(descriptor=descriptor), proof, {**files, "run.json": data}

    other = {**files, "model.onnx": files["model.onnx"] + b"\0"}
    snapshot = files["data-snapshot.json"].replace(b'"rows":560', b'"rows":559')
    cases = [
        ("proof: model.json records no proof", (manifest, None, files)),
        ("proof: model.json records no proof", (manifest, proof._replace(wrong=1), files)),
        ("run: run.json is sha256:", (manifest, proof, {**files, "run.json": replace(run, params={}).to_bytes()})),
        ("run: it has no run.json", (manifest, proof, {key: files[key] for key in files if key != "run.json"})),
        ("run: run.json is about triage", signed(replace(run, model=run.model._replace(name="triage-2")))),
        ("model: model.onnx is sha256:", (manifest, proof, other)),
        ("model: model.onnx is sha256:", signed(replace(run, files={**run.files, "model.onnx": "sha256:" + "0" * 64}))),
        ("model: the run names no model.onnx", signed(replace(run, files={}))),
        ("data snapshot: data-snapshot.json is sha256:", (manifest, proof, {**files, "data-snapshot.json": snapshot})),
        ("gate: its run was refused", signed(replace(run, gate={**run.gate, "passed": False}))),
    ]
    for words, given in cases:
        with pytest.raises(DigestError) as caught:
            linked(*given)
        link = words.partition(":")[0]
        assert (type(caught.value), caught.value.code) == (ERRORS[link], f"chain-{link.split()[-1]}"), words
        assert str(caught.value).startswith(f"{manifest.model}: the chain is broken at the {words}"), words
    with pytest.raises(MalformedError, match="is not a training run as"):
        linked(*signed(_Longer(run)))


class _Longer:
    """A run with a key that nobody knows."""

    def __init__(self, run):
        self._run = run

    def to_bytes(self):
        document = json.loads(self._run.to_bytes())
        return json.dumps(document | {"more": 1}, sort_keys=True, separators=(",", ":")).encode()


def test_a_byte_of_the_bundle_and_a_row_of_the_table(released, call, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(released.folder)
    data = bytearray(Path("c.tar").read_bytes())
    data[-2_000] ^= 1
    (tmp_path / "c.tar").write_bytes(data)
    status, _, err = call(command, "verify", tmp_path / "c.tar", "--pipeline", "events")
    assert status in range(10, 30), err
    copytree("events", tmp_path / "events")
    file = next((tmp_path / "events" / "table" / "issue").glob("*.parquet"))
    table = pq.read_table(file)
    weights = table.column("weight").to_pylist()
    place = table.schema.get_field_index("weight")
    pq.write_table(table.set_column(place, "weight", pa.array([weights[0] + 1, *weights[1:]], pa.int64())), file)
    status, _, err = call(command, "verify", "c.tar", "--pipeline", tmp_path / "events")
    assert (status, "is not what was landed" in err) == (26, True), err


def test_a_bundle_of_others_and_a_wrong_root(released, call, monkeypatch, tmp_path: Path, channel) -> None:
    monkeypatch.chdir(released.folder)
    channel.add("toy", "1.0.0")
    channel.release()
    bundle = channel.pack(tmp_path / "toy.tar")
    status, _, err = call(command, "verify", bundle, "--pipeline", "events")
    assert status == 2
    assert "`retrain` made no version of" in err
    (tmp_path / "root.json").write_bytes(channel.root_bytes)
    status, _, err = call(command, "verify", "c.tar", "--root", tmp_path / "root.json", "--pipeline", "events")
    assert status in range(20, 30), err
    (tmp_path / "x.json").write_text("{}")
    status, _, err = call(
        command, "verify", tmp_path / "x.json", "--root", "ch/tuf/1.root.json", "--pipeline", "events"
    )
    assert (status, "--root belongs to a bundle, and this is none" in err) == (2, True)
