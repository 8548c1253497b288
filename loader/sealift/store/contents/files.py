"""Read a model's files out of the store and check each against the manifest, in one pass.

The bytes that were hashed are the bytes that are returned: no path is opened twice. Opening goes
from directory descriptor to directory descriptor without following a link, so that a model
directory swapped for a link leads nowhere.
"""

import hashlib
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from sealift import plain_file
from sealift.errors import CorruptError, Error
from sealift.limits import LIMITS
from sealift.model.documents.file_set import is_graph_file
from sealift.model.runtime.sealed import SEALED_FROM_BYTES, SealedFile
from sealift.store.contents.layout import StoreLayout
from sealift_common.blob import Blob
from sealift_common.names import ModelVersion
from sealift_common.oci.manifest import Manifest, ModelFile, bind_config, parse_manifest

_CHUNK_BYTES = 1024 * 1024
_LARGEST_READ_BYTES = 1 << 30
# What every message about damage ends with.
REPAIR = "install its bundle again to repair it"


def read_manifest(layout: StoreLayout, model: ModelVersion, signed: Blob) -> Manifest:
    """Read the manifest and config of `model`, whose manifest has the `signed` digest and length.

    Raises:
        CorruptError: a file is missing or is not what was signed.
    """
    raw = _read_document(layout, signed, f"the manifest of {model}")
    try:
        unbound = parse_manifest(raw, model, signed.digest)
        return bind_config(unbound, _read_document(layout, unbound.config, f"the config of {model}"))
    except CorruptError:
        raise
    except Error as error:
        raise CorruptError(f"the store's manifest of {model} is not usable: {error}") from None


def read_files(layout: StoreLayout, manifest: Manifest, names: Collection[str] | None = None) -> dict[str, bytes]:
    """Return the verified content of the model's files (all of them, or those in `names`).

    Raises:
        CorruptError: a file is missing, is not a plain file, or is not what was signed.
    """
    with _directory(layout.model(manifest.model), manifest) as descriptor:
        wanted = (file for file in manifest.files if names is None or file.name in names)
        return {file.name: _read_whole(descriptor, file, manifest) for file in wanted}


def seal_files(layout: StoreLayout, manifest: Manifest) -> dict[str, bytes | SealedFile]:
    """Return the verified content of all files of the model: large graphs and weights in sealed memory.

    Shards are hashed several at once.

    Raises:
        CorruptError: as `read_files`.
    """
    with _directory(layout.model(manifest.model), manifest) as descriptor:
        large = [file for file in manifest.files if _is_large(file)]
        contents: dict[str, bytes | SealedFile] = {
            file.name: _read_whole(descriptor, file, manifest) for file in manifest.files if file not in large
        }
        if len(large) == 1:
            contents[large[0].name] = _seal(descriptor, large[0], manifest)
        elif large:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(min(len(large), len(os.sched_getaffinity(0)))) as pool:
                sealed = pool.map(lambda file: _seal(descriptor, file, manifest), large)
                contents.update(zip((file.name for file in large), sealed, strict=True))
    return contents


def _is_large(file: ModelFile) -> bool:
    return is_graph_file(file.name) and file.plain.size >= SEALED_FROM_BYTES


def _read_whole(directory: int, file: ModelFile, manifest: Manifest) -> bytes:
    # In one read where the file allows it: joining parts would need the memory twice.
    parts = list(_chunks(directory, file, manifest, _LARGEST_READ_BYTES))
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    _require_digest(hashlib.sha256(data).hexdigest(), file, manifest)
    return data


def _seal(directory: int, file: ModelFile, manifest: Manifest) -> SealedFile:
    with _opened(directory, file, manifest) as opened:
        try:
            sealed = SealedFile.copy(opened.fileno(), file.plain.size, file.name)
        except EOFError:
            raise CorruptError(f"{file.name!r} of {manifest.model} was cut short while it was read; {REPAIR}") from None
    _require_digest(sealed.sha256(), file, manifest)
    return sealed


def check_files(layout: StoreLayout, manifest: Manifest) -> None:
    """Check every file of the model, and that there is no other, without keeping any in memory.

    Raises:
        CorruptError: as `read_files`.
    """
    for file in manifest.files:
        check_file(layout, manifest, file)
    for stranger in strangers(layout, manifest):
        raise CorruptError(f"the directory of {manifest.model} holds a file that was not signed: {stranger!r}")


def check_file(layout: StoreLayout, manifest: Manifest, file: ModelFile) -> None:
    """Check one file of the model, a chunk at a time.

    Raises:
        CorruptError: as `read_files`.
    """
    for _ in verified_chunks(layout, manifest, file):
        pass


def verified_chunks(layout: StoreLayout, manifest: Manifest, file: ModelFile) -> Iterator[bytes]:
    """Yield one file of the model; after the last chunk, compare it with its digest.

    The caller must not use what it got before the iteration ended without an error.

    Raises:
        CorruptError: as `read_files`.
    """
    with _directory(layout.model(manifest.model), manifest) as descriptor:
        hasher = hashlib.sha256()
        for chunk in _chunks(descriptor, file, manifest):
            hasher.update(chunk)
            yield chunk
        _require_digest(hasher.hexdigest(), file, manifest)


def strangers(layout: StoreLayout, manifest: Manifest) -> list[str]:
    """Return the names in the model's directory that the manifest does not list.

    Raises:
        CorruptError: there is no such directory.
    """
    with _directory(layout.model(manifest.model), manifest) as descriptor:
        return sorted(set(os.listdir(descriptor)) - {file.name for file in manifest.files})


@contextmanager
def _directory(path: Path, manifest: Manifest) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        parent = os.open(path.parent, flags)
        try:
            descriptor = os.open(path.name, flags, dir_fd=parent)
        finally:
            os.close(parent)
    except OSError as error:
        raise CorruptError(f"the directory of {manifest.model} cannot be opened: {error.strerror}; {REPAIR}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _chunks(directory: int, file: ModelFile, manifest: Manifest, most: int = _CHUNK_BYTES) -> Iterator[bytes]:
    with _opened(directory, file, manifest) as opened:
        left = file.plain.size
        while left and (chunk := opened.read(min(left, most))):
            left -= len(chunk)
            yield chunk


def _opened(directory: int, file: ModelFile, manifest: Manifest) -> FileIO:
    what = f"{file.name!r} of {manifest.model}"
    try:
        descriptor = os.open(file.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError as error:
        raise CorruptError(f"{what} cannot be opened: {error.strerror}; {REPAIR}") from None
    status = os.fstat(descriptor)
    wrong = (
        "is not a plain file"
        if not stat.S_ISREG(status.st_mode)
        else f"has {status.st_size:,} bytes; {file.plain.size:,} were signed"
        if status.st_size != file.plain.size
        else None
    )
    if wrong is not None:
        os.close(descriptor)
        raise CorruptError(f"{what} {wrong}; {REPAIR}")
    return FileIO(descriptor, "rb")


def _require_digest(found: str, file: ModelFile, manifest: Manifest) -> None:
    if "sha256:" + found != file.plain.digest:
        raise CorruptError(
            f"{file.name!r} of {manifest.model} was changed in the store: expected {file.plain.digest}, "
            f"got sha256:{found}; {REPAIR}"
        )


def check_document(path: Path) -> None:
    """Check a manifest or config against the digest that is its name.

    Raises:
        CorruptError: it is not a plain file, or has other content.
    """
    what = f"'{path.parent.name}/{path.name}'"
    try:
        data = plain_file.read(path, LIMITS.oci_manifest_size_bytes)
    except OSError as error:
        raise CorruptError(f"{what} cannot be read: {error.strerror}; {REPAIR}") from None
    if hashlib.sha256(data).hexdigest() != path.stem:
        raise CorruptError(f"{what} was changed in the store; {REPAIR}")


def _read_document(layout: StoreLayout, blob: Blob, what: str) -> bytes:
    try:
        data = plain_file.read(layout.manifest(blob.digest), blob.size)
    except OSError as error:
        raise CorruptError(f"{what} is missing from the store ({error.strerror}); {REPAIR}") from None
    if len(data) != blob.size or "sha256:" + hashlib.sha256(data).hexdigest() != blob.digest:
        raise CorruptError(f"{what} was changed in the store; {REPAIR}")
    return data
