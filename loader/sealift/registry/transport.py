"""One HTTP exchange at a time, over one connection to each host. Knows nothing of registries, logins or retries.

urllib3 makes connections, also through proxies, and keeps them; redirects and retries are `session`'s, and the time
and length that an answer may take are `pacing`'s.
"""

import io
import os
import socket
import ssl
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from importlib.metadata import version
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from sealift.errors import LimitError, LocalError
from sealift.limits import LIMITS
from sealift.registry.access import Access
from sealift.registry.address import split_host
from sealift.registry.failing import BrokenError, failure_of, reason_of
from sealift.registry.origin import PORTS, Origin, is_loopback
from sealift.registry.pacing import UNSIZED_BYTES, PacedReader
from sealift.registry.proxies import Proxy, proxy_for

_CHUNK_BYTES = 1024 * 1024


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


class _Connection(HTTPConnection):
    response_class = _PacedResponse


class _TlsConnection(HTTPSConnection):
    response_class = _PacedResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


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
    _answer: urllib3.BaseHTTPResponse

    def header(self, name: str) -> str | None:
        """Return one header."""
        return self._answer.headers.get(name)

    def headers(self, name: str) -> list[str]:
        """Return every header of this name."""
        return self._answer.headers.getlist(name)

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
                chunk = self._answer.read(_CHUNK_BYTES if left is None else min(left, _CHUNK_BYTES), False)
            except (OSError, HTTPException, HTTPError, ValueError) as error:
                raise BrokenError(reason_of(error)) from None
            if not chunk:
                break
            if left is not None:
                left -= len(chunk)
            yield chunk
        if left:
            raise BrokenError(f"the connection ended {left:,} bytes too early")
        self._answer.read(1, False)  # nothing is left; this lets the connection serve again

    def close(self) -> None:
        """Give up what is left of the body, and with it the connection; nothing where all was read."""
        self._answer.close()


class Transport:
    """Connections to hosts.

    Args:
        access: which certificates count, and whether TLS can be done without.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._context: ssl.SSLContext | None = None
        # By the proxy on the way, and whether TLS is spoken.
        self._managers: dict[tuple[Proxy | None, bool], urllib3.PoolManager] = {}
        self._open: dict[Origin, Response] = {}

    def close(self) -> None:
        """Close every connection."""
        for response in self._open.values():
            response.close()
        self._open.clear()
        for manager in self._managers.values():
            manager.clear()

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
        unsized_bytes: int | None = None,
    ) -> Response:
        """Send one request and read the head of its answer; follows nothing.

        Args:
            headers: with `Content-Length`, where there is a body.
            body: pieces of it.
            unsized_bytes: the most that an answer without Content-Length may have; None for the limit.

        Raises:
            BrokenError: no connection, or it broke before the answer.
            LocalError: the server's certificate is not trusted, or it does not speak TLS.
            LimitError: the head of the answer is too long.
        """
        origin = Origin.of(url)
        self.require_allowed(origin, "the registry leads to")
        last = self._open.pop(origin, None)
        if last is not None:
            last.close()
        proxy = proxy_for(origin)
        bound = UNSIZED_BYTES.set(unsized_bytes)
        try:
            answer = self._manager(proxy, tls=origin.scheme == "https").urlopen(
                method,
                url,
                body=_windows(body) if body else None,
                headers={"User-Agent": f"sealift/{version('sealift')}", **headers},
                redirect=False,
                retries=False,
                assert_same_host=False,
                timeout=LIMITS.http_timeout_s,
                preload_content=False,
                decode_content=False,
            )
        except (OSError, HTTPException, HTTPError, ValueError) as error:
            raise failure_of(error, origin, proxy) from None
        finally:
            UNSIZED_BYTES.reset(bound)
        response = Response(answer.status, url, origin, answer.length_remaining, answer)
        if response.length == 0:
            answer.read(1, False)  # nothing is there; this lets the connection serve again
        self._open[origin] = response
        return response

    def _manager(self, proxy: Proxy | None, *, tls: bool) -> urllib3.PoolManager:
        key = (proxy, tls)
        if key not in self._managers:
            options: dict[str, Any] = {"num_pools": 10, "maxsize": 1, "retries": False}
            if tls:
                options["ssl_context"] = self._tls()
            if proxy is None:
                made = urllib3.PoolManager(**options)
            else:
                if proxy.url.startswith("https:"):
                    options["proxy_ssl_context"] = self._tls()
                made = urllib3.ProxyManager(proxy.url, proxy_headers=dict(proxy.headers), **options)
            made.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
            self._managers[key] = made
        return self._managers[key]

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


def _windows(body: Iterable[bytes]) -> Iterator[memoryview]:
    """Cut pieces up: a timeout holds for all that one `send` is given, so that is no more than has to pass in it."""
    for piece in body:
        view = memoryview(piece)
        for begin in range(0, len(view), LIMITS.http_window_bytes):
            yield view[begin : begin + LIMITS.http_window_bytes]
