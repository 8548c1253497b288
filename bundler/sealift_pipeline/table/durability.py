"""Make commits of a Delta table durable, and undo those that a power cut broke.

The library commits without a single fsync. So after each commit its data files are synced, then the commit itself, then
the folders; only then is the log trimmed. After a power cut, commits that were not synced may be whole, broken or gone:
what is broken is taken back, and the log still has its rows.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from sealift_common.files import durable

LOG_FOLDER = "_delta_log"
_HINT = "_last_checkpoint"


def versions(table: Path) -> list[int]:
    """Return the numbers of the commits that are in the log of a table, in order."""
    folder = table / LOG_FOLDER
    if not folder.is_dir():
        return []
    names = (path.name.removesuffix(".json") for path in folder.glob("*.json"))
    return sorted(int(name) for name in names if name.isascii() and name.isdigit() and len(name) == 20)


def sync(table: Path, after: int) -> int:
    """Sync every commit above `after`, and what it added; return the newest, which is durable now.

    Raises:
        OSError: the disk failed; nothing may be trimmed.
    """
    folder = table / LOG_FOLDER
    if not folder.is_dir():
        # A first commit that found no room leaves a folder without a log.
        return after
    fresh = [version for version in versions(table) if version > after]
    folders = {table}
    for version in fresh:
        for path, _ in _added(table, version):
            # What a later commit removed may be vacuumed already.
            if path.exists():
                _sync_file(path)
                folders.add(path.parent)
    for version in fresh:
        _sync_file(_commit(table, version))
        for checkpoint in folder.glob(f"{version:020}.checkpoint*.parquet"):
            _sync_file(checkpoint)
    if (folder / _HINT).exists():
        _sync_file(folder / _HINT)
    for one in sorted(folders):
        durable.sync_directory(one)
    durable.sync_directory(folder)
    durable.sync_directory(table.parent)
    return fresh[-1] if fresh else after


def take_back_broken(table: Path, after: int) -> int:
    """Take back commits above `after` from the first one that is broken or missing; return how many.

    Nothing of them was trimmed from the log of events, for they were never synced.
    """
    found = versions(table)
    fresh = [version for version in found if version > after]
    expected = range(after + 1, after + 1 + len(fresh))
    broken = next(
        (want for want, have in zip(expected, fresh, strict=True) if want != have or not _is_whole(table, have)), None
    )
    if broken is None:
        return 0
    folder, gone = table / LOG_FOLDER, [version for version in fresh if version >= broken]
    # The newest first: a power cut in the middle leaves a shorter tail, never a gap.
    for version in reversed(gone):
        for checkpoint in folder.glob(f"{version:020}.checkpoint*.parquet"):
            checkpoint.unlink()
        _commit(table, version).unlink(missing_ok=True)
    (folder / _HINT).unlink(missing_ok=True)
    durable.sync_directory(folder)
    return len(gone)


def _is_whole(table: Path, version: int) -> bool:
    try:
        added = list(_added(table, version))
        for path, size in added:
            if path.stat().st_size != size:
                return False
            pq.read_table(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException):
        return False
    return _has_end(table, version)


def _has_end(table: Path, version: int) -> bool:
    """Return whether a commit holds anything at all; one of nothing but zeros is no JSON, one of no byte is empty."""
    return _commit(table, version).stat().st_size > 0


def _added(table: Path, version: int) -> Iterator[tuple[Path, int]]:
    for line in _commit(table, version).read_text("utf-8").splitlines():
        action = json.loads(line)
        if "add" in action:
            yield table / unquote(action["add"]["path"]), int(action["add"]["size"])


def _commit(table: Path, version: int) -> Path:
    return table / LOG_FOLDER / f"{version:020}.json"


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
