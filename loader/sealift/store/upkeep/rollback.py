"""Activate an earlier generation, or an earlier version of one model. Trust is never rolled back."""

from contextlib import ExitStack
from datetime import datetime

from sealift import journal
from sealift.errors import NotInstalledError, UnreviewedError, UsageError, WithdrawnError
from sealift.store.contents import files, generations, history
from sealift.store.contents.generations import Generation
from sealift.store.guard.lock import locked
from sealift.store.guard.safety import require_safe
from sealift.store.store import Installed, Store
from sealift.store.upkeep.completion import complete, versions
from sealift_common.files import durable
from sealift_common.interrupts import postponed
from sealift_common.metadata.release_document import Release
from sealift_common.names import ModelVersion


@journal.tells_refusals("rollback")
def rollback(
    store: Store,
    name: str | None,
    to: int | None,
    now: datetime,
    *,
    reason: str | None = None,
    dry_run: bool = False,
) -> Generation:
    """Switch back.

    Args:
        name: roll back only this model, in a new generation; None means all models.
        to: the generation to return to; None means the newest earlier one that differs.
        reason: why, for the history.
        dry_run: check all that would be activated, and change nothing.

    Raises:
        NotInstalledError: there is no such generation, or no earlier one that differs.
        UsageError: `to` is active already.
        WithdrawnError: it holds a version that the channel took back.
        UnreviewedError: it holds one that the policy does not let load.
        CorruptError: its files are not what was signed.
        LockedError: another process is changing the store.
    """
    store.active()
    with locked(store.layout.lock):
        require_safe(store.layout)
        if not dry_run:
            # The earlier generation names an earlier trust state: what was trusted last must be linked first.
            complete(store, now)
        active = store.active()
        target = choose(store, active, name, to)
        source = target.number
        if name is not None:
            # One model of the earlier generation, the rest as they are.
            models = {**active.models, name: target.models[name]}
            number = max(generations.numbers(store.layout)) + 1
            created = now.strftime("%Y-%m-%dT%H:%M:%SZ")
            target = active._replace(number=number, created=created, models=dict(sorted(models.items())))
        _require_loadable(store, target, active, source)
        if dry_run:
            return target
        with postponed():
            if name is not None:
                _write(store, target)
            generations.activate(store.layout, target.number)
            entry = history.append(
                store.layout.history,
                "rollback",
                now,
                generation=target.number,
                before=active.number,
                release=target.release,
                models=versions(target.models),
                **({"reason": reason} if reason is not None else {}),
            )
        release = store.release()
        listed = [(one, release.models[one].digest) for one in target.models.values() if one in release.models]
        journal.changed("rollback", entry, channel=release.channel, models=listed)
        return target


def _write(store: Store, generation: Generation) -> None:
    """Write a generation, or nothing: on a full disk the next try must not find half of one."""
    with ExitStack() as stack:
        stack.callback(durable.remove_tree, store.layout.staging)
        durable.remove_tree(store.layout.staging)
        generations.write(store.layout, store.layout.staging / "generation", generation)


def choose(store: Store, active: Generation, name: str | None, to: int | None) -> Generation:
    """Return the generation that a rollback goes back to, or takes one model from; see `rollback`.

    Raises:
        NotInstalledError: there is none.
        UsageError: `to` is active already.
        UnreviewedError: there are some, and the policy lets none of them load.
        CorruptError: one that has to be looked at is damaged.
    """
    if to is not None:
        return _named(store, active, name, to)
    if name is not None and name not in active.models:
        raise NotInstalledError(f"no model {name!r} is active; active: {', '.join(active.models) or 'none'}")
    release, refused = store.release(), None
    for number in reversed(generations.numbers(store.layout)):
        if number >= active.number:
            continue
        earlier = generations.read(store.layout, number)
        differs = (
            earlier.models != active.models
            if name is None
            else earlier.models.get(name, active.models[name]) != active.models[name]
        )
        if differs:
            try:
                _require_approved(store, earlier, active, release, name)
            except UnreviewedError as error:
                # Who names no generation means the last one that can serve.
                refused = refused or error
                continue
            return earlier
    if refused is not None:
        raise refused
    raise _none_earlier(store, active, name)


def _named(store: Store, active: Generation, name: str | None, to: int) -> Generation:
    if to == active.number and name is None:
        raise UsageError(f"generation {to} is active already; nothing was changed")
    target = generations.read(store.layout, to)
    if name is not None and name not in target.models:
        raise NotInstalledError(f"generation {to} has no model {name!r}; it has {', '.join(target.models) or 'none'}")
    return target


def _none_earlier(store: Store, active: Generation, name: str | None) -> NotInstalledError:
    earlier = [number for number in generations.numbers(store.layout) if number < active.number]
    if earlier and name is None:
        return NotInstalledError(
            f"each earlier generation has the same versions as generation {active.number}, which is active; "
            f"`sealift rollback --to {earlier[-1]}` activates one all the same"
        )
    if earlier:
        return NotInstalledError(
            f"no earlier generation has another version of {name!r} than generation {active.number}, which is active"
        )
    what = "generation" if name is None else f"version of {name!r}"
    return NotInstalledError(f"there is no earlier {what} to roll back to; generation {active.number} is active")


def _require_loadable(store: Store, target: Generation, active: Generation, source: int) -> None:
    """Refuse to activate what could not be loaded afterwards."""
    release = store.release()
    for model in target.models.values():
        signed = release.models.get(model)
        if signed is None:
            withdrawal = release.withdrawal_of(model)
            reason = repr(withdrawal.reason) if withdrawal else "no reason given"
            raise WithdrawnError(
                f"{model} of generation {source} was withdrawn by the channel ({reason}); "
                "roll back to a generation without it (--to N), or only another model"
            )
        if _changes(model, active):
            manifest = files.read_manifest(store.layout, model, signed)
            store.require_approved(Installed(model, manifest, store.layout.model(model)), release)
            files.check_files(store.layout, manifest)


def _require_approved(
    store: Store, earlier: Generation, active: Generation, release: Release, name: str | None
) -> None:
    """Refuse a generation of which something that would change may not be loaded; what is withdrawn is judged later."""
    for model in earlier.models.values():
        signed = release.models.get(model)
        if signed is not None and _changes(model, active) and name in (None, model.name):
            manifest = files.read_manifest(store.layout, model, signed)
            store.require_approved(Installed(model, manifest, store.layout.model(model)), release)


def _changes(model: ModelVersion, active: Generation) -> bool:
    return active.models.get(model.name) != model
