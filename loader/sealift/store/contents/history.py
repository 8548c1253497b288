"""History of the store: one JSON line per change, appended, never rewritten."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sealift import plain_file
from sealift.errors import CorruptError
from sealift.limits import LIMITS
from sealift.places import person
from sealift_common.files import durable

Entry = dict[str, Any]
_TIME = "%Y-%m-%dT%H:%M:%SZ"
# What readers count on, where an entry has it.
_KINDS: dict[str, type] = {
    "generation": int,
    "models": dict,
    "signers": dict,
    "repaired": list,
    "removed": list,
    "generations": list,
}


def append(path: Path, action: str, now: datetime, **details: Any) -> Entry:
    """Append who did what and when, durably, and return the entry."""
    entry = {"time": now.astimezone(UTC).strftime(_TIME), "action": action, "user": person(), **details}
    line = json.dumps(entry, sort_keys=True)
    # After a line cut short by a power failure, this one must not become part of it.
    durable.append_line(path, line if _is_whole(path) else "\n" + line)
    return entry


def read(path: Path) -> list[Entry]:
    """Return all entries, oldest first; a line cut short by a power failure is left out.

    Raises:
        CorruptError: something other than a file is in its place.
    """
    return [entry for _, _, entry in _lines(path) if entry is not None]


def unreadable(path: Path) -> list[tuple[int, bool]]:
    """Return the lines that are not entries: number from 1, and whether it may have been cut by a power failure."""
    return [
        (number, line.startswith("{") and not line.endswith("}"))
        for number, line, entry in _lines(path)
        if entry is None and line
    ]


def _lines(path: Path) -> list[tuple[int, str, Entry | None]]:
    try:
        data = plain_file.read(path, LIMITS.history_size_bytes)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CorruptError(f"the history {str(path)!r} cannot be read: {error.strerror}; move it away") from None
    # Not splitlines: it also cuts at characters that text may hold.
    lines = data.decode("utf-8", "replace").split("\n")
    return [(number, line, _entry(line)) for number, line in enumerate(lines, 1)]


def _entry(line: str) -> Entry | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in ("time", "action", "user")):
        return None
    return entry if all(isinstance(entry.get(key, kind()), kind) for key, kind in _KINDS.items()) else None


def _is_whole(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 1, 0))
            return file.read() in (b"\n", b"")
    except FileNotFoundError:
        return True


def time_of(entry: Entry) -> datetime | None:
    """Return when an entry was written (UTC); None where it does not say so as Sealift does."""
    try:
        return datetime.strptime(entry["time"], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
