"""Whom an address belongs to: scheme, host and port. Pure."""

from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from sealift.errors import LocalError

PORTS = {"https": 443, "http": 80}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port: whom a connection, and a login, belongs to."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Origin":
        """Take the origin of an absolute URL.

        Raises:
            LocalError: it is not one of http or https.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in PORTS or not parts.hostname:
            raise LocalError(f"the server names {url[:200]!r}; expected an address with https")
        return cls(parts.scheme, parts.hostname, port or PORTS[parts.scheme])

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def join(base: str, location: str) -> str:
    """Return the address that a `Location` header leads to.

    Raises:
        LocalError: it is none.
    """
    try:
        return urljoin(base, location)
    except ValueError:
        raise LocalError(f"{Origin.of(base)} leads to {location[:200]!r}, which is no address") from None


def is_loopback(host: str) -> bool:
    """Tell whether `host` can only be this machine."""
    return host in _LOOPBACK or (host.startswith("127.") and host.replace(".", "").isdigit())
