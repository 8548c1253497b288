"""A registry that is slow, silent or breaks off: bounded in time, and a transfer goes on where it stopped."""

import json
import random
import threading

import pytest
from support.hostile.registry import answers, digest, weights

from sealift.errors import LocalError
from sealift.publish.release import push
from sealift.registry.access import Access
from sealift.registry.address import parse


@pytest.mark.parametrize("where", ["head", "body"])
def test_slow_loris(where, limits, pushed, channel, registry, pull, refused):
    stop = threading.Event()

    def drip(handler):
        handler.close_connection = True
        if where == "body":
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(registry.blobs[weights(channel)])))
            handler.end_headers()
        for byte in b"HTTP/1.1 200 OK" + b"x" * 10_000:
            if stop.wait(0.1):
                return
            handler.wfile.write(bytes([byte]))

    limits(http_attempts=2)
    registry.lie = answers(weights(channel) if where == "body" else "/manifests/", drip)
    try:
        with refused(LocalError, "too slow|timed out"):
            pull()
    finally:
        stop.set()


def test_a_server_that_says_nothing(limits, pushed, registry, pull, refused):
    stop = threading.Event()
    limits(http_attempts=2)
    registry.lie = answers("/manifests/", lambda _: stop.wait(20))
    try:
        with refused(LocalError, "after 2 tries"):
            pull()
    finally:
        stop.set()


def test_a_body_that_always_breaks_off(pushed, channel, registry, pull, refused):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(registry.blobs[weights(channel)])))
        handler.end_headers()
        handler.close_connection = True

    registry.lie = answers(weights(channel), answer)
    with refused(LocalError, "after 8 tries"):
        pull()


def test_a_pull_goes_on_where_it_broke_off(pushed, channel, registry, pull):
    blob = weights(channel)
    data = registry.blobs[blob]
    ranges = []

    def answer(handler):
        begin = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        ranges.append(begin)
        handler.send_response(206 if begin else 200)
        handler.send_header("Content-Length", str(len(data) - begin))
        handler.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        handler.end_headers()
        handler.wfile.write(data[begin : begin + 1000])
        handler.close_connection = True

    registry.lie = answers(blob, answer)
    assert pull().changed
    assert ranges == list(range(0, len(data), 1000))


def test_a_server_without_ranges_sends_it_again(pushed, channel, registry, pull):
    blob = weights(channel)
    data = registry.blobs[blob]
    tries = []

    def answer(handler):
        tries.append(handler.headers.get("Range"))
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: 1000 * len(tries)])
        handler.close_connection = True

    registry.lie = answers(blob, answer)
    assert pull().changed
    assert tries[1] == "bytes=1000-"


def test_another_content_after_a_break(pushed, channel, registry, pull, refused):
    blob = weights(channel)
    data = registry.blobs[blob]

    def answer(handler):
        first = "Range" not in handler.headers
        handler.send_response(200 if first else 206)
        handler.send_header("Content-Length", str(len(data)))
        handler.send_header("Content-Range", f"bytes 7-{len(data)}/{len(data)}")
        handler.end_headers()
        handler.wfile.write(data[:1000])
        handler.close_connection = True

    registry.lie = answers(blob, answer)
    with refused(LocalError, "different content"):
        pull()


def test_a_busy_server_is_asked_again(pushed, registry, pull):
    count = iter(range(3))
    registry.lie = lambda handler: next(count, None) is not None and (handler.say(503) or True)
    assert pull().changed


def test_a_push_goes_on_where_it_broke_off(channel, registry, address, tmp_path):
    channel.add("big", "1.0.0", {"model.onnx": random.Random(1).randbytes(5_000_000), "model.json": b"{}"})
    channel.release()
    bundle = channel.pack_anything(tmp_path / "x.tar")
    broken = []

    def lie(handler):
        arrived = max(map(len, registry.uploads.values()), default=0)
        if handler.command == "PATCH" and arrived > 1_000_000 and len(broken) < arrived // 1_000_000:
            broken.append(arrived)
            handler.close_connection = True
            handler.connection.close()
            return True
        return None

    registry.lie = lie
    report = push(str(bundle), parse(address), Access(), lambda _: None)
    assert broken
    assert report.sent > 0
    assert all(digest(data) == name for name, data in registry.blobs.items())


def test_a_registry_that_takes_no_unknown_media_types(pushed, registry, address):
    errors = {
        "errors": [{"code": "MANIFEST_INVALID", "message": "manifest invalid", "detail": "unknown media type: x"}]
    }
    registry.manifests.clear()

    def lie(handler):
        if handler.command == "PUT" and "/manifests/" in handler.path:
            handler.rfile.read(int(handler.headers["Content-Length"]))
            handler.say(400, json.dumps(errors).encode())
            return True
        return None

    registry.lie = lie
    largest = max(registry.blobs, key=lambda name: len(registry.blobs[name]))
    registry.blobs.clear()
    with pytest.raises(LocalError, match=r"unknown media type.*gitlab://.*--as-image"):
        push(str(pushed), parse(address), Access(), lambda _: None)
    # It says so before any model has travelled.
    assert registry.blobs
    assert largest not in registry.blobs
