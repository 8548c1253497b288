"""Config and manifest of an image whose last layer holds a store (OCI image specification 1.0). Pure."""

import json
import platform
from datetime import datetime

from sealift.errors import UsageError
from sealift.publish.base_image import BaseImage
from sealift.registry.tags import annotations
from sealift_common.blob import Blob
from sealift_common.clock import rfc3339
from sealift_common.metadata.release_document import Release
from sealift_common.oci import layout

_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_BASE = "org.opencontainers.image.base.digest"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def config_bytes(layer: Blob, created: datetime, base: BaseImage | None = None) -> bytes:
    """Return the config of an image: for this machine's architecture, or for that of the image below it.

    Raises:
        UsageError: images have no name for it.
    """
    if base is not None:
        # Without what it starts by itself: KServe's arguments would go to it. Its history counts other layers.
        kept = {name: value for name, value in base.config.items() if name != "history"}
        runs = {name: value for name, value in (kept.get("config") or {}).items() if name not in ("Cmd", "Entrypoint")}
        layers = {"type": "layers", "diff_ids": [*base.config["rootfs"]["diff_ids"], layer.digest]}
        return to_json({**kept, "created": rfc3339(created), "config": runs, "rootfs": layers})
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise UsageError(f"no name for the architecture {machine!r} in an image; expected {', '.join(_ARCHITECTURES)}")
    return to_json(
        {
            "architecture": _ARCHITECTURES[machine],
            "os": "linux",
            "created": rfc3339(created),
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
        }
    )


def manifest_bytes(config: bytes, layer: Blob, release: Release, base: BaseImage | None = None) -> bytes:
    """Return the manifest of an image; its annotations name the channel and the release, and what it stands on."""
    below = [] if base is None else list(base.layers)
    stands_on = {} if base is None else {_BASE: base.digest}
    return to_json(
        {
            "schemaVersion": 2,
            "mediaType": layout.MANIFEST_TYPE,
            "config": {"mediaType": _CONFIG_TYPE, "digest": layout.sha256(config), "size": len(config)},
            "layers": [*below, {"mediaType": _LAYER_TYPE, "digest": layer.digest, "size": layer.size}],
            "annotations": {**annotations(release.channel, release.number, rfc3339(release.released)), **stands_on},
        }
    )


def to_json(document: object) -> bytes:
    """Write a document in one way only: sorted keys, no spaces."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")
