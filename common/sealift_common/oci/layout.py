"""Names, media types and the fixed documents of a bundle, shared by the reader and the packer.

OCI image layout 1.0; the CNCF ModelPack media types for models. Pure.
"""

import hashlib
import json
import re
import string
from collections.abc import Iterable, Mapping

from sealift_common.names import ModelVersion, holds_only
from sealift_common.parsing.limits import LIMITS

FORMAT = "1"
# A bundle that leaves out what its base has; a reader of the first format must refuse it.
DIFFERENTIAL_FORMAT = "2"
# A bundle of either kind that carries a version which Sealift 0.1.0 cannot read: it says so before anything else.
NEWER_FORMAT = "3"
FORMATS = (FORMAT, DIFFERENTIAL_FORMAT, NEWER_FORMAT)

OCI_LAYOUT = "oci-layout"
INDEX = "index.json"
MANIFEST_MD = "MANIFEST.md"
BASE = "base.json"
PATCHES = "patches/sha256/"
OCI_LAYOUT_BYTES = b'{"imageLayoutVersion":"1.0.0"}'
TUF_ROLES = ("timestamp", "snapshot", "targets")

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
ARTIFACT_TYPE = "application/vnd.cncf.model.manifest.v1+json"
CONFIG_TYPE = "application/vnd.cncf.model.config.v1+json"
WEIGHT_TYPE = "application/vnd.cncf.model.weight.v1.raw"
WEIGHT_CONFIG_TYPE = "application/vnd.cncf.model.weight.config.v1.raw"
DOC_TYPE = "application/vnd.cncf.model.doc.v1.raw"
ZSTD_SUFFIX = "+zstd"

# What a config says that its files are, in ModelPack's words where it has one.
ONNX = "onnx"
CONFIG_FORMATS = (ONNX, "safetensors", "gguf", "files")
# Files that nobody reads whole, and that may be as large as shards of weights.
WEIGHT_SUFFIXES = (".safetensors", ".gguf")

FILEPATH = "org.cncf.model.filepath"
TITLE = "org.opencontainers.image.title"
REF_NAME = "org.opencontainers.image.ref.name"
# The length of a file after decompression, signed with the manifest, so that expanding is bounded.
PLAIN_SIZE = "io.sealift.file.size"
# The oldest Sealift that can read a version, in its manifest; absent where that is FIRST_READER.
READER = "io.sealift.reader"
FIRST_READER = "0.1.0"
BUNDLE_FORMAT = "io.sealift.bundle.format"
MEMBER_DIGEST = "io.sealift.member."

# A file of a model: one folder, no hidden files, nothing that a shell or another file system reads
# differently. Lower and upper case may not collide; `manifest.py` checks that across files.
_FILE_NAME = string.ascii_letters + string.digits + "._+-"
# Devices on Windows, whatever follows a dot: a bundle is also looked at there.
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(port + digit for port in ("com", "lpt") for digit in string.digits)]
)

# Of one of several graphs, a file has the name of the graph before its own.
_OWN = r"(?:([a-z0-9][a-z0-9_-]*)\.)?((?:model|golden|frontend)\.json|model\.onnx(?:\.data(?:\.[1-9][0-9]*)?)?)"
# What most models have, and no more: the pattern is compiled where a name needs it.
_ALONE = frozenset(["model.json", "golden.json", "frontend.json", "model.onnx", "model.onnx.data"])
_ENDS = (".json", ".onnx")


def of_graph(name: str) -> tuple[str, str] | None:
    """Return the graph of one of Sealift's own files, "" for a single one, and the name without it; None for others."""
    if name in _ALONE:
        return "", name
    if not name.endswith(_ENDS) and ".onnx." not in name:
        return None
    match = re.fullmatch(_OWN, name, re.ASCII)
    return None if match is None else (match[1] or "", match[2])


def own_name(name: str) -> str:
    """Return the name of one of Sealift's own files without that of its graph; any other name as it is."""
    found = of_graph(name)
    return name if found is None else found[1]


def sha256(data: bytes) -> str:
    """Return `sha256:<hex>` of `data`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def is_file_name(text: object) -> bool:
    """Return whether `text` may name a file of a model."""
    if not isinstance(text, str) or not 0 < len(text) <= LIMITS.path_chars:
        return False
    if not holds_only(text, _FILE_NAME) or text[0] in ".+-" or text[-1] == ".":
        return False
    return text.partition(".")[0].lower() not in _DEVICES


def blob_name(digest: str) -> str:
    """Return the member that holds the bytes of `digest`."""
    return "blobs/sha256/" + digest.removeprefix("sha256:")


def root_name(version: int) -> str:
    """Return the member that holds version `version` of the channel's root."""
    return f"tuf/{version}.root.json"


def role_name(role: str) -> str:
    """Return the member that holds the metadata of `role`."""
    return f"tuf/{role}.json"


def index_document(
    models: Iterable[tuple[ModelVersion, str, int]], members: Mapping[str, str], *, newer: bool = False
) -> dict[str, object]:
    """Return what `index.json` says: one descriptor per (model version, digest, size), one digest per head member.

    The members say which format it is: only a differential bundle has `base.json`; and so does `newer`, whether a
    version needs a newer Sealift than the first.
    Nobody trusts it; it lets stock OCI tools find the models, and shows accidental damage by name.
    """
    version = NEWER_FORMAT if newer else DIFFERENTIAL_FORMAT if BASE in members else FORMAT
    return {
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "manifests": [
            {
                "mediaType": MANIFEST_TYPE,
                "artifactType": ARTIFACT_TYPE,
                "digest": digest,
                "size": size,
                "annotations": {REF_NAME: model.reference},
            }
            for model, digest, size in sorted(models)
        ],
        "annotations": {BUNDLE_FORMAT: version, **{MEMBER_DIGEST + name: members[name] for name in sorted(members)}},
    }


def index_bytes(
    models: Iterable[tuple[ModelVersion, str, int]], members: Mapping[str, str], *, newer: bool = False
) -> bytes:
    """Return the bytes of `index.json`: sorted keys, no spaces; it holds only ASCII strings and integers."""
    document = index_document(models, members, newer=newer)
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")
