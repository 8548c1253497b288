"""What was done to the store: one JSON line per change, appended, never rewritten."""

import getpass
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sealift_keys import durable

Entry = dict[str, Any]
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def append(path: Path, action: str, now: datetime, **details: Any) -> Entry:
    """Append who did what and when, durably, and return the entry."""
    entry = {"time": now.astimezone(UTC).strftime(_TIME), "action": action, "user": _user(), **details}
    durable.append_line(path, json.dumps(entry, sort_keys=True))
    return entry


def read(path: Path) -> list[Entry]:
    """Return all entries, oldest first; a line cut short by a power failure is left out."""
    try:
        # Not splitlines: it also cuts at characters that text may hold.
        lines = path.read_text("utf-8", "replace").split("\n")
    except FileNotFoundError:
        return []
    entries = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("time", "action", "user")):
            entries.append(entry)
    return entries


def time_of(entry: Entry) -> datetime | None:
    """Return when an entry was written (UTC); None where it does not say so as Sealift does."""
    try:
        return datetime.strptime(entry["time"], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


def _user() -> str:
    # The person behind sudo is who an auditor asks for.
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        name = "unknown"
    return f"{name} (uid {os.getuid()})"
