"""The server: a thread for each connection, with bounds on how many, how long, and how much they hold in memory."""

import socket
import threading
import time
from http.server import ThreadingHTTPServer
from typing import Any

from sealift_pipeline.receiver.authentication import Credentials
from sealift_pipeline.receiver.counters import Counters
from sealift_pipeline.receiver.handler import Handler
from sealift_pipeline.receiver.intake import Intake

_MOST_CONNECTIONS = 256
# GitLab gives up after 10 s.
_LONGEST_S = 30.0
_MOST_BYTES_IN_FLIGHT = 256 * 1024 * 1024
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Receiver(ThreadingHTTPServer):
    """Listens on one address of this machine.

    Args:
        address: host and port; port 0 takes a free one.
        intake: what takes the events.
        credentials: of the hook.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], intake: Intake, credentials: Credentials) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.intake, self.credentials, self.counters = intake, credentials, Counters()
        self._since: dict[socket.socket, float] = {}
        self._bytes = 0
        self._lock = threading.Lock()
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        """Bind without a look-up of this machine's name, which may wait for a resolver."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment] # always text and a number

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, or turn it away where too many are open."""
        with self._lock:
            free = len(self._since) < _MOST_CONNECTIONS
            if free:
                self._since[request] = time.monotonic()
        if free:
            super().process_request(request, client_address)
            return
        self.counters.count("unavailable", f"503: {_MOST_CONNECTIONS} connections are open already")
        try:
            request.settimeout(0.1)
            request.sendall(_BUSY)
        except OSError:
            pass
        finally:
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._lock:
            self._since.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Twice a second, end connections that have been open for too long, whatever trickles in."""
        before = time.monotonic() - _LONGEST_S
        with self._lock:
            late = [request for request, since in self._since.items() if since < before]
        for request in late:
            try:
                request.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing where a client went away; a bug still prints its traceback."""
        import sys

        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def reserve(self, size: int) -> bool:
        """Take room for a body; False where bodies in flight hold too much already."""
        with self._lock:
            if self._bytes + size > _MOST_BYTES_IN_FLIGHT:
                return False
            self._bytes += size
            return True

    def release(self, size: int) -> None:
        """Give the room back."""
        with self._lock:
            self._bytes -= size
