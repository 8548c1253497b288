"""One writer at a time: a lock that the kernel drops when its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sealift.errors import LockedError
from sealift.store.safety import require_owner
from sealift_keys import durable


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the store's lock.

    Raises:
        LockedError: another process holds it; a lock left by a dead process does not count.
        UnsafeStoreError: the store belongs to another user.
    """
    # Before it is created: a lock of root's would lock the store's owner out.
    require_owner(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, durable.FILE_MODE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise LockedError(
                f"process {holder} is changing the store {str(path.parent)!r}; "
                "wait until it has finished, then run this again"
            ) from None
        os.fchmod(descriptor, durable.FILE_MODE)
        # The number only helps people; on a full disk the lock holds without it.
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)
