"""The store: who owns it, what it trusts and how old that is, room, and what an interrupted command left. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sealift.doctor.finding import Finding, ok, problem, unknown, warning
from sealift.errors import Error, LocalError, NoSpaceError, UnsafeStoreError
from sealift_common.wording import counted, human

_DAY = timedelta(days=1)
# What an install needs in addition to the models; with less, not even the history can be kept.
_LEAST_BYTES = 16 * 1024 * 1024
_LEAST_INODES = 200
# Clocks of file servers and of this machine differ a little.
_CLOCK_SLACK = timedelta(minutes=5)


@dataclass(frozen=True)
class Room:
    """The store's file system; `inodes` is None where it does not count them."""

    free_bytes: int
    free_inodes: int | None
    models_bytes: int


@dataclass(frozen=True)
class Trust:
    """Accepted metadata: expiry by role, the newest release and when it was made, and the time known to have passed."""

    channel: str
    expires: Mapping[str, datetime]
    release: int
    released: datetime
    floor_time: datetime


@dataclass(frozen=True)
class StoreFacts:
    """Facts about one store; None, with a reason in `reasons`, for what could not be.

    Attributes:
        owner: name of the store's owner; `is_owner` says whether that is this user.
        run_as: how to run a command as the store's owner.
        unsafe: what lets others change the store; `pin_unsafe` the same for the pinned root.
        pin_writers: who can write the pinned root, or what leads to it.
        pin_owner_is_trusted: the pinned root belongs to root, not to the user who writes the store.
        lock_holder: number of the process that is changing the store; 0 for nobody.
        lock_is_open: any user can hold the lock, as of a store of Sealift 0.1.0.
        debris: what an interrupted command left.
        newest_file: the latest time of change of anything in the store.
        trust_error: the refusal, where the trust state does not hold.
    """

    now: datetime
    store: str
    pin: str
    reasons: Mapping[str, str] = field(default_factory=dict)
    owner: str | None = None
    is_owner: bool = False
    run_as: str = ""
    unsafe: Sequence[str] = ()
    pinned: bool | None = None
    pin_unsafe: Sequence[str] = ()
    pin_writers: Sequence[str] = ()
    pin_owner_is_trusted: bool = True
    room: Room | None = None
    lock_holder: int | None = None
    lock_is_open: bool = False
    debris: Sequence[str] = ()
    newest_file: datetime | None = None
    trust: Trust | None = None
    trust_error: Error | None = None


def judge(facts: StoreFacts) -> list[Finding]:
    """Judge everything that was seen."""
    return [
        *_owner(facts),
        *_pin(facts),
        *_trust(facts),
        *_clock(facts),
        *_files(facts),
        *_room(facts),
        *_work(facts),
    ]


def _owner(facts: StoreFacts) -> list[Finding]:
    findings = []
    if facts.owner is None:
        findings.append(unknown("store", facts.reasons.get("store", "not looked at"), "run `sealift install BUNDLE`"))
    else:
        who = "this user" if facts.is_owner else f"not this user; to change it, {facts.run_as}"
        findings.append(ok("store", f"{facts.store!r} belongs to {facts.owner}, {who}"))
    for place in facts.unsafe:
        if "cannot be checked" in place:
            findings.append(unknown("store", place, facts.run_as or "run it as root"))
            continue
        seen, _, do = place.rpartition("; ")
        findings.append(problem("store", seen or place, do or "give it its owner back", UnsafeStoreError))
    if facts.owner is not None and not facts.unsafe:
        findings.append(ok("store", "only its owner can write it or replace it"))
    return findings


def _pin(facts: StoreFacts) -> list[Finding]:
    if facts.pinned is None:
        return [problem("pinned root", facts.reasons.get("pin", "cannot be read"), "let everybody read it", LocalError)]
    if not facts.pinned:
        return [unknown("pinned root", f"{facts.pin!r} does not exist", "run `sealift trust init ROOT.json`")]
    findings = []
    for place in facts.pin_unsafe:
        seen, _, do = place.rpartition("; ")
        findings.append(problem("pinned root", seen or place, do or "give it back to root", UnsafeStoreError))
    if not facts.pin_owner_is_trusted:
        findings.append(
            warning(
                "pinned root",
                f"{facts.pin!r} can be replaced by anyone who can write to the store",
                "give it and its folder to root",
            )
        )
    return findings or [ok("pinned root", f"{facts.pin!r}, writable by {' and '.join(facts.pin_writers)} only")]


def _trust(facts: StoreFacts) -> list[Finding]:
    if facts.trust_error is not None:
        error = facts.trust_error
        return [problem("trust", str(error), "see the message; nothing can be loaded meanwhile", type(error))]
    if facts.trust is None:
        return [unknown("trust", facts.reasons.get("trust", "nothing was installed yet"))]
    trust = facts.trust
    # As `sealift status` counts: a clock that was set back makes nothing younger.
    now = max(facts.now, trust.floor_time, trust.released)
    age = counted((now - trust.released) // _DAY, "day")
    findings = [
        ok(
            "newest bundle",
            f"release {trust.release} of channel {trust.channel}, of {trust.released:%Y-%m-%d}, {age} ago; "
            "whether there is a newer one cannot be known here",
        )
    ]
    for role, expires in trust.expires.items():
        days = (expires - now) // _DAY
        if days >= 0:
            findings.append(ok(f"{role} metadata", f"{counted(days, 'day')} left, until {expires:%Y-%m-%d}"))
        else:
            findings.append(
                warning(
                    f"{role} metadata",
                    f"expired on {expires:%Y-%m-%d}; models are still loaded",
                    "ask the channel for a newer bundle",
                )
            )
    return findings


def _clock(facts: StoreFacts) -> list[Finding]:
    findings = []
    times = {
        "what an install saw pass, by its clock or by signed times": facts.trust.floor_time if facts.trust else None,
        "the newest file in the store": facts.newest_file,
    }
    for what, time in times.items():
        if time is not None and facts.now + _CLOCK_SLACK < time:
            findings.append(
                warning(
                    "clock",
                    f"it says {facts.now:%Y-%m-%d %H:%M} UTC, before {what}, {time:%Y-%m-%d %H:%M} UTC",
                    "correct the clock, unless it ran ahead at an earlier install and is right now",
                )
            )
    if not any(times.values()):
        return [unknown("clock", f"it says {facts.now:%Y-%m-%d %H:%M} UTC; there is nothing to compare it with")]
    return findings or [ok("clock", f"{facts.now:%Y-%m-%d %H:%M} UTC, after everything that was seen here")]


def _files(facts: StoreFacts) -> list[Finding]:
    if facts.owner is None:
        return []
    return [unknown("files", "not compared with their digests here", "run `sealift check`")]


def _room(facts: StoreFacts) -> list[Finding]:
    room = facts.room
    if room is None:
        return [unknown("free space", facts.reasons.get("room", "not looked at"))]
    seen = f"{human(room.free_bytes)}; the installed models have {human(room.models_bytes)}"
    findings = []
    if room.free_bytes < _LEAST_BYTES:
        findings.append(problem("free space", seen, "make room: nothing can be installed", NoSpaceError))
    elif room.free_bytes < room.models_bytes:
        findings.append(warning("free space", seen, "make room: a release of models as large as these would not fit"))
    else:
        findings.append(ok("free space", seen))
    if room.free_inodes is None:
        findings.append(ok("free inodes", "this file system does not count them"))
    elif room.free_inodes < _LEAST_INODES:
        findings.append(
            problem(
                "free inodes", f"{room.free_inodes:,}", "remove small files: nothing can be installed", NoSpaceError
            )
        )
    else:
        findings.append(ok("free inodes", f"{room.free_inodes:,}"))
    return findings


def _work(facts: StoreFacts) -> list[Finding]:
    if facts.lock_holder is None:
        return [unknown("lock", facts.reasons.get("lock", "not looked at"))]
    if facts.lock_holder:
        return [ok("lock", f"process {facts.lock_holder} is changing the store at this moment")]
    findings = [ok("lock", "nobody is changing the store")]
    if facts.lock_is_open:
        findings.append(warning("lock", "any user can hold it", "the next command that changes the store replaces it"))
    findings += [
        warning("debris", f"{name!r} was left by a command that was cut off", "`sealift prune` removes it")
        for name in facts.debris
    ]
    return findings
