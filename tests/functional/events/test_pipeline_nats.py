"""The log on NATS JetStream: a server that is away, what is known twice for longer than its window, logins, and TLS."""

import asyncio
import subprocess
import threading
import time

import nats
import pytest
from support.gitlab.events import Events
from support.gitlab.hook import Hook
from support.gitlab.pipeline import land, new_pipeline, put, receiver, rows
from support.servers.nats_server import NatsServer, nats_server, version
from support.servers.registry_server import private_ca

from sealift.errors import KeyFileError, UnsupportedVersionError
from sealift_pipeline.cli import command
from sealift_pipeline.data_policy.record import Record
from sealift_pipeline.errors import DataPolicyError, EventLogError
from sealift_pipeline.log import nats_log
from sealift_pipeline.log.nats_log import NatsLog
from sealift_pipeline.settings.nats import NatsSettings
from sealift_pipeline.settings.settings import Settings


def record(key, text="x"):
    return Record("issue", str(key), 1, ("u_1",), {"title": text})


def on_nats(settings, server, *lines):
    path = settings.folder / "pipeline.toml"
    section = "\n".join([f'url = "{server if isinstance(server, str) else server.url}"', *lines])
    path.write_text(path.read_text().replace('url = "sqlite:log/events.db"', section))
    return Settings.load(settings.folder)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
def settings(server, tmp_path):
    return on_nats(new_pipeline(tmp_path / "p"), server, f'stream = "{tmp_path.name}"')


def with_stream(server, act):
    """Do something to the server that no command of ours does."""

    async def connected():
        client = await nats.connect(server.url)
        await act(client.jetstream())
        await client.close()

    asyncio.run(connected())


def test_a_server_that_is_away_is_503_until_it_is_back(tmp_path):
    with nats_server(tmp_path / "nats") as server:
        settings = on_nats(new_pipeline(tmp_path / "p"), server)
        first, second, third, fourth = Events(1).several(4, ["issue"])
        server.stop()
        with receiver(settings) as listening:
            hook = Hook(listening.server_address[:2], token=settings.token_file.read_text().strip())
            assert hook.send(first) == 503
            server.start()
            assert hook.send(second, key="second") == 200
            server.kill()
            assert hook.send(third) == 503
            server.start()
            assert hook.send(second, key="second") == 200
            assert hook.send(fourth, key="fourth") == 200
        land(settings)
        assert [row["key"] for row in rows(settings)] == ["second", "fourth"]


def test_a_command_says_which_server_is_away(tmp_path, call):
    settings = on_nats(new_pipeline(tmp_path / "p"), "nats://127.0.0.1:9")
    status, _, error = call(command, "status", "--pipeline", settings.folder)
    assert status == 71
    assert "log on NATS at nats://127.0.0.1:9" in error
    assert "check that nats-server runs there with JetStream" in error


def test_a_server_without_jetstream_is_an_error(tmp_path):
    with (
        nats_server(tmp_path / "nats", jetstream=False) as server,
        NatsLog(NatsSettings((server.url,))) as log,
        pytest.raises(EventLogError, match="log on NATS at"),
    ):
        log.append([record(1)])


def test_after_the_window_a_key_is_known_by_the_table(settings, monkeypatch):
    monkeypatch.setattr(nats_log, "DUPLICATE_WINDOW_S", 0.1)
    events = list(Events(1).several(20, ["issue"]))
    put(settings, events[:10])
    time.sleep(0.3)
    # Once more while the first ten wait in the log, and once more after they were landed.
    put(settings, events[:15])
    assert land(settings).rows == {"issue": 15}
    time.sleep(0.3)
    put(settings, events)
    assert land(settings).rows == {"issue": 5}
    assert sorted(row["key"] for row in rows(settings)) == sorted(f"key-{number}" for number in range(20))


def test_an_erased_event_does_not_come_back_after_the_window(settings, call, monkeypatch):
    monkeypatch.setattr(nats_log, "DUPLICATE_WINDOW_S", 0.1)
    events = list(Events(1).several(20, ["issue"]))
    for event in events[:4]:
        event["object_attributes"]["author_id"] = 4711
    put(settings, events)
    land(settings)
    erase = ("erase", "--user-id", 4711, "--request", "T-1", "--pipeline", settings.folder)
    assert "erased 4 rows" in call(command, *erase)[1]
    time.sleep(0.3)
    put(settings, events)
    assert land(settings).rows == {}
    assert len(rows(settings)) == 16


def test_a_trim_takes_no_record_that_comes_at_the_same_moment(settings):
    with NatsLog(settings.nats) as log, NatsLog(settings.nats) as reader:
        over = threading.Event()
        appended = []

        def append():
            for number in range(1500):
                log.append([record(number)])
                appended.append(str(number))
            over.set()

        thread = threading.Thread(target=append)
        thread.start()
        found = []
        while True:
            done = over.is_set()
            entries = reader.read(reader.position().trimmed, 1000)
            found += [entry.record.key for entry in entries]
            if entries:
                reader.trim(entries[-1].seq)
            elif done:
                break
        thread.join()
        assert found == appended


def test_numbers_survive_a_crash_of_a_server_whose_stream_is_empty(tmp_path):
    with nats_server(tmp_path / "nats") as server, NatsLog(NatsSettings((server.url,))) as log:
        log.append([record(number) for number in range(10)])
        log.trim(10)
        identity = log.identity
        server.kill()
        server.start()
        with NatsLog(NatsSettings((server.url,))) as again:
            assert again.identity == identity
            assert again.position() == (10, 10, 0, 0)
            again.append([record("new")])
            assert [entry.seq > 10 for entry in again.read(10, 9)] == [True]


def test_a_server_that_syncs_each_event_does_so_or_says_that_it_is_too_old(tmp_path, require_tool):
    """As docs/how-to/data/outgrow-one-machine.md says: 2.10 and newer; an older one does not start."""
    if version() < (2, 10):
        with pytest.raises(AssertionError, match='unknown field "sync_interval"'):
            NatsServer(tmp_path / "nats", syncs=True)
        return
    require_tool("strace")
    server = NatsServer(tmp_path / "nats", syncs=True)
    said = tmp_path / "calls"
    tracing = subprocess.Popen(
        ["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", said, "-p", str(server.process.pid)]
    )
    try:
        log = NatsLog(NatsSettings((server.url,)))
        with log:
            log.position()
            for _ in range(500):
                if said.exists():
                    break
                time.sleep(0.02)
            before = said.read_text().count("sync(")
            assert log.append([record(f"key-{number}") for number in range(20)]) == [True] * 20
            time.sleep(0.2)
            assert said.read_text().count("sync(") - before >= 20
    finally:
        server.stop()
        tracing.wait()


def test_of_what_was_trimmed_no_file_of_the_server_has_the_text(tmp_path):
    with nats_server(tmp_path / "nats") as server, NatsLog(NatsSettings((server.url,))) as log:

        def held():
            return b"".join(path.read_bytes() for path in server.store.rglob("*") if path.is_file())

        log.append([record(number, "SECRET-TEXT" * 200) for number in range(300)])
        assert b"SECRET-TEXT" in held()
        log.trim(300)
        assert b"SECRET-TEXT" not in held()


def test_a_record_beyond_a_message_is_rejected_and_its_neighbors_are_kept(tmp_path):
    with nats_server(tmp_path / "nats", max_payload=20_000) as server:
        settings = on_nats(new_pipeline(tmp_path / "p"), server)
        small, large = Events(1).several(2, ["issue"])
        large["object_attributes"]["description"] = "word " * 10_000
        with receiver(settings) as listening:
            hook = Hook(listening.server_address[:2], token=settings.token_file.read_text().strip())
            assert hook.send(large) == 200
            assert hook.send(small, key="small") == 200
            assert listening.intake.log.position().rejected == 1
        land(settings)
        assert [row["key"] for row in rows(settings)] == ["small"]


def test_a_log_that_was_restored_from_an_older_copy_is_refused(settings, server):
    put(settings, list(Events(1).several(10, ["issue"])))
    land(settings)
    state = settings.folder / "landed.json"
    state.write_text(state.read_text().replace('"last": 10', '"last": 50'))
    put(settings, list(Events(2).several(1, ["issue"])), first=100)
    with pytest.raises(EventLogError, match="the log ends at event 12, and event 50 was landed from it"):
        land(settings)


def test_a_stream_that_was_made_anew_is_another_log(settings, server):
    events = list(Events(1).several(15, ["issue"]))
    put(settings, events[:10])
    land(settings)
    with_stream(server, lambda stream: stream.delete_stream(settings.nats.stream))
    put(settings, events)
    assert land(settings).rows == {"issue": 5}
    found = rows(settings)
    assert sorted(row["key"] for row in found) == sorted(f"key-{number}" for number in range(15))
    assert len({row["seq"] for row in found}) == 15


@pytest.mark.parametrize(
    ("config", "error", "match"),
    [
        ({}, EventLogError, "is not a log of Sealift; give `stream`"),
        ({"description": "Sealift event log, format 2, numbered above 0"}, UnsupportedVersionError, "format 2"),
        (
            {"description": "Sealift event log, format 1, numbered above 0", "max_age": 60},
            EventLogError,
            "could lose an event: discard is not new, max_age is set",
        ),
    ],
    ids=["somebody else's", "newer", "forgets"],
)
def test_a_stream_that_cannot_be_the_log_is_refused(server, config, error, match):
    name = "taken-" + "".join(filter(str.isalnum, match))
    with_stream(server, lambda stream: stream.add_stream(name=name, subjects=[f"{name}.record"], **config))
    with NatsLog(NatsSettings((server.url,), stream=name)) as log, pytest.raises(error, match=match):
        log.append([record(1)])


def test_a_token_or_a_password_opens_it_and_a_wrong_one_does_not(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("correct-horse-battery\n")
    secret.chmod(0o600)
    with nats_server(tmp_path / "a", authorization={"token": "correct-horse-battery"}) as server:
        with NatsLog(NatsSettings((server.url,), token_file=secret)) as log:
            assert log.append([record(1)]) == [True]
        with NatsLog(NatsSettings((server.url,))) as log, pytest.raises(EventLogError, match=r"[Aa]uthorization"):
            log.append([record(2)])
    login = {"user": "sealift", "password": "correct-horse-battery"}
    with (
        nats_server(tmp_path / "b", authorization=login) as server,
        NatsLog(NatsSettings((server.url,), user="sealift", password_file=secret)) as log,
    ):
        assert log.append([record(1)]) == [True]
    secret.chmod(0o644)
    with pytest.raises(KeyFileError):
        NatsLog(NatsSettings(("nats://127.0.0.1:9",), token_file=secret))


def test_tls_is_checked_against_the_authority_that_is_named(tmp_path):
    folder = private_ca(tmp_path)
    tls = {"cert_file": str(folder / "server.pem"), "key_file": str(folder / "server.key")}
    with nats_server(tmp_path / "nats", tls=tls) as server:
        with NatsLog(NatsSettings((server.url,), ca_file=folder / "ca.pem")) as log:
            assert log.append([record(1)]) == [True]
        with NatsLog(NatsSettings((server.url,))) as log, pytest.raises(EventLogError, match="CERTIFICATE_VERIFY"):
            log.append([record(2)])


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        (['url = "nats://events.example:4222"'], "events would cross the network in the clear"),
        (['url = "tls://me:secret@events.example"'], "a login; put it into a file of mode 0600"),
        (['url = "tls://events.example/x"'], "expected tls://HOST:PORT"),
        (['url = "tls://a.example:99999"'], "expected tls://HOST:PORT"),
        (['url = "tls://a.example"', "replicas = 2"], "expected 1, 3 or 5"),
        (['url = "tls://a.example"', 'stream = "a.b"'], "expected letters, digits"),
        (['url = "tls://a.example"', 'user = "me"'], "'user' and 'password_file' belong together"),
        (['url = "tls://a.example"', 'user = "a"', 'password_file = "b"', 'token_file = "c"'], "both a token and a"),
        (['url = "tls://a.example"', 'tokenfile = "c"'], "unknown key 'tokenfile'"),
        (['url = "sqlite:log/events.db"', 'stream = "a"'], "is an option of a log on NATS"),
    ],
)
def test_wrong_settings_name_their_line(tmp_path, lines, match):
    settings = new_pipeline(tmp_path / "p")
    path = settings.folder / "pipeline.toml"
    path.write_text(path.read_text().replace('url = "sqlite:log/events.db"', "\n".join(lines)))
    with pytest.raises(DataPolicyError, match=match) as caught:
        Settings.load(settings.folder)
    assert "line" in str(caught.value)
