"""A store with one release and a backup of it, and an attempt to restore a changed one."""

import io
import shutil
from copy import copy

import pytest
from support.backups import members_of
from support.release.channel_simulator import ChannelSimulator
from support.release.instance import Instance

from sealift.backup.export import export
from sealift.backup.restore import restore
from sealift_keys.channel.directory import Channel


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A channel, an instance that has its release, and a backup of that; made once."""
    directory = tmp_path_factory.mktemp("template")
    channel, instance = ChannelSimulator(directory / "channel"), Instance(directory / "instance")
    channel.add("toy", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(directory))
    export(instance.store, str(directory / "store.tar"))
    return channel, directory


@pytest.fixture
def channel(template, tmp_path):
    simulator, directory = template
    shutil.copytree(directory / "channel", tmp_path / "channel")
    copied = copy(simulator)
    copied.directory = tmp_path / "channel"
    copied.channel = Channel.open(copied.directory)
    return copied


@pytest.fixture
def instance(template, tmp_path):
    shutil.copytree(template[1] / "instance", tmp_path / "instance", symlinks=True)
    return Instance(tmp_path / "instance")


@pytest.fixture
def good(template):
    """A backup of the instance's store, as member name to content, in order."""
    return members_of(template[1] / "store.tar")


@pytest.fixture(params=["replace", "empty"])
def attempt(request, instance, refused):
    """Assert that restoring is refused; onto the store itself, and onto an empty one."""

    def call(error, backup, match=""):
        if request.param == "empty":
            instance.store_path.rename(instance.directory / "elsewhere")
            instance.store_path.mkdir()
        with refused(error, match):
            restore(io.BytesIO(backup), instance.store, replace=True)
        assert {path.name for path in instance.store_path.iterdir()} & {"staging"} == set()
        if request.param == "replace":
            instance.store.load("toy")

    return call
