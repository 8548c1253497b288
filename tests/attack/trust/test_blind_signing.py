"""Somebody hands a signer a copy of the channel that hides what changes: refused, or shown, and nothing is signed."""

import json
import os
import shutil
from functools import partial

import pytest
from support.release.channel_simulator import ChannelSimulator

from sealift_common.blob import is_digest
from sealift_common.errors import ChannelError, DigestError, MalformedError
from sealift_keys.ceremony.beginning import sign, to_sign
from sealift_keys.ceremony.pending import coming, waiting
from sealift_keys.channel import history
from sealift_keys.channel.directory import Channel
from sealift_keys.cli import command
from sealift_keys.cli import sign as sign_command


@pytest.fixture
def sim(tmp_path):
    sim = ChannelSimulator(tmp_path / "ch", thresholds={"targets": 2})
    sim.add("toy", "1.0.0")
    sim.release()
    sim.add("toy", "1.1.0")
    sim.release([*sim.keys["targets"][:1], *sim.keys["snapshot"], *sim.keys["timestamp"]])
    return sim


@pytest.fixture
def approver(sim):
    return sim.keys["targets"][1]


@pytest.fixture
def keys(call, approver, monkeypatch):
    monkeypatch.setattr(sign_command, "open_signers", lambda *_: [approver])
    return partial(call, command)


@pytest.fixture(autouse=True)
def nothing_is_signed(sim):
    before = (sim.channel.tuf_dir / "targets.json").read_bytes()
    yield
    assert (sim.channel.tuf_dir / "targets.json").read_bytes() == before


def versions(summary):
    return [str(model.version) for model in summary.changes.new]


def test_without_a_terminal_a_changed_list_needs_its_digest(sim, keys):
    status, _, err = keys("sign", sim.directory, "--key", "k")
    assert status == 2
    assert "targets 3 changes the list of models, and there is no terminal to ask on" in err


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "sha256:" + "0" * 63, "af9a", "sha512:" + "0" * 64, ""])
def test_another_digest_is_not_signed(sim, keys, digest):
    status, out, err = keys("sign", sim.directory, "--key", "k", "--expect", digest)
    assert (status, out) == (55 if is_digest(digest) else 2, "")
    assert err.count("\n") == 1


def test_targets_that_change_after_they_were_shown_are_not_signed(sim, approver, tmp_path):
    copy = Channel.open(shutil.copytree(sim.directory, tmp_path / "copy"))
    seen = to_sign(copy, [approver.public_key])
    shown = copy.targets()
    shown.signed.targets["models/toy/1.2.0"] = shown.signed.targets["models/toy/1.1.0"]
    (copy.tuf_dir / "targets.json").write_bytes(shown.to_bytes())
    before = (copy.tuf_dir / "targets.json").read_bytes()
    with pytest.raises(ChannelError, match=r"and not the sha256:.* that you expect; nothing was signed"):
        sign(copy, [approver], seen=seen)
    assert (copy.tuf_dir / "targets.json").read_bytes() == before


def test_a_record_that_nobody_signed_hides_nothing(sim):
    """A record of a release 2 that lists the new version already would make it look like an old one."""
    record = sim.channel.directory / history.DIRECTORY / "2-root-1.targets.json"
    metadata = sim.channel.targets()
    metadata.signed.version = 2
    record.write_bytes(metadata.to_bytes())
    assert versions(waiting(sim.channel)) == ["1.0.0", "1.1.0"]


def test_a_record_that_one_of_two_signed_hides_nothing(sim):
    record = sim.channel.directory / history.DIRECTORY / "2-root-1.targets.json"
    metadata = sim.channel.targets()
    metadata.signed.version = 2
    metadata.signatures.clear()
    metadata.sign(sim.keys["targets"][0])
    record.write_bytes(metadata.to_bytes())
    assert versions(waiting(sim.channel)) == ["1.0.0", "1.1.0"]


def test_a_root_that_does_not_descend_from_the_first_vouches_for_no_record(sim, tmp_path):
    """The builder writes a second root of their own into the copy, and signs a record under it."""
    thief = ChannelSimulator(tmp_path / "thief")
    root = sim.channel.root()
    root.signed.version = 2
    for key in thief.channel.root().signed.keys.values():
        root.signed.add_key(key, "targets")
    root.signed.roles["targets"].threshold = 1
    root.signatures.clear()
    root.sign(thief.keys["root"][0])
    (sim.channel.tuf_dir / "2.root.json").write_bytes(root.to_bytes())
    metadata = sim.channel.targets()
    metadata.signed.version = 2
    metadata.signatures.clear()
    metadata.sign(thief.keys["targets"][0])
    for path in (sim.channel.directory / history.DIRECTORY).iterdir():
        path.unlink()
    (sim.channel.directory / history.DIRECTORY / "2-root-2.targets.json").write_bytes(metadata.to_bytes())
    assert versions(waiting(sim.channel)) == ["1.0.0", "1.1.0"]


def test_a_manifest_of_other_bytes_is_not_shown_as_the_version(sim, keys):
    blob = sim.channel.released()[next(reversed(sim.channel.released()))]
    path = sim.channel.blobs_dir / blob.hex
    raw = path.read_bytes()
    path.write_bytes(raw[:-1] + b" ")
    with pytest.raises(DigestError, match=r"is not the .* bytes of sha256"):
        coming(sim.channel)
    path.write_bytes(raw + b" ")
    status, out, _ = keys("sign", sim.directory, "--key", "k", "--expect", "sha256:" + "0" * 64)
    assert (status, out) == (55, "")
    path.unlink()
    os.mkfifo(path)
    assert keys("sign", sim.directory, "--key", "k")[0] == 55
    path.unlink()
    path.write_bytes(raw)


def test_a_version_without_a_proof_is_loud(sim, tmp_path):
    sim = ChannelSimulator(tmp_path / "other")
    sim.add("toy", "1.0.0", {"model.onnx": b"graph", "golden.json": b"{}"})
    from sealift_common.contents.summary import lines

    assert "    NO PROOF: it has no model.json" in list(lines(coming(sim.channel)))


@pytest.mark.parametrize("described", [b"{", b"[]", b"{}", json.dumps({"conversion": {}, "parity": []}).encode()])
def test_a_proof_that_cannot_be_read_is_refused(tmp_path, described):
    sim = ChannelSimulator(tmp_path / "other")
    sim.add("toy", "1.0.0", {"model.onnx": b"graph", "model.json": described})
    with pytest.raises(MalformedError, match=r"'model.json' of toy 1\.0\.0"):
        coming(sim.channel)


def test_texts_of_others_cannot_act_on_the_terminal(tmp_path):
    from sealift_common.contents.summary import lines

    sim = ChannelSimulator(tmp_path / "other")
    described = {"conversion": {"rung": "\x1b[2K\r"}, "parity": {"reference": "x" * 10_000 + "\n  new: nothing"}}
    sim.add("toy", "1.0.0", {"model.onnx": b"graph", "model.json": json.dumps(described).encode()})
    shown = list(lines(coming(sim.channel)))
    assert all(line.isprintable() and len(line) < 600 for line in shown)
    assert len(shown) == 4
