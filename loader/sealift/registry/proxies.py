"""The proxies that the environment names: `https_proxy`, `http_proxy`, `no_proxy`, in small letters or capitals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import getproxies_environment, proxy_bypass

from urllib3.util import make_headers

from sealift.errors import LocalError
from sealift.registry.origin import Origin, is_loopback


@dataclass(frozen=True)
class Proxy:
    """A proxy, and the login to it, which is never shown.

    Attributes:
        url: without the login.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False, hash=False)

    def __str__(self) -> str:
        return self.url


def proxy_for(origin: Origin) -> Proxy | None:
    """Return the proxy on the way to `origin`; None for a direct connection, and always to this machine itself.

    Raises:
        LocalError: the environment names one of a kind that Sealift does not know.
    """
    if is_loopback(origin.host):
        return None
    proxies = getproxies_environment()
    given = proxies.get(origin.scheme) or proxies.get("all")
    if not given or proxy_bypass(f"{origin.host}:{origin.port}", proxies):
        return None
    try:
        parts = urlsplit(given if "://" in given else f"http://{given}")
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in ("http", "https") or not host:
        raise LocalError(
            f"{origin.scheme}_proxy of the environment is not the address of a proxy that Sealift knows; "
            "expected http://HOST:PORT or https://HOST:PORT"
        )
    name = f"[{host}]" if ":" in host else host
    url = urlunsplit((parts.scheme, f"{name}:{port}" if port else name, "", "", ""))
    if parts.username is None:
        return Proxy(url)
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Proxy(url, MappingProxyType(make_headers(proxy_basic_auth=login)))
