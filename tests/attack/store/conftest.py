"""A store with a history."""

from datetime import UTC, datetime

import pytest
from support.release.self_test_stub import Passes

from sealift.store.upkeep.rollback import rollback


@pytest.fixture
def quick(monkeypatch):
    """Golden examples are replayed in tests of their own."""
    monkeypatch.setattr("sealift.install.steps.SelfTestProcess", Passes)


@pytest.fixture
def bundle(channel, instance, tmp_path, quick):
    """Two generations, one withdrawn version, a rollback and back in the history; the bundle carries all."""
    old = channel.add("alpha", "1.0.0")
    channel.add("gamma", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path / "first.tar"))
    channel.add("alpha", "1.1.0")
    channel.add("gamma", "1.1.0")
    channel.release()
    channel.withdraw(next(model for model in channel.channel.released() if str(model) == "gamma 1.0.0"), "wrong")
    bundle = channel.pack(tmp_path / "second.tar", (old,))
    instance.install(bundle)
    rollback(instance.store, "alpha", None, datetime.now(UTC))
    rollback(instance.store, None, 2, datetime.now(UTC))
    return bundle
