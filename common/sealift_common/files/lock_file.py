"""A lock that nobody else can take: a file that only its owner can open.

`flock` works on an open file of any kind, so any user who can read a file can hold its lock. A file that others can
open, as Sealift 0.1.0 made it, is replaced: a new mode would not take it from a stranger who has it open already.

1. lock the file; or see in `/proc/locks` that no process of this user holds it
2. lock `.NAME.new`, which nobody else can open, so that one process at a time gets past this step
3. give that file the name, if the name still leads to the file of step 1.

Who locked a file looks whether the name still leads to it, and begins again if not.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sealift_common import advice
from sealift_common.errors import LocalError
from sealift_common.files import lock_holders

# A process that was killed in the middle of starting another leaves its lock to that one, until that one begins.
_LOOKS = 40
_PAUSE_S = 0.05
_MODE = stat.S_IRUSR | stat.S_IWUSR


class HeldError(Exception):
    """Another process holds the lock.

    Attributes:
        holder: its number; 0 where it cannot be seen from here: on another machine, in another container, without
            `/proc`.
        is_open_to_others: any user can open the file, so the holder need not be one of ours.
    """

    def __init__(self, holder: int, *, is_open_to_others: bool) -> None:
        super().__init__(holder)
        self.holder = holder
        self.is_open_to_others = is_open_to_others


@contextmanager
def hold(path: Path, *, keep: bool) -> Iterator[None]:
    """Hold the lock in the file `path`; wait two seconds for one whose holder was killed.

    Args:
        keep: leave the file there afterwards.

    Raises:
        HeldError: another process holds it.
        LocalError: the file system has no locks.
        OSError: the file cannot be made or opened.
    """
    with _take(path) as descriptor:
        try:
            yield
        finally:
            if not keep and _is_at(path, descriptor):
                path.unlink()


def is_open_to_others(status: os.stat_result) -> bool:
    """Return whether other users can open, and so hold, a lock file."""
    return bool(status.st_mode & (stat.S_IRWXG | stat.S_IRWXO))


@contextmanager
def _take(path: Path) -> Iterator[int]:
    holder, is_open = 0, False
    for look in range(_LOOKS):
        with ExitStack() as stack:
            descriptor = _open(path, stack)
            is_open = is_open_to_others(os.fstat(descriptor))
            free = held = _lock(path, descriptor)
            if not held:
                seen = lock_holders.of(descriptor)
                if is_open and seen and not lock_holders.ours(seen, descriptor):
                    # The lock is not for strangers. A dead process may have left it to one, or to a child of ours.
                    free = bool(lock_holders.alive(seen)) or look == _LOOKS - 1
                elif holder := next(iter(lock_holders.alive(seen)), 0):
                    break
            if free and is_open:
                descriptor = _replacement(path, descriptor, stack, held=held)
            if free and descriptor >= 0 and _is_at(path, descriptor):
                yield descriptor
                return
        time.sleep(_PAUSE_S)
    raise HeldError(holder, is_open_to_others=is_open)


def _replacement(path: Path, old: int, stack: ExitStack, *, held: bool) -> int:
    """Put a locked file in the place of `old`; -1 where somebody else is doing that, or has done it."""
    scratch = path.with_name(f".{path.name.removeprefix('.')}.new")
    try:
        new = _open(scratch, stack)
    except OSError as error:
        # A prune is what makes room again: the old file does, until there is some.
        if held and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return old
        raise
    if not _lock(scratch, new) or not _is_at(scratch, new):
        return -1
    # A file system without modes, where a new file is not better, and may not be renamed while it is open.
    if held and is_open_to_others(os.fstat(new)):
        scratch.unlink()
        return old
    if not _is_at(path, old):
        scratch.unlink()
        return -1
    scratch.rename(path)
    return new


def _open(path: Path, stack: ExitStack) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
    stack.callback(os.close, descriptor)
    return descriptor


def _lock(path: Path, descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EINVAL):
            raise
        raise LocalError(
            f"the file system of {str(path.parent)!r} has no locks (flock: {error.strerror}), "
            f"so nothing would keep two commands apart; {advice.file_system_with_locks()}"
        ) from None
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
