"""A release, the next one, and the bundle of what is between them."""

import pytest
from support.hostile.differentials import differential, files, weights
from support.release.self_test_stub import Passes


@pytest.fixture(autouse=True)
def _no_self_test(monkeypatch):
    monkeypatch.setattr("sealift.install.steps.SelfTestProcess", Passes)


@pytest.fixture
def old(channel, instance, tmp_path):
    """Release 2: `alpha` and `beta`, weights that do not compress."""
    channel.add("alpha", "1.0.0", files("alpha", "1.0.0", weights(1)))
    channel.add("beta", "1.0.0", files("beta", "1.0.0", weights(2)))
    channel.release()
    instance.pin(channel.root_bytes)
    return channel.pack(tmp_path / "old.tar")


@pytest.fixture
def new(channel, old):
    """Release 3: the end of alpha's weights is other, beta is as it was, gamma is new."""
    channel.add("alpha", "1.1.0", files("alpha", "1.1.0", weights(1)[:290_000] + weights(3, 10_000)))
    channel.add("gamma", "1.0.0", files("gamma", "1.0.0", weights(4)))
    channel.release()
    return channel


@pytest.fixture
def update(new, tmp_path):
    return differential(new, 2, tmp_path / "update.tar")
