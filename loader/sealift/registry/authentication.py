"""Answer `WWW-Authenticate`: Basic, and the Bearer tokens of the distribution specification."""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from sealift.errors import LimitError, LocalError, MalformedError
from sealift.limits import LIMITS
from sealift.registry.credentials import Login
from sealift.registry.origin import Origin, require_no_downgrade
from sealift.registry.transport import Response
from sealift_common.parsing import strict_json

# Only from the beginning of a name: a header of one long word would be searched anew from each of its letters.
_PARAMETER = re.compile(r'(?<![a-z_])([a-z_]++)="([^"]*)"', re.ASCII | re.IGNORECASE)
_CLIENT = "sealift"

# method, URL, headers, body
Send = Callable[[str, str, Mapping[str, str], bytes], Response]


class Authentication:
    """The login to one registry: what `Authorization` to send, and to which server.

    Args:
        origin: the registry; nobody else is sent what this class says.
        scope: what to ask a token for where the registry does not say.
        find: looks up the login, once, when the registry asks for one.
        send: one exchange with an authorization server.
        require_tls: refuses to send a password in the clear.
    """

    def __init__(
        self,
        origin: Origin,
        scope: str,
        find: Callable[[], Login | None],
        send: Send,
        require_tls: Callable[[Origin, str], None],
    ) -> None:
        self.origin = origin
        self._scope = scope
        self._find = find
        self._send = send
        self._require_tls = require_tls
        self._header: str | None = None

    def headers(self, origin: Origin) -> dict[str, str]:
        """Return what goes with a request to `origin`; nothing for any host but the registry."""
        return {"Authorization": self._header} if self._header and origin == self.origin else {}

    def answer(self, challenges: list[str]) -> None:
        """Prepare for what the registry asks for.

        Raises:
            LocalError: there is no login, or the authorization server refuses it.
            BrokenError: it cannot be reached.
        """
        for challenge in challenges:
            scheme, _, rest = challenge.partition(" ")
            parameters = {name.lower(): value for name, value in _PARAMETER.findall(rest)}
            if scheme.lower() == "bearer" and parameters.get("realm"):
                self._header = f"Bearer {self._token(parameters)}"
                return
            if scheme.lower() == "basic":
                login = self._find()
                if login is None or not login.user:
                    raise LocalError(
                        f"{self.origin} requires a login; use `docker login {self.origin.login_name}` or `podman login "
                        f"{self.origin.login_name}`, as the user that runs this"
                    )
                self._require_tls(self.origin, "a password would go to")
                self._header = _basic(login)
                return
        raise LocalError(
            f"{self.origin} requires a login of a kind that Sealift does not know; it knows Basic and Bearer"
        )

    def _token(self, parameters: Mapping[str, str]) -> str:
        realm = parameters["realm"]
        server = Origin.of(realm)
        self._require_tls(server, "the registry asks for a token from")
        require_no_downgrade(self.origin, server)
        login = self._find()
        asked = {"service": parameters.get("service", ""), "scope": parameters.get("scope") or self._scope}
        asked = {name: value for name, value in asked.items() if value}
        if login is not None and login.identity_token:
            form = {"grant_type": "refresh_token", "refresh_token": login.identity_token, "client_id": _CLIENT, **asked}
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            response = self._send("POST", realm, headers, urlencode(form).encode())
        else:
            headers = {"Authorization": _basic(login)} if login is not None else {}
            mark = "&" if "?" in realm else "?"
            response = self._send("GET", f"{realm}{mark}{urlencode(asked)}", headers, b"")
        data = response.read(LIMITS.http_document_bytes, f"the answer of {server}")
        if response.status != 200:
            who = "the login" if login is not None else "a request without login"
            raise LocalError(
                f"{server} refuses {who} for {asked.get('scope', 'the registry')!r}: HTTP {response.status}; "
                f"use `docker login {self.origin.login_name}` with an account that may do this"
            )
        return _token_of(data, server)


def _token_of(data: bytes, server: Origin) -> str:
    try:
        document: Any = strict_json.parse(data, "the token", max_size_bytes=LIMITS.http_document_bytes)
    except (MalformedError, LimitError):
        document = None
    token = (document.get("token") or document.get("access_token")) if isinstance(document, dict) else None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise LocalError(f"{server} answered with something other than a token")
    return token


def _basic(login: Login) -> str:
    return "Basic " + base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
