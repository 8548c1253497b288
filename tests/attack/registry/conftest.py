"""A registry that can lie, and an instance that pulls from it."""

import pytest
from support.hostile.registry import hostile_registry
from support.release.self_test_stub import Passes

from sealift.install.steps import install
from sealift.limits import LIMITS
from sealift.publish.release import push
from sealift.registry import pacing, session, transport
from sealift.registry.access import Access
from sealift.registry.address import parse


@pytest.fixture(autouse=True)
def limits(monkeypatch):
    """Change a limit of HTTP; without waiting between tries, and silence counts after a second. No self-test."""
    changed = {}

    def change(**values):
        changed.update(values)
        for module in (pacing, session, transport):
            monkeypatch.setattr(module, "LIMITS", LIMITS._replace(**changed))

    monkeypatch.setattr("sealift.install.steps.SelfTestProcess", Passes)
    change(http_backoff_s=0.0, http_timeout_s=1.0)
    return change


@pytest.fixture
def registry():
    with hostile_registry() as server:
        yield server


@pytest.fixture
def address(registry):
    return f"oci://{registry.host}/models"


@pytest.fixture
def pushed(channel, instance, registry, address, tmp_path):
    """A registry with release 2, and an instance that has installed nothing."""
    channel.add("toy", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    bundle = channel.pack(tmp_path / "first.tar")
    push(str(bundle), parse(address), Access(), lambda _: None)
    registry.asked.clear()
    return bundle


@pytest.fixture
def pull(instance, address):
    return lambda: install(address, instance.store)
