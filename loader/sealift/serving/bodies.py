"""Read the body of a request, within what one body, and all bodies together, may take of memory and time."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from sealift.limits import LIMITS
from sealift.serving.refusals import RefusedError

Receive = Callable[[], Awaitable[Any]]


class DisconnectedError(Exception):
    """The client went away before its request was complete."""


class Bodies:
    """All bodies that are in memory now.

    Attributes:
        held_bytes: of them together.
        awaited: how many have not come yet, or not whole.
    """

    def __init__(self) -> None:
        self.held_bytes = 0
        self.awaited = 0

    async def read(self, receive: Receive, length: int | None) -> bytes:
        """Read one body; the caller gives it back with `release`.

        Args:
            receive: ASGI's.
            length: as the client announced it; None where it did not.

        Raises:
            RefusedError: too large, too slow, or too many at once.
            DisconnectedError: the client went away.
        """
        if length is not None and length > LIMITS.serve_body_bytes:
            await _read_on(receive)
            raise _too_large(length)
        try:
            # Most bodies come with their head, and need no timer.
            message = await receive() if length is not None and length < 1024 else None
            if message is not None and message["type"] == "http.request" and not message["more_body"]:
                self.held_bytes += len(message["body"])
                body: bytes = message["body"]
                return body
            self.awaited += 1
            try:
                async with asyncio.timeout(LIMITS.serve_body_s):
                    return await self._parts(receive, message)
            finally:
                self.awaited -= 1
        except TimeoutError:
            raise RefusedError(
                HTTPStatus.REQUEST_TIMEOUT,
                "slow",
                f"the body did not come within {LIMITS.serve_body_s:g} s",
                close=True,
            ) from None

    def release(self, size: int) -> None:
        """Give back the memory of a body."""
        self.held_bytes -= size

    async def _parts(self, receive: Receive, message: Any) -> bytes:
        parts: list[bytes] = []
        size, kept = 0, False
        try:
            while True:
                if message is None:
                    message = await receive()
                if message["type"] != "http.request":
                    raise DisconnectedError
                parts.append(message["body"])
                size += len(parts[-1])
                self.held_bytes += len(parts[-1])
                if size > LIMITS.serve_body_bytes or self.held_bytes > LIMITS.serve_bodies_bytes:
                    parts.clear()
                    if message["more_body"]:
                        await _read_on(receive)
                    raise _too_large(size) if size > LIMITS.serve_body_bytes else _too_many()
                if not message["more_body"]:
                    kept = True
                    return parts[0] if len(parts) == 1 else b"".join(parts)
                message = None
        finally:
            if not kept:
                self.held_bytes -= size


async def _read_on(receive: Receive) -> None:
    """Let a client finish what nobody keeps: one that is still writing would not see the refusal."""
    left = LIMITS.serve_refused_bytes
    try:
        async with asyncio.timeout(LIMITS.serve_refused_s):
            while left > 0:
                message = await receive()
                if message["type"] != "http.request" or not message["more_body"]:
                    return
                left -= len(message["body"])
    except TimeoutError:
        return


def _too_large(size: int) -> RefusedError:
    return RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too-large",
        f"the body has {size:,} bytes or more; expected at most {LIMITS.serve_body_bytes:,}: ask in smaller batches",
        close=True,
    )


def _too_many() -> RefusedError:
    return RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "busy",
        f"more than {LIMITS.serve_bodies_bytes:,} bytes of requests are in memory already",
        close=True,
    )
