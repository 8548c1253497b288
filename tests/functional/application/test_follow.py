"""A followed model: what an admin activates answers from then on, between two calls, and nothing is lost on the way."""

import dataclasses
import os
import queue
import signal
import threading
import time

import numpy as np
import pytest
from support.release.channel_simulator import renamed, toy_files

import sealift
from sealift import following
from sealift.errors import CorruptError, UsageError
from sealift.store.contents import generations
from sealift.store.upkeep.rollback import rollback

pytestmark = pytest.mark.usefixtures("no_replay")

ROWS = np.random.default_rng(3).normal(size=(50, 4)).astype(np.float32)
TIMEOUT_S = 60


@pytest.fixture
def store(channel, instance, tmp_path, monkeypatch):
    """Generation 1 with toy 1.0.0, generation 2 with 1.1.0, which answers differently; 1 is active."""
    instance.export(monkeypatch)
    instance.pin(channel.root_bytes)
    for seed, version in enumerate(("1.0.0", "1.1.0")):
        channel.add("toy", version, renamed(toy_files(seed), "toy", version))
        channel.release()
        instance.install(channel.pack(tmp_path / f"{version}.tar"))
    generations.activate(instance.store.layout, 1)
    return instance.store


@pytest.fixture
def told():
    return queue.Queue()


@pytest.fixture
def model(store, told, monkeypatch):
    monkeypatch.setattr(following, "_LOOK_EVERY_S", 0.0)
    with sealift.load("toy", follow=True, on_switch=told.put) as model:
        yield model


def test_a_new_generation_answers_from_the_next_call_on(model, store, told):
    before = model.predict_proba(ROWS)
    old = model.now
    generations.activate(store.layout, 2)
    model.predict(ROWS)  # this call notices
    switch = told.get(timeout=TIMEOUT_S)
    assert (switch.name, switch.old_version, switch.new_version, switch.error) == ("toy", "1.0.0", "1.1.0", None)
    assert (switch.old_digest, switch.new_digest) == (old.digest, model.digest)
    with pytest.raises(dataclasses.FrozenInstanceError):
        switch.error = "changed"
    assert model.version == "1.1.0"
    assert not np.array_equal(model.predict_proba(ROWS), before)
    assert np.array_equal(old.predict_proba(ROWS), before), "who holds the old model may finish with it"


def test_a_rollback_is_followed_too(model, store, told, channel):
    generations.activate(store.layout, 2)
    assert model.now.version
    told.get(timeout=TIMEOUT_S)
    rollback(store, None, None, channel.now)
    assert model.now.version
    assert told.get(timeout=TIMEOUT_S).new_version == "1.0.0"
    assert model.version == "1.0.0"


def test_another_model_of_the_generation_is_no_switch(model, channel, instance, tmp_path, told):
    generations.activate(instance.store.layout, 2)
    assert model.now.version
    told.get(timeout=TIMEOUT_S)
    session = model.now.session
    channel.add("other", "1.0.0")
    channel.release()
    instance.install(channel.pack(tmp_path / "other.tar"))
    assert model.now.version == "1.1.0"
    with model._switching:  # whatever the look began is over
        assert model.now.session is session
    assert told.empty()


def test_a_new_version_that_does_not_load_leaves_the_old_one(model, store, told, monkeypatch):
    file = store.layout.models / "toy/1.1.0/model.onnx"
    good = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(bytes(len(good)))
    generations.activate(store.layout, 2)
    expected = model.predict(ROWS)
    switch = told.get(timeout=TIMEOUT_S)
    assert isinstance(switch.error, CorruptError)
    assert (switch.old_version, switch.new_version, switch.new_digest) == ("1.0.0", "", "")
    assert model.version == "1.0.0"
    assert np.array_equal(model.predict(ROWS), expected)
    assert told.empty(), "the same failure is not repeated on every call"
    file.write_bytes(good)
    model._retry_at = 0.0
    assert model.now.version == "1.0.0"
    assert told.get(timeout=TIMEOUT_S).new_version == "1.1.0"


def test_a_callback_that_raises_is_logged(model, store, caplog):
    def broken(_switch):
        raise RuntimeError("the pager is away")

    model._on_switch = broken
    generations.activate(store.layout, 2)
    assert model.now
    _end_of_switch()
    assert model.version == "1.1.0"
    (record,) = (record for record in caplog.records if record.name == "sealift.following")
    assert record.exc_info[0] is RuntimeError


def test_without_a_thread_to_be_had_the_old_one_answers(model, store, told, monkeypatch):
    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    generations.activate(store.layout, 2)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert len(model.predict(ROWS)) == 50
        assert model.version == "1.0.0"
    assert model.now
    assert told.get(timeout=TIMEOUT_S).new_version == "1.1.0"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_while_loading_is_not_met_again_on_every_call(model, store, monkeypatch):
    loads = []

    def load():
        loads.append(1)
        raise ValueError("a bug")

    monkeypatch.setattr(model, "_load", load)
    generations.activate(store.layout, 2)
    for _ in range(5):
        assert len(model.predict(ROWS)) == 50
        _end_of_switch()
    assert loads == [1]


def test_who_closed_it_is_told_nothing_more(model, store, told, monkeypatch):
    load, go = model._load, threading.Event()
    monkeypatch.setattr(model, "_load", lambda: go.wait(TIMEOUT_S) and load())
    generations.activate(store.layout, 2)
    assert model.now
    model._closed = True  # what `close` does first; then it waits for the load
    go.set()
    _end_of_switch()
    with pytest.raises(UsageError, match="was closed"):
        model._model.predict(ROWS)
    assert told.empty()


def test_a_worker_forked_in_the_middle_of_a_switch_follows_by_itself(store, monkeypatch):
    monkeypatch.setattr(following, "_LOOK_EVERY_S", 0.0)
    with sealift.load("toy", follow=True, threads=1) as model:
        load, begun, go = model._load, threading.Event(), threading.Event()

        def slow():
            begun.set()
            assert go.wait(TIMEOUT_S)
            return load()

        model._load = slow
        generations.activate(store.layout, 2)
        assert model.now
        assert begun.wait(TIMEOUT_S)
        pid = os.fork()
        if pid == 0:
            try:
                signal.alarm(TIMEOUT_S)
                model._load = load
                while model.now.version != "1.1.0":
                    time.sleep(0.01)
                model.close()
                os._exit(7)
            finally:
                os._exit(1)
        go.set()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def _end_of_switch():
    for thread in threading.enumerate():
        if thread.name == "sealift-switch":
            thread.join(TIMEOUT_S)


def test_a_store_that_goes_away_is_no_reason_to_stop(model, store):
    store.layout.root.rename(store.layout.root.with_name("unmounted"))
    assert len(model.predict(ROWS)) == 50


def test_a_closed_one_stops_following(model, store, told):
    model.close()
    generations.activate(store.layout, 2)
    with pytest.raises(UsageError, match="was closed"):
        model.predict(ROWS)
    assert told.empty()


def test_a_look_costs_one_readlink_and_seldom_that(model, monkeypatch):
    monkeypatch.setattr(following, "_LOOK_EVERY_S", 3600.0)
    assert model.now
    monkeypatch.setattr(following.os, "readlink", lambda _: pytest.fail("asked the store"))
    for _ in range(1000):
        assert model.now


def test_it_has_what_a_model_has(model):
    assert isinstance(model, sealift.Model)
    assert (
        repr(model) == "<following <sealift.Model toy 1.0.0 (predict, decision_function, predict_proba); classes 0, 1>>"
    )
    with pytest.raises(AttributeError):
        model.nothing_like_it  # noqa: B018 - the point


def test_an_observed_one_follows_and_tells_which_version_answered(model, store, told):
    seen = []
    observed = model.observed(seen.append)
    observed.predict(ROWS)
    old = observed.now
    generations.activate(store.layout, 2)
    observed.predict(ROWS)  # this call notices
    assert told.get(timeout=TIMEOUT_S).new_version == "1.1.0"
    observed.predict_proba(ROWS)
    old.predict(ROWS)
    versions = [("predict", "1.0.0"), ("predict", "1.0.0"), ("predict_proba", "1.1.0"), ("predict", "1.0.0")]
    assert [(one.method, one.version) for one in seen] == versions
    assert {one.digest for one in seen} == {old.digest, observed.digest}


@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: model.observed(lambda _: None)])
def test_a_call_looks_once_so_one_version_answers_and_is_told(model, monkeypatch, wrap):
    asked, looks = wrap(model), []
    monkeypatch.setattr(following.FollowedModel, "_look", lambda *_: looks.append(1))
    for number, ask in enumerate(
        (asked.predict, asked.predict_proba, lambda rows: asked.answers(["predict"], rows)), 1
    ):
        ask(ROWS)
        assert len(looks) == number


def test_one_that_was_shared_follows_by_itself(model, store, told):
    other = model.share()
    model.close()
    generations.activate(store.layout, 2)
    assert other.version
    assert told.get(timeout=TIMEOUT_S).new_version == "1.1.0"
    assert other.version == "1.1.0"
    other.close()
    generations.activate(store.layout, 1)
    with pytest.raises(UsageError, match="was closed"):
        other.predict(ROWS)
    assert told.empty()


def test_a_stream_is_answered_by_one_version(model, store, told):
    def batches():
        yield ROWS
        generations.activate(store.layout, 2)
        assert model.now
        assert told.get(timeout=TIMEOUT_S).new_version == "1.1.0"
        yield ROWS

    first, second = model.predict_batches(batches(), "predict_proba")
    assert np.array_equal(first, second)
    assert not np.array_equal(first, model.predict_proba(ROWS))


def test_a_callback_without_following():
    with pytest.raises(UsageError, match="follow=True"):
        sealift.load("toy", on_switch=print)
