"""The receiver, as a hook of GitLab meets it: every status, and what is on the disk when it says 200."""

import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.gitlab.events import KINDS, Events
from support.gitlab.hook import Hook
from support.gitlab.pipeline import SECRET, new_pipeline, receiver

from sealift_pipeline.cli import command
from sealift_pipeline.log.opening import open_log
from sealift_pipeline.receiver.intake import MOST_BODY_BYTES

EVENT = Events().make("issue")


@pytest.fixture
def settings(tmp_path):
    return new_pipeline(tmp_path / "pipeline")


@pytest.fixture
def server(settings):
    with receiver(settings) as server:
        yield server


@pytest.fixture
def token(settings):
    return settings.token_file.read_text().strip()


@pytest.fixture
def hook(server, token):
    return Hook(server.server_address[:2], token=token)


def ask(server, method="POST", path="/", body=None, **headers):
    """One request; gives the status and the text."""
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=5)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def kept(server):
    return [entry.record for entry in server.intake.log.read(0, 1000)]


def test_every_kind_of_event_is_kept_once_however_often_it_is_sent(server, hook):
    events = Events(1).several(12)
    assert [hook.send(event, twice=place % 3 == 0) for place, event in enumerate(events)] == [200] * 12
    assert [record.kind for record in kept(server)] == [KINDS[place % 6] for place in range(12)]
    assert server.counters.of("duplicate") == 4
    keys = [entry["request_headers"]["Idempotency-Key"] for entry in hook.sent]
    assert [record.key for record in kept(server)] == keys


def test_the_largest_body_that_gitlab_sends_is_taken(server, hook):
    event = {**EVENT, "changes": ""}
    event["changes"] = "x" * (MOST_BODY_BYTES - len(json.dumps(event)))
    assert len(json.dumps(event)) == MOST_BODY_BYTES == 26_214_400
    assert hook.send(event) == 200
    assert len(kept(server)) == 1
    event["changes"] += "x"
    assert hook.send(event) in (413, 0)
    assert len(kept(server)) == 1


def test_a_signature_alone_is_enough(server):
    hook = Hook(server.server_address[:2], signing_secret=SECRET)
    assert hook.send(EVENT) == 200
    assert len(kept(server)) == 1


@pytest.mark.parametrize("off", [-301, 301, 4_000_000_000])
def test_a_clock_that_jumped_is_told_of_in_one_line(server, off, capsys):
    hook = Hook(server.server_address[:2], signing_secret=SECRET, clock=lambda: time.time() + off)
    assert hook.send(EVENT) == 401
    (line,) = capsys.readouterr().err.splitlines()
    assert "401: signed at another time" in line
    assert line.endswith("set the clocks of both machines")
    assert kept(server) == []


def test_a_signature_of_something_else_is_refused(server):
    hook = Hook(server.server_address[:2], signing_secret="whsec_" + "b3RoZXIgc2VjcmV0IG9mIG5vYm9keSBhdCBhbGwgbm93")
    assert hook.send(EVENT) == 401


def test_a_wrong_token_is_refused_before_the_body_comes(server):
    with socket.create_connection(server.server_address[:2], timeout=5) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-Gitlab-Token: wrong\r\nContent-Length: 20000000\r\n\r\n")
        answer = client.recv(65536)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert server._bytes == 0


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (401, {}, b"{}"),
        (401, {"X-Gitlab-Token": "wrong"}, b"{}"),
        # A right signature does not make up for a wrong token.
        (401, {"X-Gitlab-Token": "w\xf6rong"}, b"{}"),
        (413, {"X-Gitlab-Token": "TOKEN", "Content-Length": "27000000"}, b""),
        (413, {"X-Gitlab-Token": "TOKEN", "Content-Length": str(MOST_BODY_BYTES + 1)}, b""),
        (411, {"X-Gitlab-Token": "TOKEN", "Content-Length": "-1"}, b""),
        (411, {"X-Gitlab-Token": "TOKEN", "Transfer-Encoding": "chunked"}, b"2\r\n{}\r\n0\r\n\r\n"),
        # Two lengths: a proxy may have believed the other one, and take the rest for a request of its own.
        (411, {"X-Gitlab-Token": "TOKEN", "Content-Length": "2", "Transfer-Encoding": "chunked"}, b"{}"),
        (411, {"X-Gitlab-Token": "TOKEN", "Content-Length": "2", "content-length": "9"}, b"{}"),
        (400, {"X-Gitlab-Token": "TOKEN"}, b"not json"),
        (400, {"X-Gitlab-Token": "TOKEN"}, b"\xff\xfe"),
        (400, {"X-Gitlab-Token": "TOKEN"}, b"[]"),
        (400, {"X-Gitlab-Token": "TOKEN"}, b'{"a": NaN}'),
        (400, {"X-Gitlab-Token": "TOKEN"}, b'{"a": 1, "a": 2}'),
        (400, {"X-Gitlab-Token": "TOKEN"}, b"[" * 100_000),
        (400, {"X-Gitlab-Token": "TOKEN"}, b""),
    ],
)
def test_a_bad_request_gets_its_status_and_one_line_and_leaves_nothing(server, token, capsys, status, headers, body):
    lines = [f"{name}: {value}".replace("TOKEN", token) for name, value in headers.items()]
    if not {"Content-Length", "Transfer-Encoding"} & set(headers):
        lines.append(f"Content-Length: {len(body)}")
    with socket.create_connection(server.server_address[:2], timeout=5) as client:
        client.sendall("\r\n".join(["POST / HTTP/1.1", "Host: x", *lines, "", ""]).encode("latin-1") + body)
        answer = client.makefile("rb").read()
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"sealift-pipeline: {status}: ")
    assert token not in line
    assert server.intake.log.position() == (0, 0, 0, 0)


def test_a_path_that_no_event_has_is_kept_by_digest_and_answered_200(server, token, capsys):
    event = {**EVENT, "object_attributes": {"title": "the text of it", "id": 1}}
    assert Hook(server.server_address[:2], token=token).send(event) == 200
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "sealift-pipeline: rejected an event of kind 'issue': it does not fit at object_attributes.iid"
    assert kept(server) == []
    files = server.intake.log.path.parent.iterdir()
    assert not any(b"the text of it" in path.read_bytes() for path in files)
    assert server.intake.log.position().rejected == 1


def test_a_kind_that_nobody_named_is_answered_200_and_touches_no_disk(server, hook):
    assert hook.send({"object_kind": "deployment", "deployable_url": "https://nobody.invalid"}) == 200
    assert server.intake.log.position() == (0, 0, 0, 0)
    assert server.counters.of("ignored") == 1


def test_what_the_policy_does_not_name_touches_no_disk(server, hook):
    event = {**EVENT, "changes": {"description": {"current": "n0b0dy-named-this"}}}
    assert hook.send(event) == 200
    files = list(server.intake.log.path.parent.iterdir())
    assert len(files) == 3
    assert not any(b"n0b0dy-named-this" in path.read_bytes() for path in files)


def test_a_log_that_is_locked_is_503_and_the_event_is_not_there(tmp_path, settings, token):
    from sealift_pipeline.log.sqlite_log import SqliteLog

    with receiver(settings, log=SqliteLog(settings.log_path, lock_timeout_s=0.1)) as server:
        other = sqlite3.connect(settings.log_path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        hook = Hook(server.server_address[:2], token=token)
        assert hook.send(EVENT, key="one") == 503
        other.close()
        assert kept(server) == []
        assert hook.send(EVENT, key="one") == 200
        assert len(kept(server)) == 1


def test_what_is_in_flight_is_bounded(server, token, monkeypatch):
    monkeypatch.setattr("sealift_pipeline.receiver.server._MOST_BYTES_IN_FLIGHT", 10)
    assert Hook(server.server_address[:2], token=token).send(EVENT) == 503
    monkeypatch.undo()
    monkeypatch.setattr("sealift_pipeline.receiver.server._MOST_CONNECTIONS", 0)
    assert ask(server, "GET", "/healthz")[0] == 503


def test_a_connection_that_trickles_is_ended(server, monkeypatch):
    monkeypatch.setattr("sealift_pipeline.receiver.server._LONGEST_S", 0.05)
    with socket.create_connection(server.server_address[:2], timeout=5) as client:
        client.sendall(b"POST / HTTP/1.1\r\n")
        assert client.recv(100) == b""


def test_health_and_metrics(server, hook):
    hook.send(EVENT, twice=True)
    hook.send({"object_kind": "deployment"})
    assert ask(server, "GET", "/healthz") == (200, "ok\n")
    status, text = ask(server, "GET", "/metrics")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    counts = {one.labels["result"]: one.value for one in families["sealift_pipeline_events"].samples}
    assert status == 200
    assert {name: counts[name] for name in ("accepted", "duplicate", "ignored", "rejected")} == {
        "accepted": 1,
        "duplicate": 1,
        "ignored": 1,
        "rejected": 0,
    }
    assert families["sealift_pipeline_log_waiting"].samples[0].value == 1
    assert ask(server, "GET", "/else")[0] == 404


def test_the_fake_hook_goes_off_as_the_real_one_does():
    now = [0.0]
    hook = Hook(("127.0.0.1", 9), token="t", clock=lambda: now[0])
    assert [hook.send(EVENT) for _ in range(6)] == [0, 0, 0, 0, None, None]
    assert len(hook.sent) == 4
    now[0] = 60
    assert hook.send(EVENT) == 0
    now[0] = 179
    assert hook.send(EVENT) is None
    for _ in range(35):
        now[0] += 25 * 3600
        hook.send(EVENT)
    now[0] += 10**9
    assert hook.send(EVENT) is None


# --- the command --------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_listens_takes_events_and_ends_when_it_is_asked_to(settings, token):
    path = Path(sys.executable).with_name("sealift-pipeline")
    with subprocess.Popen(
        [path, "receive", "--pipeline", settings.folder, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    ) as process:
        host, _, port = json.loads(process.stdout.readline())["listening"].removeprefix("http://").partition(":")
        assert Hook((host, int(port)), token=token).send(EVENT) == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143
        assert process.stderr.read() == "", "it ended as it was asked to"
    with open_log(settings) as log:
        assert log.position().last == 1


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ("chmod 644 pseudonym.key", 53, "mode 0644, others may read it"),
        ("chmod 644 hook.token", 53, "mode 0644, others may read it"),
        ("rm data-policy.toml", 70, "cannot read data policy"),
        ("echo 'x = 1' >> pipeline.toml", 70, "unknown key 'x' in [erasure]"),
        ("sed -i s/127.0.0.1/0.0.0.0/ pipeline.toml", 70, "expected 127.0.0.1 or [::1]"),
        ("sed -i s/127.0.0.1:0/127.0.0.1:99999/ pipeline.toml", 70, "expected ADDRESS:PORT"),
        ("sed -i 's/format = 1/format = 9/' pipeline.toml", 11, "format is 9; this Sealift knows 1"),
        ("sed -i 's/format = 1/format = 9/' data-policy.toml", 11, "format is 9; this Sealift knows 1"),
        ("mkdir log && echo 'this is no database at all' > log/events.db", 71, "not a database"),
    ],
)
def test_what_is_wrong_with_the_folder_is_said_before_anything_listens(settings, call, change, status, said):
    subprocess.run(["sh", "-c", change], cwd=settings.folder, check=True)
    got, out, err = call(command, "receive", "--pipeline", settings.folder)
    assert (got, out) == (status, "")
    (line,) = err.splitlines()
    assert said in line


def test_a_port_that_is_taken_is_told(settings, server, call):
    port = server.server_address[1]
    text = (settings.folder / "pipeline.toml").read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}")
    (settings.folder / "pipeline.toml").write_text(text)
    status, _, err = call(command, "receive", "--pipeline", settings.folder)
    assert (status, len(err.splitlines())) == (3, 1)
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in err
