"""Read a small file of the store or the trust state: never through a link, never waiting, never without end."""

import errno
import os
import stat
from pathlib import Path


def read(path: Path, max_size_bytes: int) -> bytes:
    """Return the content of a plain file.

    Raises:
        FileNotFoundError, NotADirectoryError: there is no such file.
        OSError: it is a link, a folder, a pipe (which nobody might ever write) or larger than `max_size_bytes`.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a plain file", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(max_size_bytes + 1)
    finally:
        os.close(descriptor)
    if len(data) > max_size_bytes:
        raise OSError(errno.EFBIG, f"it has more than {max_size_bytes:,} bytes", str(path))
    return data
