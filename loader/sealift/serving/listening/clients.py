"""All clients of a server together: how many there are, what they leave unread, and who goes where that is too much."""

from collections.abc import Iterator

from uvicorn.server import ServerState

from sealift.limits import LIMITS
from sealift.serving.listening.connections import BoundedProtocol


class Clients:
    """What uvicorn knows of its connections.

    Attributes:
        state: uvicorn's own, which its server keeps up to date.
    """

    def __init__(self) -> None:
        self.state = ServerState()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self.state.connections)

    @property
    def requests(self) -> int:
        """How many have begun, and have no answer yet."""
        return len(self.state.tasks)

    @property
    def unread_bytes(self) -> int:
        """Bytes of answers that clients have not taken."""
        return sum(one.unread_bytes for one in self._all())

    def make_room(self, size: int) -> None:
        """End the connections whose clients leave answers unread, the longest first, until another one finds room.

        Args:
            size: of that one, in bytes; one alone always finds room.
        """
        behind = sorted((one for one in self._all() if one.unread_bytes), key=lambda one: one.unread_key)
        held = sum(one.unread_bytes for one in behind)
        for one in behind:
            if held + size <= LIMITS.serve_unread_bytes:
                return
            held -= one.unread_bytes
            one.transport.abort()

    def check_time(self, now: float) -> None:
        """End the connections whose clients keep them waiting.

        Args:
            now: of the event loop's clock.
        """
        for one in self._all():
            one.check_time(now)

    def _all(self) -> Iterator[BoundedProtocol]:
        return iter([one for one in self.state.connections if isinstance(one, BoundedProtocol)])
