"""One writer at a time: a lock that the kernel drops when its holder dies."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sealift.errors import LockedError
from sealift.store.safety import require_owner
from sealift_keys import durable

# A process that was killed in the middle of starting another leaves its lock to that one, until that one begins.
_LOOKS = 40
_PAUSE_S = 0.05


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the store's lock; wait two seconds for one whose holder was killed.

    Raises:
        LockedError: another process holds it; a lock left by a dead process does not count.
        UnsafeStoreError: the store belongs to another user.
    """
    # Before it is created: a lock of root's would lock the store's owner out.
    require_owner(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, durable.FILE_MODE)
    try:
        _take(descriptor, path.parent)
        os.fchmod(descriptor, durable.FILE_MODE)
        # The number only helps people; on a full disk the lock holds without it.
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, store: Path) -> None:
    for _ in range(_LOOKS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            if _is_alive(holder):
                break
            time.sleep(_PAUSE_S)
        else:
            return
    raise LockedError(
        f"process {holder} is changing the store {str(store)!r}; wait until it has finished, then run this again"
    )


def _is_alive(holder: str) -> bool:
    try:
        os.kill(int(holder), 0)
    except PermissionError:
        return True
    except (ProcessLookupError, ValueError, OverflowError):
        # What is no number may be one that is being written.
        return False
    return True
