"""Lies of a registry, or of somebody between: each is refused as from a file, with the store unchanged."""

import json

import pytest
from support.hostile.registry import answers, digest, hostile_registry, manifest_of, weights

from sealift.errors import DigestError, LimitError, LocalError, MalformedError, MixError, RollbackError, RootError
from sealift.install.newer import installed_release
from sealift.install.steps import install
from sealift.publish.release import push
from sealift.registry.access import Access
from sealift.registry.address import parse


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
