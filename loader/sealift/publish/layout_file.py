"""A bundle on disk, as what is pushed: its head, its documents, and where each file blob lies. Trusts nothing.

A registry holds whole releases only. So a differential bundle is looked at as the whole one that it stands for; what it
leaves out has to be there already.

What is read is compared with the digests that the bundle itself gives, so that damage stays here. Whether anybody
should use it is for `sealift verify` to say, and for every instance that installs it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from sealift.bundle.archive import CHUNK_BYTES, Archive
from sealift.bundle.reader import Contents, Head, names_of_blobs, payload_order, read_contents, read_head
from sealift.errors import DigestError, UsageError
from sealift.inspection.claims import Claims, claims
from sealift_common.blob import Blob
from sealift_common.oci import layout
from sealift_common.oci.manifest import index_of


@dataclass(frozen=True)
class Layout:
    """A bundle that was looked through.

    Attributes:
        members: of the whole bundle's head, name to bytes, in order, without `oci-layout`.
        offsets: where each file blob begins, in bytes from the start of the file.
        absent: file blobs that a differential bundle leaves out.
    """

    head: Head
    claims: Claims
    contents: Contents
    members: dict[str, bytes]
    offsets: dict[Blob, int]
    absent: tuple[Blob, ...]


def look_through(file: BinaryIO) -> Layout:
    """Read the head and the documents of a bundle, and find its file blobs.

    Raises:
        MalformedError, UnsafeMemberError, LimitError, UnsupportedVersionError, DigestError, UntrustedKeyError.
        UsageError: a differential bundle holds patches.
    """
    archive = Archive(file)
    head = read_head(archive)
    claimed = claims(head)
    contents = read_contents(archive, head, claimed.release.models)
    base = contents.base
    if base is not None and base.patches:
        raise UsageError(
            f"this bundle holds patches to files of release {base.release}, of which no whole blobs can be made; "
            "push a whole bundle"
        )
    offsets = {}
    with archive.looking_ahead():
        for blob in contents.payload:
            member = archive.next(blob.member)
            if member.size != blob.size:
                raise DigestError(f"{member.name!r} has {member.size:,} bytes; it was listed with {blob.size:,}")
            offsets[blob] = file.tell()
            archive.skip(member)
        archive.end()
    digests = {name: digest for name, digest in head.digests.items() if name != layout.BASE}
    index = index_of(contents.manifests, digests)
    members = {layout.INDEX: index}
    members |= {f"tuf/{name}": data for name, data in head.metadata.items()}
    members[layout.MANIFEST_MD] = head.manifest_md
    absent = tuple(blob for blob in payload_order(contents.manifests) if blob not in offsets)
    return Layout(head, claimed, contents, members, offsets, absent)


class FileBlob:
    """One blob of a bundle, read in pieces, perhaps some of it twice; compared with its digest at its end.

    Args:
        what: how errors name it.
    """

    def __init__(self, file: BinaryIO, offset: int, blob: Blob, what: str) -> None:
        self._file = file
        self._offset = offset
        self._blob = blob
        self._what = what
        self._hasher = hashlib.sha256()
        self._hashed = 0

    def __call__(self, offset: int, length: int) -> Iterator[bytes]:
        """Yield `length` bytes from `offset` on, never beyond what was read before.

        Raises:
            DigestError: the last byte was read, and the blob is not what the bundle says.
        """
        self._file.seek(self._offset + offset)
        while length:
            chunk = self._file.read(min(length, CHUNK_BYTES))
            if not chunk:
                raise DigestError(f"the bundle became shorter while it was read, in {self._what}; copy it again")
            new = chunk[max(self._hashed - offset, 0) :]
            self._hasher.update(new)
            self._hashed += len(new)
            offset += len(chunk)
            length -= len(chunk)
            # Before the last piece leaves: a registry must not complete what is damaged.
            if offset == self._blob.size:
                self._require_digest()
            yield chunk

    def _require_digest(self) -> None:
        found = "sha256:" + self._hasher.hexdigest()
        if found != self._blob.digest:
            raise DigestError(
                f"{self._blob.member!r} ({self._what}) is damaged or was changed; "
                f"expected {self._blob.digest}, got {found}"
            )


def file_blobs(file: BinaryIO, found: Layout) -> dict[Blob, FileBlob]:
    """Return a reader for each file blob."""
    names = names_of_blobs(found.contents.manifests)
    return {blob: FileBlob(file, offset, blob, names[blob]) for blob, offset in found.offsets.items()}
