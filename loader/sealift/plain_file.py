"""Read a small file whole: never waiting for a pipe, never without end; and of the store, never through a link."""

import errno
import os
import stat
from pathlib import Path


def read(path: Path, max_size_bytes: int, *, follow: bool = False) -> bytes:
    """Return the content of a plain file.

    Args:
        follow: go through a link, where an admin may have made one.

    Raises:
        FileNotFoundError, NotADirectoryError: there is no such file.
        OSError: it is a link that is not to be followed, a folder, a pipe (which nobody might ever write), or
            larger than `max_size_bytes`.
    """
    no_follow = 0 if follow else os.O_NOFOLLOW
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | no_follow)
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            kind = "a directory, not a file" if stat.S_ISDIR(facts.st_mode) else "not a plain file"
            raise OSError(errno.EINVAL, f"it is {kind}", str(path))
        if facts.st_size > max_size_bytes:
            raise OSError(errno.EFBIG, f"it has more than {max_size_bytes:,} bytes", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            # As much as there is: to read with a limit takes memory for the whole limit.
            return file.read(facts.st_size)
    finally:
        os.close(descriptor)
