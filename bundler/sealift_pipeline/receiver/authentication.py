"""Whether a request comes from a hook, and from which: by its token, or by its signature (Standard Webhooks 1.0). Pure.

The steps of a signature: `webhook-timestamp` within five minutes of this machine's clock, then one of the `v1`
signatures in `webhook-signature` is HMAC-SHA256 of `id.timestamp.body`. A token is compared first, before a body is
read; a credential that is there must be right, and one must be there. Names of headers
are in lower case here.
"""

import binascii
import hashlib
import hmac
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

TOKEN_HEADERS = ("x-gitlab-token", "x-gitlab-event-streaming-token")
ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER = "webhook-id", "webhook-timestamp", "webhook-signature"
TOLERATED_SKEW_S = 300
_SECRET_PREFIX = b"whsec_"
# Of old and new secrets while one is exchanged.
_MOST_SIGNATURES = 16


class UnauthorizedError(Exception):
    """A request is not from the hook; the text says what is wrong, and holds nothing of the request."""


class Sender(Enum):
    """Which hook sends, as far as a token tells."""

    HOOK = "hook"
    SYSTEM_HOOK = "system hook"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Credentials:
    """What a hook may show.

    Attributes:
        token: of the hook; empty for none.
        signing_secrets: as GitLab shows them, `whsec_` and Base64; any of them may have signed.
        system_token: of the system hook, which administrators of GitLab alone can see; empty for none.
    """

    token: bytes = b""
    signing_secrets: tuple[bytes, ...] = ()
    system_token: bytes = b""

    def check_token(self, headers: Mapping[str, str]) -> Sender:
        """Return whose token is there; UNKNOWN leaves it to the signature.

        Raises:
            UnauthorizedError: the token is wrong, or there is neither token nor signature.
        """
        given = next((value for name in TOKEN_HEADERS if (value := headers.get(name)) is not None), None)
        if given is not None and (self.token or self.system_token):
            shown = given.encode("utf-8", "surrogateescape")
            # Both are compared, so that the time tells nothing.
            is_hook, is_system = (hmac.compare_digest(shown, one) for one in (self.token, self.system_token))
            if is_system and self.system_token:
                return Sender.SYSTEM_HOOK
            if is_hook and self.token:
                return Sender.HOOK
            raise UnauthorizedError("wrong token; compare the hook's secret token with the token file")
        if not (self.signing_secrets and headers.get(SIGNATURE_HEADER)):
            raise UnauthorizedError("no token and no signature; give the hook its secret token")
        return Sender.UNKNOWN

    def check_signature(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Check the signature of a body, where this hook signs.

        Args:
            now: seconds since 1970.

        Raises:
            UnauthorizedError: the time is more than five minutes off, or no signature is right.
        """
        identity, stamp = headers.get(ID_HEADER, ""), headers.get(TIMESTAMP_HEADER, "")
        if not (identity and stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
            raise UnauthorizedError(
                f"a signature without {ID_HEADER} or {TIMESTAMP_HEADER}; update GitLab or its proxy"
            )
        if abs(now - int(stamp)) > TOLERATED_SKEW_S:
            off = f"{now - int(stamp):+.0f} s"
            raise UnauthorizedError(f"signed at another time, {off} off; set the clocks of both machines")
        message = f"{identity}.{stamp}.".encode("utf-8", "surrogateescape") + body
        expected = [hmac.digest(_key(secret), message, hashlib.sha256) for secret in self.signing_secrets]
        for one in headers.get(SIGNATURE_HEADER, "").split()[:_MOST_SIGNATURES]:
            version, _, text = one.partition(",")
            if version == "v1" and any(hmac.compare_digest(_decoded(text), right) for right in expected):
                return
        raise UnauthorizedError("no signature is right; compare the hook's signing secret with the secret files")


def _key(secret: bytes) -> bytes:
    return _decoded(secret[len(_SECRET_PREFIX) :].decode("ascii")) if secret.startswith(_SECRET_PREFIX) else secret


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
