"""Releases that are installed as they are made."""

import pytest
from support.release.instance import Instance
from support.release.self_test_stub import Passes


@pytest.fixture
def release(channel, instance, tmp_path, monkeypatch):
    """Release a version of a model and install it; the golden examples are tried elsewhere."""
    monkeypatch.setattr("sealift.install.steps.SelfTestProcess", Passes)
    instance.pin(channel.root_bytes)

    def release(name, version, *include):
        model = channel.add(name, version)
        channel.release()
        bundle = channel.pack(tmp_path / f"{name}-{version}.tar", include)
        instance.install(bundle)
        return model, bundle

    return release


@pytest.fixture
def used(channel, instance, tmp_path, no_replay):
    """An instance with two releases, two generations and a history."""
    instance.pin(channel.root_bytes)
    channel.add("alpha", "1.0.0")
    channel.add("beta", "0.1.0")
    channel.release()
    instance.install(channel.pack(tmp_path))
    channel.add("alpha", "1.1.0")
    channel.release()
    instance.install(channel.pack(tmp_path))
    return instance


@pytest.fixture
def fresh(channel, tmp_path):
    """Another machine, on which only the root is pinned."""
    other = Instance(tmp_path / "other")
    other.pin(channel.root_bytes)
    return other
