"""Take a data snapshot, and verify one: a row that changed is named."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from sealift.errors import DigestError, UsageError
from sealift_pipeline.data_policy.policy import DataPolicy
from sealift_pipeline.errors import TableError, UnknownKindError
from sealift_pipeline.settings.settings import Settings
from sealift_pipeline.snapshots.damage import UNREADABLE, damages
from sealift_pipeline.snapshots.document import Snapshot
from sealift_pipeline.snapshots.leaves_of import Leaves, stored_leaves
from sealift_pipeline.table.delta import EventTable, files, greatest
from sealift_pipeline.table.leaves import leaf, root
from sealift_pipeline.table.places import file_system
from sealift_pipeline.table.schema import documents

_ERASED = "erased"
_BATCH_ROWS = 1024
_MOST_NAMED = 3
_Progress = Callable[[int], object]


def _ignore(_size: int) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Verified:
    """What a verification looked at.

    Attributes:
        rows: that are there and have the leaf they should.
        erased: leaves of erased rows.
    """

    rows: int
    erased: int


def take(settings: Settings, policy: DataPolicy, kind: str, upto: int | None = None) -> Snapshot:
    """Return the snapshot of all landed rows of a kind up to a number.

    Args:
        upto: the last event that may be in it; None for the newest that is landed.

    Raises:
        UnknownKindError: there is no table of this kind.
        UsageError: `upto` lies beyond what is landed.
        DigestError: the table is damaged.
    """
    table = EventTable(settings.table_place, kind).open()
    if table is None:
        known = "is named there and has no row yet" if kind in policy.kinds else "is not named in the data policy"
        raise UnknownKindError(f"kind {kind!r} has no table; it {known}")
    erased = EventTable(settings.table_place, _ERASED).open()
    newest = max(greatest(table), greatest(erased))
    if upto is not None and upto > newest:
        raise UsageError(f"--upto {upto} lies beyond the newest row of kind {kind!r}, {newest}; land first")
    last, leaves = newest if upto is None else upto, Leaves()
    for numbers, some in stored_leaves(table, last):
        _add(leaves, numbers, some)
    leaves.add_erased(erased, kind, last)
    total, digest = _rooted(leaves)
    return Snapshot(str(table.metadata().id), kind, last, total, digest, policy.digest, leaves.erased)


def verify(settings: Settings, snapshot: Snapshot, *, progress: _Progress = _ignore) -> Verified:
    """Check every row of a snapshot against its leaf, and all leaves against the root.

    Args:
        progress: called with the number of bytes of each file that was looked at.

    Raises:
        TableError: there is no such table, or it is another one.
        DigestError: a row or a leaf changed, or is gone; the message names the row where one can be named.
    """
    table = EventTable(settings.table_place, snapshot.kind).required()
    if str(table.metadata().id) != snapshot.table:
        raise TableError(
            f"the table of kind {snapshot.kind!r} is {table.metadata().id}, not {snapshot.table} of the snapshot"
        )
    leaves, live = Leaves(), 0
    for path, first, last, size in files(table):
        if first <= snapshot.upto:
            live += _check_file(table.table_uri, path, (first, last), snapshot, leaves)
        progress(size)
    leaves.add_erased(EventTable(settings.table_place, _ERASED).open(), snapshot.kind, snapshot.upto)
    total, digest = _rooted(leaves)
    if total != snapshot.rows:
        raise DigestError(
            f"the table holds {total:,} rows and leaves of kind {snapshot.kind!r} up to {snapshot.upto}; the snapshot "
            f"has {snapshot.rows:,}"
        )
    if digest != snapshot.root:
        raise DigestError(
            f"the root is {digest}; the snapshot has {snapshot.root}: rows and their leaves were exchanged"
        )
    return Verified(live, leaves.erased)


def _check_file(uri: str, path: str, span: tuple[int, int], snapshot: Snapshot, leaves: Leaves) -> int:
    checked, seen = 0, 0
    try:
        for batch in _batches(uri, path):
            numbers, right = [], []
            for seq, salt, stored, document in documents(snapshot.kind, batch):
                seen = seq
                if seq > snapshot.upto:
                    continue
                computed = leaf(salt, document)
                if computed != stored:
                    raise DigestError(f"row {seq} of kind {snapshot.kind!r} is not what was landed (file {path!r})")
                numbers.append(seq)
                right.append(computed)
            _add(leaves, numbers, right)
            checked += len(numbers)
    except (*UNREADABLE, ValueError, KeyError, TypeError, OverflowError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        where = _damaged(uri, path, span) or f"rows {span[0]} to {span[1]}{f' after row {seen}' if seen else ''}"
        raise DigestError(f"{where} of kind {snapshot.kind!r} cannot be read (file {path!r}): {reason}") from error
    return checked


def _batches(uri: str, path: str) -> Iterator[pa.RecordBatch]:
    with file_system(uri).open_input_file(path) as file:
        yield from pq.ParquetFile(file).iter_batches(_BATCH_ROWS, use_threads=False)


def _damaged(uri: str, path: str, span: tuple[int, int]) -> str:
    """Return which rows cannot be decoded; an empty text where the footer cannot be read either."""
    try:
        with file_system(uri).open_input_file(path) as file:
            found = [str(one) for one in damages(pq.ParquetFile(file), span)]
    except (*UNREADABLE, ValueError, KeyError, TypeError, AttributeError):
        return ""
    more = f" and {len(found) - _MOST_NAMED} more groups" if len(found) > _MOST_NAMED else ""
    return ", ".join(found[:_MOST_NAMED]) + more


def _add(leaves: Leaves, numbers: list[int], some: list[bytes]) -> None:
    try:
        leaves.add(numbers, some)
    except ValueError:
        wrong = next(number for number, one in zip(numbers, some, strict=True) if len(one) != 32)
        raise DigestError(f"row {wrong} has no leaf of 32 bytes; restore the table from a backup") from None


def _rooted(leaves: Leaves) -> tuple[int, str]:
    total = 0

    def counted() -> Iterator[bytes]:
        nonlocal total
        for one in leaves.in_order():
            total += 1
            yield one

    digest = root(counted())
    return total, f"sha256:{digest.hex()}"
