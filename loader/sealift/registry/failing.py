"""What became of a request that has no answer: whether trying again may help, and why, in one line. Pure."""

import socket
import ssl
from collections.abc import Iterator

from sealift.errors import LocalError
from sealift.registry.origin import Origin
from sealift.registry.proxies import Proxy

# What OpenSSL makes of an answer in plain HTTP.
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST")
_UNKNOWN_HOST = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


class BrokenError(Exception):
    """A connection could not be made or broke; trying again may help.

    Attributes:
        after_s: how many seconds the server asks to wait before the next try; None where it does not say.
    """

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class RefusedError(BrokenError):
    """Nobody is there: nothing listens, or no such host is known. Trying again in a moment does not help."""


def failure_of(error: Exception, origin: Origin, proxy: Proxy | None) -> Exception:
    """Say what became of a request: `BrokenError` where trying again may help."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return LocalError(
                f"the certificate of {origin} is not trusted here: {cause.verify_message}; "
                "name the CA that signed it with --ca-file"
            )
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
            return LocalError(f"{origin} does not speak TLS; if that is meant, use --plain-http")
    way = "" if proxy is None else f" by the proxy {proxy} of the environment"
    for cause in causes:
        if isinstance(cause, ConnectionRefusedError):
            return RefusedError(f"connection refused{way}; nothing listens there")
        if isinstance(cause, socket.gaierror) and cause.errno in _UNKNOWN_HOST:
            return RefusedError(f"this machine knows no such host{way}")
        if isinstance(cause, OSError) and str(cause).startswith("Tunnel connection failed: "):
            return LocalError(
                f"the proxy {proxy} of the environment does not lead to {origin}: "
                f"{str(cause).removeprefix('Tunnel connection failed: ')[:200]}; ask who runs it, or set no_proxy"
            )
    if any(isinstance(cause, ValueError) for cause in causes) and not any(isinstance(one, OSError) for one in causes):
        # Not shown: it may be the login.
        return LocalError(f"the address or the login for {origin} holds a character that HTTP cannot carry")
    return BrokenError(reason_of(error) + way)


def reason_of(error: Exception) -> str:
    """Say why a connection broke, in the words of who noticed first."""
    causes = list(_causes(error))
    for cause in reversed(causes):
        if isinstance(cause, TimeoutError):
            return str(cause) or "no answer"
        if isinstance(cause, OSError):
            return cause.strerror or str(cause)
    last = causes[-1]
    return f"{type(last).__name__}: {str(last)[:200]}" if str(last) else type(last).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what urllib3 wrapped in it, the outermost first."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = [one.__cause__, one.__context__ if one.__cause__ is None else None, *one.args]
        waiting += [found for found in inner if isinstance(found, BaseException)]
