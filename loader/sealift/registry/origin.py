"""The origin of an address: scheme, host and port. Pure."""

import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from sealift.errors import LocalError

PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"[a-z0-9_.:-]+", re.ASCII)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port: what a connection, and a login, belongs to."""

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
        # Also, because hosts are shown: a server that names one must not speak to the terminal.
        if parts.scheme not in PORTS or _HOST.fullmatch(parts.hostname or "") is None:
            raise LocalError(f"the server names {url[:200]!r}; expected an address with https")
        return cls(parts.scheme, str(parts.hostname), port or PORTS[parts.scheme])

    @property
    def login_name(self) -> str:
        """The host as Docker knows it in a login: with its port, unless that goes without saying."""
        return str(self).removeprefix(f"{self.scheme}://").removesuffix(f":{PORTS[self.scheme]}")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def join(base: str, location: str) -> str:
    """Return the address that a `Location` header leads to.

    Raises:
        LocalError: it is none, or one without TLS where `base` has it.
    """
    try:
        url = urljoin(base, location)
    except ValueError:
        raise LocalError(f"{Origin.of(base)} leads to {location[:200]!r}, which is not an address") from None
    require_no_downgrade(Origin.of(base), Origin.of(url))
    return url


def require_no_downgrade(origin: Origin, to: Origin) -> None:
    """Check that a server with TLS does not lead to one without, not even on this machine.

    Raises:
        LocalError: it does.
    """
    if origin.scheme == "https" and to.scheme == "http":
        raise LocalError(f"{origin} leads to {to}, which is without TLS")


def is_loopback(host: str) -> bool:
    """Return whether `host` can only be this machine."""
    return host in _LOOPBACK or (host.startswith("127.") and host.replace(".", "").isdigit())
