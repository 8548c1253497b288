"""The log in a SQLite file: write-ahead log, `synchronous=FULL`, so what was acknowledged survives a power cut.

A record's content goes when it is landed; sixteen bytes of its key's digest stay, so that a second delivery is known.
Deleted content is overwritten (`secure_delete`), and the write-ahead log is emptied after each trim.
"""

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from sealift_common.errors import UnsupportedVersionError
from sealift_common.files import durable
from sealift_pipeline.data_policy.record import Record
from sealift_pipeline.errors import EventLogError
from sealift_pipeline.log.base import MOST_READ_BYTES, Entry, Position, Rejection, digest, read_back, written

FORMAT = 1
# GitLab waits 10 s for an answer.
LOCK_TIMEOUT_S = 5.0
# At 45 bytes each; GitLab shows a delivery for seven days, at eight events a second.
KEPT_KEYS = 5_000_000
KEPT_REJECTIONS = 100_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, record BLOB);
CREATE TABLE IF NOT EXISTS rejected
    (digest TEXT PRIMARY KEY, kind TEXT NOT NULL, path TEXT NOT NULL, received INTEGER NOT NULL);
"""

_HINTS = {
    "SQLITE_FULL": "free some space on its disk",
    "SQLITE_IOERR": "check its disk and the kernel's log",
    "SQLITE_BUSY": "another process holds it; find that with `fuser`",
    "SQLITE_READONLY": "check its owner and mode, and those of its folder",
    "SQLITE_CANTOPEN": "check its owner and mode, and those of its folder",
}
_OTHERWISE = "restore it, or move it away: what was landed stays in the table"


class SqliteLog:
    """A log in one file and the two that SQLite keeps next to it; one process may append while another reads and trims.

    Args:
        path: the file; it and its folder are made where they are missing, for their owner alone.

    Raises:
        EventLogError: the file is not such a log.
        UnsupportedVersionError: it is of a newer format.
    """

    forgets_keys = False

    def __init__(self, path: Path, *, lock_timeout_s: float = LOCK_TIMEOUT_S) -> None:
        self.path = path
        self._lock = threading.Lock()
        _make(path)
        with _translated(path):
            # Transactions are begun and ended here, not by the module.
            self._connection = sqlite3.connect(
                path, timeout=lock_timeout_s, isolation_level=None, check_same_thread=False
            )
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "wal_autocheckpoint=1000"):
                self._connection.execute(f"PRAGMA {pragma}")
            with self._transaction() as connection:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                for name, value in (("format", str(FORMAT)), ("identity", uuid4().hex), ("trimmed", "0")):
                    connection.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, value))
            version = self._meta("format")
            self.identity = self._meta("identity")
        if int(version) > FORMAT:
            raise UnsupportedVersionError(f"log {str(path)!r} has format {version}; this Sealift knows {FORMAT}")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._connection.close()

    def takes(self, _record: Record) -> bool:
        """Take a record of any size that GitLab sends."""
        return True

    def append(self, records: Sequence[Record]) -> list[bool]:
        """Keep records in one transaction; see `EventLog.append`."""
        rows = [(digest(record.key), written(record)) for record in records]
        with self._transaction() as connection:
            # The number of changed rows is what tells a record from one whose key was there.
            statement = "INSERT OR IGNORE INTO log (digest, record) VALUES (?, ?)"
            return [connection.execute(statement, row).rowcount == 1 for row in rows]

    def reject(self, rejection: Rejection) -> None:
        """Keep that an event did not fit, of the newest 100,000."""
        with self._transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO rejected VALUES (?, ?, ?, ?)", rejection)
            connection.execute(
                "DELETE FROM rejected WHERE rowid <= (SELECT max(rowid) FROM rejected) - ?", (KEPT_REJECTIONS,)
            )

    def read(self, after: int, limit: int) -> list[Entry]:
        """Return the oldest records that are not trimmed; see `EventLog.read`."""
        with self._lock, _translated(self.path):
            found, size = [], 0
            cursor = self._connection.execute(
                "SELECT seq, record FROM log WHERE seq > ? AND record IS NOT NULL ORDER BY seq LIMIT ?", (after, limit)
            )
            for seq, record in cursor:
                found.append((seq, record))
                size += len(record)
                if size > MOST_READ_BYTES:
                    break
            cursor.close()
        return [Entry(seq, read_back(record)) for seq, record in found]

    def trim(self, upto: int) -> bool:
        """Forget content; see `EventLog.trim`. False where another process reads the log and so keeps its old pages."""
        with self._transaction() as connection:
            trimmed = int(self._meta("trimmed"))
            if upto > trimmed:
                connection.execute("UPDATE log SET record = NULL WHERE seq > ? AND seq <= ?", (trimmed, upto))
                connection.execute("DELETE FROM log WHERE record IS NULL AND seq <= ?", (upto - KEPT_KEYS,))
                connection.execute("UPDATE meta SET value = ? WHERE name = 'trimmed'", (str(upto),))
        with self._lock, _translated(self.path):
            busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def start_above(self, seq: int) -> None:
        """Renumber; see `EventLog.start_above`."""
        with self._transaction() as connection:
            (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM log").fetchone()
            # In two steps, for a number must not be there twice in between.
            connection.execute("UPDATE log SET seq = -seq - ?", (seq,))
            connection.execute("UPDATE log SET seq = -seq")
            connection.execute("UPDATE meta SET value = ? WHERE name = 'trimmed'", (str(seq),))
            connection.execute("DELETE FROM sqlite_sequence WHERE name = 'log'")
            connection.execute("INSERT INTO sqlite_sequence VALUES ('log', ?)", (seq + last,))

    def position(self) -> Position:
        """Return where the log stands."""
        with self._lock, _translated(self.path):
            # Not from `sqlite_sequence`: a second delivery uses up a number there and adds no record.
            (newest,) = self._connection.execute("SELECT coalesce(max(seq), 0) FROM log").fetchone()
            trimmed = int(self._meta("trimmed"))
            (waiting,) = self._connection.execute("SELECT count(*) FROM log WHERE seq > ?", (trimmed,)).fetchone()
            (rejected,) = self._connection.execute("SELECT count(*) FROM rejected").fetchone()
        return Position(max(newest, trimmed), trimmed, waiting, rejected)

    def _meta(self, name: str) -> str:
        (value,) = self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return str(value)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _translated(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _make(path: Path) -> None:
    if not path.parent.is_dir():
        path.parent.mkdir(mode=0o700)
        durable.sync_directory(path.parent.parent)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise EventLogError(f"{str(path)!r} is not a regular file; give the log another path") from None
        return
    durable.sync_directory(path.parent)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        name = "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])
        raise EventLogError(f"log {str(path)!r}: {error}; {_HINTS.get(name, _OTHERWISE)}") from error
