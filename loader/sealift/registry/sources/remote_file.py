"""A file on a server, read like one on disk: front to back, with jumps, in bounded memory."""

import io
import os
from typing import TYPE_CHECKING

from sealift.errors import LocalError
from sealift.registry.download import Ask, Download

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUFFER_BYTES = 1024 * 1024


class _RemoteRaw(io.RawIOBase):
    """The bytes of one body; a jump asks for a range."""

    def __init__(self, ask: Ask) -> None:
        super().__init__()
        self._download = Download(ask, ask(0))
        self._chunks: Iterator[bytes] = self._download.chunks()
        self._left = b""
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END:
            raise LocalError("a file on a server is read from its beginning")
        position = offset + (self._position if whence == os.SEEK_CUR else 0)
        if position != self._position:
            self._position = min(position, self._download.size)
            self._left = b""
            self._chunks = self._download.chunks_from(self._position)
        return position

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        if not self._left:
            self._left = next(self._chunks, b"")
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        self._position += count
        return count


def open_remote(ask: Ask) -> io.BufferedReader:
    """Open the body that `ask` asks for.

    Raises:
        LocalError: the server does not answer, or does not say how long the file is.
    """
    return io.BufferedReader(_RemoteRaw(ask), _BUFFER_BYTES)
