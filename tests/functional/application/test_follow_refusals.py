"""A followed model whose version may be used no longer: it refuses, as a load and `sealift serve` do, until one may."""

import queue
from datetime import UTC, datetime

import numpy as np
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support.release.instance import Instance
from support.release.reviews import SECURITY, ReviewedChannel, demand, signer

import sealift
from sealift import following
from sealift.errors import NotInstalledError, UnreviewedError, UsageError, WithdrawnError
from sealift.store.contents import generations
from sealift.store.upkeep.rollback import rollback
from sealift.testing import ToyModel, toy_store
from sealift_common import fingerprint
from sealift_keys.ceremony.stating import state_own

pytestmark = pytest.mark.usefixtures("no_replay")

TIMEOUT_S = 60
TEXTS = ["a"]


def toy(version, answer="yes"):
    return ToyModel(version=version, texts=True, answers={"a": answer})


@pytest.fixture(autouse=True)
def looks_at_every_call(monkeypatch):
    monkeypatch.setattr(following, "_LOOK_EVERY_S", 0.0)


@pytest.fixture
def told():
    return queue.Queue()


@pytest.fixture
def toys(no_replay):
    with toy_store(models={"toy": toy("1.0.0"), "other": toy("1.0.0")}) as made:
        yield made


@pytest.fixture
def model(toys, told):
    with sealift.load("toy", store=toys.store.layout.root, follow=True, on_switch=told.put) as model:
        yield model


def switch_of(model, told):
    assert model.now
    return told.get(timeout=TIMEOUT_S)


def test_a_withdrawn_version_without_a_successor_answers_no_more(model, toys, told):
    plain = sealift.load("toy", store=toys.store.layout.root)
    held = model.now
    toys.withdraw("toy", "1.0.0", "it was wrong")
    switch = switch_of(model, told)
    assert isinstance(switch.error, WithdrawnError)
    assert (switch.old_version, switch.new_version) == ("1.0.0", "")
    for ask in (model.predict, model.now.predict, model.observed(lambda _: None).predict):
        for _ in range(2):
            with pytest.raises(WithdrawnError, match="it was wrong"):
                ask(TEXTS)
    with pytest.raises(WithdrawnError):
        list(model.predict_batches([TEXTS]))
    assert (model.name, model.version, model.digest) == ("toy", "1.0.0", switch.old_digest), "for the log"
    assert held.predict(TEXTS).tolist() == ["yes"], "who holds a version finishes with it"
    assert plain.predict(TEXTS).tolist() == ["yes"], "a model that does not follow answers on"


def test_an_observer_is_told_of_the_refusal(model, toys, told):
    seen = []
    observed = model.observed(seen.append)
    toys.withdraw("toy", "1.0.0", "it was wrong")
    switch_of(observed, told)
    with pytest.raises(WithdrawnError):
        observed.predict(TEXTS)
    assert [(one.version, one.error) for one in seen] == [("1.0.0", "WithdrawnError")]


def test_a_successor_answers_again(model, toys, told):
    toys.withdraw("toy", "1.0.0", "it was wrong")
    switch_of(model, told)
    toys.install({"toy": toy("1.0.1", "no")})
    switch = switch_of(model, told)
    assert (switch.old_version, switch.new_version, switch.error) == ("1.0.0", "1.0.1", None)
    assert model.predict(TEXTS).tolist() == ["no"]


def test_an_older_version_that_is_left_answers(toys, told):
    toys.install({"toy": toy("1.1.0", "no")})
    with sealift.load("toy", store=toys.store.layout.root, follow=True, on_switch=told.put) as model:
        toys.withdraw("toy", "1.1.0", "it was wrong")
        assert switch_of(model, told).new_version == "1.0.0"
        assert model.predict(TEXTS).tolist() == ["yes"]


def test_the_same_refusal_is_told_once(model, toys, told):
    toys.withdraw("toy", "1.0.0", "it was wrong")
    switch_of(model, told)
    for _ in range(3):
        model._retry_at = 0.0
        assert model.now
        with model._switching:  # whatever the look began is over
            pass
    assert told.empty()
    with pytest.raises(WithdrawnError):
        model.predict(TEXTS)


def test_one_that_is_refused_can_be_closed(model, toys, told):
    toys.withdraw("toy", "1.0.0", "it was wrong")
    switch_of(model, told)
    model.close()
    with pytest.raises(UsageError, match="was closed"):
        model.predict(TEXTS)


def test_a_rollback_to_a_time_before_the_model_is_a_decision_and_back_again_too(toys, told):
    toys.install({"third": toy("1.0.0")})
    with sealift.load("third", store=toys.store.layout.root, follow=True, on_switch=told.put) as model:
        layout = toys.store.layout
        seen = generations.active_number(layout)
        rollback(toys.store, None, to=None, now=datetime.now(UTC))
        assert isinstance(switch_of(model, told).error, NotInstalledError)
        with pytest.raises(NotInstalledError):
            model.predict(TEXTS)
        generations.activate(layout, seen)
        switch = switch_of(model, told)
        assert (switch.new_version, switch.error) == ("1.0.0", None)
        assert model.predict(TEXTS).tolist() == ["yes"]


@pytest.fixture
def reviewed(tmp_path):
    channel, instance = ReviewedChannel(tmp_path / "ch"), Instance(tmp_path / "instance")
    instance.pin(channel.root_bytes)
    model = channel.stage("1.0.0")
    channel.say(model, "security", "ada")
    channel.release()
    return channel, instance, model


ROWS = np.zeros((1, 4), np.float32)


def test_the_policy_of_now_decides(reviewed, told, tmp_path, monkeypatch):
    channel, instance, _ = reviewed
    instance.install(channel.pack(tmp_path / "1.tar"))
    instance.export(monkeypatch)
    policy = instance.trust_path / "policy.toml"
    with sealift.load("toy", follow=True, on_switch=told.put) as model:
        policy.write_text('schema = "sealift.policy/1"\n[require]\nroles = ["security", "legal"]\n')
        assert isinstance(switch_of(model, told).error, UnreviewedError)
        with pytest.raises(UnreviewedError, match="legal: 0 of 1"):
            model.predict(ROWS)
        policy.write_text('schema = "sealift.policy/1"\n[require]\nroles = ["security"]\n')
        assert switch_of(model, told).error is None
        assert len(model.predict(ROWS)) == 1


def test_a_rejection_of_the_sites_own_reviewers_decides(reviewed, told, tmp_path, monkeypatch):
    channel, instance, version = reviewed
    carol = signer("carol")
    pem = fingerprint.parse(carol.public_key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (instance.trust_path / "carol.pem.pub").write_bytes(b"name: carol\n" + pem)
    demand(instance, SECURITY + '[own]\nsite = ["carol.pem.pub"]\n')

    def say(decision):
        state_own(instance.trust_path, "sim", version, "site", decision, channel.digest(version), carol)

    say("approved")
    instance.install(channel.pack(tmp_path / "1.tar"))
    instance.export(monkeypatch)
    with sealift.load("toy", follow=True, on_switch=told.put) as model:
        say("rejected")
        assert isinstance(switch_of(model, told).error, UnreviewedError)
        with pytest.raises(UnreviewedError, match="rejected"):
            model.predict(ROWS)
