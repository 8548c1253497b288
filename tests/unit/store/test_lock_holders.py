"""Who is named as the holder of a lock."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest
from support.hostile.strangers import STRANGER, holding

from sealift_common.files import lock_holders


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.touch()
    return path


@pytest.fixture
def descriptor(file):
    descriptor = os.open(file, os.O_RDWR)
    yield descriptor
    os.close(descriptor)


def test_the_holder_is_named_and_nobody_else(file, descriptor):
    assert lock_holders.at(file) == lock_holders.of(descriptor) == []
    # A lock of another kind keeps nobody away.
    fcntl.lockf(descriptor, fcntl.LOCK_EX)
    assert lock_holders.of(descriptor) == []
    with holding(file, fcntl.LOCK_SH) as first, holding(file, fcntl.LOCK_SH) as second:
        assert sorted(lock_holders.of(descriptor)) == sorted(lock_holders.at(file)) == sorted([first, second])
        assert lock_holders.user_of(first) == STRANGER
        assert lock_holders.ours([first, second], descriptor) == []
    assert lock_holders.of(descriptor) == []
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert lock_holders.ours(lock_holders.of(descriptor), descriptor) == [os.getpid()]


def test_a_number_that_is_another_process_by_now(file, descriptor, tmp_path):
    """It is of this user, and has nothing to do with the file."""
    other = os.open(tmp_path, os.O_RDONLY)
    try:
        assert lock_holders.ours([os.getpid()], other) == [os.getpid()]
    finally:
        os.close(other)
    with subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL) as unrelated:
        try:
            assert lock_holders.ours([unrelated.pid], descriptor) == []
        finally:
            unrelated.kill()


def test_who_waits_and_what_is_on_another_file_system_is_left_out(file, descriptor, tmp_path, monkeypatch):
    name = lock_holders._name(descriptor)
    device, _, inode = name.rpartition(":")
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "self").symlink_to("/proc/self")
    (proc / "locks").write_text(
        f"1: FLOCK  ADVISORY  WRITE 4711 {name} 0 EOF\n"
        f"1: -> FLOCK  ADVISORY  WRITE 1 {name} 0 EOF\n"
        f"2: FLOCK  ADVISORY  WRITE 2 ff:ff:{inode} 0 EOF\n"
        f"3: FLOCK  ADVISORY  WRITE 3 {device}:{inode}0 0 EOF\n"
        f"4: OFDLCK ADVISORY  WRITE -1 {name} 0 EOF\n"
        f"5: POSIX  ADVISORY  WRITE 5 {name} 0 EOF\n"
        f"6: FLOCK  ADVISORY  WRITE 0 {name} 0 EOF\n"
    )
    monkeypatch.setattr(lock_holders, "_PROC", proc)
    assert lock_holders.of(descriptor) == [4711]


def test_without_proc_nobody_is_named(descriptor, tmp_path, monkeypatch):
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    monkeypatch.setattr(lock_holders, "_PROC", tmp_path / "nothing")
    assert lock_holders.of(descriptor) == []
    with pytest.raises(FileNotFoundError):
        lock_holders.at(Path("/"))
    assert lock_holders.user_of(os.getpid()) is None


def test_a_program_with_the_setuid_bit_is_nobodys(tmp_path, monkeypatch):
    (tmp_path / "7").mkdir()
    status = tmp_path / "7/status"
    monkeypatch.setattr(lock_holders, "_PROC", tmp_path)
    status.write_text("Name:\tsu\nUid:\t64321\t0\t0\t0\nGid:\t0\t0\t0\t0\n")
    assert lock_holders.user_of(7) is None
    status.write_text("Name:\tsu\nUid:\t64321\t64321\t64321\t64321\n")
    assert lock_holders.user_of(7) == 64321
