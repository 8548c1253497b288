"""No room, at every point at which it can run out: refused in one line, the store as before, the next try succeeds."""

import errno
import os

import pytest
from support.machine.mounts import command, image, remount, tmpfs
from support.release.instance import Instance
from support.release.self_test_stub import Passes

from sealift.backup.export import export
from sealift.backup.restore import restore
from sealift.cli import cli
from sealift.errors import NoSpaceError, PreflightError
from sealift_common.console import run

pytestmark = pytest.mark.slow

PAGE = 4096


@pytest.fixture
def releases(channel, tmp_path):
    channel.add("toy", "1.0.0")
    channel.release()
    first = channel.pack(tmp_path / "first.tar")
    channel.add("toy", "1.1.0")
    channel.add("more", "1.0.0")
    channel.release()
    return first, channel.pack(tmp_path / "second.tar")


@pytest.fixture
def blind(monkeypatch):
    """Let the preflight see endless room, so that the disk fills up in the middle of an install."""
    monkeypatch.setattr("sealift.install.preflight.room", lambda *_: [])
    monkeypatch.setattr("sealift.install.steps.SelfTestProcess", Passes)


def _refused_everywhere(instance, second, give):
    """Give more and more room until an install succeeds; returns how often it did not."""
    refusals = finished_late = 0
    for room in range(2000):
        give(room)
        before = instance.snapshot()
        refusal = _try(instance, second)
        if refusal is None:
            break
        refusals += 1
        assert "\n" not in refusal
        assert "run the same command again" in refusal
        if instance.store.active().models["toy"].version.text == "1.1.0":
            # All that was left to do was the history; the message says so.
            assert "is active" in refusal or finished_late
            finished_late += 1
        else:
            assert instance.snapshot() == before
            assert instance.store.load("toy").version == "1.0.0"
    assert instance.store.load("toy").version == "1.1.0"
    assert [entry["action"] for entry in _history(instance)] == ["install", "install"]
    return refusals, finished_late


def _try(instance, bundle):
    try:
        instance.install(bundle)
    except NoSpaceError as error:
        return str(error)
    return None


def _history(instance):
    from sealift.store.contents import history

    return history.read(instance.store_path / "history.jsonl")


def test_disk_full_at_every_step(releases, channel, tmp_path, blind, capsys):
    first, second = releases
    with tmpfs(tmp_path / "small", "size=64m") as root:
        instance = Instance(root / "instance")
        instance.pin(channel.root_bytes)
        instance.install(first)
        used = os.statvfs(root).f_blocks - os.statvfs(root).f_bfree
        refusals, late = _refused_everywhere(
            instance, second, lambda room: remount(root, f"size={(used + room) * PAGE}")
        )
    with capsys.disabled():
        print(
            f"\ndisk full: refused at {refusals} sizes, a page more each time; {late} times only the history was missing"
        )
    assert refusals > 20


def test_no_inodes_left_at_every_step(releases, channel, tmp_path, blind, capsys):
    first, second = releases
    with tmpfs(tmp_path / "few", "size=64m,nr_inodes=10000") as root:
        instance = Instance(root / "instance")
        instance.pin(channel.root_bytes)
        instance.install(first)
        used = os.statvfs(root).f_files - os.statvfs(root).f_ffree
        refusals, late = _refused_everywhere(instance, second, lambda room: remount(root, f"nr_inodes={used + room}"))
    with capsys.disabled():
        print(f"\nno inodes: refused with {refusals} numbers of free inodes; {late} times only the history was missing")
    assert refusals > 10


def test_quota(releases, channel, tmp_path, blind, require_tool):
    require_tool("mkfs.btrfs")
    first, second = releases
    with image(tmp_path / "disk.img", tmp_path / "disk", 256, ["mkfs.btrfs", "-q"]) as root:
        command("btrfs", "quota", "enable", root)
        command("btrfs", "subvolume", "create", root / "store")
        instance = Instance(root / "store" / "instance")
        instance.pin(channel.root_bytes)
        instance.install(first)
        command("sync")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("os.fsync", _quota_reached)
            before = instance.snapshot()
            with pytest.raises(NoSpaceError, match="is full"):
                instance.install(second)
            assert instance.snapshot() == before
        command("btrfs", "qgroup", "limit", "1", root / "store")
        before = instance.snapshot()
        with pytest.raises(NoSpaceError, match="quota"):
            instance.install(second)
        assert instance.snapshot() == before
        assert instance.store.load("toy").version == "1.0.0"
        command("btrfs", "quota", "disable", root)
        instance.install(second)
        assert instance.store.load("toy").version == "1.1.0"


@pytest.mark.parametrize("limit", ["bytes", "inodes"])
@pytest.mark.parametrize("replace", [False, True], ids=["empty", "replace"])
def test_disk_full_at_every_step_of_a_restore(
    releases, channel, instance, tmp_path, monkeypatch, blind, replace, limit
):
    first, second = releases
    instance.pin(channel.root_bytes)
    instance.install(first)
    instance.install(second)
    backup = tmp_path / "store.tar"
    export(instance.store, str(backup))
    monkeypatch.setattr("sealift.backup.restore.free_bytes", lambda _: 10**12)
    with tmpfs(tmp_path / "small", "size=64m,nr_inodes=10000") as root:
        machine = Instance(root / "machine")
        machine.pin(channel.root_bytes)
        if replace:
            machine.install(first)
        give = _giver(root, limit)
        refusals = 0
        for room in range(2000):
            give(room)
            before, served = _content(machine), (machine.store_path / "current").is_symlink()
            refusal = _restored(machine, backup, replace=replace or served)
            if refusal is None:
                break
            refusals += 1
            assert "\n" not in refusal
            if "is active" in refusal:
                assert refusal.endswith("make room and restore again with --replace")
                assert machine.store.load("more").version == "1.0.0"
            else:
                assert refusal.endswith("make room and run the same command again")
                assert _content(machine) == before
    assert refusals > 10


def _content(machine):
    """All that is there, but for the folders of a store, which a refusal may leave empty."""
    folders = {"store", *(f"store/{name}" for name in ("models", "manifests", "generations", "trust"))}
    return {name: value for name, value in machine.snapshot().items() if name not in folders}


def _giver(root, limit):
    status = os.statvfs(root)
    if limit == "bytes":
        used = status.f_blocks - status.f_bfree
        return lambda room: remount(root, f"size={(used + room) * PAGE}")
    return lambda room: remount(root, f"nr_inodes={status.f_files - status.f_ffree + room}")


def _restored(machine, backup, *, replace):
    try:
        with backup.open("rb") as stream:
            restore(stream, machine.store, replace=replace)
    except NoSpaceError as error:
        return str(error)
    assert machine.store.load("toy").version == "1.1.0"
    assert machine.store.load("more").version == "1.0.0"
    assert [entry["action"] for entry in _history(machine)][-1] == "restore"
    assert not (machine.store_path / "staging").exists()
    return None


@pytest.mark.parametrize("limit", ["bytes", "inodes"])
def test_disk_full_at_every_step_of_a_repair(releases, channel, tmp_path, monkeypatch, capsys, blind, limit):
    first, second = releases
    monkeypatch.setattr("sealift.install.repair._require_space", lambda *_: None)
    with tmpfs(tmp_path / "small", "size=64m,nr_inodes=10000") as root:
        instance = Instance(root / "instance")
        instance.pin(channel.root_bytes)
        instance.install(first)
        instance.install(second)
        for model in ("toy/1.1.0", "more/1.0.0"):
            damaged = instance.store_path / "models" / model / "model.onnx"
            damaged.chmod(0o644)
            damaged.write_bytes(b"damaged")
        instance.export(monkeypatch)
        give, before, refusals = _giver(root, limit), instance.snapshot(), 0
        for room in range(2000):
            give(room)
            status = run(cli, "sealift", ["check", "--repair", str(second)])
            said = capsys.readouterr().err
            if status == 0:
                break
            refusals += 1
            assert status == 34, said
            assert f"the file system of {str(instance.store_path)!r} is full" in said
            assert said.endswith("run the same command again [no-space]\n")
            assert instance.snapshot() == before
        assert [entry["action"] for entry in _history(instance)] == ["install", "install", "repair"]
        assert instance.store.load("toy").version == "1.1.0"
    assert refusals > 10


@pytest.mark.parametrize("inodes", [1, 2], ids=["no folder", "no file"])
def test_a_full_tmpdir_is_named_and_not_the_store(releases, channel, tmp_path, monkeypatch, capsys, blind, inodes):
    first, second = releases
    instance = Instance(tmp_path / "instance")
    instance.pin(channel.root_bytes)
    instance.install(first)
    monkeypatch.setattr("sealift.install.repair._require_space", lambda *_: None)
    instance.export(monkeypatch)
    with tmpfs(tmp_path / "elsewhere", f"size=64m,nr_inodes={inodes}") as elsewhere:
        before = instance.snapshot()
        words = ["--tmpdir", str(elsewhere)]
        assert run(cli, "sealift", ["install", str(second), *words]) == 34
        assert f"the file system of {str(elsewhere)!r} is full" in capsys.readouterr().err
        assert instance.snapshot() == before
        damaged = instance.store_path / "models/toy/1.0.0/model.onnx"
        damaged.chmod(0o644)
        damaged.write_bytes(b"damaged")
        assert run(cli, "sealift", ["check", "--repair", str(first), *words]) == 34
        assert f"the file system of {str(elsewhere)!r} is full" in capsys.readouterr().err
        remount(elsewhere, "nr_inodes=10")
        assert run(cli, "sealift", ["check", "--repair", str(first), *words]) == 0
        assert run(cli, "sealift", ["install", str(second), *words]) == 0
        assert list(elsewhere.iterdir()) == []


def _quota_reached(_descriptor):
    raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))


def test_preflight_tells_of_bytes_and_inodes_at_once_and_writes_nothing(releases, channel, tmp_path):
    first, second = releases
    with tmpfs(tmp_path / "small", "size=64m,nr_inodes=10000") as root:
        instance = Instance(root / "instance")
        instance.pin(channel.root_bytes)
        instance.install(first)
        status = os.statvfs(root)
        used = status.f_files - status.f_ffree
        remount(root, f"size={(status.f_blocks - status.f_bfree + 100) * PAGE},nr_inodes={used + 20}")
        before = instance.snapshot()
        with pytest.raises(PreflightError) as caught:
            instance.install(second)
        assert [problem.code for problem in caught.value.problems] == ["no-space", "no-space"]
        assert "bytes on the file system" in str(caught.value)
        assert "inodes on the file system" in str(caught.value)
        assert instance.snapshot() == before


def test_read_only_file_system(releases, channel, tmp_path, monkeypatch, capsys):
    first, second = releases
    with tmpfs(tmp_path / "fixed", "size=64m") as root:
        instance = Instance(root / "instance")
        instance.pin(channel.root_bytes)
        instance.install(first)
        remount(root, "ro")
        before = instance.snapshot()
        instance.export(monkeypatch)
        for arguments in (["install", str(second)], ["install", str(second), "--dry-run"], ["rollback"]):
            assert run(cli, "sealift", arguments) in (3, 31)
            assert len(capsys.readouterr().err.splitlines()) == 1
        assert instance.snapshot() == before
        assert instance.store.load("toy").version == "1.0.0"
        assert run(cli, "sealift", ["verify", str(second)]) == 0
        remount(root, "rw")
