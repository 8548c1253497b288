"""Read what `doctor.health` judges, as any user, and without the lock. Changes nothing."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sealift import plain_file
from sealift.doctor.health import Room, StoreFacts, Trust
from sealift.errors import Error, NotInstalledError
from sealift.limits import LIMITS
from sealift.places import owners_on_the_way, user
from sealift.store import Store
from sealift.store.contents.layout import StoreLayout
from sealift.store.guard.safety import unsafe_places
from sealift.trust import metadata, pin
from sealift.trust.chain import verify_targets
from sealift.trust.release import release_of
from sealift.trust.state import TrustState
from sealift_common import advice
from sealift_common.files import lock_file, lock_holders


def read(store: Store, now: datetime) -> StoreFacts:
    """Read everything that this user can read."""
    layout, reasons = store.layout, dict[str, str]()
    values: dict[str, Any] = {"unsafe": unsafe_places(layout)}
    owner = None
    try:
        owner = layout.root.stat().st_uid
        values |= {"owner": user(owner), "is_owner": owner == os.geteuid(), "run_as": advice.run_as(owner)}
    except FileNotFoundError:
        reasons["store"] = f"{str(layout.root)!r} does not exist; nothing was installed yet"
    except OSError as error:
        reasons["store"] = f"{str(layout.root)!r} cannot be looked at: {error.strerror}"
    if owner is not None:
        values |= _inside(layout, reasons)
    values |= _pin(store.trust_directory, layout.root, owner, reasons)
    if values.get("pin_unsafe"):
        reasons["trust"] = "not looked at, for the pinned root is not safe"
    elif values.get("pinned"):
        values |= _trust(store, reasons)
    return StoreFacts(
        now=now, store=str(layout.root), pin=str(store.trust_directory / pin.FILE_NAME), reasons=reasons, **values
    )


def _inside(layout: StoreLayout, reasons: dict[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    try:
        space = os.statvfs(layout.root)
        sizes = [status.st_size for path, status in _walk(layout.models) if path.name]
        inodes = space.f_favail if space.f_files else None
        values["room"] = Room(space.f_bavail * space.f_frsize, inodes, sum(sizes))
    except OSError as error:
        reasons["room"] = f"{str(layout.root)!r}: {error.strerror}"
    times = [status.st_mtime for _, status in _walk(layout.root)]
    if times:
        values["newest_file"] = datetime.fromtimestamp(max(times), UTC)
    try:
        values |= _lock(layout.lock)
        values["debris"] = sorted(
            name for name in os.listdir(layout.root) if name == "staging" or (name[0] == "." and name.endswith(".new"))
        )
    except OSError as error:
        reasons["lock"] = f"{error.filename!r}: {error.strerror}"
    return values


def _lock(path: Path) -> dict[str, Any]:
    """Look who holds the lock; taking it to find out could disturb."""
    if not os.path.lexists(path):
        return {"lock_holder": 0}
    holders, status = lock_holders.at(path), path.lstat()
    is_open = lock_file.is_open_to_others(status)
    if is_open:
        holders = [holder for holder in holders if lock_holders.user_of(holder) == status.st_uid]
    return {"lock_holder": next(iter(holders), 0), "lock_is_open": is_open}


def _walk(top: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield what can be looked at; what cannot, and what leaves meanwhile, is left out."""
    for base, _, names in os.walk(top):
        for name in names:
            path = Path(base, name)
            try:
                yield path, path.lstat()
            except OSError:
                continue


def _pin(directory: Path, store: Path, store_owner: int | None, reasons: dict[str, str]) -> dict[str, Any]:
    path = directory / pin.FILE_NAME
    try:
        unsafe, owners = pin.unsafe(directory, store), owners_on_the_way(path)
        if not unsafe:
            plain_file.read(path, LIMITS.root_size_bytes, follow=True)
    except (FileNotFoundError, NotADirectoryError):
        return {"pinned": False}
    except OSError as error:
        reasons["pin"] = f"{str(path)!r} cannot be read: {error.strerror}"
        return {}
    # A store that root owns is written by root, who can replace anything.
    trusted = store_owner in {None, 0} or store_owner not in owners
    writers = [user(uid) for uid in sorted({0, *owners})]
    return {"pinned": True, "pin_unsafe": unsafe, "pin_owner_is_trusted": trusted, "pin_writers": writers}


def _trust(store: Store, reasons: dict[str, str]) -> dict[str, Any]:
    """Look at the trust state; again where installs replaced it meanwhile, for what was being read is then removed."""
    while True:
        before = _state_number(store)
        reasons.pop("trust", None)
        found = _trust_now(store, reasons)
        if "trust" in found or _state_number(store) == before:
            return found


def _state_number(store: Store) -> int:
    try:
        return store.trust_state().number
    except (Error, OSError):
        return 0


def _trust_now(store: Store, reasons: dict[str, str]) -> dict[str, Any]:
    try:
        pinned, state = pin.read(store.trust_directory, store.layout.root), store.trust_state()
        floor = state.read_floor()
        if floor is None:
            raise NotInstalledError("nothing was installed yet")
        root, targets = verify_targets(pinned, state.read_root, state.read_targets())
        release = release_of(root, targets)
        expires = {"root": root.expires, "targets": targets.expires}
        expires |= {role: _expires(state, role) for role in ("snapshot", "timestamp")}
        return {"trust": Trust(release.channel, expires, release.number, release.released, floor.time)}
    except NotInstalledError as error:
        reasons["trust"] = str(error)
    except Error as error:
        return {"trust_error": error}
    except OSError as error:
        reasons["trust"] = f"{error.filename!r} cannot be read: {error.strerror}"
    return {}


def _expires(state: TrustState, role: str) -> datetime:
    current = state.current
    if current is None:
        raise NotInstalledError("nothing was installed yet")
    data = plain_file.read(current / f"{role}.json", LIMITS.targets_size_bytes)
    expires: datetime = metadata.parse(data, role).signed.expires
    return expires
