"""From an event as GitLab sends it to the record that is kept. Pure.

A record is what the log holds and the lander writes: the kind, the key that makes a second delivery known, the time of
receipt, the persons it is about, and the columns that the data policy names.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sealift_pipeline.data_policy import paths
from sealift_pipeline.data_policy.paths import MissingPathError
from sealift_pipeline.data_policy.policy import DESTROYED, Column, DataPolicy, Kind
from sealift_pipeline.data_policy.protection import persons_in, pseudonym
from sealift_pipeline.data_policy.values import CONVERSIONS, Protection

# Where GitLab says who acted, who wrote, and who is asked; numbers of users, wherever the objects stand.
_SUBJECT_KEYS = frozenset(
    {"user_id", "author_id", "assignee_id", "assignee_ids", "reviewer_ids", "last_edited_by_id", "updated_by_id"}
)
_SUBJECT_OBJECTS = frozenset({"user", "author", "assignee", "assignees", "reviewers", "merge_user", "updated_by"})
_MOST_SUBJECTS = 1_000
# How the key of an event begins that showed the token of the system hook; no header can say so.
_SYSTEM = "system:"


class RejectedError(Exception):
    """An event does not fit its kind; `path` says where, and holds nothing of the event."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass(frozen=True)
class Record:
    """One event after the data policy.

    Attributes:
        kind: of the event.
        key: the same for each delivery of one event.
        received: microseconds since 1970, UTC, by this machine's clock.
        subjects: pseudonyms of the persons it is about, sorted.
        columns: name to value, without the columns that are null.
    """

    kind: str
    key: str
    received: int
    subjects: tuple[str, ...]
    columns: Mapping[str, Any]

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "kind": self.kind,
            "key": self.key,
            "received": self.received,
            "subjects": list(self.subjects),
            "columns": dict(self.columns),
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Record":
        """Return what `document` was made of."""
        subjects = tuple(document["subjects"])
        return cls(document["kind"], document["key"], document["received"], subjects, document["columns"])


def kind_of(event: Any) -> str:
    """Return the kind that an event says it is of; an empty text where it says none."""
    if not isinstance(event, dict):
        return ""
    for key in ("object_kind", "event_name", "event_type"):
        if isinstance(value := event.get(key), str):
            return value
    return ""


def system_key(key: str) -> str:
    """Return the key of an event that showed the token of the system hook."""
    return _SYSTEM + key


def is_of_system_hook(key: str) -> bool:
    """Return whether the event with this key showed the token of the system hook."""
    return key.startswith(_SYSTEM)


def is_confidential(event: Mapping[str, Any]) -> bool:
    """Return whether an event is about a confidential issue, or a note that not everybody may read."""
    if str(event.get("event_type", "")).startswith("confidential_"):
        return True
    objects = [event.get(name) for name in ("object_attributes", "issue")]
    return any(
        isinstance(one, dict) and any(one.get(key) is True for key in ("confidential", "internal")) for one in objects
    )


def apply(
    policy: DataPolicy,
    event: Mapping[str, Any],
    *,
    key: str,
    received: int,
    secret: bytes,
    former: Sequence[bytes] = (),
) -> Record | None:
    """Return the record of an event; None for a kind, or a confidential event, that the data policy does not take.

    Args:
        key: that GitLab gives the delivery.
        received: microseconds since 1970.
        secret: the key of pseudonyms.
        former: keys that named persons before; a user who was removed has rows under these names too.

    Raises:
        RejectedError: a required path is missing, its value is of another type, or the event is about over 1,000
            persons: an erasure could miss some of them.
    """
    kind = policy.kinds.get(kind_of(event))
    if kind is None or (is_confidential(event) and not kind.confidential):
        return None
    names = tuple(persons_in(event))
    columns = _columns(kind, event, Protection(secret, names))
    subjects = _subjects(event, columns, kind, secret)
    if kind.name == DESTROYED:
        for one in former:
            subjects |= _subjects(event, _columns(kind, event, Protection(one, names)), kind, one)
    if len(subjects) > _MOST_SUBJECTS:
        raise RejectedError("(persons)")
    return Record(kind.name, key, received, tuple(sorted(subjects)), columns)


def _columns(kind: Kind, event: Mapping[str, Any], protection: Protection) -> dict[str, Any]:
    return {column.name: value for column, value in _values(kind, event, protection) if value is not None}


def _values(kind: Kind, event: Mapping[str, Any], protection: Protection) -> Iterator[tuple[Column, Any]]:
    for column in kind.columns:
        try:
            value = paths.find(event, column.path)
        except MissingPathError:
            if column.required:
                raise RejectedError(column.written_path) from None
            continue
        if value is None:
            continue
        convert = CONVERSIONS[column.type]
        try:
            if column.is_list:
                if not isinstance(value, list):
                    raise RejectedError(column.written_path)
                yield column, [convert(one, protection) for one in value if one is not None]
            else:
                yield column, convert(value, protection)
        except (ValueError, OverflowError):
            raise RejectedError(column.written_path) from None


def _subjects(event: Any, columns: Mapping[str, Any], kind: Kind, secret: bytes) -> set[str]:
    found = {pseudonym(number, secret) for number in _user_numbers(event)}
    for column in kind.columns:
        if column.type == "person" and column.name in columns:
            value = columns[column.name]
            found.update(value if isinstance(value, list) else [value])
    return found


def _user_numbers(event: Any) -> Iterator[int]:
    for value in paths.objects_in(event):
        for key, one in value.items():
            if key in _SUBJECT_KEYS:
                yield from _numbers(one)
            elif key in _SUBJECT_OBJECTS:
                people = one if isinstance(one, list) else [one]
                yield from _numbers([person.get("id") for person in people if isinstance(person, dict)])


def _numbers(value: Any) -> Iterator[int]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, int) and not isinstance(one, bool):
            yield one
