"""The nine steps of an install, in the order and under the numbers that the documentation uses.

1. lock the store · 2. read the head under limits · 3. refresh trust in staging · 4. plan, check free
space, stop here with `dry_run` · 5. stream each payload once · 6. check `model.json` against the
file set · 7. replay the golden examples in a child process · 8. commit: model directories, manifests,
generation, trust, then the `current` switch · 9. append to the history.

Nothing that counts is touched before step 8; each step of 8 leaves the previous generation serving;
running the same command again finishes what was cut off.
"""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sealift.bundle.archive import Archive, open_regular
from sealift.bundle.manifest import Manifest
from sealift.errors import CorruptError, MalformedError, NoSpaceError
from sealift.install.plan import Plan, make_plan
from sealift.install.staging import Staging, free_space
from sealift.limits import LIMITS
from sealift.store import Store, files, generations, history
from sealift.store.generations import Generation
from sealift.store.lock import locked
from sealift.trust import pin
from sealift.trust.floor import Floor
from sealift.trust.state import TrustState
from sealift.verify import Verified, verify_head, verify_payload
from sealift_keys import durable
from sealift_keys.names import ModelVersion

# Manifests, a generation, the trust state, history; and what file systems round up.
_SLACK_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class InstallReport:
    """What an install did, or would do.

    Attributes:
        generation: the active generation afterwards; None for a dry run.
        changed: whether a new generation was activated.
        examples: golden examples replayed, by model.
    """

    channel: str
    plan: Plan
    generation: int | None
    changed: bool
    examples: dict[str, int]
    signers: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Observer:
    """Whom to tell about progress: the beginning of a step, and bytes read since the last call."""

    step: Callable[[int, str], object] = lambda _number, _text: None
    bytes_read: Callable[[int], object] = lambda _count: None


def install(
    bundle: str,
    store: Store,
    *,
    dry_run: bool = False,
    accept_expired: str | None = None,
    tmpdir: Path | None = None,
    observer: Observer | None = None,
    now: datetime | None = None,
) -> InstallReport:
    """Install `bundle` into `store`.

    Args:
        bundle: path of the tar.
        dry_run: stop after step 4; nothing that counts is written.
        accept_expired: install although metadata has expired; the reason is kept in the history.
        tmpdir: where compressed files wait for their digest; None means inside the store.
        now: the system clock (UTC), for tests.

    Raises:
        sealift.Error: every refusal; the store is then as it was before.
        OSError: the operating system refused; the store is then as it was before.
    """
    observer = observer or Observer()
    pinned = pin.read(store.trust_directory)
    with ExitStack() as stack:
        file = stack.enter_context(open_regular(bundle))
        durable.make_directory(store.layout.root)
        observer.step(1, "locking the store")
        stack.enter_context(locked(store.layout.lock))
        run = _Run(store, observer, now or datetime.now(UTC), accept_expired)
        stack.callback(run.clean)
        run.clean()
        run.complete_history()
        return run.install(Archive(file, observer.bytes_read), pinned, dry_run=dry_run, tmpdir=tmpdir)


class _Run:
    """One install; holds what the steps hand to each other."""

    def __init__(self, store: Store, observer: Observer, now: datetime, accept_expired: str | None) -> None:
        self._store = store
        self._layout = store.layout
        self._observer = observer
        self._now = now
        self._accept_expired = accept_expired
        self._staging = store.layout.staging / str(os.getpid())
        self._scratch = self._staging / "scratch"

    def clean(self) -> None:
        """Remove staging; whatever is there belongs to nobody, for we hold the lock."""
        if self._layout.staging.exists():
            durable.remove_tree(self._layout.staging)

    def complete_history(self) -> None:
        """Write the line that an install cut off between steps 8 and 9 still owes."""
        number = generations.active_number(self._layout)
        if number is None:
            return
        noted = {entry.get("generation") for entry in history.read(self._layout.history)}
        if number not in noted:
            generation = generations.read(self._layout, number)
            history.append(
                self._layout.history,
                "install",
                self._now,
                generation=number,
                release=generation.release,
                models=_versions(generation.models),
                note="completed after an interruption",
            )

    def install(self, archive: Archive, pinned: bytes, *, dry_run: bool, tmpdir: Path | None) -> InstallReport:
        self._observer.step(2, "reading the head of the bundle")
        state = self._store.trust_state()
        floor = state.read_floor()
        trust = self._staging / "trust"
        durable.make_directory(trust)
        self._scratch = tmpdir or self._staging / "scratch"
        durable.make_directory(self._scratch)
        self._observer.step(3, "checking signatures")
        state.copy_to(trust)
        verified = verify_head(
            archive, pinned, trust, floor, now=self._now, ignore_expiry=self._accept_expired is not None
        )
        self._observer.step(4, "planning")
        plan, active = self._plan(verified)
        self._require_space(plan, verified)
        if dry_run:
            return InstallReport(
                verified.release.channel, plan, None, changed=False, examples={}, signers=verified.signers
            )
        self._observer.step(5, f"reading and verifying {verified.contents.size:,} bytes")
        staging = Staging(self._staging / "models", self._scratch, plan.new)
        verify_payload(archive, verified, staging.take)
        staging.sync()
        examples = self._try_out(plan, staging)
        self._observer.step(8, "activating")
        generation = self._commit(verified, plan, staging, state, trust, floor, active)
        return InstallReport(
            verified.release.channel, plan, generation.number, generation != active, examples, verified.signers
        )

    def _plan(self, verified: Verified) -> tuple[Plan, Generation | None]:
        number = generations.active_number(self._layout)
        active = None if number is None else generations.read(self._layout, number)
        stored = _stored(self._store)
        carried = {manifest.model: manifest for manifest in verified.contents.manifests}
        intact = [model for model in stored if self._is_intact(model, carried.get(model), verified)]
        plan = make_plan(
            verified.release,
            verified.contents.manifests,
            intact,
            stored,
            active.models if active else {},
            self._store.release().models if active else {},
        )
        return plan, active

    def _is_intact(self, model: ModelVersion, carried: Manifest | None, verified: Verified) -> bool:
        """Check a stored model that may stay; a damaged one is installed anew from the bundle."""
        signed = verified.release.models.get(model)
        if signed is None:
            return False
        try:
            files.check_files(self._layout, carried or files.read_manifest(self._layout, model, signed))
        except CorruptError:
            return False
        return True

    def _require_space(self, plan: Plan, verified: Verified) -> None:
        compressed = [file.blob.size for manifest in plan.new for file in manifest.files if file.compressed]
        need = plan.new_size + max(compressed, default=0) + _SLACK_BYTES
        free = free_space(self._layout.root)
        if need > free:
            raise NoSpaceError(
                f"release {verified.release.number} needs {need:,} bytes on the file system of "
                f"{str(self._layout.root)!r}; {free:,} are free; make room and run the same command again"
            )

    def _try_out(self, plan: Plan, staging: Staging) -> dict[str, int]:
        """Steps 6 and 7, model by model."""
        from sealift.model.description import ModelDescription, check_file_set
        from sealift.model.selftest import run_in_child

        examples = {}
        for manifest in plan.new:
            self._observer.step(6, f"checking {manifest.model}")
            directory = staging.path(manifest.model)
            what = str(manifest.model)
            description = ModelDescription.parse((directory / "model.json").read_bytes())
            check_file_set(description, [file.name for file in manifest.files], what)
            _require_same_name(description, manifest.model)
            self._observer.step(7, f"replaying the examples of {manifest.model}")
            result = run_in_child(directory, what, timeout_s=LIMITS.self_test_timeout_s)
            examples[manifest.model.reference] = result.rows
        return examples

    def _commit(
        self,
        verified: Verified,
        plan: Plan,
        staging: Staging,
        state: TrustState,
        trust: Path,
        floor: Floor | None,
        active: Generation | None,
    ) -> Generation:
        """Step 8 and 9. The order matters: nothing is named before what it names is durable."""
        layout = self._layout
        for manifest in plan.new:
            self._place(staging.path(manifest.model), layout.model(manifest.model))
        for manifest in verified.contents.manifests:
            self._keep_documents(manifest)
        generation = self._generation(plan, active)
        if not state.is_same(trust):
            state.commit(trust, _raise(floor, verified.floor()))
            if generation == active:
                history.append(
                    layout.history,
                    "refresh",
                    self._now,
                    release=plan.release,
                    **self._provenance(verified),
                )
        if generation == active:
            return generation
        generations.activate(layout, generation.number)
        self._observer.step(9, "writing the history")
        history.append(
            layout.history,
            "install",
            self._now,
            generation=generation.number,
            release=plan.release,
            channel=verified.release.channel,
            models=_versions(plan.active),
            digests={manifest.model.reference: manifest.digest for manifest in verified.contents.manifests},
            new=[manifest.model.reference for manifest in plan.new],
            withdrawn=[model.reference for model, _ in plan.withdrawn],
            **self._provenance(verified),
        )
        return generation

    def _generation(self, plan: Plan, active: Generation | None) -> Generation:
        """Return the generation that the plan asks for, writing it unless it is there already."""
        numbers = generations.numbers(self._layout)
        for number in [active.number if active else 0, max(numbers, default=0)]:
            # Active already, or written by an install that was cut off before the switch.
            if number not in numbers:
                continue
            found = generations.read(self._layout, number)
            if dict(found.models) == dict(plan.active) and found.release == plan.release:
                return found
        generation = Generation(
            number=max(numbers, default=0) + 1,
            release=plan.release,
            created=self._now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            models=plan.active,
        )
        generations.write(self._layout, self._staging / "generation", generation)
        return generation

    def _provenance(self, verified: Verified) -> dict[str, Any]:
        """Who says so: for the history."""
        signers = {role: list(names) for role, names in verified.signers.items()}
        override = {"accepted_expired": self._accept_expired} if self._accept_expired is not None else {}
        return {"signers": signers, **override}

    def _place(self, staged: Path, destination: Path) -> None:
        durable.make_directory(destination.parent)
        if destination.exists():
            # Damaged, or the bundle would not bring it: the old directory leaves in one rename.
            durable.move(destination, self._staging / f"damaged-{destination.parent.name}-{destination.name}")
        durable.move(staged, destination)

    def _keep_documents(self, manifest: Manifest) -> None:
        durable.make_directory(self._layout.manifests)
        for digest, data in ((manifest.digest, manifest.raw), (manifest.config.digest, manifest.raw_config)):
            path = self._layout.manifest(digest)
            if not path.exists() or path.read_bytes() != data:
                durable.write_file(path, data)


def _stored(store: Store) -> list[ModelVersion]:
    if not store.layout.models.is_dir():
        return []
    return [model for entry in sorted(store.layout.models.iterdir()) for model in store.installed_versions(entry.name)]


def _require_same_name(description: Any, model: ModelVersion) -> None:
    if (description.name, description.version) != (model.name, str(model.version)):
        raise MalformedError(f"'model.json' of {model} describes {description.name!r} {description.version!r}")


def _raise(old: Floor | None, new: Floor) -> Floor:
    """Time never goes back; versions are those just accepted (python-tuf and `floor.check` allowed them)."""
    return new if old is None else replace(new, time=max(old.time, new.time))


def _versions(models: Any) -> dict[str, str]:
    return {name: str(model.version) for name, model in sorted(models.items())}
