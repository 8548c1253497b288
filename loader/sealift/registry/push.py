"""Bring a bundle into an OCI registry: what is missing there, in an order in which nothing names what is not there yet.

File blobs · configs · model manifests, each under a tag for stock tools · the members of the head · the release, under
its number, then as `latest`. Cut off anywhere, the release before stays whole; the same command again sends the rest.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sealift.bundle import layout
from sealift.bundle.manifest import Blob
from sealift.bundle.parts import open_stream
from sealift.bundle.reader import names_of_blobs
from sealift.errors import LocalError
from sealift.registry.access import Access
from sealift.registry.address import LATEST, OciAddress
from sealift.registry.layout_file import Layout, file_blobs, look_through
from sealift.registry.release_artifact import EMPTY_CONFIG, artifact_bytes, model_tag, release_tag
from sealift.registry.repository import Content, Repository, open_repository

_CREATED = "org.opencontainers.image.created"
_RELEASE = "io.sealift.release"
_CHANNEL = "io.sealift.channel"


@dataclass
class PushReport:
    """What a push did.

    Attributes:
        digest: of the release's manifest; `oci://host/repository@<digest>` names it for ever.
        tags: those that name the release.
        sent, kept: blobs that travelled, and blobs that were there.
        sent_bytes: length in bytes of those that travelled.
    """

    channel: str
    release: int
    digest: str = ""
    tags: tuple[str, ...] = ()
    sent: int = 0
    kept: int = 0
    sent_bytes: int = 0


@dataclass
class _Push:
    """One push; counts what travels."""

    repository: Repository
    report: PushReport
    progress: Callable[[int], object]
    _here: set[str] = field(default_factory=set)

    def blob(self, blob: Blob, content: Content) -> None:
        if blob.digest in self._here:
            return
        self._here.add(blob.digest)
        if self.repository.has_blob(blob.digest):
            self.report.kept += 1
            self.progress(blob.size)
            return
        self.repository.upload(blob, self._counted(content))
        self.report.sent += 1
        self.report.sent_bytes += blob.size

    def document(self, data: bytes) -> None:
        self.blob(Blob(layout.sha256(data), len(data)), lambda offset, length: [data[offset : offset + length]])

    def manifest(self, tag: str, raw: bytes) -> None:
        if self.repository.manifest_digest(tag) != layout.sha256(raw):
            self.repository.put_manifest(tag, raw)

    def _counted(self, content: Content) -> Content:
        def counted(offset: int, length: int) -> Iterable[bytes]:
            for chunk in content(offset, length):
                yield chunk
                self.progress(len(chunk))

        return counted


def push(
    bundle: str | Sequence[str], address: OciAddress, access: Access, progress: Callable[[int], object]
) -> PushReport:
    """Push the file `bundle`, or its parts.

    Args:
        address: a tag in it names the release in place of `<channel>-<N>` and `latest`.
        progress: called with the number of bytes dealt with since the last call.

    Raises:
        sealift.Error: 10-19 malformed, 26 damaged: nothing that names this release was written.
        UsageError: a differential bundle holds patches.
        LocalError: the registry refused, or does not answer, or lacks what a differential bundle leaves out.
        OSError: the file cannot be read.
    """
    with open_stream(bundle) as file:
        found = look_through(file)
        blobs = file_blobs(file, found)
        release = found.claims.release
        report = PushReport(release.channel, release.number)
        with open_repository(address, access, "pull,push") as repository:
            _require_absent(found, repository)
            sending = _Push(repository, report, progress)
            for blob in found.contents.payload:
                sending.blob(blob, blobs[blob])
            for manifest in found.contents.manifests:
                sending.document(manifest.raw_config)
            for manifest in found.contents.manifests:
                sending.manifest(model_tag(manifest.model, manifest.digest), manifest.raw)
            for data in (EMPTY_CONFIG, *found.members.values()):
                sending.document(data)
            raw = artifact_bytes(found.members, _annotations(found))
            report.digest = layout.sha256(raw)
            own = release_tag(release.channel, release.number)
            report.tags = (own, LATEST) if address.reference is None else (address.reference,)
            for tag in report.tags:
                sending.manifest(tag, raw)
        return report


def _require_absent(found: Layout, repository: Repository) -> None:
    base = found.contents.base
    if base is None:
        return
    names = names_of_blobs(found.contents.manifests)
    for blob in found.absent:
        if not repository.has_blob(blob.digest):
            raise LocalError(
                f"this bundle builds on release {base.release}; {str(repository.address)!r} lacks {names[blob]}; "
                f"push release {base.release} first, or a whole bundle"
            )


def _annotations(found: Layout) -> dict[str, str]:
    release = found.claims.release
    return {
        _CREATED: f"{release.released:%Y-%m-%dT%H:%M:%SZ}",
        _CHANNEL: release.channel,
        _RELEASE: str(release.number),
        layout.BUNDLE_FORMAT: layout.FORMAT,
    }
