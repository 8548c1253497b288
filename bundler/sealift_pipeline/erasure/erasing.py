"""Erase the rows of a person. The order survives a crash: run again, it goes on from there.

1. land all that the log holds, so that nothing of the person waits there
2. for each kind: find the rows whose subjects have one of the pseudonyms
3. keep their leaves in the table `erased`, durably
4. remove the rows, durably
5. delete every file that no current version needs
6. look: the log's files hold nothing that was landed, and no row and no log of a table holds a pseudonym
7. write into `erasures.jsonl` what was done, without a name.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from sealift_common.clock import rfc3339
from sealift_common.files import durable
from sealift_pipeline.data_policy.policy import DataPolicy
from sealift_pipeline.errors import ErasureError
from sealift_pipeline.landing.lander import ERASED, Lander, kinds_of, writing
from sealift_pipeline.landing.state import State
from sealift_pipeline.log.base import EventLog, digest
from sealift_pipeline.settings.settings import SNAPSHOT_FOLDER, Settings
from sealift_pipeline.snapshots.document import Snapshot
from sealift_pipeline.table.delta import EventTable, about, scan
from sealift_pipeline.table.places import log_files

RECORD_FILE = "erasures.jsonl"
_WAIT_S = 60.0


@dataclass(frozen=True)
class Erased:
    """What an erasure did.

    Attributes:
        rows: how many rows of each kind are gone.
        snapshots: names of those in the pipeline's folder that hold an erased row; their roots hold.
    """

    rows: Mapping[str, int]
    snapshots: tuple[str, ...]


def erase(settings: Settings, policy: DataPolicy, log: EventLog, subjects: Sequence[str], request: str) -> Erased:
    """Erase all rows that are about a person.

    Args:
        subjects: the pseudonyms of the person: of the number, the user name, mail addresses.
        request: what the record names, for example the number of a ticket; one line.

    Raises:
        LanderBusyError: another process has been writing for a minute.
        ErasureError: something is left; the message says where.
        TableError, EventLogError: a table or the log does not answer; what is done stays done.
    """
    with writing(settings.folder, wait_s=_WAIT_S):
        lander = Lander(settings, policy, log)
        lander.land_all()  # 1
        rows: dict[str, int] = {}
        touched: dict[str, list[int]] = {}
        for kind in kinds_of(settings, policy):
            found = _erase_kind(lander, settings.folder, kind, subjects)
            if found:
                rows[kind], touched[kind] = len(found), found
        names = [name for name in [*kinds_of(settings, policy), ERASED] if lander.table(name).open() is not None]
        for name in names:
            lander.table(name).vacuum(everything=True)  # 5
        lander.synced(State.load(settings.folder), names).save(settings.folder)
        _require_gone(log, [lander.table(name) for name in names if name != ERASED], subjects)  # 6
        _record(settings.folder, request, rows)  # 7
    return Erased(rows, tuple(_touched_snapshots(settings.folder, touched)))


def _erase_kind(lander: Lander, folder: Path, kind: str, subjects: Sequence[str]) -> list[int]:
    table = lander.table(kind)
    opened = table.open()
    if opened is None:
        return []
    found = sorted(about(opened, subjects))  # 2
    if not found:
        return []
    numbers = [number for number, *_ in found]
    _keep_leaves(lander, folder, kind, found)  # 3
    table.remove(numbers)  # 4
    lander.synced(State.load(folder), [kind]).save(folder)
    return numbers


def _keep_leaves(lander: Lander, folder: Path, kind: str, found: Sequence[tuple[int, bytes, str]]) -> None:
    """Keep leaves that are not kept yet, of an erasure that was interrupted; and digests of keys, as a log does."""
    erased = lander.table(ERASED)
    opened = erased.open()
    before = (
        set() if opened is None else {seq for batch in scan(opened, ("seq",)) for seq in batch.column(0).to_pylist()}
    )
    found = [one for one in found if one[0] not in before]
    if not found:
        return
    numbers, leaves, keys = zip(*found, strict=True)
    columns = {"kind": [kind] * len(found), "seq": numbers, "leaf": leaves, "key": [digest(key) for key in keys]}
    fields = [("kind", pa.string()), ("seq", pa.int64()), ("leaf", pa.binary()), ("key", pa.binary())]
    kept = pa.table([pa.array(columns[name], type_) for name, type_ in fields], names=[name for name, _ in fields])
    erased.append(kept, writer="sealift-erase", upto=found[-1][0])
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


def _record(folder: Path, request: str, rows: Mapping[str, int]) -> None:
    line = {"at": rfc3339(datetime.now(UTC)), "request": request, "rows": dict(rows)}
    durable.append_line(folder / RECORD_FILE, json.dumps(line, sort_keys=True), mode=0o600)


def _touched_snapshots(folder: Path, touched: Mapping[str, list[int]]) -> list[str]:
    found = []
    for path in sorted((folder / SNAPSHOT_FOLDER).glob("*.json")):
        snapshot = Snapshot.parse(path.read_bytes(), path.name)
        if any(number <= snapshot.upto for number in touched.get(snapshot.kind, ())):
            found.append(path.name)
    return found
