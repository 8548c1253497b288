"""A few model versions that every instance of these tests has in its store already, so that no bundle carries any."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from sealift.store.contents.layout import StoreLayout
from sealift.testing import ToyModel
from sealift.testing.channel import ToyChannel
from sealift.testing.documents import to_json
from sealift_common.blob import Blob
from sealift_common.names import ModelVersion
from sealift_common.oci.manifest import Manifest

_VERSIONS = [ModelVersion.parse("toy", f"1.{minor}.0") for minor in range(6)]


@cache
def _files(model: ModelVersion) -> Mapping[str, bytes]:
    return ToyModel(version=str(model.version)).files(model.name)


@cache
def _manifests() -> Mapping[ModelVersion, Manifest]:
    channel = ToyChannel("lives")
    for model in _VERSIONS:
        channel.add(model, _files(model))
    return channel._manifests


@cache
def _others() -> Mapping[ModelVersion, tuple[bytes, bytes]]:
    """Manifest and config that name the same files under another title: what a thief puts under an old version."""
    made = {}
    for model, manifest in _manifests().items():
        config = json.loads(manifest.raw_config)
        config["descriptor"]["title"] = "another"
        raw_config = to_json(config)
        document = json.loads(manifest.raw)
        document["config"] |= {"digest": _blob(raw_config).digest, "size": len(raw_config)}
        made[model] = (to_json(document), raw_config)
    return made


def _blob(data: bytes) -> Blob:
    from sealift_common.oci.layout import sha256

    return Blob(sha256(data), len(data))


MODELS = {model: Blob(manifest.digest, len(manifest.raw)) for model, manifest in _manifests().items()}
OTHERS = {model: _blob(raw) for model, (raw, _) in _others().items()}


def put_into(layout: StoreLayout) -> None:
    """Lay down all versions, and both manifests of each, as earlier installs would have left them."""
    layout.manifests.mkdir(parents=True)
    for model, manifest in _manifests().items():
        directory = layout.model(model)
        directory.mkdir(parents=True)
        for name, data in _files(model).items():
            (directory / name).write_bytes(data)
        for data in (manifest.raw, manifest.raw_config, *_others()[model]):
            Path(layout.manifest(_blob(data).digest)).write_bytes(data)
