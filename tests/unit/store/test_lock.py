"""The store's lock: when its holder is killed, and when a stranger or an older Sealift holds it."""

import errno
import fcntl
import os
import signal
import time

import pytest
from support.hostile.strangers import holding

from sealift.errors import LocalError, LockedError
from sealift.store.guard.lock import locked
from sealift_common.files import lock_file, lock_holders


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
    monkeypatch.setattr("sealift_common.files.lock_file._LOOKS", 2)
    kill(holder_that_forks(tmp_path / "lock", 3))
    with pytest.raises(LockedError), locked(tmp_path / "lock"):
        pass


@pytest.fixture
def older(tmp_path):
    """The lock as 0.1.0 left it: everybody can open it."""
    path = tmp_path / "lock"
    path.write_text("1\n")
    path.chmod(0o644)
    return path


def is_closed(path):
    return path.stat().st_mode & 0o7777 == 0o600 and path.stat().st_uid == os.geteuid()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nobody_else_can_open_it(umask, tmp_path):
    before = os.umask(umask)
    try:
        with locked(tmp_path / "lock"):
            assert is_closed(tmp_path / "lock")
    finally:
        os.umask(before)
    with locked(tmp_path / "lock"):
        pass
    assert os.listdir(tmp_path) == ["lock"]


@pytest.mark.parametrize("operation", [fcntl.LOCK_EX, fcntl.LOCK_SH], ids=["exclusive", "shared"])
def test_a_stranger_who_holds_an_older_lock_stops_nobody(operation, older, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("a stranger was waited for"))
    with holding(older, operation):
        with locked(older):
            assert is_closed(older)
            with pytest.raises(LockedError, match=f"process {os.getpid()} is changing"), locked(older):
                pass
        with locked(older):
            pass
    assert os.listdir(older.parent) == ["lock"]


def test_an_older_sealift_at_work_is_not_disturbed(older):
    with holding(older, uid=os.geteuid()) as process:
        with pytest.raises(LockedError, match=f"process {process} is changing the store"), locked(older):
            pass
        assert not is_closed(older)
    with locked(older):
        assert is_closed(older)


def test_an_older_sealift_that_begins_meanwhile_is_refused(older):
    opened = os.open(older, os.O_RDWR)
    with locked(older):
        again = os.open(older, os.O_RDWR)
        for descriptor in (opened, again):
            with pytest.raises(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(opened)
    os.close(again)


def test_a_holder_that_cannot_be_seen_is_not_made_up(older, monkeypatch):
    """On another node, or in another container: it may be an older Sealift, and the file says how to go on."""
    monkeypatch.setattr(lock_file, "_LOOKS", 2)
    monkeypatch.setattr(lock_holders, "of", lambda _: [])
    with holding(older), pytest.raises(LockedError) as caught, locked(older):
        pass
    assert "a process that cannot be seen from here is changing the store" in str(caught.value)
    assert f"remove {str(older)!r}" in str(caught.value)
    older.chmod(0o600)
    with holding(older), pytest.raises(LockedError) as caught, locked(older):
        pass
    assert "remove" not in str(caught.value)


def test_what_a_dead_process_left_to_a_stranger_is_given_up(older, monkeypatch):
    monkeypatch.setattr(lock_file, "_LOOKS", 3)
    monkeypatch.setattr(lock_holders, "alive", lambda _: [])
    with holding(older), locked(older):
        assert is_closed(older)


def test_of_many_who_replace_an_older_lock_one_gets_it(older, tmp_path, monkeypatch):
    """With a stranger on it, so that nobody gets the old one; each counts up what only one may change at a time."""
    counter = tmp_path / "counter"
    counter.write_text("0")
    workers, rounds = 4, 5
    with holding(older):
        for _ in range(workers):
            if os.fork() == 0:
                status = 1
                try:
                    done = 0
                    while done < rounds:
                        try:
                            with locked(older):
                                number = int(counter.read_text())
                                time.sleep(0.001)
                                counter.write_text(str(number + 1))
                                # Open again, as 0.1.0 leaves it.
                                older.chmod(0o644)
                                done += 1
                        except LockedError:
                            continue
                    status = 0
                finally:
                    os._exit(status)
        statuses = [os.waitpid(-1, 0)[1] for _ in range(workers)]
    assert statuses == [0] * workers
    assert counter.read_text() == str(workers * rounds)
    with locked(older):
        assert sorted(os.listdir(tmp_path)) == ["counter", "lock"]


def test_a_file_system_without_modes_keeps_its_lock(older, monkeypatch):
    """Where every file looks open to all, a new one would too."""
    monkeypatch.setattr(lock_file, "is_open_to_others", lambda _: True)
    number = older.stat().st_ino
    with locked(older), pytest.raises(LockedError, match=f"process {os.getpid()} is"), locked(older):
        pass
    assert older.stat().st_ino == number
    assert os.listdir(older.parent) == ["lock"]


def test_on_a_full_disk_the_older_lock_does(older, monkeypatch):
    """What makes room again must not need room first."""
    original = os.open

    def full(path, flags, *given, **more):
        if not os.path.exists(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return original(path, flags, *given, **more)

    monkeypatch.setattr(os, "open", full)
    with locked(older), pytest.raises(LockedError, match=f"process {os.getpid()} is"), locked(older):
        pass
    monkeypatch.undo()
    with locked(older):
        assert is_closed(older)


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    for number in (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP):

        def flock(*_, number=number):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", flock)
        with pytest.raises(LocalError) as caught, locked(tmp_path / "lock"):
            pass
        message = str(caught.value)
        assert f"the file system of {str(tmp_path)!r} has no locks (flock: {os.strerror(number)})" in message
        assert "use a local file system" in message
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
        with pytest.raises(LocalError, match="use a volume whose file system has them"), locked(tmp_path / "lock"):
            pass
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
