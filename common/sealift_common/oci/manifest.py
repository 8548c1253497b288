"""A model's OCI manifest and config, in the CNCF ModelPack form: bytes in, verified objects out.

The caller has checked the bytes against a signed digest; these checks refuse documents that are
signed and still wrong: two files under one path, a path that leaves its folder, a length that lies.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from sealift_common.blob import Blob, is_digest
from sealift_common.errors import LimitError, MalformedError, UnsafeMemberError
from sealift_common.names import ModelVersion, is_count
from sealift_common.oci import layout
from sealift_common.oci.provenance import ANNOTATION, Provenance, parse_provenance
from sealift_common.parsing import strict_json
from sealift_common.parsing.limits import LIMITS

_COUNT_DIGITS = 15
_READER = r"[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}"
_DESCRIPTOR_LISTS = ("authors", "licenses")
_MOST = {
    "model.onnx": LIMITS.graph_size_bytes,
    "model.json": LIMITS.json_size_bytes,
    "frontend.json": LIMITS.json_size_bytes,
    "golden.json": LIMITS.golden_size_bytes,
}
_FILE_TYPES = (layout.WEIGHT_TYPE, layout.WEIGHT_CONFIG_TYPE, layout.DOC_TYPE)


class ModelFile(NamedTuple):
    """One file of a model: its name, the blob that carries it, and what it is once expanded."""

    name: str
    media_type: str
    blob: Blob
    plain: Blob

    @property
    def compressed(self) -> bool:
        """Whether the blob is a zstd frame of the file."""
        return self.media_type.endswith(layout.ZSTD_SUFFIX)


class Manifest(NamedTuple):
    """A verified manifest: which blobs make which files of which model version."""

    model: ModelVersion
    digest: str
    raw: bytes
    config: Blob
    raw_config: bytes
    files: tuple[ModelFile, ...]
    descriptor: Mapping[str, Any]
    # The oldest Sealift that can read it, for people and for the format of a bundle.
    reader: str = layout.FIRST_READER
    # Of the config: "onnx" for what is run, another one for files that are only carried.
    form: str = layout.ONNX
    # Which pipeline converted it, as that one says; None where it says nothing.
    provenance: Provenance | None = None

    @property
    def newer(self) -> bool:
        """Whether the first Sealift cannot read it."""
        return self.reader != layout.FIRST_READER

    @property
    def size(self) -> int:
        """Length in bytes of all files once expanded."""
        return sum(file.plain.size for file in self.files)

    @property
    def documents(self) -> tuple[tuple[str, bytes], ...]:
        """Digest and bytes of the manifest and of its config."""
        return (self.digest, self.raw), (self.config.digest, self.raw_config)


def oldest_reader(manifests: Iterable[Manifest]) -> str:
    """Return the oldest Sealift that can read all of these, such as "0.1.0"."""
    readers = {manifest.reader for manifest in manifests} | {layout.FIRST_READER}
    return max(readers, key=lambda reader: [int(number) for number in reader.split(".")])


def index_of(manifests: Collection[Manifest], members: Mapping[str, str]) -> bytes:
    """Return the bytes of the `index.json` of a bundle with these manifests, and head members by their digests."""
    listed = ((manifest.model, manifest.digest, len(manifest.raw)) for manifest in manifests)
    return layout.index_bytes(listed, members, newer=any(manifest.newer for manifest in manifests))


class UnboundManifest(NamedTuple):
    """A manifest whose config has not been read: what it takes to find that config."""

    model: ModelVersion
    digest: str
    raw: bytes
    config: Blob
    layers: tuple[Mapping[str, Any], ...]
    reader: str
    provenance: Provenance | None = None


def parse_manifest(raw: bytes, model: ModelVersion, digest: str) -> UnboundManifest:
    """Parse the manifest of `model`, whose bytes have the signed `digest`.

    Raises:
        MalformedError, LimitError: the document is not a ModelPack manifest.
    """
    what = f"manifest of {model}"
    document = strict_json.parse(raw, what, max_size_bytes=LIMITS.oci_manifest_size_bytes)
    _expect(
        document, what, {"schemaVersion": 2, "mediaType": layout.MANIFEST_TYPE, "artifactType": layout.ARTIFACT_TYPE}
    )
    layers = document.get("layers")
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        raise MalformedError(f"{what}: 'layers' is not a list of descriptors")
    if len(layers) > LIMITS.files_per_model:
        raise LimitError(f"{what} lists {len(layers):,} files; expected at most {LIMITS.files_per_model:,}")
    config = document.get("config")
    _expect(config, f"{what}: config", {"mediaType": layout.CONFIG_TYPE})
    annotations = document.get("annotations", {})
    reader = _reader(annotations, what)
    provenance = parse_provenance(annotations[ANNOTATION], what) if ANNOTATION in annotations else None
    return UnboundManifest(model, digest, raw, _blob(config, f"{what}: config"), tuple(layers), reader, provenance)


def bind_config(manifest: UnboundManifest, raw: bytes) -> Manifest:
    """Join a manifest with its config, whose bytes have the digest that the manifest names.

    Raises:
        MalformedError, LimitError, UnsafeMemberError: the config is not a ModelPack config, names
            another model, or does not fit the manifest's layers.
    """
    what = f"config of {manifest.model}"
    document = strict_json.parse(raw, what, max_size_bytes=LIMITS.oci_config_size_bytes)
    descriptor, form, modelfs = (_object(document, key, what) for key in ("descriptor", "config", "modelfs"))
    if form.get("format") not in layout.CONFIG_FORMATS:
        found = form.get("format")
        raise MalformedError(f"{what}: 'format' is {found!r:.80}; expected one of {', '.join(layout.CONFIG_FORMATS)}")
    found = (descriptor.get("name"), descriptor.get("version"))
    expected = (manifest.model.name, str(manifest.model.version))
    if found != expected:
        raise MalformedError(f"{what} describes {found!r:.240}; expected {expected!r}, as the channel signed it")
    for key, value in descriptor.items():
        texts = value if key in _DESCRIPTOR_LISTS and isinstance(value, list) else [value]
        if not all(isinstance(text, str) for text in texts):
            raise MalformedError(f"{what}: {key[:80]!r} of 'descriptor' is not text")
    plain_digests = modelfs.get("diffIds")
    if modelfs.get("type") != "layers" or not isinstance(plain_digests, list):
        raise MalformedError(f"{what}: 'modelfs' is not of type 'layers' with 'diffIds'")
    if len(plain_digests) != len(manifest.layers):
        raise MalformedError(f"{what} has {len(plain_digests)} diffIds for {len(manifest.layers)} layers")
    files = tuple(_file(*pair, what) for pair in zip(manifest.layers, plain_digests, strict=True))
    twice = strict_json.first_twice(file.name.casefold() for file in files)
    if twice is not None:
        raise UnsafeMemberError(f"{what}: two files have the name {twice!r} on some file systems")
    return Manifest(
        manifest.model,
        manifest.digest,
        manifest.raw,
        manifest.config,
        raw,
        files,
        descriptor,
        manifest.reader,
        form["format"],
        manifest.provenance,
    )


def _reader(annotations: Any, what: str) -> str:
    reader = annotations.get(layout.READER, layout.FIRST_READER) if isinstance(annotations, dict) else None
    if reader == layout.FIRST_READER:
        return layout.FIRST_READER
    if not isinstance(reader, str) or not re.fullmatch(_READER, reader, re.ASCII):
        raise MalformedError(f"{what}: {layout.READER!r} is {reader!r:.80}; expected a version like '0.1.0'")
    return reader


def _file(layer: Mapping[str, Any], plain_digest: object, what: str) -> ModelFile:
    annotations = _object(layer, "annotations", what)
    name = annotations.get(layout.FILEPATH)
    if not isinstance(name, str) or not layout.is_file_name(name):
        raise UnsafeMemberError(f"{what}: file name {str(name)[:120]!r} is not allowed; expected one plain name")
    where = f"{what}: file {name!r}"
    # OCI tools unpack under the title.
    if annotations.get(layout.TITLE) != name:
        raise UnsafeMemberError(f"{where} has the title {annotations.get(layout.TITLE)!r:.120}; expected its name")
    media_type = layer.get("mediaType")
    if not isinstance(media_type, str) or media_type.removesuffix(layout.ZSTD_SUFFIX) not in _FILE_TYPES:
        raise MalformedError(f"{where} has the media type {media_type!r:.120}; expected one of ModelPack's raw types")
    if not isinstance(plain_digest, str) or not is_digest(plain_digest):
        raise MalformedError(f"{where} has the diffId {str(plain_digest)[:120]!r}; expected 'sha256:<hex>'")
    size = annotations.get(layout.PLAIN_SIZE)
    if not isinstance(size, str) or not is_count(size, _COUNT_DIGITS):
        raise MalformedError(f"{where} has no length in its annotation {layout.PLAIN_SIZE!r}")
    if int(size) > (most := _most(name)):
        raise LimitError(f"{where} has {int(size):,} bytes; expected at most {most:,}")
    file = ModelFile(name, media_type, _blob(layer, where), Blob(plain_digest, int(size)))
    if not file.compressed and file.blob != file.plain:
        raise MalformedError(f"{where} is not compressed, but its diffId or length differs from its blob's")
    return file


def _most(name: str) -> int:
    """Length in bytes that a file may have: all but shards of weights are read whole by somebody."""
    own = layout.own_name(name)
    if own.startswith("model.onnx.data") or name.lower().endswith(layout.WEIGHT_SUFFIXES):
        return LIMITS.file_size_bytes
    return _MOST.get(own, LIMITS.document_size_bytes)


def _blob(descriptor: Any, what: str) -> Blob:
    digest, size = descriptor.get("digest"), descriptor.get("size")
    if not is_digest(digest):
        raise MalformedError(f"{what} has the digest {str(digest)[:120]!r}; expected 'sha256:<hex>'")
    if type(size) is not int or size < 0:
        raise MalformedError(f"{what} has the size {size!r:.80}; expected a number of bytes")
    if size > LIMITS.member_size_bytes:
        raise LimitError(f"{what} has {size:,} bytes; expected at most {LIMITS.member_size_bytes:,}")
    return Blob(digest, size)


def _expect(document: Any, what: str, values: Mapping[str, object]) -> None:
    if not isinstance(document, dict):
        raise MalformedError(f"{what} is not a JSON object")
    for key, expected in values.items():
        found = document.get(key)
        # 2.0 and True are equal to numbers that they are not.
        if type(found) is not type(expected) or found != expected:
            raise MalformedError(f"{what}: {key!r} is {found!r:.120}; expected {expected!r}")


def _object(document: Any, key: str, what: str) -> Mapping[str, Any]:
    value = document.get(key) if isinstance(document, dict) else None
    if not isinstance(value, dict):
        raise MalformedError(f"{what}: {key!r} is missing or not an object")
    return value
