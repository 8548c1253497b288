"""Erase the rows of persons. The order survives a crash: the journal says what is not done, and a rerun goes on.

1. note in the journal what is to be erased
2. land all that the log holds, so that nothing of the person waits there
3. for each kind, `user_destroy` last: find the rows whose subjects have one of the pseudonyms
4. keep their leaves in the table `erased`, durably
5. remove the rows, durably
6. delete every file that no current version needs
7. look: the log's files hold nothing that was landed, and no row and no log of a table holds a pseudonym
8. write into `erasures.jsonl` what was done, without a name, and remove the journal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from sealift_pipeline.data_policy.policy import DESTROYED, DataPolicy
from sealift_pipeline.erasure import journal
from sealift_pipeline.erasure.journal import Erasure
from sealift_pipeline.errors import ErasureError
from sealift_pipeline.landing.lander import ERASED, Lander, kinds_of, writing
from sealift_pipeline.landing.state import State
from sealift_pipeline.log.base import EventLog, digest
from sealift_pipeline.runs.handed_over import Affected, affected
from sealift_pipeline.settings.settings import SNAPSHOT_FOLDER, Settings
from sealift_pipeline.snapshots.document import Snapshot
from sealift_pipeline.table.delta import EventTable, about, numbered, scan
from sealift_pipeline.table.places import log_files

_WAIT_S = 60.0
_Row = tuple[int, bytes, str]


@dataclass(frozen=True)
class Erased:
    """What an erasure did.

    Attributes:
        rows: how many rows of each kind are gone.
        snapshots: names of those in the pipeline's folder that hold an erased row; their roots hold.
        numbers: of the rows that are gone, by kind, sorted.
        earlier: request of an erasure that had been interrupted, and is finished now; empty for none.
        models: versions that `retrain` staged and that saw an erased row.
    """

    rows: Mapping[str, int]
    snapshots: tuple[str, ...]
    numbers: Mapping[str, Sequence[int]]
    earlier: str = ""
    models: Affected = field(default_factory=Affected)

    def rows_in(self, snapshot: Snapshot) -> int:
        """Return how many of the erased rows a data snapshot holds: what was trained on it has seen them."""
        return sum(number <= snapshot.upto for number in self.numbers.get(snapshot.kind, ()))


def erased_since(settings: Settings, snapshot: Snapshot) -> int:
    """Return how many rows of a data snapshot were erased, by whatever erasure, after it was taken.

    Raises:
        TableError: the table of erased rows cannot be read.
    """
    erased = EventTable(settings.table_place, ERASED).open()
    if erased is None:
        return 0
    kinds = [kind for batch in scan(erased, ("kind",), snapshot.upto) for kind in batch.column("kind").to_pylist()]
    return kinds.count(snapshot.kind) - snapshot.erased


def erase(settings: Settings, policy: DataPolicy, log: EventLog, erasure: Erasure) -> Erased:
    """Erase all rows that are about persons; first what an earlier erasure, which was interrupted, left to do.

    Raises:
        LanderBusyError: another process has been writing for a minute.
        ErasureError: something is left; the message says where.
        TableError, EventLogError: a table or the log does not answer; what is done stays done.
    """
    with writing(settings.folder, wait_s=_WAIT_S):
        earlier = journal.interrupted(settings.folder)
        before = None
        if earlier is not None and earlier != erasure:
            before = _erase(settings, policy, log, earlier)
        done = _erase(settings, policy, log, erasure)
    named = tuple(name for name, one in _snapshots(settings.folder).items() if done.rows_in(one))
    # A version that is handed over meanwhile waited for the lock, and sees itself that rows are gone.
    models = _models(settings, [done.numbers, *([before.numbers] if before else [])])
    unfinished = earlier.request if earlier is not None and before is not None else ""
    return replace(done, snapshots=named, earlier=unfinished, models=models)


def _models(settings: Settings, erased: Sequence[Mapping[str, Sequence[int]]]) -> Affected:
    numbers: dict[str, list[int]] = {}
    for one in erased:
        for kind, found in one.items():
            numbers.setdefault(kind, []).extend(found)
    tables = {kind: EventTable(settings.table_place, kind).identity for kind in numbers}
    return affected(settings.folder, tables, numbers)


def finish(settings: Settings, policy: DataPolicy, log: EventLog) -> str:
    """Finish an erasure that was interrupted; return its request, or an empty text where there is none.

    Raises:
        LanderBusyError, ErasureError, TableError, EventLogError: as `erase`.
    """
    if journal.interrupted(settings.folder) is None:
        return ""
    with writing(settings.folder, wait_s=_WAIT_S):
        # The process that held the lock may have finished it.
        earlier = journal.interrupted(settings.folder)
        if earlier is None:
            return ""
        _erase(settings, policy, log, earlier)
    return earlier.request


def _erase(settings: Settings, policy: DataPolicy, log: EventLog, erasure: Erasure) -> Erased:
    journal.begin(settings.folder, erasure)  # 1
    lander = Lander(settings, policy, log)
    lander.land_all()  # 2
    numbers: dict[str, list[int]] = {}
    kinds = sorted(kinds_of(settings, policy), key=lambda kind: kind == DESTROYED)
    for kind in kinds:
        found = _rows_of(lander.table(kind), erasure)  # 3
        if found:
            numbers[kind] = [number for number, *_ in found]
            _keep_leaves(lander, settings.folder, kind, found)  # 4
            lander.table(kind).remove(numbers[kind])  # 5
            lander.synced(State.load(settings.folder), [kind]).save(settings.folder)
    names = [name for name in [*kinds, ERASED] if lander.table(name).open() is not None]
    for name in names:
        lander.table(name).vacuum(everything=True)  # 6
    lander.synced(State.load(settings.folder), names).save(settings.folder)
    _require_gone(log, [lander.table(name) for name in names if name != ERASED], erasure.subjects)  # 7
    rows = {kind: len(found) for kind, found in numbers.items()}
    journal.end(settings.folder, erasure, rows)  # 8
    return Erased(rows, (), numbers)


def _rows_of(table: EventTable, erasure: Erasure) -> list[_Row]:
    opened = table.open()
    if opened is None:
        return []
    found = set(about(opened, erasure.subjects))
    if table.name == DESTROYED:
        found.update(numbered(opened, erasure.events))
    return sorted(found)


def _keep_leaves(lander: Lander, folder: Path, kind: str, found: Sequence[_Row]) -> None:
    """Keep leaves that are not kept yet, of an erasure that was interrupted; and digests of keys, as a log does."""
    fields = [("kind", pa.string()), ("seq", pa.int64()), ("leaf", pa.binary()), ("key", pa.binary())]
    erased = lander.table(ERASED)
    opened = erased.opened_or_new(pa.schema(fields))
    before = {seq for batch in scan(opened, ("seq",)) for seq in batch.column(0).to_pylist()}
    found = [one for one in found if one[0] not in before]
    if not found:
        return
    numbers, leaves, keys = zip(*found, strict=True)
    columns = {"kind": [kind] * len(found), "seq": numbers, "leaf": leaves, "key": [digest(key) for key in keys]}
    kept = pa.table([pa.array(columns[name], type_) for name, type_ in fields], names=[name for name, _ in fields])
    erased.append(opened, kept, writer="sealift-erase", upto=found[-1][0])
    lander.synced(State.load(folder), [ERASED]).save(folder)


def _require_gone(log: EventLog, tables: Sequence[EventTable], subjects: Sequence[str]) -> None:
    if not log.trim(log.position().trimmed):
        raise ErasureError("the log still holds old pages, for another process reads it; find that with `fuser`")
    for table in tables:
        opened = table.open()
        if opened is not None and next(about(opened, subjects), None) is not None:
            raise ErasureError(f"table {table.uri!r} got a row of the person meanwhile; erase again")
    wanted = [one.encode("ascii") for one in subjects]
    for path, data in (one for table in tables for one in log_files(table.uri)):
        if any(one in data for one in wanted):
            raise ErasureError(f"{path!r} still holds a pseudonym of the person; stop what keeps it, erase again")


def _snapshots(folder: Path) -> dict[str, Snapshot]:
    paths = sorted((folder / SNAPSHOT_FOLDER).glob("*.json"))
    return {path.name: Snapshot.parse(path.read_bytes(), path.name) for path in paths}
