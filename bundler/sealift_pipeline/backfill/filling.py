"""Bring what the receiver missed: first what the hook tried to deliver, then issues that it never tried.

A hook that failed four times is switched off for a while, and what happens meanwhile is in no list of the hook. Issues
are the one kind whose state can still be asked for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sealift_common.errors import Error
from sealift_pipeline.backfill.gitlab_api import GitlabProject
from sealift_pipeline.data_policy.policy import DataPolicy, Kind
from sealift_pipeline.data_policy.values import time_of
from sealift_pipeline.errors import EventLogError, GitlabError
from sealift_pipeline.log.base import EventLog
from sealift_pipeline.receiver.intake import Intake
from sealift_pipeline.settings.settings import Settings
from sealift_pipeline.table.delta import EventTable, scan

_SECOND = 1_000_000
_READ_ROWS = 5_000


@dataclass
class Filled:
    """What was brought.

    Attributes:
        accepted: new events that are in the log now, by what they came from: `hook` and `issues`.
        results: how often each thing happened.
    """

    accepted: dict[str, int]
    results: dict[str, int]


def from_hook(project: GitlabProject, intake: Intake) -> Filled:
    """Take each event that the hook sent in the last seven days; those that are known are not taken twice.

    Raises:
        GitlabError: GitLab refuses, or lists what is not an event.
        EventLogError: the log does not take one; run it again.
    """
    filled = Filled({"hook": 0}, {})
    for some in project.hook_events():
        # The oldest first, as they would have come; and each goes from memory once it is taken.
        while some:
            delivery = some.pop()
            if not delivery:
                continue
            headers, event = delivery.get("request_headers"), delivery.get("request_data")
            if not isinstance(headers, dict) or not isinstance(event, dict):
                raise GitlabError("the list of the hook holds an entry without request_headers and request_data")
            lowered = {str(name).lower(): str(value) for name, value in headers.items()}
            _take(intake, filled, "hook", event, lowered)
    return filled


def from_issues(project: GitlabProject, intake: Intake, known: Mapping[int, int], since: datetime) -> Filled:
    """Take each issue that changed since then, unless it is known as it is now.

    Args:
        known: number of an issue to the last change that is known, microseconds since 1970.

    Raises:
        GitlabError, EventLogError: as `from_hook`.
    """
    filled = Filled({"issues": 0}, {})
    for issue in project.issues(since):
        try:
            number, changed = int(issue["id"]), time_of(issue["updated_at"])
        except (KeyError, TypeError, ValueError):
            raise GitlabError("the list of issues holds an entry without id and updated_at") from None
        # Events have whole seconds, and the list has milliseconds.
        if number in known and known[number] // _SECOND >= changed // _SECOND:
            continue
        _take(intake, filled, "issues", as_event(issue), {}, f"issue:{number}:{changed}")
    return filled


def _take(
    intake: Intake, filled: Filled, origin: str, event: dict[str, Any], headers: Mapping[str, str], key: str = ""
) -> None:
    try:
        result = intake.take_event(event, headers, key).result
    except EventLogError:
        raise
    except Error as error:
        raise GitlabError(str(error)) from error
    filled.results[result] = filled.results.get(result, 0) + 1
    filled.accepted[origin] += result == "accepted"


def as_event(issue: Mapping[str, Any]) -> dict[str, Any]:
    """Write an issue of the list as a hook writes it; who changed it last is not known."""
    author = issue.get("author")
    assignees = [one for one in issue.get("assignees") or [] if isinstance(one, dict)]
    return {
        "object_kind": "issue",
        "event_type": "issue",
        "user": None,
        "author": author,
        "project": {"id": issue.get("project_id")},
        "object_attributes": {
            **{name: value for name, value in issue.items() if name not in ("author", "assignees", "labels")},
            "author_id": author.get("id") if isinstance(author, dict) else None,
            "assignee_ids": [one.get("id") for one in assignees],
        },
        "labels": [{"title": label} for label in issue.get("labels") or [] if isinstance(label, str)],
        "assignees": assignees,
    }


def known_issues(settings: Settings, policy: DataPolicy, log: EventLog) -> dict[int, int] | None:
    """Return of each issue the last change that table and log know; None where the data policy keeps neither.

    Raises:
        TableError, EventLogError: they cannot be read.
    """
    kind = policy.kinds.get("issue")
    names = _columns(kind) if kind else None
    if kind is None or names is None:
        return None
    known: dict[int, int] = {}
    for number, changed in (*_waiting(log, names), *_landed(settings, names)):
        known[number] = max(changed, known.get(number, 0))
    return known


def _columns(kind: Kind) -> tuple[str, str] | None:
    wanted = {"object_attributes.id": "int", "object_attributes.updated_at": "time"}
    found = {one.written_path: one.name for one in kind.columns if wanted.get(one.written_path) == one.type}
    number, changed = (found.get(path) for path in wanted)
    return (number, changed) if number and changed else None


def _waiting(log: EventLog, names: tuple[str, str]) -> Iterator[tuple[int, int]]:
    after = log.position().trimmed
    while entries := log.read(after, _READ_ROWS):
        after = entries[-1].seq
        for entry in entries:
            values = [entry.record.columns.get(name) for name in names]
            if entry.record.kind == "issue" and None not in values:
                yield int(values[0] or 0), int(values[1] or 0)


def _landed(settings: Settings, names: tuple[str, str]) -> Iterator[tuple[int, int]]:
    import pyarrow as pa

    table = EventTable(settings.table_place, "issue").open()
    if table is None or not set(names) <= {field.name for field in table.schema().fields}:
        return
    for batch in scan(table, names):
        numbers = batch.column(names[0]).to_pylist()
        moments = batch.column(names[1]).cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
        yield from ((one, moment) for one, moment in zip(numbers, moments, strict=True) if one and moment)
