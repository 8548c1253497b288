"""Clients that lie, flood, stall or send rubbish: refused within bounds, while others are answered as before."""

import json
import socket
from contextlib import suppress

import pytest
from support.hostile.requests import GOOD, head, raw
from support.servers.model_server import ModelClient, until
from support.servers.request_storm import mutated, statuses

from sealift.limits import LIMITS
from sealift.serving import bodies
from sealift.serving.answering.batcher import Batcher
from sealift.serving.listening import clients, connections


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": "gzip"},
        {"Inference-Header-Content-Length": "-1"},
        {"Inference-Header-Content-Length": "9" * 30},
        {"Inference-Header-Content-Length": "x"},
    ],
)
def test_headers_that_lie(client, headers):
    assert client.infer("toy", {"inputs": [GOOD]}, headers).status == 400


def test_rows_that_the_model_does_not_take(client):
    for tensor in (
        {**GOOD, "datatype": "FP32", "data": [1, 2]},
        {**GOOD, "shape": [2, 1]},
        {**GOOD, "shape": [], "data": ["a"]},
        {**GOOD, "data": ["a", "b\0"]},
        {**GOOD, "data": ["\U0010ffff", "b"]},
    ):
        assert client.infer("toy", {"inputs": [tensor]}).refusal == (400, "input")
    assert client.infer("toy", {"inputs": [GOOD], "outputs": [{"name": "transform"}]}).refusal == (400, "input")
    assert client.infer("toy", {"inputs": [GOOD, {**GOOD, "name": "more"}]}).refusal == (400, "input")
    assert client.infer("toy", {"inputs": [GOOD], "parameters": {"method": "run"}}).refusal == (400, "input")


# --- how much, how fast and how many ----------------------------------------------------------------


def test_a_body_of_60_mb_is_refused_before_it_is_kept(client):
    reply = client.infer("toy", b" " * 60_000_000)
    assert reply.refusal == (413, "too-large")
    assert reply.headers["connection"] == "close"
    client.close()
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    said = raw(client, head("Transfer-Encoding: chunked"), *[chunk] * 200, b"0\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 413 ")


def test_all_bodies_together_have_a_bound(client, monkeypatch):
    monkeypatch.setattr(bodies, "LIMITS", LIMITS._replace(serve_bodies_bytes=100_000))
    reply = client.infer("toy", b" " * 200_000)
    assert (reply.refusal, reply.headers["retry-after"]) == ((503, "busy"), "1")
    client.close()


def test_a_body_that_does_not_come(client, monkeypatch):
    monkeypatch.setattr(bodies, "LIMITS", LIMITS._replace(serve_body_s=0.2))
    assert b'"code": "slow"' in raw(client, head("Content-Length: 100"), b"{")
    # And one whose sender went away.
    assert raw(client, head("Content-Length: 100"), b"{", shut=True).startswith((b"", b"HTTP/1.1 408"))


def test_a_head_that_does_not_come(client, monkeypatch):
    monkeypatch.setattr(connections, "LIMITS", LIMITS._replace(serve_head_s=0.2))
    assert raw(client, b"POST /v2/models").startswith(b"HTTP/1.1 408 ")


def test_a_connection_that_says_nothing_is_closed_in_time(client, monkeypatch):
    monkeypatch.setattr(connections, "LIMITS", LIMITS._replace(serve_idle_s=0.2))
    assert raw(client) == b""
    client.close()


def test_a_head_without_an_end(client):
    line = b"X-Much: " + b"a" * 8000 + b"\r\n"
    assert b'"code": "head"' in raw(client, b"GET /v2 HTTP/1.1\r\n", line * 5)


def test_rubbish(client):
    for rubbish in (b"\0\1\2\3\r\n\r\n", b"\x16\x03\x01\x02\0\x01", b"GET /\xff HTTP/1.1\r\n\r\n"):
        assert raw(client, rubbish, shut=True).startswith(b"HTTP/1.1 4"), rubbish
    assert client.get("/v2/models/%00").status == 404
    assert client.get("/v2/models/" + "a" * 9000).status == 404
    assert b" 200 " in raw(client, head("Connection: Upgrade, close", "Upgrade: websocket", method="GET", route="/v2"))


def test_requests_without_waiting_for_answers_have_a_bound(client):
    said = raw(client, head(method="GET", route="/v2") * 2000)
    assert said.count(b"HTTP/1.1") < 100
    # Some in advance are fine.
    some = head(method="GET", route="/v2") * 5 + head("Connection: close", method="GET", route="/v2")
    assert raw(client, some).count(b"HTTP/1.1 200") == 6


def test_more_connections_than_there_is_room_for(client, monkeypatch):
    monkeypatch.setattr(connections, "LIMITS", LIMITS._replace(serve_connections=20))
    idle = []
    for _ in range(200):
        one = socket.socket(socket.AF_UNIX)
        one.connect(str(client.path))
        idle.append(one)
    # Those that are idle make room, and nobody who asks is refused.
    for _ in range(5):
        other = ModelClient(client.path)
        assert other.texts("toy", "a").status == 200
    until(lambda: b"sealift_serve_connections 20\n" in client.another().get("/metrics").body)
    # None of these is idle: each has begun a head.
    busy = []

    def one_more():
        one = socket.socket(socket.AF_UNIX)
        one.connect(str(client.path))
        with suppress(BrokenPipeError):
            one.sendall(b"POST /v2/mo")
        busy.append(one)
        return said_busy(client)

    until(one_more)
    assert len(busy) >= 19
    for one in [*idle, *busy]:
        one.close()
    client.close()
    until(lambda: not said_busy(client))


def said_busy(client):
    try:
        return client.another().get("/v2").status == 503
    except ConnectionError:
        return True


def test_an_answer_that_nobody_reads(client, monkeypatch):
    monkeypatch.setattr(connections, "LIMITS", LIMITS._replace(serve_unread_s=0.2))
    body = json.dumps({"inputs": [{**GOOD, "shape": [50_000], "data": ["a"] * 50_000}]}).encode()
    with socket.socket(socket.AF_UNIX) as stuck:
        stuck.connect(str(client.path))
        stuck.sendall(head(f"Content-Length: {len(body)}") + body)
        until(lambda: b"sealift_serve_connections 1\n" in client.another().get("/metrics").body)


@pytest.mark.parametrize(
    "headers",
    [[f"X: {'a' * 100_000}"], [f"X{number}: a" for number in range(500)]],
    ids=["a long header", "many headers"],
)
def test_a_head_that_comes_in_one_piece_has_a_bound_as_well(client, headers):
    answer = raw(client, head(*headers, "Content-Length: 2") + b"{}")
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("route", ["/nowhere", "/v2/models/other/infer", "/v2"])
def test_a_body_that_comes_after_its_refusal_is_not_taken_for_a_head(client, route):
    """The connection goes on: a client that is still writing sees the refusal, and no other one after it."""
    body = b"x" * 200_000
    after = head("Connection: close", method="GET", route="/v2/health/live")
    parts = [body[start : start + 20_000] for start in range(0, len(body), 20_000)]
    answer = raw(client, head(f"Content-Length: {len(body)}", route=route), *parts, after)
    first, second = (part.split()[0] for part in answer.split(b"HTTP/1.1 ")[1:])
    assert first in (b"404", b"405")
    assert second == b"200"
    assert answer.endswith(b'{"live":true}')


SMUGGLED = {
    "both lengths": ["Content-Length: 4", "Transfer-Encoding: chunked"],
    "two lengths": ["Content-Length: 4", "Content-Length: 4"],
    "a coding that is none of ours": ["Transfer-Encoding: gzip, chunked"],
    "a coding that nobody knows": ["Transfer-Encoding: xchunked"],
    "a folded coding": ["Transfer-Encoding:\r\n chunked"],
    "a space before the colon": ["Content-Length : 4"],
    "a length with a sign": ["Content-Length: +4"],
    "a length of JSON twice": [
        "Inference-Header-Content-Length: 1",
        "Inference-Header-Content-Length: 2",
        "Content-Length: 4",
    ],
}


@pytest.mark.parametrize("headers", SMUGGLED.values(), ids=SMUGGLED.keys())
def test_a_body_whose_length_two_readers_could_see_differently(client, headers):
    answer = raw(client, head(*headers) + b"0\r\n\r\n", shut=True)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_answers_that_nobody_reads_are_bounded_together(client, monkeypatch):
    monkeypatch.setattr(clients, "LIMITS", LIMITS._replace(serve_unread_bytes=10_000_000))
    body = json.dumps({"inputs": [{**GOOD, "shape": [50_000], "data": ["a"] * 50_000}]}).encode()
    whole = len(client.infer("toy", body).body)
    stuck = []
    for _ in range(12):
        one = socket.socket(socket.AF_UNIX)
        one.connect(str(client.path))
        one.sendall(head(f"Content-Length: {len(body)}") + body)
        stuck.append(one)
        until(lambda: gauge(client, "request_bytes") == 0)
        assert gauge(client, "answer_bytes") <= 10_000_000
    assert gauge(client, "answer_bytes") > 1_000_000
    # Those who read are answered whole, beside them.
    assert len(client.infer("toy", body).body) == whole
    for one in stuck:
        one.close()
    until(lambda: gauge(client, "answer_bytes") == 0)


def gauge(client, name):
    text = client.another().get("/metrics").body.decode()
    return int(text.partition(f"\nsealift_serve_{name} ")[2].split()[0])


def test_a_request_that_has_not_come_whole_keeps_no_other_from_being_answered_at_once(client, monkeypatch):
    found, original = [], Batcher.ask

    def ask(*arguments, alone):
        found.append(alone)
        return original(*arguments, alone=alone)

    monkeypatch.setattr(Batcher, "ask", ask)
    with socket.socket(socket.AF_UNIX) as stuck:
        stuck.connect(str(client.path))
        stuck.sendall(head("Content-Length: 5000") + b"{")
        until(lambda: gauge(client, "request_bytes") == 1)
        assert client.texts("toy", "a").status == 200
    assert found == [True]


def test_others_are_answered_while_some_are_stuck(client):
    """Slow heads, slow bodies, unread answers: a request beside them takes as long as before."""
    stuck = []
    for part in (b"", b"POST /v2", head("Content-Length: 5000"), head("Content-Length: 5000") + b"{"):
        for _ in range(10):
            one = socket.socket(socket.AF_UNIX)
            one.connect(str(client.path))
            one.sendall(part)
            stuck.append(one)
    for _ in range(50):
        assert client.texts("toy", "a").status == 200
    for one in stuck:
        one.close()


def test_mutated_requests(client):
    """`make serve-storm` sends 10,000, and measures the memory that they leave."""
    found = statuses(client.path, mutated(300, seed=1))
    assert set(found) <= {0, 200, *range(400, 500)}, found
    assert sum(count for status, count in found.items() if 400 <= status < 500) > 100
