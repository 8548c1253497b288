"""Bring a bundle into an OCI registry: what is missing there, in an order in which no tag names what is not there yet.

The members of the head · the release, without a tag, for a registry that refuses it should do so before hours have gone
by · file blobs · configs · model manifests, each under a tag for stock tools · the release under its number, then as
`latest`. Cut off anywhere, the release before stays whole; the same command again sends the rest.
"""

from collections.abc import Callable, Sequence

from sealift.bundle.parts import open_stream
from sealift.bundle.reader import names_of_blobs
from sealift.errors import LocalError
from sealift.publish.layout_file import Layout, file_blobs, look_through
from sealift.publish.sending import PushReport, Sending
from sealift.registry.access import Access
from sealift.registry.address import OciAddress
from sealift.registry.repository import Repository, open_repository
from sealift.registry.sources.release_artifact import EMPTY_CONFIG, artifact_bytes
from sealift.registry.tags import annotations, model_tag, tags_for
from sealift_common.clock import rfc3339
from sealift_common.oci import layout


def push(
    bundle: str | Sequence[str], address: OciAddress, access: Access, progress: Callable[[int], object]
) -> PushReport:
    """Push the file `bundle`, or its parts.

    Args:
        address: a tag in it names the release in place of `<channel>-<N>` and `latest`.
        progress: called with the number of bytes dealt with since the last call.

    Raises:
        sealift.Error: 10-19 malformed, 26 damaged: no tag was written.
        UsageError: a differential bundle holds patches.
        LocalError: the registry refused, or does not answer, or lacks what a differential bundle leaves out.
        OSError: the file cannot be read.
    """
    with open_stream(bundle) as file:
        found = look_through(file)
        blobs = file_blobs(file, found)
        release = found.claims.release
        raw = artifact_bytes(found.members, annotations(release.channel, release.number, rfc3339(release.released)))
        digest = layout.sha256(raw)
        with open_repository(address, access, "pull,push") as repository:
            tags = tags_for(repository, release.channel, release.number)
            _require_absent(found, repository)
            sending = Sending(repository, progress)
            for data in (EMPTY_CONFIG, *found.members.values()):
                sending.document(data)
            sending.manifest(digest, raw)
            for blob in found.offsets:
                sending.blob(blob, blobs[blob])
            for manifest in found.contents.manifests:
                sending.document(manifest.raw_config)
            for manifest in found.contents.manifests:
                sending.manifest(model_tag(manifest.model, manifest.digest), manifest.raw)
            # Again: somebody else may have pushed a newer release meanwhile.
            tags = tags_for(repository, release.channel, release.number)
            for tag in tags:
                sending.manifest(tag, raw)
        return sending.report(release.channel, release.number, digest, tags)


def _require_absent(found: Layout, repository: Repository) -> None:
    """Check that the repository has what a differential bundle leaves out."""
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
