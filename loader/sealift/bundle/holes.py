"""Holes: what a file claims to hold and nobody wrote. A file of a terabyte costs its maker nothing.

Work on a file that anybody may have made follows what is really there, never its length. A file system that knows no
holes says that everything is there; then the bounds on what is read hold alone.
"""

import errno
import os
import stat

from sealift.errors import MalformedError
from sealift.limits import LIMITS, MIB


def only_zeros(descriptor: int, offset: int) -> bool:
    """Return whether nothing but zeros seems to follow `offset`: some programs make a file as long as it will be.

    Reads the beginning of what was written there, and the last MiB; what lies between counts as zeros.
    """
    size = os.fstat(descriptor).st_size
    position, read = offset, 0
    while read < LIMITS.zeros_read_bytes and (position := _next_data(descriptor, position, size)) < size:
        chunk = os.pread(descriptor, MIB, position)
        if chunk != bytes(len(chunk)):
            return False
        if not chunk:
            break
        position += len(chunk)
        read += len(chunk)
    tail = os.pread(descriptor, MIB, max(offset, size - MIB))
    return tail == bytes(len(tail))


def require_written(descriptor: int, what: str) -> None:
    """Check that a file was written and not only made long; a pipe is whatever comes.

    Raises:
        MalformedError: more of it are holes than a copy leaves that saves zeros.
    """
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        return
    size, before = facts.st_size, os.lseek(descriptor, 0, os.SEEK_CUR)
    position = holes = 0
    while position < size and holes <= LIMITS.hole_bytes:
        data = _next_data(descriptor, position, size)
        holes += data - position
        position = _next_hole(descriptor, data, size)
    os.lseek(descriptor, before, os.SEEK_SET)
    if holes > LIMITS.hole_bytes:
        raise MalformedError(
            f"{what} is not completely copied: it says that it has {size:,} bytes, and {holes:,} or more of them were "
            f"never written; expected at most {LIMITS.hole_bytes:,}; copy it again, with `cp --sparse=never`"
        )


def _next_data(descriptor: int, position: int, size: int) -> int:
    try:
        return os.lseek(descriptor, position, os.SEEK_DATA)
    except OSError as error:
        # Nothing follows; or nobody knows, and everything counts as written.
        return size if error.errno == errno.ENXIO else position


def _next_hole(descriptor: int, position: int, size: int) -> int:
    try:
        return max(os.lseek(descriptor, position, os.SEEK_HOLE), position + 1)
    except OSError:
        return size
