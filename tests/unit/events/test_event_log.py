"""The embedded log: what it keeps, what it knows twice, and what a trim leaves of a record."""

import os
import sqlite3
import stat

import pytest

from sealift.errors import UnsupportedVersionError
from sealift_pipeline.data_policy.record import Record
from sealift_pipeline.errors import EventLogError
from sealift_pipeline.log.base import Rejection
from sealift_pipeline.log.sqlite_log import SqliteLog
from sealift_pipeline.receiver.committer import Committer


def record(key, text="x"):
    return Record("issue", str(key), 1, ("u_1",), {"title": text})


@pytest.fixture
def log(tmp_path):
    with SqliteLog(tmp_path / "log" / "events.db", lock_timeout_s=0.2) as log:
        yield log


def held(log):
    """All bytes of the log's files."""
    return b"".join(path.read_bytes() for path in log.path.parent.iterdir())


def test_records_are_numbered_and_read_in_order(log):
    assert log.append([record(1), record(2)]) == [True, True]
    assert log.append([record(3)]) == [True]
    assert [(entry.seq, entry.record.key) for entry in log.read(0, 10)] == [(1, "1"), (2, "2"), (3, "3")]
    assert [entry.seq for entry in log.read(1, 1)] == [2]
    assert log.position() == (3, 0, 3, 0)


def test_a_key_is_known_in_the_same_batch_later_and_after_a_trim(log):
    assert log.append([record(1), record(1)]) == [True, False]
    assert log.append([record(1)]) == [False]
    assert log.trim(1)
    assert log.append([record(1), record(2)]) == [False, True]
    assert [entry.record.key for entry in log.read(0, 10)] == ["2"]


def test_second_deliveries_do_not_move_the_newest_event(log):
    """`status` would show 600 as the newest and 300 as landed, as if events were lost."""
    events = [record(number) for number in range(300)]
    log.append(events)
    assert not any(log.append(events))
    assert log.position() == (300, 0, 300, 0)
    assert log.trim(300)
    assert not any(log.append(events))
    assert log.position() == (300, 300, 0, 0)


def test_what_was_trimmed_is_in_none_of_its_files(log):
    log.append([record(number, "SECRET-TEXT" * 200) for number in range(300)])
    assert b"SECRET-TEXT" in held(log)
    assert log.trim(log.position().last)
    assert b"SECRET-TEXT" not in held(log)
    assert log.position()[1:3] == (300, 0)


def test_a_reader_that_keeps_old_pages_is_told(log):
    log.append([record(1, "SECRET-TEXT")])
    other = sqlite3.connect(log.path, isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT * FROM log").fetchone()
    assert not log.trim(1)
    other.close()
    assert log.trim(1)
    assert b"SECRET-TEXT" not in held(log)


def test_a_log_survives_being_opened_again_and_has_one_identity(log):
    log.append([record(1)])
    log.trim(1)
    with SqliteLog(log.path) as again:
        assert again.identity == log.identity
        assert again.position() == (1, 1, 0, 0)
        assert again.append([record(1), record(2)]) == [False, True]
        assert [entry.record.key for entry in again.read(0, 9)] == ["2"]


def test_every_commit_is_synced_to_the_disk(log):
    (synchronous,) = log._connection.execute("PRAGMA synchronous").fetchone()
    (mode,) = log._connection.execute("PRAGMA journal_mode").fetchone()
    assert (synchronous, mode) == (2, "wal")


def test_nobody_else_can_read_it(log):
    log.append([record(1)])
    assert stat.S_IMODE(log.path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in log.path.parent.iterdir()} == {0o600}


def test_a_new_log_starts_above_what_an_older_one_had_landed(log):
    log.append([record(1), record(2), record(3)])
    log.trim(1)
    log.start_above(1000)
    assert [(entry.seq, entry.record.key) for entry in log.read(0, 9)] == [(1002, "2"), (1003, "3")]
    log.append([record(4)])
    assert log.position().last == 1004
    assert log.append([record(1)]) == [False]


def test_a_lock_that_somebody_holds_is_an_error_and_nothing_is_kept(log):
    other = sqlite3.connect(log.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(EventLogError, match=r"database is locked; another process holds it"):
        log.append([record(1)])
    other.execute("ROLLBACK")
    other.close()
    assert log.append([record(1)]) == [True]


def test_what_is_no_log_is_refused(tmp_path):
    (tmp_path / "events.db").write_text("this is no database, and long enough to be looked at" * 40)
    with pytest.raises(EventLogError, match="not a database"):
        SqliteLog(tmp_path / "events.db")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(EventLogError, match="not a regular file"):
        SqliteLog(tmp_path / "pipe")


def test_a_newer_log_is_one_to_upgrade_for(log):
    log._connection.execute("UPDATE meta SET value = '2' WHERE name = 'format'")
    with pytest.raises(UnsupportedVersionError, match="has format 2; this Sealift knows 1"):
        SqliteLog(log.path)


def test_of_a_rejected_event_the_digest_is_kept_once(log):
    for _ in range(2):
        log.reject(Rejection("ab" * 32, "issue", "object_attributes.id", 5))
    assert log.position().rejected == 1


# --- group commit -------------------------------------------------------------------------------


class Slow:
    """A log that waits for a word before it writes."""

    def __init__(self):
        import threading

        self.go, self.batches = threading.Event(), []

    def append(self, records):
        self.go.wait(5)
        self.batches.append(len(records))
        return [True] * len(records)


def test_what_arrives_meanwhile_shares_a_commit_and_too_much_is_turned_away():
    from concurrent.futures import ThreadPoolExecutor
    from time import monotonic, sleep

    log = Slow()
    committer = Committer(log, most_waiting=5)
    with ThreadPoolExecutor(6) as threads:
        first = threads.submit(committer.commit, record(0))
        end = monotonic() + 5
        while committer.waiting and monotonic() < end:
            sleep(0.001)
        others = [threads.submit(committer.commit, record(number)) for number in range(1, 6)]
        while committer.waiting < 5 and monotonic() < end:
            sleep(0.001)
        with pytest.raises(EventLogError, match="5 events wait for the log already"):
            committer.commit(record(9))
        log.go.set()
        assert first.result(5)
        assert all(one.result(5) for one in others)
    committer.close()
    assert log.batches == [1, 5]


def test_an_error_of_the_log_reaches_everybody_who_waits(log):
    committer = Committer(log)
    other = sqlite3.connect(log.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(EventLogError, match="locked"):
        committer.commit(record(1))
    other.close()
    assert committer.commit(record(1))
    assert not committer.commit(record(1))
    committer.close()
