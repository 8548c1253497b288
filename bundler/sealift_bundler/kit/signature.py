"""A detached signature of a kit that `openssl` alone can check, and the public key next to it.

    openssl dgst -sha256 -verify KIT.tar.pub -signature KIT.tar.sig KIT.tar

The key lies next to the kit, so it proves nothing until its fingerprint was compared with one published elsewhere.
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import Signer

from sealift.errors import KeyFileError
from sealift_bundler.release.model_signature import p256_key
from sealift_common import fingerprint
from sealift_common.files import durable
from sealift_common.files.output import write
from sealift_common.metadata.release_document import key_name


@dataclass(frozen=True)
class KitSignature:
    """Paths of the signature and the public key; `fingerprint` is that of the key, 64 hexadecimal digits."""

    path: Path
    public_key: Path
    fingerprint: str


def places(kit: Path) -> tuple[Path, Path]:
    """Return where the signature of a kit goes, and the public key."""
    return kit.with_name(f"{kit.name}.sig"), kit.with_name(f"{kit.name}.pub")


def sign_kit(kit: Path, signer: Signer) -> KitSignature:
    """Write `KIT.sig` and `KIT.pub` next to the tar, replacing those of an earlier one.

    Args:
        signer: a P-256 key; its signature is DER, over the SHA-256 of the tar.

    Raises:
        KeyFileError: the key is of another kind, or what it made does not verify.
    """
    public, data = p256_key(signer, f"{kit.name}.sig"), kit.read_bytes()
    signature = bytes.fromhex(signer.sign(data).signature)
    try:
        public.verify(signature, data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise KeyFileError(
            f"key {key_name(signer.public_key)!r}: its signature of {kit.name!r} does not verify"
        ) from None
    made = KitSignature(*places(kit), fingerprint.of_key(signer.public_key))
    write(made.path, signature, mode=durable.FILE_MODE)
    write(made.public_key, public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), mode=durable.FILE_MODE)
    return made
