"""Add signatures to metadata in memory: only authorized ones, each verified before it counts."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Key, Signature, Signer
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, Root

from sealift_common import fingerprint
from sealift_common.errors import KeyFileError
from sealift_common.metadata.release_document import key_name

RELEASE_ROLES = ("targets", "snapshot", "timestamp")


@dataclass(frozen=True)
class Signed:
    """One signature that was added."""

    role: str
    version: int
    key_name: str


def add_signatures(
    root: Root, previous: Root | None, documents: Iterable[Metadata[Any]], signers: Sequence[Signer]
) -> list[Signed]:
    """Sign in memory; nothing is written when any signer is refused."""
    documents = list(documents)
    made: list[Signed] = []
    for signer in signers:
        for metadata, key in _to_sign(root, previous, documents, signer.public_key):
            _add_signature(metadata, key, signer)
            made.append(Signed(metadata.signed.type, metadata.signed.version, key_name(key)))
    return made


def unsigned(
    root: Root, previous: Root | None, documents: Iterable[Metadata[Any]], keys: Iterable[Key]
) -> frozenset[str]:
    """Return the roles whose `documents` these keys may sign and have not signed.

    Raises:
        KeyFileError: a key belongs to no role of the channel.
    """
    documents = list(documents)
    return frozenset(metadata.signed.type for key in keys for metadata, _ in _to_sign(root, previous, documents, key))


def require_signing(root: Root, keys: Iterable[Key]) -> None:
    """Check that each of `keys` that root lists signs something of a release: targets, snapshot or timestamp.

    Strangers are left to `add_signatures`, which refuses them everywhere.

    Raises:
        KeyFileError: one signs nothing of it, such as a reviewer's key or one of root alone.
    """
    signing = {role: keys_of(role, root, None) for role in RELEASE_ROLES}
    materials = {fingerprint.material(key) for own in signing.values() for key in own}
    listed = set(map(fingerprint.material, root.keys.values()))
    for key in keys:
        if fingerprint.material(key) in listed - materials:
            roles = "; ".join(
                f"{role}: {', '.join(repr(key_name(one)) for one in own)}" for role, own in signing.items()
            )
            raise KeyFileError(
                f"key {key_name(key)!r} ({fingerprint.of_key(key)[:16]}…) signs nothing of a release, so nothing was "
                f"written; those that do are {roles}. Give one of them, or no --key and let others sign later"
            )


def _to_sign(
    root: Root, previous: Root | None, documents: Iterable[Metadata[Any]], own: Key
) -> list[tuple[Metadata[Any], Key]]:
    """Pair each document that lacks a good signature of `own` with the key as root lists it."""
    material = fingerprint.material(own)
    pairs = [
        (metadata, key)
        for metadata in documents
        for key in keys_of(metadata.signed.type, root, previous)
        if fingerprint.material(key) == material
    ]
    # The release without root is signed by fewer roles; a root-only key is at home in the channel too.
    if not pairs and material not in map(fingerprint.material, root.keys.values()):
        names = ", ".join(sorted(repr(key_name(key)) for key in root.keys.values()))
        raise KeyFileError(
            f"key {key_name(own)!r} ({fingerprint.of_key(own)[:16]}…) "
            f"belongs to no role of this channel; its keys are {names}"
        )
    return [(metadata, key) for metadata, key in pairs if not _signed(metadata, key)]


def _signed(metadata: Metadata[Any], key: Key) -> bool:
    signature = metadata.signatures.get(key.keyid)
    return signature is not None and verifies(key, signature, metadata.signed_bytes)


def keys_of(role: str, root: Root, previous: Root | None) -> list[Key]:
    """List the keys that may sign `role`; a new root is signed by the keys of the root before it as well."""
    keyids = dict.fromkeys(root.roles[role].keyids)
    keys = [root.keys[keyid] for keyid in keyids if keyid in root.keys]
    if role == "root" and previous is not None:
        # The keys of the last root vouch for the new one, also when they leave with it.
        keys += [previous.keys[keyid] for keyid in previous.roles[role].keyids if keyid not in keyids]
    return keys


def _add_signature(metadata: Metadata[Any], key: Key, signer: Signer) -> None:
    payload = metadata.signed_bytes
    try:
        made = Metadata(metadata.signed).sign(signer)
    except UnsignedMetadataError as error:
        # Errors of tokens often have a name and no text.
        why = f"{type(error.__cause__).__name__} {error.__cause__}" if error.__cause__ else str(error)
        raise KeyFileError(f"key {key_name(key)!r} cannot sign: {why.strip()}") from error
    # Root may list the key under an id that is not the one derived from the file.
    signature = Signature(key.keyid, made.signature, made.unrecognized_fields)
    if not verifies(key, signature, payload):
        raise KeyFileError(f"key {key_name(key)!r}: its signature does not verify with the key that root lists")
    metadata.signatures[key.keyid] = signature


def digest_of(metadata: Metadata[Any]) -> str:
    """Return `sha256:<hex>` of what signatures cover; it stays the same while signatures are added."""
    return "sha256:" + hashlib.sha256(metadata.signed_bytes).hexdigest()


def verifies(key: Key, signature: Signature, payload: bytes) -> bool:
    """Return whether `signature` is that of `key` over `payload`."""
    try:
        key.verify_signature(signature, payload)
    except UnverifiedSignatureError:
        return False
    return True
