"""Make private keys of the kinds that may sign a channel; `sealift_common.parsing.public_key` knows the kinds.

All are FIPS-approved algorithms: ECDSA, Ed25519 and RSA-PSS by FIPS 186-5, ML-DSA by FIPS 204. Whether
the library that computes them is validated is a property of the machine, not of Sealift.
"""

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from sealift_common.errors import UsageError

DEFAULT = "p256"


def _generate_mldsa() -> PrivateKeyTypes:
    try:
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
    except ImportError as error:
        raise UsageError("algorithm 'ml-dsa-65' needs cryptography 48 or newer; update it or choose p256") from error
    return MLDSA65PrivateKey.generate()


_GENERATORS: dict[str, Callable[[], PrivateKeyTypes]] = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "rsa-pss-3072": lambda: rsa.generate_private_key(65537, 3072),
    "rsa-pss-4096": lambda: rsa.generate_private_key(65537, 4096),
    "ml-dsa-65": _generate_mldsa,
}
NAMES = tuple(_GENERATORS)


def generate(name: str) -> PrivateKeyTypes:
    """Generate a private key.

    Raises:
        UsageError: the algorithm is unknown, or the installed `cryptography` lacks it.

    """
    if name not in _GENERATORS:
        raise UsageError(f"algorithm {name!r} is unknown; expected one of {', '.join(NAMES)}")
    return _GENERATORS[name]()
