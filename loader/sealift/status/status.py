"""Report of what an instance runs, how old that is, and what is wrong with it. Reads only; never says "up to date".

Age counts from the signed release time to the latest of the system clock and the time floor: a clock that was
set back makes nothing younger.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sealift import plain_file
from sealift.errors import BehindError, CorruptError, Error, StaleError
from sealift.limits import LIMITS
from sealift.policy.policy import in_force
from sealift.policy.verdict import unmet_for_loading
from sealift.store import Store
from sealift.store.contents import history
from sealift.store.contents.files import read_manifest
from sealift.store.contents.generations import Generation
from sealift.store.contents.history import Entry
from sealift.store.guard.safety import unsafe_places
from sealift.trust import local_state, metadata, pin
from sealift.trust.chain import verify_targets
from sealift.trust.floor import Floor
from sealift.trust.state import TrustState
from sealift_common.metadata.release_document import Release
from sealift_common.names import ModelVersion
from sealift_common.wording import counted

# What the clocks of two machines, or a clock that is being corrected, may differ by.
_TOLERATED = timedelta(minutes=5)
# When the end of an exception is near enough to mention it.
# `sealift doctor` lists all.
_MOST_UNSAFE = 5
_SOON = timedelta(days=30)


@dataclass(frozen=True)
class Thresholds:
    """Limits on age and number; None means no limit.

    Attributes:
        warn_after: days; an older release is worth a warning.
        fail_after: days; an older release is an error.
        expect: the bundle number that every node should have reached.
    """

    warn_after: int | None = None
    fail_after: int | None = None
    expect: int | None = None


@dataclass(frozen=True)
class Status:
    """Report on a store.

    Attributes:
        digests: name to the manifest digest of the active version; "" for a withdrawn one.
        now: the system clock (UTC).
        floor_time: the latest time known to have passed; None where the record is damaged.
        expires: role to the time until which its metadata may be installed.
        differing: name to the active and the newest listed version, where they are not the same; None: not there.
        withdrawn: active model versions that are no longer loaded, with the channel's reason.
        unreviewed: active model versions that the policy does not let load, with what they lack.
        excepted: exceptions of the policy that concern active versions: the version, the reason, and until when.
        last_install: the newest history entry of an install or refresh, or None.
        last_rollback: the newest history entry of a rollback; None where there is none, or an install ended it.
        store_bytes: sizes of all files of the store.
        free_bytes: what this user may still write on its file system.
        damage: what the next install would stumble over although models are served.
        unsafe: what lets others change the store, one phrase each.
    """

    store: Path
    release: Release
    generation: Generation
    digests: Mapping[str, str]
    now: datetime
    floor_time: datetime | None
    expires: Mapping[str, datetime]
    differing: Mapping[str, tuple[ModelVersion | None, ModelVersion | None]]
    withdrawn: Mapping[str, str | None]
    unreviewed: Mapping[str, str]
    excepted: Sequence[tuple[str, str, datetime]]
    last_install: Entry | None
    last_rollback: Entry | None
    store_bytes: int
    free_bytes: int
    damage: tuple[Error, ...]
    unsafe: Sequence[str] = ()

    @property
    def time(self) -> datetime:
        """The reference time: the latest of clock, floor and release (UTC)."""
        return max(self.now, self.floor_time or self.now, self.release.released)

    @property
    def age_days(self) -> int:
        """Whole days since the newest bundle installed was released."""
        return (self.time - self.release.released).days

    def days_left(self, role: str) -> int:
        """Whole days until the metadata of `role` expires; negative once it has."""
        return (self.expires[role] - self.time).days

    def warnings(self, thresholds: Thresholds) -> list[str]:
        """Say what a person should look at, one line each."""
        lines = []
        if thresholds.warn_after is not None and self.age_days > thresholds.warn_after:
            lines.append(
                f"the newest bundle installed is {counted(self.age_days, 'day')} old, "
                f"more than {thresholds.warn_after}; fetch a newer one"
            )
        lines += [f"{place}: until then nothing can be installed" for place in self.unsafe[:_MOST_UNSAFE]]
        for model, reason in self.withdrawn.items():
            why = repr(reason) if reason is not None else "no reason given"
            lines.append(f"{model} is active but withdrawn ({why}); it is no longer loaded")
        lines += [f"{model} is active but not loaded: {lack}" for model, lack in self.unreviewed.items()]
        for model, reason, until in self.excepted:
            if self.time >= until - _SOON:
                lines.append(
                    f"the policy's exception for {model} ({reason!r}) ends on {until:%Y-%m-%d}: it is loaded, but not "
                    "installed again"
                )
        behind = clock_warning(self.now, self.floor_time)
        if behind:
            lines.append(behind)
        lines += [
            f"{role} metadata expired on {when:%Y-%m-%d}: models are served, but this bundle is not installed "
            "again; fetch a newer one"
            for role, when in self.expires.items()
            if when <= self.time
        ]
        return lines

    def problems(self, thresholds: Thresholds) -> list[Error]:
        """Return what the exit status must tell, the most serious first: damage, behind, stale."""
        found = [*self.damage]
        number = self.release.number
        if thresholds.expect is not None and number < thresholds.expect:
            found.append(
                BehindError(
                    f"this node was left behind: expected bundle {thresholds.expect}, got {number}; "
                    f"run `sealift install` here with bundle {thresholds.expect}"
                )
            )
        if thresholds.fail_after is not None and self.age_days > thresholds.fail_after:
            found.append(
                StaleError(
                    f"the newest bundle installed, {number}, was released {counted(self.age_days, 'day')} ago; "
                    f"expected at most {counted(thresholds.fail_after, 'day')}; fetch a newer one"
                )
            )
        return found


def clock_warning(now: datetime, floor: datetime | None) -> str:
    """Say that the clock is behind what must have passed already; nothing where it is not.

    Args:
        now: the system clock (UTC).
        floor: the latest time that the store has seen signed.
    """
    if floor is None or now + _TOLERATED >= floor:
        return ""
    return (
        f"the clock says {now:%Y-%m-%d %H:%M} UTC, but {floor:%Y-%m-%d %H:%M} UTC has passed already; "
        "correct the clock, unless it ran ahead at an earlier install and is right now"
    )


def status(store: Store, now: datetime | None = None) -> Status:
    """Look at `store`.

    Args:
        now: the system clock (UTC), for tests.

    Raises:
        NoTrustError, NotInstalledError: there is nothing to look at.
        CorruptError, RootError, SignatureError, ThresholdError, UntrustedKeyError: no model is served any longer.
    """
    pinned = pin.read(store.trust_directory, store.layout.root)
    generation, release = store.moment()
    state = store.trust_state()
    floor, damage = _check(state, pinned)
    entries = history.read(store.layout.history)
    active = generation.models
    newest = release.newest()
    differing = {
        name: (active.get(name), newest.get(name))
        for name in sorted({*active, *newest})
        if active.get(name) != newest.get(name)
    }
    withdrawals = release.withdrawals()
    reasons = {model: withdrawals.get(model) for model in active.values() if model not in release.models}
    digests = {name: release.models[model].digest if model in release.models else "" for name, model in active.items()}
    policy = store.policy()
    manifests = {
        model: read_manifest(store.layout, model, release.models[model])
        for model in active.values()
        if in_force(policy, release) and model in release.models
    }
    lacking = {str(model): unmet_for_loading(policy, release, manifest) for model, manifest in manifests.items()}
    return Status(
        store=store.layout.root,
        release=release,
        generation=generation,
        digests=digests,
        now=now or datetime.now(UTC),
        floor_time=floor.time if floor else None,
        expires=_expires(state, pinned, whole=not damage),
        differing=differing,
        withdrawn={str(model): found.reason if found else None for model, found in sorted(reasons.items())},
        unreviewed={model: "; ".join(said) for model, said in sorted(lacking.items()) if said},
        excepted=tuple(
            (str(model), policy.exceptions[manifest.digest].reason, policy.exceptions[manifest.digest].until)
            for model, manifest in sorted(manifests.items())
            if manifest.digest in policy.exceptions
        ),
        last_install=_last(entries, "install", "refresh"),
        last_rollback=_last_rollback(entries),
        store_bytes=_size(store.layout.root),
        free_bytes=shutil.disk_usage(store.layout.root).free,
        damage=damage,
        unsafe=unsafe_places(store.layout),
    )


def _check(state: TrustState, pinned: bytes) -> tuple[Floor | None, tuple[Error, ...]]:
    """Check now what the next install checks first, so that nobody learns of it only then."""
    floor = None
    try:
        floor = state.read_floor()
        if state.current is not None:
            local_state.require(state.current, floor, pinned)
    except CorruptError as error:
        return floor, (error,)
    return floor, ()


def _expires(state: TrustState, pinned: bytes, *, whole: bool) -> dict[str, datetime]:
    """Read the dates of verified metadata, the nearest first; without a `whole` state that is root and targets."""
    root, targets = verify_targets(pinned, state.read_root, state.read_targets())
    found = {"root": root.expires, "targets": targets.expires}
    if whole and state.current is not None:
        for role in ("timestamp", "snapshot"):
            found[role] = _expiry(state.current / f"{role}.json", role)
    return dict(sorted(found.items(), key=lambda entry: (entry[1], entry[0])))


def _expiry(path: Path, role: str) -> datetime:
    expires: datetime = metadata.parse(plain_file.read(path, LIMITS.targets_size_bytes), role).signed.expires
    return expires


def _last(entries: list[Entry], *actions: str) -> Entry | None:
    return next((entry for entry in reversed(entries) if entry["action"] in actions), None)


def _last_rollback(entries: list[Entry]) -> Entry | None:
    last = _last(entries, "rollback", "install")
    return last if last is not None and last["action"] == "rollback" else None


def _size(root: Path) -> int:
    """Add up the sizes of all files; one that an install moves meanwhile counts as nothing."""
    total = 0
    for base, _, files in os.walk(root):
        for name in files:
            try:
                total += os.lstat(os.path.join(base, name)).st_size
            except FileNotFoundError:
                continue
    return total
