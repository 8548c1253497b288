"""Verified bytes in memory that nobody can change any longer: sealed memory files.

A mapping of a file in the store is not a verification: anyone who can write the file changes what is mapped, also
where it is mapped privately. So large files are copied once into a memory file of this process; the kernel is told to
refuse every later write to it, ours included; and then the copy is hashed. In this order no other process of the same
user can come in between. See memfd_create(2), and F_ADD_SEALS in fcntl(2).
"""

import fcntl
import hashlib
import os
from typing import TYPE_CHECKING, Self

from sealift.errors import LocalError
from sealift.model.runtime import memory_file

if TYPE_CHECKING:
    import mmap

# Below this the pages of a memory file cost more than they are worth.
SEALED_FROM_BYTES = 1024 * 1024
_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


class SealedFile:
    """The bytes of one file. Its memory goes with its last user: this object, or a mapping that it gave."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._size = size
        # What was hashed, for the first who asks: its page faults were taken already, a tenth of what a load costs.
        self._hashed: mmap.mmap | None = None

    def map(self, *, whole: bool = False) -> "mmap.mmap":
        """Map the bytes, read only. The mapping may be kept longer than this object.

        Args:
            whole: all of it is about to be read, so page faults, which cost more than that, are taken at once.
        """
        found, self._hashed = self._hashed, None
        return self._mapping(whole=whole) if found is None else found

    def _mapping(self, *, whole: bool) -> "mmap.mmap":
        # A model without large files does not load the library.
        import mmap

        # Not MAP_SHARED: before Linux 6.7 that is refused for a sealed file even where only reading is asked for.
        flags = mmap.MAP_PRIVATE | (mmap.MAP_POPULATE if whole else 0)
        return mmap.mmap(self._descriptor, self._size, flags=flags, prot=mmap.PROT_READ)

    @classmethod
    def copy(cls, source: int, size: int, name: str) -> Self:
        """Copy `size` bytes of the open file `source` and seal the copy. It is hashed afterwards: see `sha256`.

        Raises:
            LocalError: this machine has no memory files.
            OSError: no memory is left.
            EOFError: the file ended before `size` bytes.
        """
        descriptor = memory_file.create(name)
        try:
            place = 0
            while place < size:
                # In the kernel, from page cache to memory file; other threads go on meanwhile.
                count = os.sendfile(descriptor, source, place, size - place)
                if not count:
                    raise EOFError
                place += count
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor, size)

    def sha256(self) -> str:
        """Return the digest of the sealed bytes, in hexadecimal; the mapping that was hashed is the next one given."""
        hashed = self._mapping(whole=True)
        digest = hashlib.sha256(hashed).hexdigest()
        self._hashed = hashed
        return digest

    @property
    def path(self) -> str:
        """A path by which this process can open the bytes, as long as this object lives.

        Raises:
            LocalError: there is no `/proc`.
        """
        path = f"/proc/self/fd/{self._descriptor}"
        if not os.path.lexists(path):
            from sealift_common import advice

            raise LocalError(f"a large graph is opened by {path!r}, which is not there; {advice.proc()}")
        return path

    def __len__(self) -> int:
        return self._size

    def __del__(self) -> None:
        os.close(self._descriptor)


# What a file of a model may come as.
Content = bytes | memoryview | SealedFile
