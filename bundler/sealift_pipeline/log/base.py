"""What every durable log does, so that receiver and lander need not know which one it is."""

from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from sealift_pipeline.data_policy.record import Record


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

    identity: str

    def __enter__(self) -> Self:
        """Return itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""

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
