"""The store's lock, when its holder is killed."""

import os
import signal
import time

import pytest

from sealift.errors import LockedError
from sealift.store.lock import locked


def holder_that_forks(path, last_s):
    """Start a process that takes the lock and then starts another, which has the lock too, for a while."""
    ready, told = os.pipe()
    process = os.fork()
    if process == 0:
        with locked(path):
            if os.fork() == 0:
                time.sleep(last_s)
                os._exit(0)
            os.write(told, b"x")
            time.sleep(60)
        os._exit(1)
    assert os.read(ready, 1) == b"x"
    os.close(ready)
    os.close(told)
    return process


def kill(process):
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def test_what_a_killed_holder_was_just_starting_is_waited_for(tmp_path):
    kill(holder_that_forks(tmp_path / "lock", 0.3))
    with locked(tmp_path / "lock"):
        pass


def test_a_holder_that_lives_is_not_waited_for(tmp_path):
    process = holder_that_forks(tmp_path / "lock", 0)
    try:
        with pytest.raises(LockedError, match=f"process {process} is changing the store"), locked(tmp_path / "lock"):
            pass
    finally:
        kill(process)


def test_what_outlives_its_killed_parent_is_not_waited_for_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr("sealift.store.lock._LOOKS", 2)
    kill(holder_that_forks(tmp_path / "lock", 3))
    with pytest.raises(LockedError), locked(tmp_path / "lock"):
        pass
