"""Put each model version that a bundle carries into the model registry of a GitLab project."""

from collections.abc import Callable, Iterator, Sequence

from sealift.bundle.parts import open_stream
from sealift.errors import UsageError
from sealift.publish.layout_file import file_blobs, look_through
from sealift.publish.registered import Published, publish_version
from sealift.publish.version_content import content_of
from sealift.registry.access import Access
from sealift.registry.address import GitlabAddress
from sealift.registry.models.client import open_registry
from sealift.registry.models.place import RegistryPlace
from sealift_common.blob import Blob


def publish_models(
    bundle: str | Sequence[str], address: GitlabAddress, access: Access, progress: Callable[[int], object]
) -> tuple[Published, ...]:
    """Publish every version of the file `bundle`, or of what its parts make.

    Args:
        address: of the project; its package and version are ignored.
        progress: called with the number of bytes sent since the last call.

    Raises:
        sealift.Error: 10-19 malformed, 26 damaged.
        UsageError: the bundle is a differential one, which lacks files.
        LocalError: the registry refuses, does not answer, or has a version with other bytes.
    """
    place = RegistryPlace.parse(str(GitlabAddress(address.host, address.project)))
    with open_stream(bundle) as file:
        found = look_through(file)
        if found.contents.base is not None:
            raise UsageError("a differential bundle lacks files that a model registry needs; push a whole bundle")
        blobs = file_blobs(file, found)

        def open_blob(blob: Blob) -> Iterator[bytes]:
            return blobs[blob](0, blob.size)

        release = found.claims.release
        tags = {"sealift.channel": release.channel, "sealift.release": str(release.number)}
        with open_registry(place, access) as registry:
            return tuple(
                publish_version(registry, content_of(manifest, open_blob, tags), progress=progress)
                for manifest in found.contents.manifests
            )
