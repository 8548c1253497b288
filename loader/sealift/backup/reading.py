"""Read files of a store for a copy: each is checked while it is read, so that no damage is carried on."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from sealift.errors import CorruptError
from sealift_common.blob import Blob

_CHUNK_BYTES = 1024 * 1024


def verified(source: Path, path: str, blob: Blob) -> Iterator[bytes]:
    """Yield the file, exactly as long as it should be, and check its digest at the end.

    Args:
        source: where it lies.
        path: its place in the store, for errors.
        blob: what was signed, or found before.

    Raises:
        CorruptError: it is another file, or no file.
    """
    hasher = hashlib.sha256()
    left = blob.size
    for chunk in _read(source):
        left -= len(chunk)
        if left < 0:
            break
        hasher.update(chunk)
        yield chunk
    found = f"sha256:{hasher.hexdigest()}"
    if left or found != blob.digest:
        raise CorruptError(
            f"{path!r} was changed in the store: expected {blob.size:,} bytes of {blob.digest}, "
            f"got {found}; install its bundle again to repair it"
        )


def blob_of(source: Path) -> Blob:
    """Return length and digest of a file that nothing signs.

    Raises:
        CorruptError: it cannot be opened, or is not a plain file.
    """
    hasher, size = hashlib.sha256(), 0
    for chunk in _read(source):
        hasher.update(chunk)
        size += len(chunk)
    return Blob(f"sha256:{hasher.hexdigest()}", size)


def _read(source: Path) -> Iterator[bytes]:
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise CorruptError(
            f"{str(source)!r} cannot be opened: {error.strerror}; install its bundle again to repair it"
        ) from None
    with os.fdopen(descriptor, "rb", buffering=0) as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise CorruptError(f"{str(source)!r} is not a plain file; install its bundle again to repair it")
        while chunk := opened.read(_CHUNK_BYTES):
            yield chunk
