"""What receiver and lander rely on holds for every log: the one in SQLite, and the one on NATS JetStream."""

import itertools

import pytest
from support.gitlab.events import Events
from support.gitlab.pipeline import land, new_pipeline, put, rows
from support.servers.nats_server import nats_server

from sealift_pipeline.data_policy.record import Record
from sealift_pipeline.log.base import Rejection
from sealift_pipeline.log.nats_log import NatsLog
from sealift_pipeline.log.sqlite_log import SqliteLog
from sealift_pipeline.settings.nats import NatsSettings
from sealift_pipeline.settings.settings import Settings

_STREAMS = itertools.count()


def record(key, text="x"):
    return Record("issue", str(key), 1, ("u_1",), {"title": text})


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture(params=["sqlite", "nats"])
def opened(request, tmp_path):
    """Open one log, each time anew."""
    if request.param == "sqlite":
        return lambda: SqliteLog(tmp_path / "log" / "events.db")
    settings = NatsSettings((request.getfixturevalue("server").url,), stream=f"log-{next(_STREAMS)}")
    return lambda: NatsLog(settings)


@pytest.fixture
def log(opened):
    with opened() as log:
        yield log


def keys(log, after=0, limit=1000):
    return [entry.record.key for entry in log.read(after, limit)]


def test_records_are_numbered_and_read_back_in_order(log):
    assert log.position() == (0, 0, 0, 0)
    assert log.read(0, 10) == []
    assert log.append([record(1, "ä\0€"), record(2)]) == [True, True]
    assert log.append([record(3)]) == [True]
    assert [(entry.seq, entry.record) for entry in log.read(0, 10)] == [
        (1, record(1, "ä\0€")),
        (2, record(2)),
        (3, record(3)),
    ]
    assert [entry.seq for entry in log.read(1, 1)] == [2]
    assert log.position() == (3, 0, 3, 0)


def test_a_key_is_known_in_the_same_batch_later_and_after_a_trim(log):
    assert log.append([record(1), record(1)]) == [True, False]
    assert log.append([record(1)]) == [False]
    assert log.trim(1)
    assert log.append([record(1), record(2)]) == [False, True]
    assert keys(log) == ["2"]


def test_a_trim_takes_what_was_landed_and_nothing_else(log):
    log.append([record(number) for number in range(300)])
    assert log.trim(200)
    assert keys(log) == [str(number) for number in range(200, 300)]
    assert log.position() == (300, 200, 100, 0)
    assert log.trim(100)
    assert log.position() == (300, 200, 100, 0)
    assert log.trim(300)
    assert log.position() == (300, 300, 0, 0)
    assert log.read(300, 10) == []


def test_a_trim_of_nothing_takes_nothing(log):
    assert log.trim(0)
    log.append([record(1), record(2)])
    assert log.trim(0)
    assert keys(log) == ["1", "2"]
    assert log.trim(1)
    assert keys(log) == ["2"]


def test_numbers_only_grow_also_after_all_was_trimmed(log):
    last = 0
    for number in range(5):
        log.append([record(number)])
        (entry,) = log.read(log.position().trimmed, 10)
        assert entry.seq > last
        last = entry.seq
        log.trim(last)
        assert log.position().waiting == 0
        assert log.position().trimmed == last


def test_it_survives_being_opened_again_and_has_one_identity(log, opened):
    log.append([record(1)])
    log.trim(1)
    with opened() as again:
        assert again.identity == log.identity
        assert again.position() == (1, 1, 0, 0)
        assert again.append([record(1), record(2)]) == [False, True]
        assert keys(again) == ["2"]


def test_a_new_log_starts_above_what_an_older_one_had_landed(log):
    log.append([record(1), record(2)])
    log.start_above(1000)
    assert [(entry.seq, entry.record.key) for entry in log.read(1000, 9)] == [(1001, "1"), (1002, "2")]
    assert log.position() == (1002, 1000, 2, 0)
    log.trim(1001)
    log.append([record(3)])
    assert log.position() == (1003, 1001, 2, 0)


def test_of_a_rejected_event_the_digest_is_kept_once(log):
    for _ in range(2):
        log.reject(Rejection("ab" * 32, "issue", "object_attributes.id", 5))
    assert log.position() == (0, 0, 0, 1)


def test_a_read_is_bounded_by_bytes(log, monkeypatch):
    for module in ("sqlite_log", "nats_log"):
        monkeypatch.setattr(f"sealift_pipeline.log.{module}.MOST_READ_BYTES", 50_000)
    log.append([record(number, "x" * 1000) for number in range(400)])
    found = keys(log)
    assert 40 < len(found) < 400
    assert found == [str(number) for number in range(len(found))]


def test_events_are_landed_once(opened, tmp_path, monkeypatch):
    settings = new_pipeline(tmp_path / "p")
    for module in ("support.gitlab.pipeline", "sealift_pipeline.cli.events.land"):
        monkeypatch.setattr(f"{module}.open_log", lambda _: opened())
    events = list(Events(1).several(30, ["issue"]))
    put(settings, events[:20])
    assert land(settings).rows == {"issue": 20}
    put(settings, events)
    assert land(settings).rows == {"issue": 10}
    assert land(settings).rows == {}
    assert [row["key"] for row in rows(settings)] == [f"key-{number}" for number in range(30)]


def test_a_pipeline_moves_from_the_one_to_the_other(server, tmp_path):
    settings = new_pipeline(tmp_path / "p")
    events = list(Events(1).several(30, ["issue"]))
    put(settings, events[:20])
    land(settings)
    path = settings.folder / "pipeline.toml"
    path.write_text(
        path.read_text().replace('url = "sqlite:log/events.db"', f'url = "{server.url}"\nstream = "moved-{id(server)}"')
    )
    settings = Settings.load(settings.folder)
    # What was landed from the old log is known by its key.
    put(settings, events)
    assert land(settings).rows == {"issue": 10}
    found = rows(settings)
    assert [row["key"] for row in found] == [f"key-{number}" for number in range(30)]
    assert len({row["seq"] for row in found}) == 30
