"""Holding a model's directory, and looking again while things move."""

import errno
import fcntl
import gc
import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.hostile.strangers import holding

from sealift.errors import CorruptError
from sealift.store.guard import in_use
from sealift.store.guard.processes import users


@dataclass
class Found:
    path: Path


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "1.0.0"
    path.mkdir()
    return path


def _is_free(directory):
    with in_use.exclusively(directory) as free:
        return free


def test_many_may_hold_and_nobody_may_remove(directory):
    holds = [in_use.hold(directory), in_use.hold(directory)]
    assert not _is_free(directory)
    holds.pop().close()
    assert not _is_free(directory)
    holds.pop().close()
    assert _is_free(directory)


def test_a_hold_ends_with_its_owner(directory):
    class Owner:
        pass

    owner = Owner()
    in_use.hold(directory).keep_for(owner)
    gc.collect()
    assert not _is_free(directory)
    del owner
    gc.collect()
    assert _is_free(directory)


def test_closing_does_not_close_a_strangers_file(directory, tmp_path):
    held = in_use.hold(directory)
    number = held._descriptor
    os.close(number)
    stranger = os.open(tmp_path, os.O_RDONLY)
    assert stranger == number
    held.close()
    os.fstat(stranger)
    os.close(stranger)


def test_a_directory_that_leaves_is_not_held(directory):
    with in_use.exclusively(directory) as free:
        assert free
        directory.rename(directory.with_name("leaving"))
        assert in_use.hold(directory) is None
    directory.with_name("leaving").rename(directory)
    held = in_use.hold(directory)
    directory.rename(directory.with_name("gone"))
    assert not held.is_at(directory)
    assert in_use.hold(directory) is None
    directory.symlink_to("gone")
    assert in_use.hold(directory) is None


def test_a_reader_looks_again_when_the_directory_moves_under_it(directory):
    """The first look finds a version that is pruned while it is read; the second finds another."""
    other = directory.with_name("2.0.0")
    other.mkdir()
    looks = []

    def find():
        looks.append(directory if directory.exists() else other)
        return Found(looks[-1])

    def read(found):
        if found.path == directory:
            directory.rename(directory.with_name("pruned"))
            raise CorruptError("it vanished")
        return b"content"

    found, content, held = in_use.read_held(find, read)
    assert (found.path, content, looks) == (other, b"content", [directory, other])
    assert not _is_free(other)
    held.close()


def test_damage_is_reported_at_the_second_look(directory):
    looks = []

    def read(_):
        looks.append(1)
        raise CorruptError("damaged")

    with pytest.raises(CorruptError, match="damaged"):
        in_use.read_held(lambda: Found(directory), read)
    assert len(looks) == 2
    assert _is_free(directory)


def test_a_reader_hardly_waits_for_a_stranger_and_reads_once(directory, monkeypatch):
    """Nor for anybody else: a prune either has renamed the directory by then, or has not yet."""
    slept, reads = [], []
    monkeypatch.setattr(time, "sleep", slept.append)
    with holding(directory):
        _, content, held = in_use.read_held(lambda: Found(directory), lambda _: reads.append(1) or b"content")
        assert (content, len(reads)) == (b"content", 1)
        assert slept == [0.01] * 2
        # Not marked, and open all the same.
        assert held.is_at(directory)
        assert not _is_free(directory)
    held.close()


def test_a_reader_meets_a_prune_that_only_asks(directory, monkeypatch):
    """It asks for the lock of every directory that it may remove, and lets go at once."""
    asking = in_use.Hold(directory)
    assert asking.lock(fcntl.LOCK_EX)
    monkeypatch.setattr(time, "sleep", lambda _: asking.close())
    held = in_use.hold(directory)
    assert not _is_free(directory)
    held.close()


@pytest.mark.parametrize("operation", [fcntl.LOCK_EX, fcntl.LOCK_SH], ids=["exclusive", "shared"])
def test_who_holds_a_directory_is_named(operation, directory):
    with holding(directory, operation) as stranger:
        assert not _is_free(directory)
        assert in_use.holders(directory) == [stranger]
    assert in_use.holders(directory) == []
    assert in_use.holders(directory / "absent") == []


def test_a_file_system_without_locks(directory, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    _, content, held = in_use.read_held(lambda: Found(directory), lambda _: b"content")
    assert content == b"content"
    held.close()
    assert not _is_free(directory)


def test_processes_that_may_not_be_looked_at_are_counted(directory, tmp_path, monkeypatch):
    proc = tmp_path / "proc"
    for pid in ("1", "22", "333"):
        (proc / pid / "fd").mkdir(parents=True)
        (proc / pid / "maps").write_text("")
    (proc / "self").mkdir()
    (proc / "22/fd/3").symlink_to(directory / "model.onnx")
    (proc / "333/maps").write_text(
        "7f00-7f01 rw-p 00000000 00:00 0 \n"
        f"7f01-7f02 r--s 00000000 08:01 17 {directory}/model.onnx.data\n"
        f"7f02-7f03 r--s 00000000 08:01 18 {directory}0/model.onnx.data\n"
    )
    listdir = os.listdir

    def refuse(path):
        if Path(path) == proc / "1/fd":
            raise PermissionError(errno.EACCES, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    found = users([directory, tmp_path / "other"], proc)
    assert (found.of, found.unseen) == ({directory: [22, 333]}, 1)
