"""Commands that were cut off, and then others: nothing is lost, no number is used twice, the store loads."""

from datetime import UTC, datetime

import pytest
from support.release.self_test_stub import Passes

from sealift.store.contents import generations, history
from sealift.store.upkeep.rollback import rollback
from sealift.trust.state import TrustState

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 25, tzinfo=UTC)


class PowerCutError(BaseException):
    pass


def _cut(*_):
    raise PowerCutError


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("sealift.install.steps.SelfTestProcess", Passes)


def test_two_first_installs_one_after_the_other(channel, instance, tmp_path, monkeypatch):
    channel.add("toy", "1.0.0")
    channel.release()
    bundle = channel.pack(tmp_path / "x.tar")
    instance.pin(channel.root_bytes)
    with monkeypatch.context() as patch:
        patch.setattr(generations, "activate", _cut)
        patch.setattr(TrustState, "_forget", lambda *_: None)  # a dead process takes nothing back
        with pytest.raises(PowerCutError):
            instance.install(bundle)
    with monkeypatch.context() as patch:
        patch.setattr(TrustState, "settle", _cut)
        with pytest.raises(PowerCutError):
            instance.install(bundle)
    assert instance.store.load("toy").version == "1.0.0"
    instance.install(bundle)
    assert instance.store.load("toy").version == "1.0.0"
    assert [entry["action"] for entry in history.read(instance.store_path / "history.jsonl")] == ["install"]


@pytest.fixture
def three(channel, instance, tmp_path):
    instance.pin(channel.root_bytes)
    for number in range(3):
        channel.add("toy", f"1.{number}.0")
        channel.release()
        bundle = channel.pack(tmp_path / f"{number}.tar")
        instance.install(bundle)
    return bundle


def test_a_rollback_after_an_install_whose_history_was_cut_off(three, channel, instance, tmp_path):
    path = instance.store_path / "history.jsonl"
    path.write_text("".join(line + "\n" for line in path.read_text().splitlines()[:-1]))
    rollback(instance.store, None, 2, NOW)
    channel.add("other", "1.0.0")
    channel.release()
    instance.install(channel.pack(tmp_path / "next.tar"))
    noted = [(entry["action"], entry["generation"]) for entry in history.read(path)]
    assert noted == [("install", 1), ("install", 2), ("install", 3), ("rollback", 2), ("install", 4)]
    assert generations.numbers(instance.store.layout) == [1, 2, 3, 4]


def test_a_lost_history_costs_no_generation(three, instance):
    rollback(instance.store, None, 1, NOW)
    (instance.store_path / "history.jsonl").unlink()
    instance.install(three)
    assert generations.numbers(instance.store.layout)[:3] == [1, 2, 3]
    assert instance.store.load("toy").version == "1.2.0"
