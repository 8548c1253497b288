"""What every durable log does, so that receiver and lander need not know which one it is."""

import hashlib
import json
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from sealift_pipeline.data_policy.record import Record

# Records are in memory some three times while they are landed.
MOST_READ_BYTES = 64 * 1024 * 1024


class Entry(NamedTuple):
    """One record in the log, and its number, which only grows."""

    seq: int
    record: Record


class Position(NamedTuple):
    """Where a log stands.

    Attributes:
        last: number of the newest record; 0 for none ever.
        trimmed: every record up to this number was landed and is gone.
        waiting: records that are not landed.
        rejected: events that were kept by digest only.
    """

    last: int
    trimmed: int
    waiting: int
    rejected: int


class Rejection(NamedTuple):
    """An event that did not fit its kind: what is kept of it.

    Attributes:
        digest: SHA-256 of its body, hexadecimal.
        kind: that it said it was of.
        path: that was missing, or had a value of another type.
        received: microseconds since 1970.
    """

    digest: str
    kind: str
    path: str
    received: int


class EventLog(Protocol):
    """A log; each method raises EventLogError where the log does not answer, and nothing is half done."""

    # Whether a second delivery of what was landed is known by its key in the table alone.
    forgets_keys: bool

    @property
    def identity(self) -> str:
        """Return what no other log has, also not a later one in its place."""

    def __enter__(self) -> Self:
        """Return itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""

    def takes(self, record: Record) -> bool:
        """Return whether a record is not too large for the log, whatever its place."""

    def append(self, records: Sequence[Record]) -> list[bool]:
        """Keep records; what this returns is on the disk. False for a record whose key was there before."""

    def reject(self, rejection: Rejection) -> None:
        """Keep that an event did not fit."""

    def read(self, after: int, limit: int) -> list[Entry]:
        """Return the oldest records after a number, in order; fewer than `limit` where they are large."""

    def trim(self, upto: int) -> bool:
        """Forget the content of all records up to a number, but not their keys.

        Returns whether no byte of them is left in the log's files; a log elsewhere can only say that it was told.
        """

    def start_above(self, seq: int) -> None:
        """Number every record that waits, and all that come, above `seq`: a new log in the place of a lost one."""

    def position(self) -> Position:
        """Return where the log stands."""


def digest(key: str) -> bytes:
    """Return what is kept of a key, 16 bytes."""
    return hashlib.sha256(key.encode("utf-8")).digest()[:16]


def written(record: Record) -> bytes:
    """Return a record as logs hold it: JSON in UTF-8."""
    return json.dumps(record.document(), ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def read_back(content: bytes) -> Record:
    """Return the record that `written` wrote."""
    return Record.of(json.loads(content))
