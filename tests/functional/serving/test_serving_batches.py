"""Requests that come together are answered together, and each of them as if it were alone."""

import json
import threading

import numpy as np
import pytest
from support.servers.model_server import serving, until

from sealift.serving.answering import batcher
from sealift.testing import ToyModel, toy_store


@pytest.fixture(scope="module")
def toys():
    categories = ToyModel(columns={"n": "int"}, classes=None, answers={7: 1.5, 8: 2.5}, default=-2)
    with toy_store(models={"toy": ToyModel(texts=True, answers={"a": "yes"}), "numbers": categories}) as made:
        yield made


@pytest.fixture
def gate(monkeypatch):
    """Runs of the model wait for `gate.open`, and `gate.runs` says how many questions each had."""

    class Gate:
        def __init__(self):
            self.open = threading.Event()
            self.begun = threading.Event()
            self.runs = []

    gate, ask = Gate(), batcher.ask

    def waiting(model, questions):
        gate.runs.append([len(next(iter(one.rows.values()))) for one in questions])
        gate.begun.set()
        gate.open.wait(30)
        return ask(model, questions)

    monkeypatch.setattr(batcher, "ask", waiting)
    # No run is short enough for the event loop.
    monkeypatch.setattr(batcher, "_SHORT_S", -1.0)
    yield gate
    gate.open.set()


def together(client, calls):
    """Send each call from a thread of its own, and give the replies in order."""
    replies = [None] * len(calls)

    def work(place, call):
        own = client.another()
        replies[place] = call(own)
        own.close()

    threads = [threading.Thread(target=work, args=one) for one in enumerate(calls)]
    for thread in threads:
        thread.start()
    return threads, replies


def metric(client, name):
    lines = client.get("/metrics").body.decode().splitlines()
    return [float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"sealift_serve_{name}")]


def test_what_comes_during_a_run_is_the_next_one(toys, gate):
    with serving(toys.store, "toy") as client:
        first, answered = together(client, [lambda one: one.texts("toy", "a")])
        gate.begun.wait(30)
        texts = [["a", "b"][: 1 + index % 2] for index in range(20)]
        threads, replies = together(client, [lambda one, own=own: one.texts("toy", *own) for own in texts])
        until(lambda: metric(client, "waiting_requests") == [20])
        gate.open.set()
        for thread in [*first, *threads]:
            thread.join()
        assert answered[0].outputs()["predict"] == ["yes"]
        for own, reply in zip(texts, replies, strict=True):
            assert reply.outputs()["predict"] == ["yes", "no"][: len(own)]
        assert [len(run) for run in gate.runs] == [1, 20]
        assert (metric(client, "runs_total"), metric(client, "run_requests_total")) == ([2], [21])


def test_a_bad_row_fails_alone(toys, gate):
    def number(value):
        rows = {"name": "n", "datatype": "FP64", "shape": [1], "data": [value]}
        return lambda one: one.infer("numbers", {"inputs": [rows]})

    with serving(toys.store, "numbers") as client:
        first, _ = together(client, [number(1)])
        gate.begun.wait(30)
        threads, replies = together(client, [number(7), number(0.5), number(8)])
        until(lambda: metric(client, "waiting_requests") == [3])
        gate.open.set()
        for thread in [*first, *threads]:
            thread.join()
        assert [reply.status for reply in replies] == [200, 400, 200]
        assert [replies[0].outputs()["predict"], replies[2].outputs()["predict"]] == [[1.5], [2.5]]
        assert replies[1].refusal == (400, "input")
        assert "row 0" in replies[1].document["error"]


def test_a_batch_has_a_bound_of_rows_and_of_requests(toys, gate):
    with serving(toys.store, "toy") as client:
        first, _ = together(client, [lambda one: one.texts("toy", "a")])
        gate.begun.wait(30)
        sizes = [600] * 3 + [1] * 70
        threads, replies = together(client, [lambda one, size=size: one.texts("toy", *["b"] * size) for size in sizes])
        until(lambda: metric(client, "waiting_requests") == [len(sizes)])
        gate.open.set()
        for thread in [*first, *threads]:
            thread.join()
        assert {reply.status for reply in replies} == {200}
        assert sum(map(sum, gate.runs)) == 1 + sum(sizes)
        assert max(map(sum, gate.runs)) <= 1024
        assert max(map(len, gate.runs)) <= 64


def test_too_many_that_wait_are_told_to_come_back(toys, gate, monkeypatch):
    monkeypatch.setattr(batcher, "LIMITS", batcher.LIMITS._replace(serve_waiting=3))
    with serving(toys.store, "toy") as client:
        threads, _ = together(client, [lambda one: one.texts("toy", "a")])
        gate.begun.wait(30)
        more, replies = together(client, [lambda one: one.texts("toy", "a")] * 3)
        until(lambda: metric(client, "waiting_requests") == [3])
        refused = client.texts("toy", "a")
        assert (refused.refusal, refused.headers["retry-after"]) == ((503, "busy"), "1")
        gate.open.set()
        for thread in [*threads, *more]:
            thread.join()
        assert [reply.status for reply in replies] == [200] * 3


def test_a_deadline_ends_the_wait_and_not_the_server(toys, gate):
    with serving(toys.store, "toy", deadline_s=0.3) as client:
        threads, replies = together(client, [lambda one: one.texts("toy", "a")] * 3)
        for thread in threads:
            thread.join()
        assert [reply.refusal for reply in replies] == [(504, "deadline")] * 3
        gate.open.set()
        assert until(lambda: client.texts("toy", "a").status == 200)


def test_the_answers_that_have_begun_come_out_before_the_end(toys, gate):
    with serving(toys.store, "toy") as client:
        threads, replies = together(client, [lambda one: one.texts("toy", "a")] * 4)
        gate.begun.wait(30)
        until(lambda: metric(client, "connections") == [5])
        client.service.stop()
        until(lambda: not client.path.exists() or refuses(client))
        gate.open.set()
        for thread in threads:
            thread.join()
        assert [reply.outputs()["predict"] for reply in replies] == [["yes"]] * 4
        assert replies[0].headers["connection"] == "close"


def refuses(client):
    try:
        client.another().get("/v2/health/live")
    except OSError:
        return True
    return False


def test_an_error_of_our_own_says_nothing_of_the_inside(toys, monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("secret")

    with serving(toys.store, "toy") as client:
        monkeypatch.setattr(batcher, "ask", broken)
        reply = client.texts("toy", "a")
        assert reply.refusal == (500, "internal")
        assert b"secret" not in reply.body
        assert "secret" in caplog.text
        monkeypatch.undo()
        assert client.texts("toy", "a").status == 200


def test_a_quick_model_answers_on_the_event_loop(toys, monkeypatch):
    threads = set()
    ask = batcher.ask

    def noting(model, questions):
        threads.add(threading.current_thread().name)
        return ask(model, questions)

    monkeypatch.setattr(batcher, "ask", noting)
    with serving(toys.store, "toy") as client:
        for _ in range(20):
            client.texts("toy", "a")
    assert len(threads) == 2  # the first run, of which nothing was known, had a thread
    assert sum(name.startswith("sealift-serve-run") for name in threads) == 1


def test_joined_answers_are_those_of_python(toys):
    """Sixteen clients at once, each with rows of its own."""
    generator = np.random.default_rng(0)
    asked = [generator.choice([7, 8, 1], 5).tolist() for _ in range(200)]
    with serving(toys.store, "numbers") as client:

        def work(own):
            rows = {"name": "n", "datatype": "INT64", "shape": [len(own)], "data": own}
            return client.another().infer("numbers", {"inputs": [rows]})

        threads, replies = together(client, [lambda _one, own=own: work(own) for own in asked])
        for thread in threads:
            thread.join()
    value = {7: 1.5, 8: 2.5, 1: -2.0}
    assert [reply.outputs()["predict"] for reply in replies] == [[value[n] for n in own] for own in asked]
    assert json.loads(replies[0].body)["model_version"] == "1.0.0"
