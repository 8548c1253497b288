"""Verified bytes in memory that nobody can change any more: sealed memory files.

A mapping of a file in the store is no verification: whoever can write the file changes what is mapped, also where it
is mapped privately. So large files are copied once, while they are hashed, into a memory file of this process, and
the kernel is told to refuse every later write to it, ours included. See memfd_create(2) and F_ADD_SEALS in fcntl(2).
"""

import fcntl
import hashlib
import mmap
import os
from io import FileIO
from typing import Self

# Below this the pages of a memory file cost more than they are worth.
SEALED_FROM_BYTES = 1024 * 1024
# Small enough to be hashed and copied while it is in the processor's cache.
_CHUNK_BYTES = 256 * 1024
_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
# Linux 6.3; hardened machines refuse memory files without it (vm.memfd_noexec), and older kernels refuse it.
_MFD_NOEXEC_SEAL = 8


class SealedFile:
    """The bytes of one file. Its memory goes with its last user: this object, or a mapping that it gave."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._size = size

    def map(self) -> mmap.mmap:
        """Map the bytes, read only. The mapping may be kept longer than this object."""
        # Not MAP_SHARED: before Linux 6.7 that is refused for a sealed file even where only reading is asked for.
        return mmap.mmap(self._descriptor, self._size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)

    @classmethod
    def copy(cls, source: FileIO, size: int, name: str) -> tuple[Self, str]:
        """Copy and hash up to `size` bytes of `source`, and seal the copy.

        Returns:
            The sealed file, and the SHA-256 of its bytes in hexadecimal; the caller compares it.

        Raises:
            OSError: no memory, or this machine has no memory files.
            EOFError: the file ended before `size` bytes.
        """
        descriptor = _create(name)
        try:
            hasher = hashlib.sha256()
            buffer = memoryview(bytearray(_CHUNK_BYTES))
            left = size
            while left:
                count = source.readinto(buffer[: min(left, _CHUNK_BYTES)])
                if not count:
                    raise EOFError
                hasher.update(buffer[:count])
                _write(descriptor, buffer[:count])
                left -= count
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
            return cls(descriptor, size), hasher.hexdigest()
        except BaseException:
            os.close(descriptor)
            raise

    @property
    def path(self) -> str:
        """A path by which this process can open the bytes, as long as this object lives."""
        return f"/proc/self/fd/{self._descriptor}"

    def __len__(self) -> int:
        return self._size

    def __del__(self) -> None:
        os.close(self._descriptor)


def _create(name: str) -> int:
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create(f"sealift:{name}", flags | _MFD_NOEXEC_SEAL)
    except OSError:
        return os.memfd_create(f"sealift:{name}", flags)


def _write(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


# What a file of a model may come as.
Content = bytes | memoryview | SealedFile
