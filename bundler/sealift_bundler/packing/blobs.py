"""Read a channel's blobs: manifests whole, files a chunk at a time."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sealift_bundler.errors import GateError
from sealift_common.blob import Blob
from sealift_common.names import ModelVersion
from sealift_common.oci.manifest import Manifest, bind_config, parse_manifest

_CHUNK_BYTES = 1024 * 1024


def read_manifest(blobs: Path, model: ModelVersion, blob: Blob) -> Manifest:
    """Read a manifest and its config out of a channel's blobs.

    Raises:
        GateError: one of them is missing or was changed.
    """
    unbound = parse_manifest(read_blob(blobs, blob, f"the manifest of {model}"), model, blob.digest)
    return bind_config(unbound, read_blob(blobs, unbound.config, f"the config of {model}"))


def read_blob(blobs: Path, blob: Blob, what: str) -> bytes:
    """Return a blob of a channel, whose length is checked and whose digest is not.

    Raises:
        GateError: it is missing, or has another length.
    """
    return b"".join(blob_chunks(blobs, blob, what))


def blob_chunks(blobs: Path, blob: Blob, what: str) -> Iterator[bytes]:
    """Yield a blob of a channel, whose length is checked and whose digest is not.

    Raises:
        GateError: it is missing, or has another length.
    """
    try:
        with (blobs / blob.digest.removeprefix("sha256:")).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != blob.size:
                raise GateError(
                    f"{what} in the channel has {size:,} bytes; expected {blob.size:,}; add the model again"
                )
            yield from chunks_of(file)
    except FileNotFoundError:
        raise GateError(f"the channel lacks {what} ({blob.digest}); add the model again") from None


def chunks_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield what is left of an open file."""
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk
