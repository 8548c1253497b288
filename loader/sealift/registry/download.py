"""One body from a server, in order, that goes on where a broken connection left it. Its reader checks the digest."""

import re
from collections.abc import Callable, Iterator

from sealift.errors import LocalError
from sealift.registry.failing import BrokenError
from sealift.registry.session import Patience
from sealift.registry.transport import Response

_RANGE = re.compile(r"bytes ([0-9]{1,15})-[0-9]{1,15}/(?:[0-9]{1,15}|\*)", re.ASCII)

# Ask for the body from an offset on; the status is 200 or 206.
Ask = Callable[[int], Response]


class Download:
    """The bytes of one body, from `offset` on.

    Args:
        ask: sends the request; called again after a break.
        response: the answer to the first request, if it was sent already.

    Attributes:
        offset: of the next byte.
        size: length in bytes of the whole body.
    """

    def __init__(self, ask: Ask, response: Response, offset: int = 0) -> None:
        self._ask = ask
        self._response = response
        self.offset = offset
        if response.length is None:
            raise LocalError(f"{response.origin} does not say how long its answer is; there is no Content-Length")
        self.size = offset + response.length
        self._skip = 0

    def chunks(self) -> Iterator[bytes]:
        """Yield what is left, in pieces of at most 1 MiB.

        Raises:
            LocalError: the connection broke too often, or the server sends something other than before.
        """
        patience = Patience()
        while True:
            try:
                for chunk in self._response.chunks():
                    kept = chunk[self._skip :] if self._skip else chunk
                    self._skip -= len(chunk) - len(kept)
                    if kept:
                        self.offset += len(kept)
                        patience.reached(self.offset)
                        yield kept
                return
            except BrokenError as error:
                patience.wait(self._response.url, error)
                self._resume()

    def chunks_from(self, offset: int) -> Iterator[bytes]:
        """Yield what follows `offset`, like `chunks`; nothing is asked for before the first piece is wanted."""
        self.offset = offset
        if offset < self.size:
            self._resume()
            yield from self.chunks()

    def _resume(self) -> None:
        response = self._ask(self.offset)
        self._skip = 0
        begins = 0
        if response.status == 206:
            match = _RANGE.fullmatch(response.header("Content-Range") or "")
            begins = int(match[1]) if match else -1
        else:
            self._skip = self.offset  # the server knows no ranges: what is here already comes again
        if begins not in (0, self.offset) or response.length != self.size - begins:
            raise LocalError(
                f"{response.origin} continues with different content after a break; run the same command again"
            )
        if begins == 0:
            self._skip = self.offset
        self._response = response
