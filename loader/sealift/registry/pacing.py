"""Limits on a server's time and on the length of its answers.

A timeout of the socket bounds only silence; a server that sends one byte a minute would hold an install for years.
"""

import io
import socket
import time
from contextvars import ContextVar

from sealift.errors import LimitError
from sealift.limits import LIMITS

# The most bytes of a body of unknown length, where who asks knows better than the limit; see `Transport.exchange`.
UNSIZED_BYTES: ContextVar[int | None] = ContextVar("unsized_bytes", default=None)


class PacedReader(io.RawIOBase):
    """The bytes of one response: its head within a time and a size, then its body at no less than a pace.

    Raises:
        TimeoutError: silence, or less than the pace.
        LimitError: the head is too long, or a body of unknown length.
    """

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection
        self._inner = connection.makefile("rb", buffering=0)
        self._in_head = True
        self._since = time.monotonic()
        self._count = 0
        self._most = UNSIZED_BYTES.get() or LIMITS.http_unsized_bytes
        self._left: int | None = None

    def body_begins(self, length: int | None) -> None:
        """Count anew: from here on the pace of a body counts; if nobody knows its length, also all of its bytes."""
        self._in_head = False
        self._left = self._most if length is None else None
        self._since = time.monotonic()
        self._count = 0

    def readable(self) -> bool:
        """Say that this is a stream to read from."""
        return True

    def readinto(self, buffer: "memoryview") -> int | None:  # type: ignore[override]
        """Read what is there, and look at the clock."""
        waited = time.monotonic() - self._since
        if waited >= LIMITS.http_timeout_s:
            if self._in_head or self._count < LIMITS.http_window_bytes:
                raise TimeoutError(f"the answer is too slow: {self._count:,} bytes in {waited:.0f} s")
            self._since, self._count, waited = time.monotonic(), 0, 0.0
        self._connection.settimeout(max(LIMITS.http_timeout_s - waited, 0.001))
        count: int | None = self._inner.readinto(buffer)
        self._count += count or 0
        if self._in_head and self._count > LIMITS.http_head_bytes:
            raise LimitError(f"the head of an answer has more than {LIMITS.http_head_bytes:,} bytes")
        if self._left is not None:
            self._left -= count or 0
            if self._left < 0:
                raise LimitError(f"an answer without Content-Length has more than {self._most:,} bytes")
        return count

    def readall(self) -> bytes:
        """Refuse: nobody asks for all at once, but `http.client` does so for a chunk of the size -1."""
        raise OSError("a chunk has no size")

    def close(self) -> None:
        """Let go of the connection."""
        self._inner.close()
        super().close()
