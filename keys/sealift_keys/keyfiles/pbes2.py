"""Write an encrypted PKCS#8 private key with a slow key derivation (RFC 8018 PBES2, RFC 5958).

`cryptography` can write this form too, but fixes PBKDF2 at 2,048 rounds: who steals such a file tries
a passphrase in under a millisecond. The form has no parameter for it there, so the few ASN.1 fields
are put together here. All arithmetic is that of `cryptography`, every PKCS#8 reader opens the result,
and this module only ever writes.
"""

import base64
import os
import textwrap

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

# OWASP's password storage guidance for PBKDF2 with HMAC-SHA-256; a quarter of a second here.
ROUNDS = 600_000
SALT_BYTES = 16

_SEQUENCE, _INTEGER, _OCTET_STRING = 0x30, 0x02, 0x04
_NULL = bytes.fromhex("0500")
_PBES2 = bytes.fromhex("06092a864886f70d01050d")  # 1.2.840.113549.1.5.13
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")  # 1.2.840.113549.1.5.12
_HMAC_SHA256 = bytes.fromhex("06082a864886f70d0209")  # 1.2.840.113549.2.9
_AES256_CBC = bytes.fromhex("060960864801650304012a")  # 2.16.840.1.101.3.4.1.42


def encrypted_pem(private_key: PrivateKeyTypes, passphrase: bytes, *, rounds: int | None = None) -> bytes:
    """Return the PEM of `private_key`, encrypted with AES-256-CBC under `passphrase`.

    Args:
        private_key: the key to write.
        passphrase: must not be empty.
        rounds: of PBKDF2 with HMAC-SHA-256; `ROUNDS` by default.
    """
    rounds = rounds or ROUNDS
    salt, start = os.urandom(SALT_BYTES), os.urandom(16)
    key = PBKDF2HMAC(SHA256(), 32, salt, rounds).derive(passphrase)
    padder = PKCS7(128).padder()
    plain = private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    encryptor = Cipher(AES256(key), CBC(start)).encryptor()
    secret = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    derivation = _sequence(_PBKDF2, _sequence(_octets(salt), _integer(rounds), _sequence(_HMAC_SHA256, _NULL)))
    encryption = _sequence(_AES256_CBC, _octets(start))
    document = _sequence(_sequence(_PBES2, _sequence(derivation, encryption)), _octets(secret))
    lines = textwrap.wrap(base64.b64encode(document).decode(), 64)
    return "\n".join(
        ["-----BEGIN ENCRYPTED PRIVATE KEY-----", *lines, "-----END ENCRYPTED PRIVATE KEY-----", ""]
    ).encode()


def _sequence(*parts: bytes) -> bytes:
    return _field(_SEQUENCE, b"".join(parts))


def _octets(value: bytes) -> bytes:
    return _field(_OCTET_STRING, value)


def _integer(value: int) -> bytes:
    # One bit more than needed: DER integers are signed.
    return _field(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _field(tag: int, value: bytes) -> bytes:
    size = len(value)
    if size < 128:
        return bytes([tag, size]) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + value
