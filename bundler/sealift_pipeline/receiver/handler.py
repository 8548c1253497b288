"""One request after the other, by the steps that the package's first lines number."""

import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

from sealift_common.errors import Error
from sealift_pipeline.errors import EventLogError
from sealift_pipeline.receiver.authentication import Sender, UnauthorizedError
from sealift_pipeline.receiver.intake import MOST_BODY_BYTES

if TYPE_CHECKING:
    from sealift_pipeline.receiver.server import Receiver

_DRAINED_BYTES = 64 * 1024
_CHUNK_BYTES = 1024 * 1024


class Handler(BaseHTTPRequestHandler):
    """Answers `POST /`, `GET /healthz` and `GET /metrics`."""

    server: "Receiver"
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "sealift-pipeline", ""
    disable_nagle_algorithm = True
    # One read or write; a proxy on the same machine needs far less.
    timeout = 10.0
    # Head and body of an answer in one packet.
    wbufsize = 4096

    def do_POST(self) -> None:
        """Take an event."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            sender = self.server.credentials.check_token(headers)  # 1
        except UnauthorizedError as error:
            self._refuse(401, "unauthorized", str(error))
            return
        lengths = self.headers.get_all("Content-Length", [])
        length = lengths[0] if len(lengths) == 1 and "transfer-encoding" not in headers else ""
        if not (length.isascii() and length.isdigit()) or len(length) > 12:  # 2
            # Of two lengths, a proxy may have believed the other one.
            self._refuse(411, "malformed", "a request without Content-Length, or with more than that")
            return
        size = int(length)
        if size > MOST_BODY_BYTES:
            self._refuse(413, "too_large", f"a body of {size:,} bytes; expected at most {MOST_BODY_BYTES:,}")
            return
        if not self.server.reserve(size):
            self._refuse(503, "unavailable", "too much is in flight already")
            return
        try:
            self._take(size, headers, sender)
        finally:
            self.server.release(size)

    def _take(self, size: int, headers: Mapping[str, str], sender: Sender) -> None:
        body = self._body(size)
        if body is None:
            self.close_connection = True
            return
        try:
            if sender is Sender.UNKNOWN:
                self.server.credentials.check_signature(headers, body, time.time())  # 3
            is_system = sender is Sender.SYSTEM_HOOK
            outcome = self.server.intake.take(body, headers, is_system=is_system)  # 4 to 6
        except UnauthorizedError as error:
            self._refuse(401, "unauthorized", str(error))
        except EventLogError as error:
            self._refuse(503, "unavailable", str(error))
        except Error as error:
            self._refuse(400, "malformed", str(error))
        else:
            self.server.counters.count(outcome.result, outcome.line)
            self._answer(200, outcome.result)

    def do_GET(self) -> None:
        """Say whether events can be taken, or what was counted."""
        if self.path not in ("/healthz", "/metrics"):
            self._answer(404, "not found; expected /healthz or /metrics")
            return
        try:
            position = self.server.intake.log.position()
        except EventLogError as error:
            self._answer(503, str(error))
            return
        if self.path == "/healthz":
            self._answer(200, "ok")
        else:
            text = self.server.counters.text(position, self.server.intake.committer.waiting)
            self._answer(200, text, "text/plain; version=0.0.4; charset=utf-8")

    def _body(self, size: int) -> bytes | None:
        parts, left = [], size
        while left:
            part = self.rfile.read(min(left, _CHUNK_BYTES))
            if not part:
                return None
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _refuse(self, status: int, result: str, why: str) -> None:
        self.server.counters.count(result, f"{status}: {why}")
        # What is left of a body would be taken for the next request.
        self.close_connection = True
        self._answer(status, why)
        if status in (401, 413):
            self._drain()

    def _drain(self) -> None:
        """Read a little of what was not read, so that the answer is not lost when the connection is reset."""
        self.wfile.flush()
        self.connection.settimeout(0.2)
        left = _DRAINED_BYTES
        try:
            while left > 0 and (part := self.connection.recv(left)):
                left -= len(part)
        except OSError:
            return

    def _answer(self, status: int, text: str, kind: str = "text/plain; charset=utf-8") -> None:
        body = text.rstrip("\n").encode("utf-8") + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing of each request; `/metrics` counts them, and refusals have lines of their own."""
