"""Fingerprints that two people compare over a telephone: of a channel's root, and of a key.

Both are SHA-256. The fingerprint of a root is that of its file, so `sha256sum 1.root.json` gives the
same digits; it is final once all its signatures are there. The fingerprint of a key is that of its
DER SubjectPublicKeyInfo, so `openssl pkey -pubin -in FILE.pub -outform DER | sha256sum` gives the same.
People compare all 16 groups of 4 digits: a prefix can be searched for by an attacker.
"""

import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from securesystemslib.signer import Key, SSlibKey

from sealift_common.errors import KeyFileError


def of_bytes(data: bytes) -> str:
    """The fingerprint of a root metadata file: SHA-256 of its bytes, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def of_key(key: Key) -> str:
    """The fingerprint of a public key, whatever key id or scheme metadata gives it.

    Raises:
        KeyFileError: the key is of a kind that has no SubjectPublicKeyInfo here.

    """
    return of_bytes(material(key))


def grouped(fingerprint: str) -> str:
    """Write a fingerprint for people: groups of 4 digits."""
    return " ".join(fingerprint[start : start + 4] for start in range(0, len(fingerprint), 4))


def material(key: Key) -> bytes:
    """The DER SubjectPublicKeyInfo of `key`; two keys are the same key when this is equal.

    Raises:
        KeyFileError: the key does not parse.

    """
    return parse(key).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def parse(key: Key) -> PublicKeyTypes:
    """Return the `cryptography` object of a key in TUF metadata.

    Raises:
        KeyFileError: the key does not parse.

    """
    public = key.keyval.get("public") if isinstance(key, SSlibKey) else None
    if not isinstance(public, str):
        raise KeyFileError(f"key {key.keyid[:120]!r} of type {key.keytype!r} has no public key that can be compared")
    try:
        # TUF metadata holds Ed25519 keys as 32 raw bytes in hexadecimal and all others as PEM.
        return (
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
            if key.keytype == "ed25519"
            else load_pem_public_key(public.encode())
        )
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"key {key.keyid[:120]!r} is not a readable {key.keytype!r} public key") from error
