"""Free room of a file system for this user, and the name of one that is full."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sealift.errors import NoSpaceError
from sealift_common.files import scratch

_FULL = (errno.ENOSPC, errno.EDQUOT)


def free_bytes(path: Path) -> int:
    """Return the bytes that this user may still write on the file system of `path`."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def free_inodes(path: Path) -> int | None:
    """Return the files that this user may still make on the file system of `path`; None where it has no such limit."""
    status = os.statvfs(path)
    return status.f_favail if status.f_files else None


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Blame the file system of `path` for a full disk; within, another one may be blamed first.

    Raises:
        NoSpaceError: a write found no room, no inode, or the end of a quota.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise NoSpaceError(
            f"the file system of {str(path)!r} is full ({error.strerror}); make room and run the same command again"
        ) from None


@contextmanager
def private_directory(parent: Path | None) -> Iterator[Path]:
    """Make a directory for this user alone in `parent`, removed at the end; None means where the system has such.

    Raises:
        NoSpaceError: the file system of `parent` is full.
    """
    with ExitStack() as stack:
        with full_disk(Path(tempfile.gettempdir()) if parent is None else parent):
            path = stack.enter_context(scratch.folder("sealift-install", parent))
        yield path
