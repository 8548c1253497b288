"""Build model directories in staging, from blobs that arrive in order and may be shared by several files.

Nothing is expanded before its compressed bytes matched a signed digest, nothing expands beyond its
signed length, and every file is synced before its directory may be moved into place. Files are created from
directory descriptor to directory descriptor, without following a link and without replacing anything.
"""

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from sealift.store.guard.room import full_disk
from sealift_common.blob import Blob
from sealift_common.files import durable
from sealift_common.names import ModelVersion
from sealift_common.oci.compression import expand
from sealift_common.oci.manifest import Manifest, ModelFile

_CHUNK_BYTES = 1024 * 1024
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SPOOL = "blob.zst"
# Larger files are synced when they are written, so that the disk works while the next one is read.
_SYNCED_TOGETHER_BYTES = 1024 * 1024

# A file of a new model: which model, and which of its files.
Use = tuple[Manifest, ModelFile]


class Staging:
    """Writes the files of `manifests` below `directory`.

    Args:
        directory: private to this install, on the store's file system.
        scratch: where compressed blobs wait until their digest is known to be right.
    """

    def __init__(self, directory: Path, scratch: Path, manifests: Iterable[Manifest]) -> None:
        self._directory = directory
        self._scratch = scratch
        # The files of each model that wait for `sync`.
        self._models: dict[ModelVersion, list[str]] = {}
        self._uses: dict[Blob, list[Use]] = defaultdict(list)
        # For patches, which name a blob by its digest alone: a bundle may hold tens of thousands.
        self._uses_of_digest: dict[str, list[Use]] = defaultdict(list)
        durable.make_directory(directory)
        for manifest in manifests:
            self._make(manifest.model)
            for file in manifest.files:
                self._uses[file.blob].append((manifest, file))
                self._uses_of_digest[file.blob.digest].append((manifest, file))

    @property
    def wanted(self) -> Collection[Blob]:
        """The blobs that make files of new models."""
        return self._uses.keys()

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
        elif any(file.compressed for _, file in uses):
            self._take_compressed(uses, chunks)
        else:
            self.write_all(uses, chunks)

    def uses(self, blob: str) -> list[Use]:
        """Return the new files that the blob of this digest makes."""
        return self._uses_of_digest.get(blob, [])

    def write_all(self, uses: list[Use], chunks: Iterable[bytes]) -> None:
        """Write the same content to several files."""
        first, *copies = uses
        self._write(first, chunks)
        for use in copies:
            self._write(use, self._read(first))

    def write(self, manifest: Manifest, file: ModelFile, chunks: Iterable[bytes]) -> None:
        """Write one file; an error while `chunks` is read leaves none."""
        self._write((manifest, file), chunks)

    def sync(self) -> None:
        """Make the content of all files durable, and their names."""
        with durable.syncing() as waiting:
            for model, names in self._models.items():
                with self._opened(model) as directory:
                    for name in names:
                        waiting.add(os.open(name, _FILE, dir_fd=directory))
                    waiting.add(os.open(".", _DIRECTORY, dir_fd=directory))

    def _take_compressed(self, uses: list[Use], chunks: Iterator[bytes]) -> None:
        """Spool the frame until its digest is known to be right, then expand it; one frame may be several files."""
        with ExitStack() as stack:
            scratch = os.open(self._scratch, _DIRECTORY)
            stack.callback(os.close, scratch)
            with self._spooling():
                durable.write_new(_SPOOL, chunks, mode=0o600, directory=scratch, sync=False)
            stack.callback(os.unlink, _SPOOL, dir_fd=scratch)
            for manifest, file in uses:
                what = f"{file.name!r} of {manifest.model}"
                frame = _chunks(_SPOOL, scratch)
                self._write((manifest, file), expand(frame, file.plain, what) if file.compressed else frame)

    @contextmanager
    def _spooling(self) -> Iterator[None]:
        elsewhere = self._scratch.stat().st_dev != self._directory.stat().st_dev
        # The folder is ours alone, and gone when somebody reads this.
        with full_disk(self._scratch.parent) if elsewhere else nullcontext():
            yield

    def _make(self, model: ModelVersion) -> None:
        with ExitStack() as stack:
            parent = os.open(self._directory, _DIRECTORY)
            stack.callback(os.close, parent)
            for name in (model.name, str(model.version)):
                try:
                    os.mkdir(name, durable.DIRECTORY_MODE, dir_fd=parent)
                except FileExistsError:  # another version of this model made the first of the two
                    if name != model.name:
                        raise
                parent = os.open(name, _DIRECTORY, dir_fd=parent)
                stack.callback(os.close, parent)
                os.fchmod(parent, durable.DIRECTORY_MODE)
        self._models[model] = []

    @contextmanager
    def _opened(self, model: ModelVersion) -> Iterator[int]:
        with ExitStack() as stack:
            descriptor = os.open(self._directory, _DIRECTORY)
            stack.callback(os.close, descriptor)
            for name in (model.name, str(model.version)):
                descriptor = os.open(name, _DIRECTORY, dir_fd=descriptor)
                stack.callback(os.close, descriptor)
            yield descriptor

    def _write(self, use: Use, chunks: Iterable[bytes]) -> None:
        manifest, file = use
        now = file.plain.size > _SYNCED_TOGETHER_BYTES
        with self._opened(manifest.model) as directory:
            durable.write_new(file.name, chunks, mode=durable.READ_ONLY_MODE, directory=directory, sync=now)
        if not now:
            self._models[manifest.model].append(file.name)

    def read(self, manifest: Manifest, file: ModelFile) -> Iterator[bytes]:
        """Yield a file that was written."""
        return self._read((manifest, file))

    def _read(self, use: Use) -> Iterator[bytes]:
        manifest, file = use
        with self._opened(manifest.model) as directory:
            yield from _chunks(file.name, directory)


def _chunks(name: str, directory: int) -> Iterator[bytes]:
    # Opened here and not by the caller: a generator that is never begun has nothing to close.
    descriptor = os.open(name, _FILE, dir_fd=directory)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
