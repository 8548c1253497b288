"""The form of a release in an OCI registry: one artifact manifest whose layers are the head of its bundle. Pure.

Models lie next to it as they are in the bundle: manifests, configs and file blobs under their own digests. Nothing here
is trusted: the head is checked as that of a file is, and models are found by signed digests.
"""

import json
from collections.abc import Mapping
from typing import Any

from sealift.errors import LimitError, MalformedError
from sealift.limits import LIMITS
from sealift_common.blob import Blob, is_digest
from sealift_common.oci import layout
from sealift_common.parsing import strict_json

ARTIFACT_TYPE = "application/vnd.sealift.bundle.v1+json"
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
EMPTY_CONFIG = b"{}"
_LAYER_TYPES = {".json": "application/json", ".md": "text/markdown"}
_HEAD_MEMBERS = LIMITS.root_rotations + len(layout.TUF_ROLES) + 2


def artifact_bytes(members: Mapping[str, bytes], annotations: Mapping[str, str]) -> bytes:
    """Return the artifact manifest for the head of a bundle.

    Args:
        members: name to bytes, in the order in which a bundle holds them, without `oci-layout`.
    """
    document = {
        "schemaVersion": 2,
        "mediaType": layout.MANIFEST_TYPE,
        "artifactType": ARTIFACT_TYPE,
        "config": _descriptor(_EMPTY_TYPE, EMPTY_CONFIG),
        "layers": [
            {
                **_descriptor(_LAYER_TYPES[name[name.rindex(".") :]], data),
                # A plain name, for tools that unpack under it.
                "annotations": {layout.TITLE: name.removeprefix("tuf/")},
            }
            for name, data in members.items()
        ],
        "annotations": dict(annotations),
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def parse_artifact(raw: bytes, what: str) -> list[tuple[str, Blob]]:
    """Return the members of the head in order, each with the blob that carries it.

    Raises:
        MalformedError, LimitError: it is not the artifact of a release.
    """
    document = strict_json.parse(raw, what, max_size_bytes=LIMITS.oci_manifest_size_bytes)
    kind = document.get("artifactType") if isinstance(document, dict) else None
    if kind != ARTIFACT_TYPE:
        raise MalformedError(
            f"{what} is not a release of Sealift: expected artifactType {ARTIFACT_TYPE!r}, "
            + ("got none, as images have" if kind is None else f"got {kind!r:.120}")
        )
    layers = document.get("layers")
    if not isinstance(layers, list):
        raise MalformedError(f"{what}: 'layers' is not a list")
    if len(layers) > _HEAD_MEMBERS:
        raise LimitError(f"{what} lists {len(layers):,} layers; expected at most {_HEAD_MEMBERS:,}")
    return [_member(layer, what) for layer in layers]


def _descriptor(media_type: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": layout.sha256(data), "size": len(data)}


def _member(layer: Any, what: str) -> tuple[str, Blob]:
    annotations = layer.get("annotations") if isinstance(layer, dict) else None
    title = annotations.get(layout.TITLE) if isinstance(annotations, dict) else None
    digest, size = (layer.get("digest"), layer.get("size")) if isinstance(layer, dict) else (None, None)
    if not isinstance(title, str) or not isinstance(digest, str) or not is_digest(digest):
        raise MalformedError(f"{what}: a layer has no title or no digest")
    if type(size) is not int or not 0 <= size <= LIMITS.index_size_bytes:
        raise MalformedError(f"{what}: layer {title[:120]!r} has the size {size!r:.80}")
    name = title if title in (layout.INDEX, layout.MANIFEST_MD) else f"tuf/{title}"
    return name, Blob(digest, size)
