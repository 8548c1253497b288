"""Run a program in a process that refuses, at the libraries' doors, what FIPS 140-3 does not approve.

    python fips_watch.py PROGRAM

The last line of output names the hash functions of hashlib and the signature schemes that were used.
What is allowed is what Sealift promises for its default keys: P-256, SHA-2, PBKDF2 and AES.
"""

import hashlib
import runpy
import sys
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa, x448, x25519
from cryptography.hazmat.primitives.ciphers import aead, algorithms

APPROVED = {"sha224", "sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512"}
used: set[str] = set()


def watch_hashlib() -> None:
    """hashlib's own flag says where a digest does not protect anything."""

    def watched(name: str, real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            which = str(args[0] if name == "new" else name).lower()
            if which not in APPROVED and kwargs.get("usedforsecurity", True):
                raise AssertionError(f"hashlib {which} is not FIPS-approved")
            used.add(which)
            return real(*args, **kwargs)

        return call

    for name in ("new", "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "blake2s", "scrypt"):
        setattr(hashlib, name, watched(name, getattr(hashlib, name)))


def deny(owner: Any, name: str) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError(f"{owner.__name__} {name} is not FIPS-approved, or not P-256 with SHA-256")

    found = getattr(owner, name)
    try:
        # The class itself has to stay: the library's own type checks look it up by its name.
        found.__init__ = refuse
    except (AttributeError, TypeError):
        setattr(owner, name, refuse)


def watch_cryptography() -> None:
    for name in ("MD5", "SHA1", "SM3", "BLAKE2b", "BLAKE2s"):
        deny(hashes, name)
    for private in (ed448.Ed448PrivateKey, ed25519.Ed25519PrivateKey, x448.X448PrivateKey, x25519.X25519PrivateKey):
        deny(private, "generate")
        deny(private, "from_private_bytes")
    deny(ed25519.Ed25519PublicKey, "from_public_bytes")
    deny(ed448.Ed448PublicKey, "from_public_bytes")
    for owner, name in ((padding, "PKCS1v15"), (rsa, "generate_private_key"), (dsa, "generate_private_key")):
        deny(owner, name)
    deny(aead, "ChaCha20Poly1305")
    deny(algorithms, "ChaCha20")
    for name in ("SECP192R1", "SECP256K1", "BrainpoolP256R1", "BrainpoolP384R1", "BrainpoolP512R1"):
        deny(ec, name)
    real = ec.ECDSA.__init__

    def noted(self: Any, algorithm: Any, *args: Any, **kwargs: Any) -> None:
        used.add(f"ecdsa-{algorithm.name}")
        real(self, algorithm, *args, **kwargs)

    ec.ECDSA.__init__ = noted


if __name__ == "__main__":
    watch_hashlib()
    watch_cryptography()
    sys.argv = sys.argv[1:]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        print("used:", *sorted(used))
