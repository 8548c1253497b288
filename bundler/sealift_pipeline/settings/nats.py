"""The part of `pipeline.toml` that names servers of NATS: `[log]` with a `url` of `nats://` or `tls://`."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sealift_common.parsing.strict_toml import StrictToml

KEYS = ("stream", "replicas", "token_file", "user", "password_file", "ca_file")
DEFAULT_STREAM = "sealift-events"
_SCHEMES = ("nats", "tls")
_STREAM = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class NatsSettings:
    """Where a log on NATS is.

    Attributes:
        servers: addresses of one cluster, tried in order.
        stream: name of the stream; subjects begin with it.
        replicas: of a stream that is made, 1 to 5.
        token_file: with the token that the servers ask for; mode 0600.
        user: that the servers know.
        password_file: of the user; mode 0600.
        ca_file: certificates in PEM that the servers' certificates are checked against; None for the system's.
    """

    servers: tuple[str, ...]
    stream: str = DEFAULT_STREAM
    replicas: int = 1
    token_file: Path | None = None
    user: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None


def is_nats(url: str) -> bool:
    """Return whether an address is one of NATS."""
    return url.partition("://")[0] in _SCHEMES


def parse(toml: StrictToml, url: str, folder: Path) -> NatsSettings:
    """Read the section `[log]` of settings whose `url` is one of NATS.

    Raises:
        DataPolicyError: an address or an option is wrong; the message has its line.
    """
    section = toml.table("log")
    replicas = section.get("replicas", 1)
    if isinstance(replicas, bool) or not isinstance(replicas, int) or replicas not in (1, 3, 5):
        raise toml.error("replicas", f"'replicas' is {replicas!r:.80}; expected 1, 3 or 5", "log")
    stream = _text(toml, "stream", DEFAULT_STREAM)
    if not _STREAM.fullmatch(stream):
        raise toml.error("stream", f"'stream' is {stream!r:.80}; expected letters, digits, - and _", "log")
    user, files = _text(toml, "user"), {name: _text(toml, name) for name in KEYS if name.endswith("_file")}
    if bool(user) != bool(files["password_file"]):
        raise toml.error("user", "'user' and 'password_file' belong together; give both, or none", "log")
    if user and files["token_file"]:
        raise toml.error("token_file", "both a token and a user; give the one that the servers ask for", "log")
    paths = {name: folder / value if value else None for name, value in files.items()}
    return NatsSettings(_servers(toml, url), stream, replicas, user=user, **paths)


def _servers(toml: StrictToml, url: str) -> tuple[str, ...]:
    servers = tuple(one.strip() for one in url.split(","))
    for one in servers:
        problem = _problem(one)
        if problem:
            raise toml.error("url", f"'url' has {one!r:.80}: {problem}", "log")
    return servers


def _problem(server: str) -> str:
    try:
        parts = urlsplit(server)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "expected tls://HOST:PORT"
    if parts.scheme not in _SCHEMES or not host or parts.path or parts.query:
        return "expected tls://HOST:PORT"
    if parts.username is not None:
        return "a login; put it into a file of mode 0600 that `token_file` or `password_file` names"
    if parts.scheme == "nats" and not _is_here(host):
        return "events would cross the network in the clear; expected tls://HOST:PORT"
    return ""


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _text(toml: StrictToml, key: str, default: str = "") -> str:
    value = toml.table("log").get(key, default)
    if not isinstance(value, str) or not value.isprintable():
        raise toml.error(key, f"{key!r} is {value!r:.80}; expected text", "log")
    return value


def require_none(toml: StrictToml) -> None:
    """Refuse options of NATS where the log is embedded.

    Raises:
        DataPolicyError: there is one.
    """
    for key in KEYS:
        if key in toml.table("log"):
            raise toml.error(key, f"{key!r} is an option of a log on NATS, and `url` names a file", "log")
