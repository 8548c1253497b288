"""A registry, or the storage behind it, that plays with HTTP: for a login, for memory, or to hold us forever."""

import json
import random
from http.client import HTTPConnection

import pytest
from support.hostile.registry import digest, hostile_registry

from sealift.errors import LimitError, LocalError
from sealift.limits import LIMITS
from sealift.publish.release import push
from sealift.registry import pacing, session, transport
from sealift.registry.access import Access
from sealift.registry.address import parse
from sealift.registry.authentication import Authentication
from sealift.registry.credentials import Login
from sealift.registry.origin import Origin, join
from sealift.registry.repository import open_repository
from sealift.registry.sources.generic_package import open_project
from sealift.registry.transport import Transport
from sealift_common.blob import Blob

DATA = random.Random(1).randbytes(3_000_000)
BLOB = Blob(digest(DATA), len(DATA))


@pytest.fixture(autouse=True)
def limits(monkeypatch):
    for module in (pacing, session, transport):
        monkeypatch.setattr(module, "LIMITS", LIMITS._replace(http_backoff_s=0.0, http_timeout_s=5.0))


@pytest.fixture
def registry():
    with hostile_registry() as server:
        yield server


@pytest.fixture
def repository(registry):
    with open_repository(parse(f"oci://{registry.host}/models"), Access(), "pull,push") as found:
        yield found


@pytest.fixture
def login(monkeypatch, tmp_path):
    """Log in to a host."""

    def log_in(host):
        (tmp_path / "config.json").write_text(json.dumps({"auths": {host: {"auth": "bWU6c2VjcmV0"}}}))
        (tmp_path / "config.json").chmod(0o600)
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    return log_in


def upload(repository, data=DATA):
    repository.upload(Blob(digest(data), len(data)), lambda offset, length: [data[offset : offset + length]])


def test_storage_that_asks_for_the_login(registry, repository, login):
    login(registry.host)
    with hostile_registry() as storage:

        def ask(handler):
            handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
            handler.say(401, WWW_Authenticate=f'Bearer realm="http://{storage.host}/token"')
            return True

        def lead_away(handler):
            return handler.command == "POST" and (
                handler.say(202, Location=f"http://{storage.host}/blobs/uploads/1") or True
            )

        registry.lie, storage.lie = lead_away, ask
        with pytest.raises(LocalError, match="HTTP 401"):
            upload(repository, b"small")
        assert [path for _, path, _ in storage.asked] == [
            f"/blobs/uploads/1?digest={digest(b'small')}".replace(":", "%3A")
        ]
        assert not [headers for _, _, headers in storage.asked if "Authorization" in headers]


def test_tls_never_leads_to_plain_http():
    assert join("https://a/x", "/y") == "https://a/y"
    assert join("http://a/x", "http://127.0.0.1:1/y") == "http://127.0.0.1:1/y"
    with pytest.raises(LocalError, match="without TLS"):
        join("https://a/x", "http://127.0.0.1:1/y")


def test_a_token_server_without_tls_on_this_machine():
    sent = []
    logins = Authentication(
        Origin("https", "a", 443), "", lambda: Login("me", "secret"), lambda *a: sent.append(a), lambda *_: None
    )
    with pytest.raises(LocalError, match="without TLS"):
        logins.answer(['Bearer realm="http://127.0.0.1:1/token"'])
    assert not sent


@pytest.mark.parametrize("host", ["\x1bc", "a\x9bb", "a b", "a\x00b"])
def test_a_host_that_speaks_to_the_terminal(host, registry, repository):
    registry.lie = lambda handler: handler.say(307, Location=f"http://{host}/x") or True
    with pytest.raises(LocalError) as caught:
        repository.manifest("latest")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["GITLAB_TOKEN", "CI_JOB_TOKEN"])
@pytest.mark.parametrize("token", ["s3cret\r", "s3cret\nX-Other: 1", "s3cret\N{HORIZONTAL ELLIPSIS}"])
def test_a_token_with_a_line_break_is_not_shown(name, token, registry, monkeypatch):
    for other in ("GITLAB_TOKEN", "GITLAB_DEPLOY_TOKEN", "CI_JOB_TOKEN"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, token)
    with (
        pytest.raises(LocalError, match=f"the token in {name}") as caught,
        open_project(parse(f"gitlab://{registry.host}/a/b"), Access()) as project,
    ):
        project.open_bundle()
    assert "s3cret" not in str(caught.value)
    assert not registry.asked


def test_a_job_token_goes_to_the_instance_of_the_job_alone(registry, monkeypatch):
    for other in ("GITLAB_TOKEN", "GITLAB_DEPLOY_TOKEN"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv("CI_JOB_TOKEN", "s3cret")
    registry.lie = lambda handler: handler.say(200, b"[]") or True
    for host, sent in (("gitlab.example.com", False), ("127.0.0.1", True)):
        monkeypatch.setenv("CI_SERVER_HOST", host)
        with (
            open_project(parse(f"gitlab://{registry.host}/a/b"), Access()) as project,
            pytest.raises(LocalError, match="holds no package"),
        ):
            project.open_bundle()
        assert ("JOB-TOKEN" in registry.asked.pop()[2]) is sent


def test_a_header_that_cannot_be_sent_is_not_shown(registry):
    with pytest.raises(LocalError, match="HTTP cannot carry") as caught:
        Transport(Access()).exchange("GET", f"http://{registry.host}/", {"Authorization": "s3cret\n"})
    assert "s3cret" not in str(caught.value)


def test_a_host_in_capitals_gets_its_login(registry, login):
    host = f"LOCALHOST:{registry.server_address[1]}"
    login(host)
    registry.manifests["latest"] = b"{}"
    registry.lie = lambda handler: (
        "Authorization" not in handler.headers and (handler.say(401, WWW_Authenticate='Basic realm="x"') or True)
    )
    with open_repository(parse(f"oci://{host}/models"), Access(), "pull") as found:
        assert found.manifest("latest") == b"{}"


@pytest.mark.parametrize("size", [b"-1", b"-5"])
def test_a_chunk_of_negative_size(size, registry, repository):
    written = []

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(size + b"\r\n")
        handler.close_connection = True
        for _ in range(64):
            handler.wfile.write(bytes(1_000_000))
            written.append(1_000_000)

    registry.lie = lambda handler: answer(handler) or True
    with pytest.raises(LocalError, match="after 8 tries"):
        repository.manifest("latest")
    # What the buffers of eight connections take, and no more.
    assert sum(written) < 8 * 20_000_000


@pytest.mark.parametrize("mark", [b"X-Trailer: y\r\n", b"1;" + b"x" * 60_000 + b"\r\na\r\n"])
def test_chunks_that_are_all_marks(mark, registry, repository):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"0\r\n" if mark.startswith(b"X") else b"")
        while True:
            handler.wfile.write(mark * 100)

    registry.lie = lambda handler: answer(handler) or True
    with pytest.raises(LimitError, match="without Content-Length"):
        repository.manifest("latest")


def test_a_registry_that_takes_everything_but_the_end(registry, repository):
    ends = []

    def lie(handler):
        if handler.command == "PUT":
            if handler.rfile.read(int(handler.headers["Content-Length"])) or True:
                ends.append(handler.path)
            handler.say(504 if len(ends) < 50 else 400)
            return True
        if handler.command == "GET":
            handler.say(404)
            return True
        return None

    registry.lie = lie
    with pytest.raises(LocalError, match="after 8 tries"):
        upload(repository)
    assert len(ends) == 8


@pytest.mark.parametrize("ranges", [True, False], ids=["a trickle", "no ranges"])
def test_a_body_that_hardly_moves(ranges, registry, repository):
    registry.blobs[BLOB.digest] = DATA
    asked = []

    def lie(handler):
        begin = int(handler.headers.get("Range", "bytes=0-")[6:-1]) if ranges else 0
        asked.append(begin)
        handler.send_response(206 if begin else 200)
        handler.send_header("Content-Length", str(len(DATA) - begin if len(asked) < 50 else 0))
        handler.send_header("Content-Range", f"bytes {begin}-{len(DATA) - 1}/{len(DATA)}")
        handler.end_headers()
        handler.wfile.write(DATA[begin : begin + 1000])
        handler.close_connection = True
        return True

    registry.lie = lie
    with pytest.raises(LocalError, match="after 8 tries"):
        list(repository.blob(BLOB.digest).chunks())
    assert len(asked) == 8


@pytest.mark.parametrize("claimed", [len(DATA) - 1, len(DATA), 10**12])
def test_an_upload_of_which_more_is_there_than_was_sent(claimed, registry, repository):
    broken = []
    asked = []

    def lie(handler):
        if handler.command == "PATCH" and not broken:
            broken.append(handler.path)
            handler.close_connection = True
            return True
        if handler.command == "GET":
            handler.say(204, Location=handler.path, Range=f"0-{claimed}")
            return True
        return None

    def content(offset, length):
        asked.append((offset, length))
        # A reader stops early where the connection breaks.
        yield from (DATA[at : at + 1000] for at in range(offset, offset + length, 1000))

    registry.lie = lie
    repository.upload(BLOB, content)
    assert registry.blobs[BLOB.digest] == DATA
    assert all(offset >= 0 and 0 <= length <= len(DATA) - offset for offset, length in asked)


def test_a_newer_release_that_came_while_we_pushed(channel, registry, tmp_path):
    channel.add("toy", "1.0.0")
    channel.release()
    older = channel.pack_anything(tmp_path / "older.tar")
    channel.add("toy", "1.1.0")
    channel.release()
    newer = channel.pack_anything(tmp_path / "newer.tar")
    address = parse(f"oci://{registry.host}/models")
    began = []

    def lie(handler):
        if handler.command == "POST" and not began:
            began.append(handler.path)
            push(str(newer), address, Access(), lambda _: None)

    registry.lie = lie
    report = push(str(older), address, Access(), lambda _: None)
    assert report.superseded
    claimed = json.loads(registry.manifests["latest"])["annotations"]["io.sealift.release"]
    assert int(claimed) == report.release + 1


@pytest.mark.parametrize("version", ["9" * 5000, "007", "\N{ARABIC-INDIC DIGIT THREE}", "-1", ["3"]])
def test_a_package_whose_version_is_no_release(version, registry):
    packages = [{"id": 1, "name": "sim", "version": version}]
    registry.lie = lambda handler: handler.say(200, json.dumps(packages).encode()) or True
    with (
        open_project(parse(f"gitlab://{registry.host}/a/sim"), Access()) as project,
        pytest.raises(LocalError, match="holds no package"),
    ):
        project.open_bundle()


def test_a_slow_line_may_take_as_long_to_push_as_to_pull(registry, repository, monkeypatch):
    sizes = []
    send = HTTPConnection.send
    monkeypatch.setattr(HTTPConnection, "send", lambda self, data: sizes.append(len(data)) or send(self, data))
    upload(repository)
    # One send has 30 s for all that it is given.
    assert max(sizes) == LIMITS.http_window_bytes
    assert registry.blobs[BLOB.digest] == DATA


def test_questions_share_a_connection(registry, repository):
    connections = set()
    registry.lie = lambda handler: connections.add(handler.client_address)
    registry.blobs[BLOB.digest] = DATA
    for _ in range(3):
        assert repository.has_blob(BLOB.digest)
        assert not repository.has_blob(digest(b""))
    assert len(connections) == 1
