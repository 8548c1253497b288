"""A model that somebody holds is not pruned: a shared lock on its directory for the life of the `Model`.

The lock is on a read-only descriptor of the directory, so a reader needs no right to write. Who removes a
directory first asks for the exclusive lock, renames, and lets go. A reader that meets that moment looks again.
Forked workers inherit the descriptor, and with it the lock.

Anybody who can read a model can hold such a lock, for as long as they like. So nothing waits for one, and nothing but
the room on the disk depends on it: a reader that does not get its own goes on without, and is right as long as the
directory still has its name when everything was read; a prune leaves the version for the next one, and says so.
"""

import fcntl
import os
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, TypeVar, cast

from sealift.errors import Error

# A directory leaves, or is replaced, within two renames and their syncs.
_LOOKS = 10
_PAUSE_S = 0.05
# A prune holds the lock of a directory that it only asks about for less than the first of these.
_TRIES = 3
_TRY_PAUSE_S = 0.01


class _Found(Protocol):
    @property
    def path(self) -> Path:
        """The directory that is read."""


FoundT = TypeVar("FoundT", bound=_Found)
ContentT = TypeVar("ContentT")


class Hold:
    """A model directory that is marked as in use until this is closed or collected."""

    def __init__(self, directory: Path) -> None:
        self._descriptor: int | None = None
        self._descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._identity = _identity(os.fstat(self._descriptor))

    def lock(self, operation: int) -> bool:
        """Lock without waiting; False where another process's lock forbids it.

        Raises:
            OSError: the file system has no locks.
        """
        try:
            fcntl.flock(cast("int", self._descriptor), operation | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def is_at(self, directory: Path) -> bool:
        """Return whether `directory` still is the one that is held."""
        try:
            return _identity(directory.lstat()) == self._identity
        except OSError:
            return False

    def keep_for(self, owner: object) -> None:
        """Let go when `owner` is collected; at the end of the process the kernel does it."""
        weakref.finalize(owner, self.close).atexit = False

    def close(self) -> None:
        """Let go; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            # A process that became a daemon may have closed it, and the number be another file's by now.
            with suppress(OSError):
                if _identity(os.fstat(descriptor)) == self._identity:
                    os.close(descriptor)

    def __del__(self) -> None:
        self.close()


def hold(directory: Path) -> Hold | None:
    """Mark `directory` as in use; None where it has left.

    Where another process's lock forbids that, or there are no locks, what is returned is open and not marked.
    """
    try:
        held = Hold(directory)
    except OSError:
        return None
    with suppress(OSError):
        for before in range(_TRIES):
            if before:
                time.sleep(_TRY_PAUSE_S)
            if held.lock(fcntl.LOCK_SH) or not held.is_at(directory):
                break
    if held.is_at(directory):
        return held
    held.close()
    return None


def read_held(find: Callable[[], FoundT], read: Callable[[FoundT], ContentT]) -> tuple[FoundT, ContentT, Hold | None]:
    """Find a model and read it while it is held.

    An install or a prune may move things between two steps of a reader, so an error counts only once a
    second look meets it again.

    Returns:
        What was found, what was read, and the hold; without a hold where ten looks found none.

    Raises:
        sealift.Error: what `find` and `read` raise.
    """
    said = ""
    for look in range(1, _LOOKS + 1):
        last = look == _LOOKS
        try:
            found = find()
            held = hold(found.path)
            if held is None and not last:
                time.sleep(_PAUSE_S)
                continue
            content = read(found)
            if last or (held is not None and held.is_at(found.path)):
                return found, content, held
        except Error as error:
            if last or str(error) == said:
                raise
            said = str(error)
    raise AssertionError("the last look returns or raises")


@contextmanager
def exclusively(directory: Path) -> Iterator[bool]:
    """Yield whether nobody holds `directory`; until the block ends nobody can begin to.

    Where the file system has no locks nobody can know, and the answer is no.
    """
    try:
        held = Hold(directory)
    except OSError:
        yield False
        return
    try:
        try:
            free = held.lock(fcntl.LOCK_EX)
        except OSError:
            free = False
        yield free
    finally:
        held.close()


def holders(directory: Path) -> list[int]:
    """Return the processes that hold a lock on `directory`, as far as they can be seen from here."""
    try:
        from sealift_common.files import lock_holders

        return lock_holders.at(directory)
    except OSError:
        return []


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
