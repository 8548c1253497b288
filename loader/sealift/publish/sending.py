"""Blobs that travel to a repository, and those that are there already; the same for releases and images."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sealift.registry.repository import Content, Repository
from sealift_common.blob import Blob
from sealift_common.oci import layout


@dataclass(frozen=True)
class PushReport:
    """Result of a push.

    Attributes:
        address: of the release, without a tag.
        digest: of its manifest, which names it forever; None for a file.
        tags: those that name it now.
        sent, kept: blobs that travelled, and blobs that were there.
        sent_bytes: length in bytes of those that travelled.
        superseded: whether `latest` was left with a newer release.
    """

    address: str
    channel: str
    release: int
    digest: str | None
    tags: tuple[str, ...]
    sent: int
    kept: int
    sent_bytes: int
    superseded: bool = False


class Sending:
    """One push to `repository`; counts what travels.

    Args:
        progress: called with the number of bytes dealt with since the last call.
    """

    def __init__(self, repository: Repository, progress: Callable[[int], object]) -> None:
        self._repository = repository
        self._progress = progress
        self._here: set[str] = set()
        self.sent = self.kept = self.sent_bytes = 0

    def blob(self, blob: Blob, content: Content) -> None:
        """Send a blob unless it is there.

        Raises:
            LocalError: the registry refused, or does not answer; and whatever `content` raises.
        """
        if blob.digest in self._here:
            return
        self._here.add(blob.digest)
        if self._repository.has_blob(blob.digest):
            self.kept += 1
            self._progress(blob.size)
            return
        self._repository.upload(blob, self._counted(content))
        self.sent += 1
        self.sent_bytes += blob.size

    def document(self, data: bytes) -> None:
        """Send a small blob, like `blob`."""
        self.blob(Blob(layout.sha256(data), len(data)), lambda offset, length: [data[offset : offset + length]])

    def manifest(self, reference: str, raw: bytes) -> None:
        """Write a manifest unless it is there under this tag or digest.

        Raises:
            LocalError: as `Repository.put_manifest`.
        """
        if self._repository.manifest_digest(reference) != layout.sha256(raw):
            self._repository.put_manifest(reference, raw)

    def report(self, channel: str, release: int, digest: str, tags: tuple[str, ...]) -> PushReport:
        """Say what was done."""
        address = self._repository.address
        superseded = address.reference is None and len(tags) == 1
        counts = self.sent, self.kept, self.sent_bytes
        return PushReport(str(address.without_reference()), channel, release, digest, tags, *counts, superseded)

    def _counted(self, content: Content) -> Content:
        def counted(offset: int, length: int) -> Iterable[bytes]:
            for chunk in content(offset, length):
                yield chunk
                self._progress(len(chunk))

        return counted
