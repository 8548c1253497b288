"""Land events: read the log, write the tables, sync, trim. One round is `land`; the order in it is what makes it safe.

1. take back commits that a power cut broke
2. read records after what is trimmed, up to 5,000 or 64 MB
3. for each kind, append those after the position that the table itself holds
4. sync data, commits and folders
5. note what is durable
6. trim the log.

A crash between any two of them leaves records in the log that the next round finds: those that are in a table already
are known by its position, which is read here, in the writer.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from sealift_common.files.lock_file import HeldError, hold
from sealift_pipeline.data_policy.policy import RESERVED_KINDS, DataPolicy, Kind
from sealift_pipeline.errors import EventLogError, LanderBusyError
from sealift_pipeline.landing.state import State
from sealift_pipeline.log.base import Entry, EventLog, digest
from sealift_pipeline.settings.settings import LOCK_FILE, Settings
from sealift_pipeline.table import durability
from sealift_pipeline.table.delta import EventTable, erased_keys, greatest, known_keys, position
from sealift_pipeline.table.places import tables_in
from sealift_pipeline.table.schema import arrays_of, columns_for, schema_of, to_table

if TYPE_CHECKING:
    from deltalake import DeltaTable

ERASED = "erased"
MOST_ROWS = 5_000
COMPACT_EVERY_S = 24 * 3600
_WRITER_LOCK = "table.lock"


@dataclass(frozen=True)
class Landed:
    """What one round did.

    Attributes:
        rows: how many rows each kind got; 0 where the table had all of them, or the kind is not taken any longer.
        last: number of the newest event that is landed.
        clean: whether the log holds nothing of them any longer.
        taken_back: commits that a power cut broke.
    """

    rows: Mapping[str, int]
    last: int
    clean: bool = True
    taken_back: int = 0


@contextmanager
def only_lander(folder: Path) -> Iterator[None]:
    """Be the one lander of a pipeline, for as long as this process lands.

    Raises:
        LanderBusyError: another process is.
    """
    with _held(folder / LOCK_FILE, "is landing events of"):
        yield


@contextmanager
def writing(folder: Path, *, wait_s: float = 0.0) -> Iterator[None]:
    """Be the one process that writes the tables of a pipeline, for one round, one erasure or one compaction.

    Args:
        wait_s: how long to wait for another one to finish.

    Raises:
        LanderBusyError: another process writes.
    """
    end = time.monotonic() + wait_s
    while True:
        try:
            with _held(folder / _WRITER_LOCK, "is writing the tables of"):
                yield
            return
        except LanderBusyError:
            if time.monotonic() > end:
                raise


@contextmanager
def _held(path: Path, what: str) -> Iterator[None]:
    try:
        with hold(path, keep=True):
            yield
    except HeldError as error:
        who = f"process {error.holder}" if error.holder else "another process"
        raise LanderBusyError(f"{who} {what} {str(path.parent)!r}; let it finish, or stop it") from None


class Lander:
    """Writes what the log holds into tables; use it under `writing`.

    Args:
        settings: of the pipeline.
        policy: its data policy.
        log: its log.
    """

    def __init__(self, settings: Settings, policy: DataPolicy, log: EventLog) -> None:
        self._settings = settings
        self._policy = policy
        self._log = log
        self._writer = ""

    def table(self, name: str) -> EventTable:
        """Return the table of a kind, or that of erased leaves."""
        return EventTable(self._settings.table_place, name)

    def kinds(self) -> list[str]:
        """Return the kinds that have a table, or are to have one."""
        return kinds_of(self._settings, self._policy)

    def land_all(self, *, progress: Callable[[int], object] = lambda _rows: None) -> Landed:
        """Land round after round until the log holds nothing more.

        Args:
            progress: called with the number of rows of each round.
        """
        rows: dict[str, int] = defaultdict(int)
        taken_back = 0
        while True:
            done = self.land()
            taken_back += done.taken_back
            for kind, number in done.rows.items():
                rows[kind] += number
            progress(sum(done.rows.values()))
            if not done.rows:
                return replace(done, rows={kind: new for kind, new in rows.items() if new}, taken_back=taken_back)

    def land(self) -> Landed:
        """Land one round; the module's first lines have its steps.

        Raises:
            TableError: a table cannot be written; nothing is trimmed.
            EventLogError: the log does not answer.
        """
        state, taken_back = self._recovered(State.load(self._settings.folder))  # 1
        # A stream that was made anew meanwhile is another log.
        self._writer = f"sealift-log:{self._log.identity}"
        self._follow_older_log(state)
        before = self._log.position()
        if before.last < state.last:
            raise EventLogError(
                f"the log ends at event {before.last}, and event {state.last} was landed from it: it was restored from "
                "an older copy, and what comes would be taken for landed; give `url` in [log] a new log"
            )
        entries = self._log.read(before.trimmed, MOST_ROWS)  # 2
        if not entries:
            return Landed({}, state.last, self._log.trim(before.trimmed), taken_back)
        rows = {}
        for name, some in _by_kind(entries).items():
            rows[name] = self._append(name, some)  # 3
        state = self.synced(state, rows)  # 4
        state = replace(state, last=max(state.last, entries[-1].seq))
        state.save(self._settings.folder)  # 5
        return Landed(rows, state.last, self._log.trim(entries[-1].seq), taken_back)  # 6

    def synced(self, state: State, names: Mapping[str, object] | list[str]) -> State:
        """Return the state with these tables' newest commits, which are durable now."""
        for name in names:
            path = self.table(name).path
            if path is not None and path.is_dir():
                state = state.with_version(name, durability.sync(path, state.versions.get(name, -1)))
        return state

    def compact(self) -> None:
        """Write small files together and delete old ones, durably, in every table."""
        state = State.load(self._settings.folder)
        for name in [*self.kinds(), ERASED]:
            table = self.table(name)
            if table.open() is None:
                continue
            table.compact()
            # The new files first: the old ones go only then.
            state = self.synced(state, [name])
            table.vacuum(everything=False)
            state = self.synced(state, [name])
        replace(state, compacted=int(time.time())).save(self._settings.folder)

    def compaction_is_due(self) -> bool:
        """Return whether the last one was a day ago, or lies ahead because a clock jumped."""
        since = time.time() - State.load(self._settings.folder).compacted
        return not 0 <= since < COMPACT_EVERY_S

    def _recovered(self, state: State) -> tuple[State, int]:
        taken_back = 0
        for name in [*self.kinds(), ERASED]:
            path = self.table(name).path
            if path is not None and path.is_dir():
                durable_version = state.versions.get(name, -1)
                taken_back += durability.take_back_broken(path, durable_version)
                state = state.with_version(name, durability.sync(path, durable_version))
        return state, taken_back

    def _follow_older_log(self, state: State) -> None:
        """Number a new log above what an older one, which was lost, had landed."""
        if self._log.position().trimmed:
            return
        opened = [self.table(name).open() for name in [*self.kinds(), ERASED]]
        before = max([state.last, *(greatest(table) for table in opened)])
        known = any(position(table, self._writer) for table in opened)
        if before and not known:
            self._log.start_above(before)

    def _append(self, name: str, entries: list[Entry]) -> int:
        table, kind = self.table(name), self._policy.kinds.get(name)
        opened = table.open()
        if opened is None and kind is None:
            # The data policy no longer takes it.
            return 0
        schema = None if opened is None else pa.schema(opened.schema().to_arrow())
        columns = columns_for(kind or Kind(name, ()), schema)
        if opened is None:
            # Before there is a table, whose columns keep their types.
            arrays_of(name, entries, columns)
            opened = table.opened_or_new(schema_of(columns))
        after, erased = position(opened, self._writer), self.table(ERASED).open()
        fresh = [one for one in entries if one.seq > after]
        if len(fresh) < len(entries):
            _require_landed(opened, erased, entries[: len(entries) - len(fresh)])
        if self._log.forgets_keys:
            fresh = _new_keys(opened, erased, fresh)
        if not fresh:
            return 0
        table.append(opened, to_table(name, fresh, columns), writer=self._writer, upto=fresh[-1].seq)
        return len(fresh)


def kinds_of(settings: Settings, policy: DataPolicy) -> list[str]:
    """Return the kinds that the data policy names, and those that have a table from an earlier one."""
    found = dict.fromkeys(policy.kinds)
    found |= dict.fromkeys(tables_in(settings.table_place))
    return [name for name in found if name not in RESERVED_KINDS]


def _known(table: "DeltaTable", erased: "DeltaTable | None", entries: list[Entry]) -> set[str]:
    """Return the keys of these that the table has, or that were erased from it."""
    known = known_keys(table, [one.record.key for one in entries])
    if erased is not None:
        gone = erased_keys(erased, [digest(one.record.key) for one in entries])
        known |= {one.record.key for one in entries if digest(one.record.key) in gone}
    return known


def _require_landed(table: "DeltaTable", erased: "DeltaTable | None", entries: list[Entry]) -> None:
    """Refuse entries that another log with the same identity had numbered: in the table stand others.

    Raises:
        EventLogError: the log is a copy of the one that these tables were landed from, and both took events since.
    """
    known = _known(table, erased, entries)
    strange = next((one for one in entries if one.record.key not in known), None)
    if strange is not None:
        raise EventLogError(
            f"event {strange.seq} was landed from another copy of this log, and is another event here; "
            "run receiver and lander from one folder alone, and give `url` in [log] of the copy a new log"
        )


def _new_keys(table: "DeltaTable", erased: "DeltaTable | None", entries: list[Entry]) -> list[Entry]:
    """Return the first entry of each key that the table does not have, and that was not erased from it."""
    known = _known(table, erased, entries)
    found = {one.record.key: one for one in reversed(entries) if one.record.key not in known}
    return sorted(found.values(), key=lambda one: one.seq)


def _by_kind(entries: list[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        found[entry.record.kind].append(entry)
    return found
