"""DSSE envelopes: a payload with signatures over it. Bytes and JSON in, verified forms out. Pure.

https://github.com/secure-systems-lab/dsse, protocol 1.0. Stricter than it: base64 is the standard alphabet with padding
and without spare bits, so that one envelope has one form and no flipped bit is without effect.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from securesystemslib.dsse import Envelope as _Envelope
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Key, Signature

from sealift_common.errors import LimitError, MalformedError

PAYLOAD_TYPE = "application/vnd.in-toto+json"
# A batch of a thousand subjects has 160 kB, and an ML-DSA-65 signature 4.4.
MAX_PAYLOAD_BYTES = 256 * 1024
MAX_SIGNATURES = 16
_MAX_SIGNATURE_BYTES = 16 * 1024
_MAX_KEYID_CHARS = 200


class Envelope(NamedTuple):
    """A parsed envelope, whose signatures nobody has checked yet."""

    payload: bytes
    signatures: tuple[Signature, ...]

    @property
    def signed_bytes(self) -> bytes:
        """What the signatures cover: type and payload, each with its length before it."""
        return pre_authentication(self.payload)

    def to_dict(self) -> dict[str, Any]:
        """Return the envelope as JSON has it."""
        return {
            "payload": _encoded(self.payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [
                {"keyid": one.keyid, "sig": _encoded(bytes.fromhex(one.signature))} for one in self.signatures
            ],
        }

    def signed_with(self, key: Key) -> bool:
        """Return whether `key` made one of the signatures, under whatever key id."""
        for one in self.signatures:
            try:
                key.verify_signature(Signature(key.keyid, one.signature), self.signed_bytes)
            except (UnverifiedSignatureError, VerificationError):
                continue
            return True
        return False


def canonical(envelope: Envelope) -> bytes:
    """Return an envelope as its file holds it: sorted keys and no spaces."""
    return json.dumps(envelope.to_dict(), sort_keys=True, separators=(",", ":")).encode("ascii")


def pre_authentication(payload: bytes) -> bytes:
    """Return what DSSE signs for an in-toto payload."""
    return _Envelope(payload, PAYLOAD_TYPE, {}).pae()


def parse_envelope(document: object, what: str) -> Envelope:
    """Parse an envelope that JSON was parsed into.

    Args:
        what: how errors name it.

    Raises:
        MalformedError: it is not an envelope of an in-toto statement.
        LimitError: its payload or signatures are larger than any that Sealift writes.
    """
    if not isinstance(document, Mapping) or document.keys() != {"payload", "payloadType", "signatures"}:
        raise MalformedError(f"{what} is not a DSSE envelope")
    if document["payloadType"] != PAYLOAD_TYPE:
        raise MalformedError(f"{what} has the payload type {document['payloadType']!r:.120}; expected {PAYLOAD_TYPE!r}")
    listed = document["signatures"]
    if not isinstance(listed, list) or not listed:
        raise MalformedError(f"{what} has no signatures")
    if len(listed) > MAX_SIGNATURES:
        raise LimitError(f"{what} has {len(listed):,} signatures; expected at most {MAX_SIGNATURES}")
    signatures = []
    for one in listed:
        if not isinstance(one, Mapping) or one.keys() != {"keyid", "sig"} or not isinstance(one["keyid"], str):
            raise MalformedError(f"{what} has a signature that is not of the form keyid, sig")
        if len(one["keyid"]) > _MAX_KEYID_CHARS:
            raise LimitError(f"{what} has a key id of {len(one['keyid']):,} characters")
        signatures.append(Signature(one["keyid"], decoded(one["sig"], what, _MAX_SIGNATURE_BYTES).hex()))
    return Envelope(decoded(document["payload"], what, MAX_PAYLOAD_BYTES), tuple(signatures))


def decoded(text: object, what: str, most: int) -> bytes:
    """Decode base64 that has one form alone.

    Raises:
        MalformedError: it is not, or has spare bits.
        LimitError: it decodes to more than `most` bytes.
    """
    if not isinstance(text, str):
        raise MalformedError(f"{what} has something in place of base64")
    if len(text) > most // 3 * 4 + 4:
        raise LimitError(f"{what} has a field of {len(text):,} characters; expected one of at most {most:,} bytes")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedError(f"{what} has a field that is not base64") from None
    if _encoded(data) != text:
        raise MalformedError(f"{what} has a field that is not the one base64 of its bytes")
    return data


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
