"""One HTTP exchange at a time, over one connection to each host. Knows nothing of registries, logins or retries."""

import io
import os
import socket
import ssl
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, InvalidURL
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from sealift.errors import LimitError, LocalError
from sealift.limits import LIMITS
from sealift.registry.access import Access
from sealift.registry.address import split_host
from sealift.registry.origin import PORTS, Origin, is_loopback
from sealift.registry.pacing import PacedReader

_CHUNK_BYTES = 1024 * 1024
# What OpenSSL makes of an answer in plain HTTP.
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST")


class BrokenError(Exception):
    """A connection could not be made or broke; trying again may help."""


class _PacedResponse(HTTPResponse):
    """A response that reads through a `PacedReader`."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        self._paced = PacedReader(sock)
        super().__init__(self, *args, **kwargs)  # type: ignore[arg-type]

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Stand in for the socket, which is only asked for its file."""
        return io.BufferedReader(self._paced)

    def begin(self) -> None:
        """Read the head."""
        super().begin()
        self._paced.body_begins(self.length)


@dataclass
class Response:
    """The head of an answer, and its body as far as it was asked for.

    Attributes:
        length: what `Content-Length` says, in bytes; None without one.
    """

    status: int
    url: str
    origin: Origin
    length: int | None
    _answer: HTTPResponse

    def header(self, name: str) -> str | None:
        """Return one header."""
        return self._answer.getheader(name)

    def headers(self, name: str) -> list[str]:
        """Return every header of this name."""
        return self._answer.headers.get_all(name) or []

    def read(self, max_size_bytes: int, what: str) -> bytes:
        """Return the whole body.

        Raises:
            LimitError: it is longer than `max_size_bytes`.
            BrokenError: it is shorter than announced.
        """
        found = bytearray()
        for chunk in self.chunks():
            found += chunk
            if len(found) > max_size_bytes:
                raise LimitError(f"{what} has more than {max_size_bytes:,} bytes")
        return bytes(found)

    def chunks(self) -> Iterator[bytes]:
        """Yield the body in pieces of at most 1 MiB.

        Raises:
            BrokenError: it is shorter than announced, or too slow.
        """
        left = self.length
        while left is None or left:
            try:
                chunk = self._answer.read(_CHUNK_BYTES if left is None else min(left, _CHUNK_BYTES))
            except (OSError, HTTPException, ValueError) as error:
                raise BrokenError(_reason(error)) from None
            if not chunk:
                break
            if left is not None:
                left -= len(chunk)
            yield chunk
        if left:
            raise BrokenError(f"the connection ended {left:,} bytes too early")
        self._answer.read(1)  # nothing is left; this lets the connection serve again

    @property
    def finished(self) -> bool:
        """Whether the connection can carry the next request."""
        return self._answer.isclosed()


class Transport:
    """Connections to hosts.

    Args:
        access: which certificates count, and whether TLS can be done without.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._context: ssl.SSLContext | None = None
        self._connections: dict[Origin, HTTPConnection] = {}
        self._open: dict[Origin, Response] = {}

    def close(self) -> None:
        """Close every connection."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def origin(self, host: str) -> Origin:
        """Decide how to speak to `host`: TLS, but for `--plain-http`, and for a registry of this machine without it."""
        name, port = split_host(host.lower())
        if self._access.plain_http:
            return Origin("http", name, port or PORTS["http"])
        origin = Origin("https", name, port or PORTS["https"])
        if is_loopback(name) and self._access.ca_file is None and not self._speaks_tls(origin):
            return Origin("http", name, port or PORTS["http"])
        return origin

    def require_allowed(self, origin: Origin, why: str) -> None:
        """Check that nothing goes to another machine in the clear.

        Raises:
            LocalError: the origin is without TLS.
        """
        if origin.scheme == "http" and not self._access.plain_http and not is_loopback(origin.host):
            raise LocalError(f"{why} {origin}, which is without TLS; if that is meant, use --plain-http")

    def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Iterable[bytes] = (),
    ) -> Response:
        """Send one request and read the head of its answer; follows nothing.

        Args:
            headers: with `Content-Length`, where there is a body.
            body: pieces of it.

        Raises:
            BrokenError: no connection, or it broke before the answer.
            LocalError: the server's certificate is not trusted, or it does not speak TLS.
            LimitError: the head of the answer is too long.
        """
        origin = Origin.of(url)
        self.require_allowed(origin, "the registry leads to")
        connection = self._connection(origin)
        parts = urlsplit(url)
        try:
            connection.putrequest(method, parts.path + (f"?{parts.query}" if parts.query else ""))
            for name, value in {"User-Agent": f"sealift/{version('sealift')}", **headers}.items():
                connection.putheader(name, value)
            connection.endheaders()
            self._send(connection, body)
            answer = connection.getresponse()
        except (OSError, HTTPException, ValueError) as error:
            connection.close()
            raise _failure(error, origin) from None
        except BaseException:
            connection.close()
            raise
        response = Response(answer.status, url, origin, answer.length, answer)
        if answer.length == 0:
            answer.read(1)  # nothing is there; this lets the connection serve again
        self._open[origin] = response
        return response

    def _connection(self, origin: Origin) -> HTTPConnection:
        connection = self._connections.get(origin)
        if connection is None:
            timeout_s = LIMITS.http_timeout_s
            if origin.scheme == "https":
                connection = HTTPSConnection(origin.host, origin.port, timeout=timeout_s, context=self._tls())
            else:
                connection = HTTPConnection(origin.host, origin.port, timeout=timeout_s)
            connection.response_class = _PacedResponse
            self._connections[origin] = connection
        last = self._open.pop(origin, None)
        if last is not None and not last.finished:
            connection.close()
        return connection

    @staticmethod
    def _send(connection: HTTPConnection, body: Iterable[bytes]) -> None:
        try:
            for piece in body:
                view = memoryview(piece)
                # A timeout holds for all that one `send` is given, so it is given no more than has to pass in the time.
                for begin in range(0, len(view), LIMITS.http_window_bytes):
                    if connection.sock is not None:
                        connection.sock.settimeout(LIMITS.http_timeout_s)
                    connection.send(view[begin : begin + LIMITS.http_window_bytes])
        except (BrokenPipeError, ConnectionResetError):
            # A server that refuses early says why before it hangs up.
            return

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            # The system's certificates, or those of SSL_CERT_FILE and SSL_CERT_DIR.
            context = ssl.create_default_context()
            # From Python 3.13 on it refuses private CAs for formalities that no other client of the network minds.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            if self._access.ca_file is not None:
                try:
                    if not stat.S_ISREG(os.stat(self._access.ca_file).st_mode):
                        # OpenSSL would wait for a pipe.
                        raise LocalError(f"the CA file {str(self._access.ca_file)!r} is not a regular file")
                    context.load_verify_locations(cafile=self._access.ca_file)
                except OSError as error:
                    path = str(self._access.ca_file)
                    if isinstance(error, ssl.SSLError):
                        raise LocalError(f"{path!r} holds no certificate in PEM form; give that of the CA") from None
                    raise LocalError(f"the CA file {path!r} cannot be read: {error.strerror}") from None
            self._context = context
        return self._context

    @staticmethod
    def _speaks_tls(origin: Origin) -> bool:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # asks only for the protocol; nothing is said over this connection
        try:
            with (
                socket.create_connection((origin.host, origin.port), LIMITS.http_timeout_s) as plain,
                context.wrap_socket(plain),
            ):
                return True
        except ssl.SSLError:
            return False
        except OSError:
            return True  # the request itself will say what is wrong


def _failure(error: Exception, origin: Origin) -> Exception:
    """Say what became of a request: `BrokenError` where trying again may help."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return LocalError(
            f"the certificate of {origin} is not trusted here: {error.verify_message}; "
            "name the CA that signed it with --ca-file"
        )
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
        return LocalError(f"{origin} does not speak TLS; if that is meant, use --plain-http")
    if isinstance(error, InvalidURL) or not isinstance(error, OSError | HTTPException):
        # Not shown: it may be the login.
        return LocalError(f"the address or the login for {origin} holds a character that HTTP cannot carry")
    return BrokenError(_reason(error))


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return str(error) or "no answer"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"{type(error).__name__}: {str(error)[:200]}" if str(error) else type(error).__name__
