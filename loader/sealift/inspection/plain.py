"""The content of a small file of a version, out of the blob that holds it."""

from sealift_common.oci.compression import expand
from sealift_common.oci.manifest import Manifest, ModelFile


def plain_bytes(data: bytes, manifest: Manifest, file: ModelFile) -> bytes:
    """Return the content of a small file, of whose blob the bytes were verified.

    Raises:
        DigestError: it does not expand to what was signed.
    """
    what = f"{file.name!r} of {manifest.model}"
    return b"".join(expand([data], file.plain, what)) if file.compressed else data
