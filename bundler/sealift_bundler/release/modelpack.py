"""Turn a model's files into blobs, a config and an OCI manifest in the CNCF ModelPack form.

A file is stored as a zstd frame where that saves at least 10 %; the manifest then signs the
compressed digest, the config's `diffIds` the plain one, and an annotation the plain length.
"""

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import rfc8785

from sealift.errors import LimitError, UnsafeMemberError
from sealift.limits import LIMITS
from sealift.model.documents.file_set import is_graph_file
from sealift_bundler.proof.documents import oldest_reader
from sealift_common.blob import Blob
from sealift_common.files import durable, scratch
from sealift_common.names import ModelVersion
from sealift_common.oci import layout
from sealift_common.oci.layout import own_name
from sealift_common.oci.provenance import ANNOTATION, Provenance

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_WORTH_COMPRESSING = 0.9
_CHUNK_BYTES = 1024 * 1024
# Level 10 reaches nearly what 19 does on forests, in a tenth of the time; one thread, because
# the number of threads changes the bytes.
_LEVEL = 10
_WEIGHT_CONFIGS = ("model.json", "golden.json", "frontend.json")


@dataclass(frozen=True)
class Descriptor:
    """Description of a model for people; the optional fields of ModelPack's `descriptor`.

    Attributes:
        created_at: RFC 3339, for example `2026-11-23T12:00:00Z`.
        licenses: SPDX expressions.
    """

    title: str = ""
    description: str = ""
    authors: list[str] = field(default_factory=list)
    licenses: list[str] = field(default_factory=list)
    created_at: str = ""
    revision: str = ""
    vendor: str = ""
    source_url: str = ""

    def to_config(self, model: ModelVersion) -> dict[str, Any]:
        """Return the `descriptor` object; the schema is closed, and empty fields are left out."""
        fields = {
            "name": model.name,
            "version": str(model.version),
            "title": self.title,
            "description": self.description,
            "authors": self.authors,
            "licenses": self.licenses,
            "createdAt": self.created_at,
            "revision": self.revision,
            "vendor": self.vendor,
            "sourceURL": self.source_url,
        }
        return {name: value for name, value in fields.items() if value}


@dataclass(frozen=True)
class _Stored:
    digest: str
    size: int
    plain_digest: str
    plain_size: int
    compressed: bool


def write_model(
    blobs: Path,
    model: ModelVersion,
    files: Mapping[str, bytes | Path],
    descriptor: Descriptor,
    *,
    form: str = layout.ONNX,
    provenance: Provenance | None = None,
) -> Blob:
    """Write every file, the config and the manifest of `model` into `blobs` (a `blobs/sha256` folder).

    Blobs that are there already stay; nothing else is touched.

    Raises:
        UnsafeMemberError: a file name that the loader would refuse.
        LimitError: too many or too large files.
    """
    if len(files) > LIMITS.files_per_model:
        raise LimitError(f"{model} has {len(files):,} files; expected at most {LIMITS.files_per_model:,}")
    durable.make_directory(blobs)
    scratch.sweep(blobs)
    layers, plain_digests = [], []
    for name in sorted(files):
        if not layout.is_file_name(name):
            raise UnsafeMemberError(
                f"{model}: file name {name!r} is not allowed; expected letters, digits, '.', '_', '-', '+'"
            )
        # Weights hardly shrink, and what is not compressed is read, hashed and written in one pass.
        weights = name.lower().endswith(layout.WEIGHT_SUFFIXES)
        stored = _store_plain(blobs, files[name]) if weights else _store(blobs, files[name])
        layers.append(_layer(name, stored))
        plain_digests.append(stored.plain_digest)
    config = rfc8785.dumps(
        {
            "descriptor": descriptor.to_config(model),
            "config": {"format": form, "precision": "float32"} if form == layout.ONNX else {"format": form},
            "modelfs": {"type": "layers", "diffIds": plain_digests},
        }
    )
    config_ref = _put(blobs, config)
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": layout.MANIFEST_TYPE,
        "artifactType": layout.ARTIFACT_TYPE,
        "config": {"mediaType": layout.CONFIG_TYPE, "digest": config_ref.digest, "size": config_ref.size},
        "layers": layers,
    }
    annotations = {}
    reader = oldest_reader(files)
    if reader != layout.FIRST_READER:
        annotations[layout.READER] = reader
    if provenance is not None:
        annotations[ANNOTATION] = rfc8785.dumps(provenance.document()).decode()
    if annotations:
        manifest["annotations"] = annotations
    return _put(blobs, rfc8785.dumps(manifest))


def _layer(name: str, stored: _Stored) -> dict[str, Any]:
    return {
        "mediaType": _media_type(name) + (layout.ZSTD_SUFFIX if stored.compressed else ""),
        "digest": stored.digest,
        "size": stored.size,
        "annotations": {
            layout.FILEPATH: name,
            layout.TITLE: name,
            layout.PLAIN_SIZE: str(stored.plain_size),
        },
    }


def _media_type(name: str) -> str:
    if is_graph_file(name) or name.lower().endswith(layout.WEIGHT_SUFFIXES):
        return layout.WEIGHT_TYPE
    return layout.WEIGHT_CONFIG_TYPE if own_name(name) in _WEIGHT_CONFIGS else layout.DOC_TYPE


def _put(blobs: Path, data: bytes) -> Blob:
    digest = layout.sha256(data)
    path = blobs / digest.removeprefix("sha256:")
    if not path.exists():
        durable.write_file(path, data)
    return Blob(digest, len(data))


def _store_plain(blobs: Path, source: bytes | Path) -> _Stored:
    """Write one file as it is, reading it once."""
    hasher, size = hashlib.sha256(), 0
    with scratch.beside(blobs / "blob", "part", durable.FILE_MODE) as made:
        for chunk in _chunks(source):
            size += _write(made.file, hasher, chunk)
        digest = "sha256:" + hasher.hexdigest()
        path = blobs / digest.removeprefix("sha256:")
        if not path.exists():
            made.file.flush()
            os.fsync(made.file.fileno())
            durable.move(made.path, path)
    return _Stored(digest, size, digest, size, compressed=False)


def _store(blobs: Path, source: bytes | Path) -> _Stored:
    """Write one file as the smaller of itself and its zstd frame, reading it in chunks."""
    plain, packed = hashlib.sha256(), hashlib.sha256()
    plain_size = packed_size = 0
    compressor = zstd.ZstdCompressor(level=_LEVEL)
    with scratch.beside(blobs / "blob", "part", durable.FILE_MODE) as made:
        for chunk in _chunks(source):
            plain.update(chunk)
            plain_size += len(chunk)
            packed_size += _write(made.file, packed, compressor.compress(chunk))
        packed_size += _write(made.file, packed, compressor.flush())
        compressed = packed_size <= plain_size * _WORTH_COMPRESSING
        digest = "sha256:" + (packed if compressed else plain).hexdigest()
        path = blobs / digest.removeprefix("sha256:")
        if not path.exists():
            if not compressed:
                made.file.seek(0)
                made.file.truncate()
                for chunk in _chunks(source):
                    made.file.write(chunk)
            made.file.flush()
            os.fsync(made.file.fileno())
            durable.move(made.path, path)
    return _Stored(
        digest, packed_size if compressed else plain_size, "sha256:" + plain.hexdigest(), plain_size, compressed
    )


def _write(out: BinaryIO, hasher: Any, data: bytes) -> int:
    hasher.update(data)
    return out.write(data)


def _chunks(source: bytes | Path) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
