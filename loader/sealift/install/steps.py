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
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

from sealift.bundle.archive import Archive, open_regular
from sealift.bundle.manifest import Manifest
from sealift.errors import CorruptError, NoSpaceError
from sealift.install.commit import Commit, versions
from sealift.install.plan import Plan, make_plan
from sealift.install.staging import Staging, free_space
from sealift.install.tryout import try_out
from sealift.store import Store, files, generations, history
from sealift.store.generations import Generation
from sealift.store.lock import locked
from sealift.store.safety import require_safe
from sealift.trust import pin
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
        changed: whether another generation was activated.
        refreshed: whether newer metadata was accepted.
        examples: golden examples replayed, by model.
    """

    channel: str
    plan: Plan
    generation: int | None
    changed: bool
    refreshed: bool
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
        require_safe(store.layout)
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
        for leftover in (self._layout.staging, self._scratch):
            durable.remove_tree(leftover)

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
                models=versions(generation.models),
                note="completed after an interruption",
            )

    def install(self, archive: Archive, pinned: bytes, *, dry_run: bool, tmpdir: Path | None) -> InstallReport:
        self._observer.step(2, "reading the head of the bundle")
        state = self._store.trust_state()
        floor = state.read_floor()
        trust = self._staging / "trust"
        durable.make_directory(trust)
        if tmpdir is None:
            durable.make_directory(self._scratch)
        else:
            self._scratch = Path(mkdtemp(prefix="sealift-", dir=tmpdir))
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
                verified.release.channel,
                plan,
                None,
                changed=False,
                refreshed=False,
                examples={},
                signers=verified.signers,
            )
        self._observer.step(5, f"reading and verifying {verified.contents.size:,} bytes")
        staging = Staging(self._staging / "models", self._scratch, plan.new)
        verify_payload(archive, verified, staging.take)
        staging.sync()
        examples = try_out(plan, staging, self._observer.step)
        self._observer.step(8, "activating")
        commit = Commit(self._layout, self._staging, self._now, self._accept_expired)
        outcome = commit.run(verified, plan, staging, state, trust, floor, active)
        return InstallReport(
            channel=verified.release.channel,
            plan=plan,
            generation=outcome.generation.number,
            changed=outcome.switched,
            refreshed=outcome.refreshed,
            examples=examples,
            signers=verified.signers,
        )

    def _plan(self, verified: Verified) -> tuple[Plan, Generation | None]:
        number = generations.active_number(self._layout)
        active = None if number is None else generations.read(self._layout, number)
        stored = self._store.all_versions()
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
