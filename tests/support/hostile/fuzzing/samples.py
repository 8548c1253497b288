"""A good bundle and what it is made of, from which several targets depart."""

import io
import sys
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from support.release.channel_simulator import ChannelSimulator

from sealift.bundle.archive import Archive
from sealift.bundle.reader import read_contents, read_head
from sealift.inspection import claims as inspect
from sealift_common.names import ModelVersion
from sealift_common.oci.manifest import Manifest, bind_config, parse_manifest

if sys.version_info >= (3, 14):
    pass
else:
    pass


MODEL = ModelVersion.parse("toy", "1.0.0")

SHA = "sha256:" + "0" * 64

OLD = bytes(range(256)) * 4

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@cache
def good() -> tuple[bytes, dict[str, bytes], bytes, bytes]:
    """A good bundle, its metadata by file name, and its manifest and config."""
    with tempfile.TemporaryDirectory() as directory:
        channel = ChannelSimulator(Path(directory) / "channel", now=NOW)
        channel.add()
        channel.release()
        data = channel.pack_anything(Path(directory) / "x.tar").read_bytes()
    archive = Archive(io.BytesIO(data))
    head = read_head(archive)
    manifest = read_contents(archive, head, inspect.claims(head).release.models).manifests[0]
    return data, dict(head.metadata), manifest.raw, manifest.raw_config


@cache
def good_manifest() -> Manifest:
    _, _, raw, raw_config = good()
    return bind_config(parse_manifest(raw, MODEL, "sha256:" + "0" * 64), raw_config)
