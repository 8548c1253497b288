"""Build model directories in staging, from blobs that arrive in order and may be shared by several files.

Nothing is expanded before its compressed bytes matched a signed digest, nothing expands beyond its
signed length, and every file is synced before its directory may be moved into place.
"""

import hashlib
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from sealift.bundle.manifest import Blob, Manifest, ModelFile
from sealift.errors import DigestError
from sealift_keys import durable
from sealift_keys.names import ModelVersion

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_CHUNK_BYTES = 1024 * 1024


class Staging:
    """Writes the files of `manifests` below `directory`.

    Args:
        directory: private to this install, on the store's file system.
        scratch: where compressed blobs wait until their digest is known to be right.
    """

    def __init__(self, directory: Path, scratch: Path, manifests: Iterable[Manifest]) -> None:
        self._directory = directory
        self._scratch = scratch
        self._uses: dict[Blob, list[tuple[Manifest, ModelFile]]] = defaultdict(list)
        for manifest in manifests:
            durable.make_directory(self.path(manifest.model))
            for file in manifest.files:
                self._uses[file.blob].append((manifest, file))

    def path(self, model: ModelVersion) -> Path:
        """Return where the files of `model` are built."""
        return self._directory / model.name / str(model.version)

    def take(self, blob: Blob, chunks: Iterator[bytes]) -> None:
        """Write one blob to every file that it makes; a blob of no new model is only verified.

        Raises:
            DigestError: the blob or what it expands to is not what was signed.
        """
        uses = self._uses.get(blob, [])
        if not uses:
            for _ in chunks:
                pass
            return
        plain: dict[Blob, Path] = {}
        spool = None
        for manifest, file in uses:
            path = self.path(manifest.model) / file.name
            if file.plain in plain:
                durable.write_new(path, _read(plain[file.plain]), mode=durable.READ_ONLY_MODE)
                continue
            if spool is None and file.compressed:
                spool = self._scratch / "blob.zst"
                spool.unlink(missing_ok=True)
                durable.write_new(spool, chunks, mode=0o600)
            source = _expand(spool, file, manifest) if spool else chunks
            durable.write_new(path, source, mode=durable.READ_ONLY_MODE)
            plain[file.plain] = path
        if spool:
            spool.unlink()

    def sync(self) -> None:
        """Make the names of all files durable."""
        for path in self._directory.glob("*/*"):
            durable.sync_directory(path)


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _expand(spool: Path, file: ModelFile, manifest: Manifest) -> Iterator[bytes]:
    """Yield the expanded file, never more than its signed length, and check its digest at the end."""
    what = f"{file.name!r} of {manifest.model}"
    hasher = hashlib.sha256()
    size = 0
    try:
        for chunk in _frame(spool, what):
            size += len(chunk)
            if size > file.plain.size:
                raise DigestError(f"{what} expands beyond its signed length of {file.plain.size:,} bytes")
            hasher.update(chunk)
            yield chunk
    except (zstd.ZstdError, EOFError) as error:
        raise DigestError(f"{what} is signed as a zstd frame, and is not one: {error}") from None
    if size != file.plain.size or "sha256:" + hasher.hexdigest() != file.plain.digest:
        raise DigestError(f"{what} does not expand to the {file.plain.size:,} bytes that were signed")


def _frame(spool: Path, what: str) -> Iterator[bytes]:
    """Expand exactly one frame; more of them, empty ones say, could cost time without end."""
    decompressor = zstd.ZstdDecompressor()
    with spool.open("rb") as file:
        while not decompressor.eof:
            data = file.read(_CHUNK_BYTES) if decompressor.needs_input else b""
            if decompressor.needs_input and not data:
                raise EOFError("it is cut short")
            yield decompressor.decompress(data, max_length=_CHUNK_BYTES)
        if decompressor.unused_data or file.read(1):
            raise DigestError(f"{what} is signed as one zstd frame, and more follows it")


def free_space(path: Path) -> int:
    """Return the bytes that this user may still write on the file system of `path`."""
    return shutil.disk_usage(path).free
