"""Lies of a registry, or of somebody between: each is refused as from a file, with the store unchanged."""

import json
import random
import threading

import pytest
from support.hostile.registry import digest, hostile_registry
from support.release.self_test_stub import Passes

from sealift.errors import DigestError, LimitError, LocalError, MalformedError, MixError, RollbackError, RootError
from sealift.install.newer import installed_release
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


def weights(channel):
    """The largest file blob of toy 1.0.0."""
    target = channel.channel.targets().signed.targets["models/toy/1.0.0"]
    manifest = json.loads((channel.channel.blobs_dir / target.hashes["sha256"]).read_bytes())
    return max(manifest["layers"], key=lambda layer: layer["size"])["digest"]


def manifest_of(channel):
    return "sha256:" + channel.channel.targets().signed.targets["models/toy/1.0.0"].hashes["sha256"]


def answers(fragment, answer):
    """Lie to requests for a path that holds `fragment`."""

    def lie(handler):
        if fragment not in handler.path or handler.command == "HEAD":
            return None
        answer(handler)
        return True

    return lie


def test_the_honest_answer_installs(pushed, pull):
    assert pull().changed


def test_another_blob_of_the_same_length(pushed, channel, registry, pull, refused):
    blob = weights(channel)
    registry.blobs[blob] = bytes(len(registry.blobs[blob]))
    with refused(DigestError, "is damaged or was changed"):
        pull()


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"x"])
def test_a_blob_of_another_length(change, pushed, channel, registry, pull, refused):
    blob = weights(channel)
    registry.blobs[blob] = change(registry.blobs[blob])
    with refused(DigestError, "was listed with"):
        pull()


def test_another_manifest_under_a_signed_digest(pushed, channel, registry, pull, refused):
    found = manifest_of(channel)
    registry.manifests[found] = registry.manifests[found].replace(b"model.onnx", b"modeX.onnx")
    with refused(DigestError, "the manifest of toy 1.0.0"):
        pull()


def test_a_manifest_of_another_length(pushed, channel, registry, pull, refused):
    registry.manifests[manifest_of(channel)] += b" "
    with refused(DigestError, "was listed with"):
        pull()


def test_a_release_that_is_not_what_its_digest_says(pushed, instance, registry, address, refused):
    named = digest(registry.manifests["latest"])
    registry.manifests[named] += b" "
    with refused(DigestError, "another manifest"):
        install(f"{address}@{named}", instance.store)


def test_no_release_but_a_model(pushed, channel, registry, pull, refused):
    registry.manifests["latest"] = registry.manifests[manifest_of(channel)]
    with refused(MalformedError, "is not a release of Sealift"):
        pull()


@pytest.mark.parametrize(
    "document", [b"[]", b"{", b'{"artifactType":"application/vnd.sealift.bundle.v1+json","layers":[{"digest":1}]}']
)
def test_a_release_that_is_none(document, pushed, registry, pull, refused):
    registry.manifests["latest"] = document
    with refused(MalformedError):
        pull()


def test_an_endless_manifest(pushed, registry, pull, refused):
    def endless(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while True:
            handler.wfile.write(b"100000\r\n" + bytes(0x100000) + b"\r\n")

    registry.lie = answers("/manifests/latest", endless)
    with refused(LimitError, "more than"):
        pull()


def test_an_endless_blob(pushed, channel, registry, pull, refused):
    def endless(handler):
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        while True:
            handler.wfile.write(bytes(65536))

    registry.lie = answers(weights(channel), endless)
    with refused(LocalError, "no Content-Length"):
        pull()


def test_a_redirect_loop(pushed, registry, pull, refused):
    registry.lie = answers("/manifests/", lambda handler: handler.say(307, Location=handler.path))
    with refused(LocalError, "redirects more than 5 times"):
        pull()


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://192.0.2.1/x", "", "http://[", "//user@"])
def test_a_redirect_to_nowhere_good(location, pushed, registry, pull, refused):
    registry.lie = answers("/manifests/", lambda handler: handler.say(302, Location=location))
    with refused(LocalError):
        pull()


def test_a_redirect_takes_no_login_along(pushed, channel, registry, pull, monkeypatch, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": "bWU6c2VjcmV0"}}}))
    (tmp_path / "config.json").chmod(0o600)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with hostile_registry() as other:
        other.blobs.update(registry.blobs)

        def lie(handler):
            if "Authorization" not in handler.headers:
                handler.say(401, WWW_Authenticate='Basic realm="x"')
            elif "/blobs/" in handler.path:
                handler.say(307, Location=f"http://{other.host}{handler.path}")
            else:
                return None
            return True

        registry.lie = lie
        assert pull().changed
        assert other.asked
        assert not [headers for _, _, headers in other.asked if "Authorization" in headers]


@pytest.mark.parametrize(
    ("lines", "error"),
    [(["X-Long: " + "x" * 100_000], LocalError), ([f"X-{n}: y" for n in range(200)], LocalError)],
    ids=["one", "many"],
)
def test_huge_headers(lines, error, pushed, registry, pull, refused):
    def answer(handler):
        handler.wfile.write("\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode())
        handler.close_connection = True

    registry.lie = answers("/manifests/", answer)
    with refused(error):
        pull()


def test_continue_without_end(pushed, registry, pull, refused):
    def answer(handler):
        while True:
            handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    registry.lie = answers("/manifests/", answer)
    with refused(LimitError, "head of an answer"):
        pull()


def test_401_without_end(pushed, registry, pull, refused, monkeypatch, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": "bWU6c2VjcmV0"}}}))
    (tmp_path / "config.json").chmod(0o600)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    registry.lie = answers("", lambda handler: handler.say(401, WWW_Authenticate='Basic realm="x"'))
    with refused(LocalError, "HTTP 401"):
        pull()
    assert len(registry.asked) == 2


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"token": 1}', b'{"token": "a\\nb"}', b"x" * 2_000_000])
def test_a_token_that_is_none(body, pushed, registry, pull, refused):
    def lie(handler):
        if handler.path.startswith("/token"):
            handler.say(200, body)
        else:
            handler.say(401, WWW_Authenticate=f'Bearer realm="http://{registry.host}/token",service="x"')
        return True

    registry.lie = lie
    with refused((LocalError, LimitError)):
        pull()


@pytest.mark.parametrize("challenge", ["", "Negotiate", 'Bearer realm="http://192.0.2.1/"', 'Bearer realm="x"'])
def test_a_challenge_that_cannot_be_met(challenge, pushed, registry, pull, refused):
    registry.lie = answers("", lambda handler: handler.say(401, WWW_Authenticate=challenge))
    with refused(LocalError):
        pull()


def test_a_password_does_not_travel_in_the_clear(pushed, registry, pull, refused, monkeypatch, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": "bWU6c2VjcmV0"}}}))
    (tmp_path / "config.json").chmod(0o600)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    challenge = 'Bearer realm="http://192.0.2.1/token",service="x"'
    registry.lie = answers("", lambda handler: handler.say(401, WWW_Authenticate=challenge))
    with refused(LocalError, "without TLS"):
        pull()


def test_an_older_repository(pushed, channel, instance, registry, address, pull, refused, tmp_path):
    older = dict(registry.manifests)
    channel.add("toy", "1.1.0")
    channel.release()
    push(str(channel.pack(tmp_path / "second.tar")), parse(address), Access(), lambda _: None)
    pull()
    registry.manifests = older
    with refused(RollbackError):
        pull()
    assert installed_release(address, instance.store) is None


def test_another_channel(pushed, registry, address, pull, refused, tmp_path):
    from support.release.channel_simulator import ChannelSimulator

    stranger = ChannelSimulator(tmp_path / "stranger", name="sim")
    stranger.add()
    stranger.release()
    push(str(stranger.pack(tmp_path / "stranger.tar")), parse(address), Access(), lambda _: None)
    with refused(RootError):
        pull()


def test_a_mixed_release(pushed, channel, registry, address, pull, refused, tmp_path):
    old = json.loads(registry.manifests["latest"])
    channel.add("toy", "1.1.0")
    channel.release()
    push(str(channel.pack(tmp_path / "second.tar")), parse(address), Access(), lambda _: None)
    new = json.loads(registry.manifests["latest"])
    titles = [layer["annotations"]["org.opencontainers.image.title"] for layer in new["layers"]]
    place = titles.index("targets.json")
    new["layers"][place] = old["layers"][place]
    registry.manifests["latest"] = json.dumps(new).encode()
    with refused((MixError, DigestError, RollbackError)):
        pull()


@pytest.mark.parametrize("name", ["targets.json", "timestamp.json", "index.json", "MANIFEST.md", "1.root.json"])
def test_a_member_of_the_head_is_left_out(name, pushed, registry, pull, refused):
    document = json.loads(registry.manifests["latest"])
    document["layers"] = [x for x in document["layers"] if x["annotations"]["org.opencontainers.image.title"] != name]
    registry.manifests["latest"] = json.dumps(document).encode()
    with refused(MalformedError, "expected"):
        pull()


def test_too_many_members(pushed, registry, pull, refused):
    document = json.loads(registry.manifests["latest"])
    document["layers"] *= 100
    registry.manifests["latest"] = json.dumps(document).encode()
    with refused(LimitError, "layers"):
        pull()


@pytest.mark.parametrize("what", ["blob", "manifest"])
def test_something_is_missing(what, pushed, channel, registry, pull, refused):
    if what == "blob":
        del registry.blobs[weights(channel)]
    else:
        del registry.manifests[manifest_of(channel)]
    with refused(MalformedError, "the registry lacks"):
        pull()


def test_a_model_is_stripped(pushed, channel, instance, registry, pull, refused):
    head = json.loads(registry.manifests["latest"])
    layer = head["layers"][0]
    index = json.loads(registry.blobs[layer["digest"]])
    index["manifests"] = []
    data = json.dumps(index, sort_keys=True, separators=(",", ":")).encode()
    registry.blobs[digest(data)] = data
    layer |= {"digest": digest(data), "size": len(data)}
    registry.manifests["latest"] = json.dumps(head).encode()
    with refused(MixError, "was stripped"):
        pull()


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
