"""No room, at every point at which it can run out: refused in one line, the store as before, the next try succeeds."""

import errno
import os

import pytest
from instance import Instance
from mounts import command, image, remount, tmpfs
from self_test_stub import Passes

from sealift.errors import NoSpaceError, PreflightError
from sealift_keys.console import run

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
    from sealift.store import history

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
    from sealift.cli import cli

    first, second = releases
    with tmpfs(tmp_path / "fixed", "size=64m") as root:
        instance = Instance(root / "instance")
        instance.pin(channel.root_bytes)
        instance.install(first)
        remount(root, "ro")
        before = instance.snapshot()
        monkeypatch.setenv("SEALIFT_STORE", str(instance.store_path))
        monkeypatch.setenv("SEALIFT_TRUST", str(instance.trust_path))
        for arguments in (["install", str(second)], ["install", str(second), "--dry-run"], ["rollback"]):
            assert run(cli, "sealift", arguments) in (3, 31)
            assert len(capsys.readouterr().err.splitlines()) == 1
        assert instance.snapshot() == before
        assert instance.store.load("toy").version == "1.0.0"
        assert run(cli, "sealift", ["verify", str(second)]) == 0
        remount(root, "rw")
