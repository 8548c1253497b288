"""What a bundle claims: read without any trust, for people who look before they carry. Pure."""

from dataclasses import dataclass
from typing import Any

from tuf.api.metadata import Metadata
from tuf.api.serialization import DeserializationError

from sealift.bundle.layout import TUF_ROLES
from sealift.bundle.reader import Head
from sealift.errors import MalformedError
from sealift.trust.release import Release, release_of
from sealift.trust.verdict import key_name
from sealift_keys.fingerprint import grouped, of_bytes


@dataclass(frozen=True)
class Claims:
    """What the metadata of a bundle says of itself.

    Attributes:
        root_fingerprint: of `1.root.json`, to compare with the published one.
        expires: role to RFC 3339 time.
        signers: role to the names of keys whose signatures fit the bundle's own root.
    """

    release: Release
    root_fingerprint: str
    expires: dict[str, str]
    signers: dict[str, list[str]]


def claims(head: Head) -> Claims:
    """Read the claims of a bundle's head.

    Raises:
        MalformedError: the metadata is not TUF metadata of a Sealift channel.
    """
    newest = max(
        (name for name in head.metadata if name.endswith(".root.json")), key=lambda name: int(name.split(".")[0])
    )
    documents = {role: _parse(head.metadata[f"{role}.json"], role) for role in TUF_ROLES}
    root = _parse(head.metadata[newest], "root").signed
    signers = {}
    for role, metadata in documents.items():
        result = root.get_verification_result(role, metadata.signed_bytes, metadata.signatures)
        signers[role] = sorted(key_name(key) for key in result.signed.values())
    return Claims(
        release=release_of(root, documents["targets"].signed),
        root_fingerprint=grouped(of_bytes(head.metadata["1.root.json"])),
        expires={role: f"{m.signed.expires:%Y-%m-%dT%H:%M:%SZ}" for role, m in documents.items()},
        signers=signers,
    )


def _parse(data: bytes, role: str) -> Metadata[Any]:
    try:
        metadata: Metadata[Any] = Metadata.from_bytes(data)
    except (DeserializationError, ValueError, RecursionError) as error:
        raise MalformedError(f"{role} is not TUF metadata: {str(error.__cause__ or error)[:200]}") from None
    if metadata.signed.type != role:
        raise MalformedError(f"{role} holds {metadata.signed.type!r} metadata")
    return metadata
