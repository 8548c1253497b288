"""Another user of the machine who holds a lock on what that user can open. Needs root, and says so."""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

STRANGER = 64321


@contextmanager
def holding(path: Path, operation: int = fcntl.LOCK_EX, uid: int = STRANGER) -> Iterator[int]:
    """Hold a lock on `path`, open for reading, in a process of another user; yield its number."""
    if os.geteuid() != 0:
        pytest.fail("only root can be another user, so this test cannot say anything; run it as root")
    heard, said = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            # Opened by root, for pytest's directories are closed to others; what counts is who locks it.
            descriptor = os.open(path, os.O_RDONLY)
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            fcntl.flock(descriptor, operation)
            os.write(said, b"x")
            signal.pause()
        finally:
            os._exit(1)
    os.close(said)
    try:
        assert os.read(heard, 1) == b"x", "the stranger did not get the lock"
        yield process
    finally:
        os.close(heard)
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
