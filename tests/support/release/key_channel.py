"""A channel made with the commands, as tests of keys need it: one toy model in, one instance out."""

from pathlib import Path

from support.release.channel_simulator import renamed, toy_files
from support.release.instance import Instance

from sealift_bundler.packing.whole import pack, prepare
from sealift_bundler.release.modelpack import Descriptor, write_model
from sealift_bundler.release.staging import stage
from sealift_common.names import ModelVersion
from sealift_keys.ceremony.pending import coming
from sealift_keys.channel.directory import Channel


def stage_toy(directory: Path, version: str = "1.0.0") -> None:
    channel = Channel.open(directory)
    model = ModelVersion.parse("toy", version)
    files = renamed(toy_files(), "toy", version)
    stage(channel, model, write_model(channel.blobs_dir, model, files, Descriptor(licenses=["MIT"])))


def pending(directory: Path | str) -> list[str]:
    """The option with which a script says that it means the targets of this channel as they are."""
    return ["--expect", coming(Channel.open(directory)).digest]


def install_from(directory: Path, place: Path) -> Instance:
    """Pack the channel, and install the bundle on a new instance that pinned its first root."""
    instance = Instance(place)
    instance.pin(Channel.open(directory).root_bytes(1))
    place.mkdir(exist_ok=True)
    instance.install(pack(prepare(directory), place / "bundle.tar").path)
    return instance
