"""A connection within bounds: uvicorn's protocol has none on heads, on silence before a request, or on their number.

An open connection costs memory and a descriptor. Where there are too many, the one that has been idle longest goes;
where none is idle, the newest is told to come back.
"""

import json
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sealift.limits import LIMITS
from sealift.serving.refusals import RETRY_AFTER_S

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

_CONTINUE = b"HTTP/1.1 100 "


class OneWrite:
    """A transport that sends the head of an answer together with what follows: each system call costs some requests."""

    def __init__(self, transport: "asyncio.Transport") -> None:
        self._transport = transport
        self._head = b""
        self._began = False

    def write(self, data: bytes) -> None:
        """Keep the head, and send everything else at once."""
        if not self._began and not data.startswith(_CONTINUE):
            self._began, self._head = True, data
            return
        self._transport.write(self._head + data if self._head else data)
        self._head = b""

    def close(self) -> None:
        """Send what is left, and close."""
        if self._head:
            self.write(b"")
        self._transport.close()

    def is_closing(self) -> bool:
        """Return whether it is."""
        return self._transport.is_closing()


class BoundedProtocol(HttpToolsProtocol):
    """One connection.

    Attributes:
        idle_since: when it became idle, of the event loop's clock; None while a request is under way.
        head_since: when the head began that is not complete yet; None where there is none.
    """

    def connection_made(self, transport: "asyncio.Transport") -> None:  # type: ignore[override]
        """Take a connection, or make room for it."""
        super().connection_made(transport)
        self.idle_since: float | None = self.loop.time()
        self.head_since: float | None = None
        self._head_bytes = 0
        # Whether what comes belongs to a request's body, also to one that was answered before it came.
        self._in_body = False
        self._unread_since: float | None = None
        if len(self.connections) > LIMITS.serve_connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Read on, unless a head grows too long."""
        if not self._in_body and (self.idle_since is not None or self.head_since is not None):
            self._head_bytes += len(data)
            if self.head_since is None:
                self.head_since, self.idle_since = self.loop.time(), None
        super().data_received(data)
        if self.head_since is not None and self._head_bytes > LIMITS.serve_head_bytes:
            self._refuse_head()

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self.head_since = self.idle_since = None
        self._head_bytes = 0
        self._in_body = True
        # A head that came in one piece, with what follows it, was not counted above.
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > LIMITS.serve_head_bytes or len(self.headers) > LIMITS.serve_headers:
            self._refuse_head()
            raise ValueError("the head is too long")
        if len(self.pipeline) >= LIMITS.serve_pipelined:
            raise ValueError("too many requests without waiting for answers")
        super().on_headers_complete()
        self.cycle.transport = cast("asyncio.Transport", OneWrite(self.transport))

    def on_message_complete(self) -> None:
        """Expect the next head."""
        self._in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, or answer one that came already."""
        super().on_response_complete()
        if self.cycle.response_complete and not self.pipeline:
            self.idle_since = self.loop.time()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP."""
        self.refuse(400, "http", msg)

    def _refuse_head(self) -> None:
        self.refuse(
            431,
            "head",
            f"the request's head has more than {LIMITS.serve_head_bytes:,} bytes or {LIMITS.serve_headers} headers",
        )

    def refuse(self, status: int, code: str, message: str) -> None:
        """Say why, and close."""
        if self.transport.is_closing():
            return
        body = json.dumps({"error": message, "code": code}).encode()
        head = (
            f"HTTP/1.1 {status} \r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            f"retry-after: {RETRY_AFTER_S}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    @property
    def unread_bytes(self) -> int:
        """Bytes of answers that its client has not taken."""
        return self.transport.get_write_buffer_size()

    @property
    def unread_key(self) -> tuple[float, int]:
        """Orders connections by how long their clients leave answers unread, then by how much."""
        since = float("inf") if self._unread_since is None else self._unread_since
        return since, -self.unread_bytes

    def check_time(self, now: float) -> None:
        """End it where its client keeps it waiting; the server calls this once a second."""
        self._unread_since = (self._unread_since or now) if self.unread_bytes else None
        if self._unread_since is not None and now - self._unread_since > LIMITS.serve_unread_s:
            self.transport.abort()
        elif self.head_since is not None and now - self.head_since > LIMITS.serve_head_s:
            self.refuse(408, "slow", f"the request's head did not come within {LIMITS.serve_head_s:g} s")
        elif self.idle_since is not None and now - self.idle_since > LIMITS.serve_idle_s:
            self.transport.close()

    def _make_room(self) -> None:
        others = [one for one in cast("Iterable[Any]", self.connections) if one is not self]
        idle = [one for one in others if one.idle_since is not None and not one.transport.is_closing()]
        if idle:
            min(idle, key=lambda one: one.idle_since).transport.close()
        else:
            self.refuse(503, "busy", f"{LIMITS.serve_connections} connections are open already")
