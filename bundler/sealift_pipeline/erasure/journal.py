"""What an erasure writes besides the tables: `erasing.json` while it runs, and a line without a name once it is done.

The journal lets an erasure that was interrupted be finished by whatever comes next: the lander, or another erasure. It
holds pseudonyms of the person, and is removed at the end.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sealift_common.clock import rfc3339
from sealift_common.errors import MalformedError
from sealift_common.files import durable
from sealift_common.parsing import strict_json
from sealift_pipeline.errors import ErasureError

JOURNAL_FILE, RECORD_FILE = "erasing.json", "erasures.jsonl"


@dataclass(frozen=True)
class Erasure:
    """What is to be erased.

    Attributes:
        request: what the record names, for example the number of a ticket; one line.
        subjects: pseudonyms of persons, all of whose rows go.
        events: numbers of `user_destroy` events that are done with it; their rows go last.
        automatic: nobody asked for it but the settings.
    """

    request: str
    subjects: tuple[str, ...]
    events: tuple[int, ...] = ()
    automatic: bool = False


def begin(folder: Path, erasure: Erasure) -> None:
    """Note durably that an erasure begins."""
    data = json.dumps(asdict(erasure), sort_keys=True).encode("utf-8") + b"\n"
    durable.write_file(folder / JOURNAL_FILE, data, mode=0o600)


def interrupted(folder: Path) -> Erasure | None:
    """Return the erasure that was begun and is not done.

    Raises:
        ErasureError: somebody else wrote the file.
    """
    path = folder / JOURNAL_FILE
    try:
        document = strict_json.parse(path.read_bytes(), JOURNAL_FILE)
        subjects, events = (tuple(document[name]) for name in ("subjects", "events"))
        made = Erasure(document["request"], subjects, events, document["automatic"])
        fits = (
            isinstance(made.request, str)
            and isinstance(made.automatic, bool)
            and all(isinstance(one, str) and one.isascii() for one in subjects)
            and all(isinstance(one, int) and not isinstance(one, bool) for one in events)
        )
    except FileNotFoundError:
        return None
    except (MalformedError, KeyError, TypeError):
        fits = False
    if not fits:
        raise ErasureError(
            f"{str(path)!r} is not what an erasure wrote; remove it, then erase again who was being erased"
        )
    return made


def end(folder: Path, erasure: Erasure, rows: Mapping[str, int]) -> None:
    """Record what was done, and forget whose rows they were."""
    line: dict[str, Any] = {"at": rfc3339(datetime.now(UTC)), "request": erasure.request, "rows": dict(rows)}
    if erasure.events:
        line |= {"automatic": erasure.automatic, "events": list(erasure.events)}
    durable.append_line(folder / RECORD_FILE, json.dumps(line, sort_keys=True), mode=0o600)
    (folder / JOURNAL_FILE).unlink(missing_ok=True)
    durable.sync_directory(folder)


def erased_automatically(folder: Path, since: datetime) -> int:
    """Return how many users the settings erased since then; a time that lies ahead counts, because a clock jumped."""
    try:
        lines = (folder / RECORD_FILE).read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return 0
    found = 0
    for line in lines:
        try:
            one = json.loads(line)
            if one.get("automatic") is True and datetime.fromisoformat(one["at"]) >= since:
                found += len(one["events"])
        except (ValueError, KeyError, TypeError, AttributeError):
            # A power cut left half a line.
            continue
    return found
