"""Bad input to `sealift`: one line that names the thing and what to do, the code of the table, nothing changed."""

import os

import pytest

from sealift.cli import cli
from sealift_common.console import run


@pytest.fixture
def bundle(channel, tmp_path):
    channel.add()
    channel.release()
    return channel.pack(tmp_path / "good.tar")


@pytest.fixture
def fails(instance, monkeypatch, capsys):
    """Run `sealift ARGS`; assert the status, one line on stderr with every one of `words`, and no change."""
    instance.export(monkeypatch)

    def check(status, words, *arguments):
        before = instance.snapshot()
        capsys.readouterr()
        assert run(cli, "sealift", [str(argument) for argument in arguments]) == status
        captured = capsys.readouterr()
        assert captured.out == ""
        lines = captured.err.splitlines()
        assert len(lines) == 1 or lines[0].startswith("Usage:"), captured.err
        assert all(word in captured.err for word in words), captured.err
        after = instance.snapshot()
        assert {name: value for name, value in after.items() if name != "store" or name in before} == before

    return check


def test_missing_bundle(fails, channel, instance):
    instance.pin(channel.root_bytes)
    fails(3, ["'nowhere.tar'", "No such file", "check the path"], "install", "nowhere.tar")


@pytest.mark.parametrize("command", ["install", "verify", "inspect"])
def test_an_address_of_another_kind(fails, channel, instance, command):
    instance.pin(channel.root_bytes)
    fails(2, ["'docker://host/x' is not an address", "oci://", "gitlab://"], command, "docker://host/x")


def test_a_push_without_a_file_or_without_an_address(fails):
    for arguments in (("a.tar",), ("oci://host/x",), ("a.tar", "b.tar"), ("docker://host/x", "oci://host/x")):
        fails(2, ["[usage]"], "push", *arguments)


def test_a_directory(fails, channel, instance, tmp_path):
    instance.pin(channel.root_bytes)
    for command in ("install", "verify", "inspect"):
        fails(2, ["is a directory", ".tar file"], command, tmp_path)


def test_a_fifo_does_not_hang(fails, channel, instance, tmp_path):
    instance.pin(channel.root_bytes)
    os.mkfifo(tmp_path / "fifo")
    fails(2, ["not a regular file"], "install", tmp_path / "fifo")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["ends at its start", "cut short"]),
        (b"\x1f\x8b\x08" + bytes(1000), ["gzip", "expand it first"]),
        (b"PK\x03\x04" + bytes(1000), ["zip file"]),
        (b"\x08\x08\x12\x07pytorch" + bytes(1000), ["ONNX"]),
        (b"hello world " * 200, ["odd.tar", "a text file"]),
    ],
    ids=["empty", "gzip", "zip", "onnx", "text"],
)
def test_not_a_bundle(content, words, fails, channel, instance, tmp_path):
    instance.pin(channel.root_bytes)
    (tmp_path / "odd.tar").write_bytes(content)
    for command in ("install", "verify", "inspect"):
        fails(10, words, command, tmp_path / "odd.tar")


def test_a_truncated_tar(fails, bundle, channel, instance, tmp_path):
    instance.pin(channel.root_bytes)
    (tmp_path / "cut.tar").write_bytes(bundle.read_bytes()[:-3000])
    fails(10, ["blobs/sha256/", "copy it again"], "install", tmp_path / "cut.tar")


def test_an_instance_without_trust(fails, bundle):
    fails(30, ["no channel is trusted", "sealift trust init"], "install", bundle)
    fails(30, ["sealift trust init"], "verify", bundle)
    fails(30, ["sealift trust init"], "status")


def test_an_empty_store(fails, channel, instance):
    instance.pin(channel.root_bytes)
    for arguments in (["status"], ["list"], ["show", "toy"], ["path", "toy"], ["rollback"]):
        fails(31, ["does not exist", "check --store", "sealift install"], *arguments)
    instance.store_path.mkdir()
    fails(31, ["is empty", "sealift install"], "list")


def test_an_unknown_model(fails, bundle, channel, instance):
    instance.pin(channel.root_bytes)
    instance.install(bundle)
    fails(31, ["no model 'toi' is active", "active: toy"], "show", "toi")
    fails(31, ["no version '>=2'", "installed: 1.0.0"], "show", "toy", "--version", ">=2")
    fails(2, ["'latest'", ">=1.2,<2"], "show", "toy", "--version", "latest")
    fails(31, ["'../etc' cannot be a model's name"], "path", "../etc")
    fails(31, ["no generation 9", "[1]"], "rollback", "--to", "9")
    fails(31, ["no earlier generation"], "rollback")


def test_a_root_that_is_none(fails, channel, tmp_path):
    (tmp_path / "root.json").write_text("{}")
    fails(10, ["not TUF metadata"], "trust", "init", tmp_path / "root.json")
    fails(10, ["timestamp metadata", "1.root.json"], "trust", "init", channel.channel.tuf_dir / "timestamp.json")


def test_a_second_root(fails, channel, instance, tmp_path):
    from support.release.channel_simulator import ChannelSimulator

    instance.pin(channel.root_bytes)
    stranger = ChannelSimulator(tmp_path / "stranger", name="stranger")
    fails(
        35,
        ["another root is pinned", "remove that file yourself"],
        "trust",
        "init",
        stranger.channel.tuf_dir / "1.root.json",
    )


def test_a_locked_store(fails, bundle, channel, instance):
    from sealift.store.guard.lock import locked

    instance.pin(channel.root_bytes)
    instance.install(bundle)
    with locked(instance.store_path / "lock"):
        fails(32, [f"process {os.getpid()} is changing the store", "wait"], "install", bundle)


def test_no_space(fails, bundle, channel, instance, monkeypatch):
    instance.pin(channel.root_bytes)
    monkeypatch.setattr("sealift.install.preflight.free_bytes", lambda _: 1000)
    fails(34, ["needs", "1,000 are free", "make room"], "install", bundle)


def test_a_changed_model(fails, bundle, channel, instance):
    instance.pin(channel.root_bytes)
    instance.install(bundle)
    file = instance.store_path / "models/toy/1.0.0/model.onnx"
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.write_bytes(data)
    fails(33, ["'model.onnx' of toy 1.0.0 was changed", "install its bundle again"], "path", "toy")
    # And that is what repairs it.
    assert run(cli, "sealift", ["install", str(bundle)]) == 0
    assert run(cli, "sealift", ["path", "toy"]) == 0


def test_unknown_command(fails):
    fails(2, ["'instal'", "did you mean 'install'"], "instal", "x")


def test_an_override_without_a_reason(fails, bundle, channel, instance):
    instance.pin(channel.root_bytes)
    fails(2, ["--accept-expired needs a reason"], "install", bundle, "--accept-expired", " ")
