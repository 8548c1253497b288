"""A signature of one model's files in the OpenSSF Model Signing format, for third parties.

Anyone can check an installed model directory with the public tool, without Sealift:

    model_signing verify key MODEL_DIR --signature MODEL_DIR/model.sig --public_key FILE.pub

`model.sig` is a Sigstore bundle 0.3 that holds a DSSE envelope of an in-toto statement. It is
provenance and nothing else: no command of Sealift reads it, and it never authorizes an install.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from securesystemslib.signer import CryptoSigner, Signer

from sealift.errors import KeyFileError
from sealift_common import fingerprint
from sealift_common.metadata.release_document import key_name
from sealift_common.review.dsse import PAYLOAD_TYPE, pre_authentication

FILE_NAME = "model.sig"
BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"


def sign_model(name: str, files: Mapping[str, bytes | Path], signer: Signer) -> bytes:
    """Return the bytes of `model.sig` over `files`.

    The same files and key give the same bytes, so that adding a model twice changes nothing. A key in
    a token or service draws a random number for each signature, and so does OpenSSL before 3.2.

    Args:
        name: the model's name.
        files: file name to content, or to the file that holds it.
        signer: a P-256 key.

    Raises:
        KeyFileError: the key is of another kind.
    """
    public = p256_key(signer)
    payload = rfc8785.dumps(statement(name, {file: _digest(content) for file, content in files.items()}))
    signature = _sign_function(signer)(pre_authentication(payload))
    # The tool compares this with the digest of the PEM that it writes itself.
    hint = hashlib.sha256(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    document: dict[str, Any] = {
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": _base64(payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": "", "sig": _base64(signature)}],
        },
    }
    return rfc8785.dumps(document)


def p256_key(signer: Signer, what: str = FILE_NAME) -> ec.EllipticCurvePublicKey:
    """Return the public key of `signer`.

    Args:
        what: the file that it is to sign, for the message.

    Raises:
        KeyFileError: it is not a P-256 key; the public tools know no other of ours.
    """
    public = fingerprint.parse(signer.public_key)
    if not (isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1)):
        raise KeyFileError(
            f"key {key_name(signer.public_key)!r} is not a P-256 key; expected one for {what}, "
            "make it with: sealift-keys new FILE"
        )
    return public


def statement(name: str, digests: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the in-toto statement: the subject is the digest of the files' digests, in the order of names."""
    ordered = sorted(digests)
    whole = hashlib.sha256(b"".join(digests[file] for file in ordered)).hexdigest()
    resources = [{"algorithm": "sha256", "digest": digests[file].hex(), "name": file} for file in ordered]
    serialization = {
        "allow_symlinks": False,
        "hash_type": "sha256",
        "ignore_paths": [FILE_NAME],
        "method": "files",
    }
    return {
        "_type": STATEMENT_TYPE,
        "predicate": {"resources": resources, "serialization": serialization},
        "predicateType": PREDICATE_TYPE,
        "subject": [{"digest": {"sha256": whole}, "name": name}],
    }


def _sign_function(signer: Signer) -> Callable[[bytes], bytes]:
    if isinstance(signer, CryptoSigner):
        private = load_pem_private_key(signer.private_bytes, None)
        if isinstance(private, ec.EllipticCurvePrivateKey):
            algorithm = _deterministic()
            return lambda data: private.sign(data, algorithm)
    return lambda data: bytes.fromhex(signer.sign(data).signature)


def _deterministic() -> ec.ECDSA:
    try:
        return ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    except UnsupportedAlgorithm:
        return ec.ECDSA(hashes.SHA256())


def _digest(content: bytes | Path) -> bytes:
    if isinstance(content, bytes):
        return hashlib.sha256(content).digest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
