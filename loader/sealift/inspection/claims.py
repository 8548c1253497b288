"""The claims of a bundle: read without any trust, for people who look before they carry. Pure."""

from dataclasses import dataclass

from sealift.bundle.reader import Head
from sealift.trust import metadata
from sealift.trust.release import release_of
from sealift_common.fingerprint import grouped, of_bytes
from sealift_common.metadata.release_document import Release, key_name
from sealift_common.oci.layout import TUF_ROLES


@dataclass(frozen=True)
class Claims:
    """The claims of a bundle's metadata.

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
    documents = {role: metadata.parse(head.metadata[f"{role}.json"], role) for role in TUF_ROLES}
    root = metadata.parse(head.metadata[newest], "root").signed
    signers = {}
    for role, document in documents.items():
        result = root.get_verification_result(role, document.signed_bytes, document.signatures)
        signers[role] = sorted(key_name(key) for key in result.signed.values())
    return Claims(
        release=release_of(root, documents["targets"].signed),
        root_fingerprint=grouped(of_bytes(head.metadata["1.root.json"])),
        expires={role: f"{m.signed.expires:%Y-%m-%dT%H:%M:%SZ}" for role, m in documents.items()},
        signers=signers,
    )
