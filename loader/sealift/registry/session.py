"""Requests to one server that survive what networks do: retries, redirects, logins."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

from sealift.errors import Error, LocalError
from sealift.limits import LIMITS
from sealift.registry.failing import BrokenError, RefusedError
from sealift.registry.origin import Origin, join
from sealift.registry.transport import Response, Transport
from sealift_common.parsing import strict_json

_LOG = logging.getLogger(__name__)
_REDIRECTS = (301, 302, 303, 307, 308)
# The server is busy, or one of several behind a proxy is away.
PASSING = (429, 500, 502, 503, 504)
_HINTS = {
    401: "log in with `docker login` or `podman login`, or check the token",
    403: "the account may not do this; ask for the right to it",
    404: "check the address; a registry also says this to those who may not look",
    405: "the server does not take uploads; check the address",
    409: "somebody else changes the same thing; run the same command again",
    413: "something between here and the registry limits the size of an upload; raise its limit",
    429: "the server limits requests; try again later",
}


class Logins(Protocol):
    """Source of the head of a request, and of a login when the server requires one.

    Attributes:
        origin: the server; nobody else's challenge is answered.
    """

    origin: Origin

    def headers(self, origin: Origin) -> dict[str, str]:
        """Return headers for a request to `origin`."""

    def answer(self, challenges: list[str]) -> None:
        """Prepare for a challenge."""


class Session:
    """Requests to one server, and to where it redirects.

    Args:
        transport: carries them.
        logins: never asked about another host than those it knows.
    """

    def __init__(self, transport: Transport, logins: Logins) -> None:
        self._transport = transport
        self._logins = logins

    def request(
        self,
        method: str,
        url: str,
        *,
        accept: tuple[int, ...],
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        unsized_bytes: int | None = None,
    ) -> Response:
        """Send a request, again where the connection breaks or the server is busy.

        Args:
            accept: statuses that the caller knows what to do with.
            unsized_bytes: as for `Transport.exchange`.

        Raises:
            LocalError: every other status; no answer after several tries.
            LimitError: an answer is longer than it may be.
        """
        return retrying(lambda: self._checked(method, url, accept, headers or {}, body, unsized_bytes), url)

    def once(
        self,
        method: str,
        url: str,
        *,
        accept: tuple[int, ...],
        headers: Mapping[str, str] | None = None,
        body: Callable[[], Iterable[bytes]] = tuple,
    ) -> Response:
        """Send a request without trying again when the connection breaks.

        Raises:
            BrokenError: the connection broke, or the server is busy.
            LocalError, LimitError: as `request`.
        """
        return self._checked(method, url, accept, headers or {}, body)

    def _checked(
        self,
        method: str,
        url: str,
        accept: tuple[int, ...],
        headers: Mapping[str, str],
        body: bytes | Callable[[], Iterable[bytes]],
        unsized_bytes: int | None = None,
    ) -> Response:
        response = self._follow(method, url, headers, body, unsized_bytes)
        if response.status in accept:
            return response
        after_s = seconds_of(response.header("Retry-After"), datetime.now(UTC))
        text = said(response)
        if response.status in PASSING:
            if after_s is not None and after_s > LIMITS.http_retry_after_s:
                raise LocalError(
                    f"{response.origin} is busy (HTTP {response.status}{text}) and asks to come back in "
                    f"{math.ceil(after_s):,} s; run the same command again then"
                )
            raise BrokenError(f"HTTP {response.status}{text}", after_s)
        raise failure(method, response, text)

    def _follow(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | Callable[[], Iterable[bytes]],
        unsized_bytes: int | None,
    ) -> Response:
        start = Origin.of(url)
        challenged = False
        redirects = 0
        while True:
            origin = Origin.of(url)
            # A body in memory has a length of its own; one that is streamed comes with that header.
            pieces = body() if callable(body) else [body] if body else []
            length = {} if callable(body) or method in ("GET", "HEAD") else {"Content-Length": str(len(body))}
            sent = {**headers, **length, **self._logins.headers(origin)}
            response = self._transport.exchange(method, url, sent, pieces, unsized_bytes)
            if response.status == 401 and not challenged and origin == self._logins.origin:
                challenged = True
                challenges = response.headers("WWW-Authenticate")
                said(response)
                self._logins.answer(challenges)
                continue
            if response.status not in _REDIRECTS or method not in ("GET", "HEAD"):
                return response
            redirects += 1
            if redirects > LIMITS.http_redirects:
                raise LocalError(f"{start} redirects more than {LIMITS.http_redirects} times; check the address")
            url = join(url, response.header("Location") or "")
            _LOG.debug("%s redirects to %s", origin, Origin.of(url))


def waits() -> Iterator[float]:
    """Yield the seconds to wait before each further try."""
    for count in range(LIMITS.http_attempts - 1):
        yield min(LIMITS.http_backoff_s * 2**count, LIMITS.http_timeout_s)


class Patience:
    """Waiting between the tries of one transfer. What makes progress counts tries anew, a trickle does not.

    A server that breaks each connection after a byte, or takes everything but the end, would hold us forever.
    """

    def __init__(self) -> None:
        self._waits = waits()
        self._counted = 0

    def reached(self, offset: int) -> None:
        """Take note of how many bytes of the whole have passed."""
        if offset - self._counted >= LIMITS.http_window_bytes:
            self._counted = offset
            self._waits = waits()

    def wait(self, url: str, error: BrokenError) -> None:
        """Wait before the next try.

        Raises:
            LocalError: there were enough.
        """
        wait = next(self._waits, None)
        if wait is None or isinstance(error, RefusedError):
            raise gone(url, error) from None
        _pause(url, error, wait)


def retrying(action: Callable[[], Response], url: str) -> Response:
    """Try until it works or the tries are used up.

    Raises:
        LocalError: it did not work.
    """
    for wait in waits():
        try:
            return action()
        except RefusedError as error:
            raise gone(url, error) from None
        except BrokenError as error:
            _pause(url, error, wait)
    try:
        return action()
    except BrokenError as error:
        raise gone(url, error) from None


def _pause(url: str, error: BrokenError, wait_s: float) -> None:
    """Wait before the next try, as long as the server asks for, and say so to who watches."""
    wait_s = max(wait_s, error.after_s or 0.0)
    _LOG.warning("%s: %s; trying again in %g s", Origin.of(url), error, wait_s)
    time.sleep(wait_s)


def seconds_of(header: str | None, now: datetime) -> float | None:
    """Return how long `Retry-After` asks to wait: seconds, or a date; None where it says neither."""
    if header is None:
        return None
    if header.strip().isascii() and header.strip().isdigit():
        return float(header.strip()[:9])
    try:
        when = parsedate_to_datetime(header)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return max((when - now).total_seconds(), 0.0)


def gone(url: str, error: BrokenError) -> LocalError:
    """Say that a server cannot be reached, at once or after all tries."""
    if isinstance(error, RefusedError):
        return LocalError(
            f"no connection to {Origin.of(url)}: {error}; check the address and the network, and run the same command "
            "again"
        )
    return LocalError(
        f"no connection to {Origin.of(url)} after {LIMITS.http_attempts} tries: {error}; "
        "check the address and the network, and run the same command again"
    )


def failure(method: str, response: Response, words: str) -> LocalError:
    """Say what the server refused, and what to do."""
    hint = _HINTS.get(response.status, "check the address")
    return LocalError(f"{response.origin} refuses {method}: HTTP {response.status}{words}; {hint}")


def said(response: Response) -> str:
    """Read what the server says of its refusal, fit for one line."""
    try:
        data = response.read(LIMITS.http_document_bytes, "an error")
        document = strict_json.parse(data, "an error", max_size_bytes=LIMITS.http_document_bytes)
    except (Error, BrokenError):
        return ""
    errors = document.get("errors") if isinstance(document, dict) else None
    entry = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else document
    found = (
        [entry.get(key) for key in ("code", "error_code", "message", "detail", "error")]
        if isinstance(entry, dict)
        else []
    )
    words = [word for word in found if isinstance(word, str) and word]
    return f" {' '.join(words)[:300]!r}" if words else ""
