"""How much a file system has left for this user."""

import os
from pathlib import Path


def free_bytes(path: Path) -> int:
    """Return the bytes that this user may still write on the file system of `path`."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def free_inodes(path: Path) -> int | None:
    """Return the files that this user may still make on the file system of `path`; None where it has no such limit."""
    status = os.statvfs(path)
    return status.f_favail if status.f_files else None
