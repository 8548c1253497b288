"""An image below the models: what KServe starts in a modelcar, which has nothing of its own to start.

Source: KServe's storage initializer. It gives the container of a model arguments and no command: `sh -c` with `ls` in
an init container, and with `ln` and `sleep infinity` in the one that stays. An entry point would take them for its own.
"""

import hashlib
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealift.errors import LimitError, MalformedError, UsageError
from sealift_common.blob import Blob, is_digest
from sealift_common.oci import layout
from sealift_common.parsing.strict_json import parse

PROGRAMS = ("sh", "ls", "ln", "sleep")
_PLACES = ("bin/", "usr/bin/", "usr/local/bin/")
_LAYERS = ("application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip")
_DOCUMENT_BYTES = 1024 * 1024
_MEMBERS = 200_000
_UNPACKED_BYTES = 4 * 1024**3
_CHUNK_BYTES = 1024 * 1024
_HOW = "write it with: skopeo copy docker://IMAGE oci:DIR"


@dataclass(frozen=True)
class BaseImage:
    """An image that was looked through.

    Attributes:
        digest: of its manifest.
        config: its configuration, as it is there.
        layers: descriptors of its manifest, the lowest first.
        files: where each layer lies.
    """

    digest: str
    config: dict[str, Any]
    layers: tuple[dict[str, Any], ...]
    files: dict[Blob, Path]


def read_base(folder: Path) -> BaseImage:
    """Read an OCI image layout of one image.

    Raises:
        UsageError: it is none, holds several images, was damaged, lacks a program that KServe starts, or has a folder
            /models already.
    """
    index = _object(_parsed(_data(folder / layout.INDEX), folder / layout.INDEX), layout.INDEX)
    entries = index.get("manifests")
    if (
        not isinstance(entries, list)
        or len(entries) != 1
        or _object(entries[0], "entry").get("mediaType") != (layout.MANIFEST_TYPE)
    ):
        raise UsageError(f"the base {str(folder)!r} is not one image of one architecture; {_HOW}")
    digest, document = _blob_document(folder, entries[0])
    config_entry, layers = document.get("config"), document.get("layers")
    if not isinstance(layers, list) or not layers:
        raise UsageError(f"the base {str(folder)!r} has no layers; {_HOW}")
    config = _blob_document(folder, _object(config_entry, "config"))[1]
    names: set[str] = set()
    files: dict[Blob, Path] = {}
    kept = []
    for entry in layers:
        blob, path = _file(folder, _object(entry, "layer"))
        if entry.get("mediaType") not in _LAYERS:
            raise UsageError(
                f"a layer of the base is {entry.get('mediaType')!r:.80}; expected one of {', '.join(_LAYERS)}"
            )
        names |= _names(path)
        files[blob] = path
        kept.append({"mediaType": entry["mediaType"], "digest": blob.digest, "size": blob.size})
    _check_content(names, folder)
    diff_ids = _object(config.get("rootfs"), "rootfs").get("diff_ids")
    if not isinstance(diff_ids, list) or len(diff_ids) != len(kept) or not all(map(is_digest, diff_ids)):
        raise UsageError(f"the configuration of the base names other layers than its manifest; {_HOW}")
    return BaseImage(digest, config, tuple(kept), files)


def _check_content(names: set[str], folder: Path) -> None:
    lacks = [one for one in PROGRAMS if not any(place + one in names for place in _PLACES)]
    if lacks:
        raise UsageError(
            f"the base {str(folder)!r} has no {', '.join(lacks)}, which KServe starts in it; take one with a shell, "
            "such as busybox"
        )
    if any(name == "models" or name.startswith("models/") for name in names):
        raise UsageError(f"the base {str(folder)!r} has a folder /models already; take one without")


def _names(path: Path) -> set[str]:
    """Return the names in a layer, without what leads to the top."""
    found, unpacked = set(), 0
    try:
        with tarfile.open(path, "r|*") as tar:
            for member in tar:
                found.add(os.path.normpath(member.name).lstrip("/"))
                unpacked += member.size
                if len(found) > _MEMBERS or unpacked > _UNPACKED_BYTES:
                    raise UsageError(f"a layer of the base has over {_MEMBERS:,} files or 4 GiB; take a smaller one")
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise UsageError(f"the layer {str(path)!r} of the base is not a tar: {str(error)[:200]}; {_HOW}") from None
    return found


def _blob_document(folder: Path, entry: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    said, path = _descriptor(folder, entry)
    data = _data(path)
    _require(path, said, Blob(layout.sha256(data), len(data)))
    return said.digest, _object(_parsed(data, path), path.name)


def _file(folder: Path, entry: dict[str, Any]) -> tuple[Blob, Path]:
    """Return a blob whose bytes are what its descriptor says."""
    said, path = _descriptor(folder, entry)
    hasher, count = hashlib.sha256(), 0
    for chunk in _chunks(path):
        hasher.update(chunk)
        count += len(chunk)
    _require(path, said, Blob(f"sha256:{hasher.hexdigest()}", count))
    return said, path


def _descriptor(folder: Path, entry: dict[str, Any]) -> tuple[Blob, Path]:
    digest, size = entry.get("digest"), entry.get("size")
    if not is_digest(digest) or type(size) is not int:
        raise UsageError(f"a descriptor of the base has digest {digest!r:.80} and size {size!r:.40}; {_HOW}")
    return Blob(str(digest), size), folder / layout.blob_name(str(digest))


def _require(path: Path, said: Blob, found: Blob) -> None:
    if found != said:
        raise UsageError(
            f"{str(path)!r} of the base was damaged: expected {said.size:,} bytes of {said.digest}, "
            f"got {found.size:,} of {found.digest}; copy it again"
        )


def _parsed(data: bytes, path: Path) -> object:
    try:
        return parse(data, path.name, max_size_bytes=_DOCUMENT_BYTES)
    except (LimitError, MalformedError) as error:
        raise UsageError(f"the base: {error}; {_HOW}") from None


def _data(path: Path) -> bytes:
    """Return the bytes of a document, or one byte too many."""
    data = b""
    for chunk in _chunks(path):
        data += chunk
        if len(data) > _DOCUMENT_BYTES:
            break
    return data


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"{str(path)!r} of the base cannot be opened: {error.strerror}; {_HOW}") from None
    with os.fdopen(descriptor, "rb", buffering=0) as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UsageError(f"{str(path)!r} of the base is not a plain file; {_HOW}")
        while chunk := opened.read(_CHUNK_BYTES):
            yield chunk


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"the {what} of the base is {value!r:.80}; expected an object")
    return value
