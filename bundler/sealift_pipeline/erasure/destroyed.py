"""Users who were removed from GitLab: each `user_destroy` event waits in its table until it is applied or dismissed.

The table of the kind `user_destroy` is the queue: an erasure removes the row of the event last, so an event that is
there is not done. Only events that showed the token of the system hook are ever applied without being asked, and of
these a wave waits for a person: a forged or mistaken one must not empty the tables.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sealift_pipeline.data_policy.policy import DESTROYED, DataPolicy
from sealift_pipeline.data_policy.record import is_of_system_hook
from sealift_pipeline.erasure.erasing import Erased, erase
from sealift_pipeline.erasure.journal import Erasure, erased_automatically
from sealift_pipeline.errors import ErasureError
from sealift_pipeline.landing.lander import kinds_of
from sealift_pipeline.log.base import EventLog
from sealift_pipeline.settings.settings import Settings
from sealift_pipeline.table.delta import EventTable, scan
from sealift_pipeline.table.schema import micros_of

AUTOMATIC_REQUEST = "user_destroy"
_DAY = timedelta(days=1)
# In a small table one user has a large share.
_FEW_ROWS = 20


@dataclass(frozen=True)
class Destroyed:
    """One user who was removed from GitLab, and whose rows are still there.

    Attributes:
        event: number of the event.
        received: microseconds since 1970.
        subjects: pseudonyms of the user.
        is_sure: the event showed the token of the system hook.
        rows: how many rows of each kind are about the user, the event itself not counted.
    """

    event: int
    received: int
    subjects: tuple[str, ...]
    is_sure: bool
    rows: Mapping[str, int] = field(default_factory=dict)


def waiting(settings: Settings) -> list[Destroyed]:
    """Return who waits, the oldest event first; without their rows, so it takes no time.

    Raises:
        TableError: the table cannot be read.
    """
    table = EventTable(settings.table_place, DESTROYED).open()
    if table is None:
        return []
    found = []
    for batch in scan(table, ("seq", "received", "subjects", "key")):
        moments = micros_of(batch.column("received"))
        columns = [batch.column(name).to_pylist() for name in ("seq", "subjects", "key")]
        for seq, subjects, key, moment in zip(*columns, moments, strict=True):
            found.append(Destroyed(seq, moment, tuple(subjects or ()), is_of_system_hook(key or "")))
    return sorted(found, key=lambda one: one.event)


def with_rows(
    settings: Settings, policy: DataPolicy, users: Sequence[Destroyed]
) -> tuple[list[Destroyed], dict[str, int]]:
    """Return the users with the numbers of their rows, and how many rows each kind has; reads every table once."""
    owners: dict[str, list[int]] = {}
    for place, user in enumerate(users):
        for subject in user.subjects:
            owners.setdefault(subject, []).append(place)
    counts: list[Counter[str]] = [Counter() for _ in users]
    totals: dict[str, int] = {}
    for kind in kinds_of(settings, policy):
        table = EventTable(settings.table_place, kind).open() if kind != DESTROYED else None
        if table is None:
            continue
        totals[kind] = 0
        for batch in scan(table, ("subjects",)):
            totals[kind] += batch.num_rows
            for subjects in batch.column("subjects").to_pylist():
                for place in {place for one in subjects or () for place in owners.get(one, ())}:
                    counts[place][kind] += 1
    made = [
        Destroyed(user.event, user.received, user.subjects, user.is_sure, dict(number))
        for user, number in zip(users, counts, strict=True)
    ]
    return made, totals


def apply(settings: Settings, policy: DataPolicy, log: EventLog, users: Sequence[Destroyed], request: str) -> Erased:
    """Erase these users, also where their events came without the token; raises what `erase` raises."""
    return erase(settings, policy, log, _erasure(users, request))


def dismiss(settings: Settings, policy: DataPolicy, log: EventLog, users: Sequence[Destroyed], request: str) -> Erased:
    """Remove events from the queue, and nothing else; raises what `erase` raises."""
    return erase(settings, policy, log, Erasure(request, (), tuple(one.event for one in users)))


def apply_what_is_sure(settings: Settings, policy: DataPolicy, log: EventLog) -> tuple[Erased | None, str]:
    """Erase who waits, by the rules of the settings; return what was done, and why the rest waits.

    Raises:
        LanderBusyError, ErasureError, TableError, EventLogError: as `erase`.
    """
    users = [one for one in waiting(settings) if one.is_sure]
    if not (settings.erasure.is_automatic and users):
        return None, ""
    now = datetime.now(UTC)
    most, before = settings.erasure.most_users, erased_automatically(settings.folder, now - _DAY)
    if before + len(users) > most:
        return None, f"{before + len(users)} users were removed within a day, more than most_users = {most}"
    due = (now - timedelta(hours=settings.erasure.wait_hours)).timestamp() * 1_000_000
    users = [one for one in users if one.received <= due]
    if not users:
        return None, ""
    users, totals = with_rows(settings, policy, users)
    for kind, total in totals.items():
        gone = sum(user.rows.get(kind, 0) for user in users)
        if gone > _FEW_ROWS and gone * 100 > total * settings.erasure.most_percent:
            share = f"{gone:,} of {total:,} rows of kind {kind!r} are about users who were removed"
            return None, f"{share}, more than most_percent = {settings.erasure.most_percent}"
    return erase(settings, policy, log, _erasure(users, AUTOMATIC_REQUEST, automatic=True)), ""


def chosen(users: Sequence[Destroyed], events: Sequence[int]) -> list[Destroyed]:
    """Return the users of these events, or all where none is named.

    Raises:
        ErasureError: an event does not wait.
    """
    known = {one.event: one for one in users}
    missing = next((event for event in events if event not in known), None)
    if missing is not None:
        raise ErasureError(f"no removed user waits at event {missing}; `sealift-pipeline erase --pending` lists them")
    return [known[event] for event in dict.fromkeys(events)] if events else list(users)


def _erasure(users: Sequence[Destroyed], request: str, *, automatic: bool = False) -> Erasure:
    subjects = dict.fromkeys(subject for user in users for subject in user.subjects)
    return Erasure(request, tuple(subjects), tuple(user.event for user in users), automatic)
