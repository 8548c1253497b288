"""The form of a public key file: PEM, with lines before it that PEM readers skip (RFC 7468, section 2). Pure.

The first line, `name: approver`, says how messages call the owner. The kinds that may sign are all FIPS-approved:
ECDSA, Ed25519 and RSA-PSS by FIPS 186-5, ML-DSA by FIPS 204.
"""

import re
from typing import TypeGuard

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.signer import SSlibKey

from sealift_common.errors import KeyFileError, UsageError
from sealift_common.metadata.release_document import KEY_NAME_FIELD

# An RSA key of 16,384 bits is 13 KB.
MAX_SIZE_BYTES = 64 * 1024
MAX_NAME_CHARS = 64
# NIST SP 800-57: 128 bits of security, good beyond 2030.
MIN_RSA_BITS = 3072
EXPECTED = f"P-256, P-384, Ed25519, RSA of {MIN_RSA_BITS} bits or more, or ML-DSA-65"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]*", re.ASCII)
_NAME_LINE = re.compile(rb"name: ([^\r\n]*)\r?\n")


def parse_public(data: bytes, what: str, name: str) -> SSlibKey:
    """Parse a public key file (PEM SubjectPublicKeyInfo); its owner's name is in `KEY_NAME_FIELD`.

    Args:
        what: how messages name the file.
        name: of the owner, where the file does not say.

    Raises:
        KeyFileError: it is a private key, or no public key of a kind that is allowed.
        UsageError: the name is not allowed.
    """
    if b"PRIVATE KEY-----" in data:
        raise KeyFileError(f"{what!r} is a private key; give its public half, {what + '.pub'!r}")
    try:
        parsed = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{what!r} is not a public key; expected PEM 'BEGIN PUBLIC KEY'") from error
    key = checked(what, parsed)
    set_name(key, name_in(data) or name)
    return key


def default_name(file_name: str) -> str:
    """The owner's name when none is given: `approver` for `approver`, `approver.pem` and `approver.pem.pub`."""
    return file_name.removesuffix(".pub").removesuffix(".pem").removesuffix(".key")


def check_name(name: str) -> str:
    """Return `name` when it may name the owner of a key.

    Raises:
        UsageError: it has other characters or is too long.

    """
    if len(name) > MAX_NAME_CHARS or not _NAME.fullmatch(name):
        raise UsageError(
            f"key name {name[:80]!r} is not allowed; expected letters, digits, space and ._@+-, "
            f"at most {MAX_NAME_CHARS} characters; give one with --name"
        )
    return name


def set_name(key: SSlibKey, name: str) -> None:
    """Note the owner's name in the key, where metadata keeps and signs it."""
    key.unrecognized_fields[KEY_NAME_FIELD] = check_name(name)


def name_in(data: bytes) -> str:
    """Return the name that the first line gives; empty where it gives none."""
    match = _NAME_LINE.match(data)
    return match[1].decode("utf-8", "replace").strip() if match else ""


def checked(what: str, parsed: object) -> SSlibKey:
    """Turn a parsed public key into one for metadata; refuse kinds that may not sign.

    Raises:
        KeyFileError: the kind of key is not allowed.

    """
    if not allowed(parsed):
        raise KeyFileError(f"{what!r} holds a kind of key that is not allowed; expected {EXPECTED}")
    return SSlibKey.from_crypto(parsed)


def allowed(key: object) -> TypeGuard[PublicKeyTypes]:
    """Return whether a public key may sign a channel."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1)
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= MIN_RSA_BITS
    return isinstance(key, ed25519.Ed25519PublicKey) or _is_mldsa65(key)


def _is_mldsa65(key: object) -> bool:
    try:
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
    except ImportError:
        return False
    return isinstance(key, MLDSA65PublicKey)
