"""The nine steps of an install, in the order and under the numbers that the documentation uses.

1. lock the store · 2. read the head under limits · 3. refresh trust in staging · 4. plan, the approvals that the policy
demands, and preflight: all that stands in the way, in one report; stop here with `dry_run` · 5. stream each payload
once · 6. check `model.json` against the file set · 7. replay the golden examples in a child process · 8. commit: model
directories, manifests, generation, trust, then the `current` switch · 9. append to the history.

Nothing that counts is touched before step 8; each step of 8 leaves the previous generation serving;
running the same command again finishes what was cut off.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sealift import journal
from sealift.bundle.source import Source
from sealift.errors import Error, LockedError, UnsafeStoreError
from sealift.inspection.opening import open_bundle
from sealift.inspection.verify import verify_head, verify_payload
from sealift.install import preflight, reviewing
from sealift.install.base_files import BaseFiles
from sealift.install.commit import Commit
from sealift.install.plan import Plan
from sealift.install.staging import Staging
from sealift.install.survey import survey
from sealift.install.tryout import try_out
from sealift.limits import LIMITS
from sealift.model.trial.process import SelfTestProcess
from sealift.policy.policy import Policy
from sealift.registry.access import DEFAULT_ACCESS, Access
from sealift.store import Store
from sealift.store.guard.lock import locked
from sealift.store.guard.room import full_disk, private_directory
from sealift.store.guard.safety import require_safe
from sealift.store.upkeep.completion import complete
from sealift.trust import pin
from sealift_common.files import durable
from sealift_common.interrupts import postponed
from sealift_common.oci import layout


@dataclass(frozen=True)
class InstallReport:
    """Result of an install, done or planned.

    Attributes:
        generation: the active generation afterwards; None for a dry run.
        changed: whether another generation was activated.
        refreshed: whether newer metadata was accepted.
        examples: golden examples replayed, by model.
        taken_back: what the release takes back of the one before, which it may because all targets keys were replaced.
    """

    channel: str
    plan: Plan
    generation: int | None
    changed: bool
    refreshed: bool
    examples: dict[str, int]
    signers: dict[str, tuple[str, ...]]
    taken_back: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observer:
    """Progress callbacks: the beginning of a step, and bytes read since the last call."""

    step: Callable[[int, str], object] = lambda _number, _text: None
    bytes_read: Callable[[int], object] = lambda _count: None


@journal.tells_refusals("install")
def install(
    bundle: str | Sequence[str],
    store: Store,
    *,
    dry_run: bool = False,
    accept_expired: str | None = None,
    tmpdir: Path | None = None,
    self_test_timeout_s: float = LIMITS.self_test_timeout_s,
    self_test_memory_bytes: int | None = None,
    observer: Observer | None = None,
    now: datetime | None = None,
    access: Access = DEFAULT_ACCESS,
    require_review: tuple[str, ...] = (),
    skip_unreviewed: bool = False,
) -> InstallReport:
    """Install `bundle` into `store`.

    Args:
        bundle: path of the tar, or of its parts, or of a directory that holds them, or the address of a release in a
            registry.
        dry_run: stop after step 4; nothing that counts is written.
        accept_expired: install although metadata has expired; the reason is kept in the history.
        tmpdir: where compressed files wait for their digest; None means inside the store.
        self_test_timeout_s: how long one model may take to replay its golden examples.
        self_test_memory_bytes: what one model may allocate there, on top of its weights; None means
            `LIMITS.self_test_memory_bytes`, or most of what is free where that is less.
        now: the system clock (UTC), for tests.
        access: how a registry may be reached.
        require_review: roles that must have approved, on top of the instance's policy.
        skip_unreviewed: activate the rest where a version lacks an approval; the history says so.

    Raises:
        sealift.Error: every refusal; the store is then as it was before.
        OSError: the operating system refused; the store is then as it was before.
    """
    observer = observer or Observer()
    pinned = pin.read(store.trust_directory, store.layout.root)
    policy = store.policy().tightened(require_review)
    with full_disk(store.layout.root), ExitStack() as stack:
        archive = stack.enter_context(open_bundle(bundle, observer.bytes_read, access))
        missing = [folder for folder in (store.layout.root, *store.layout.root.parents) if not folder.exists()]
        durable.make_directory(store.layout.root)
        observer.step(1, "locking the store")
        problems = _enter(store, stack)
        if dry_run:
            # While the lock is held, and once everything else is gone.
            stack.callback(_unmake, store.layout.lock, missing)
        run = _Run(store, observer, now or datetime.now(UTC), accept_expired, tmpdir, stack, problems)
        start_self_test = partial(SelfTestProcess, timeout_s=self_test_timeout_s, memory_bytes=self_test_memory_bytes)
        return run.install(
            archive,
            pinned,
            dry_run=dry_run,
            start_self_test=start_self_test,
            policy=policy,
            skip_unreviewed=skip_unreviewed,
        )


def _unmake(lock: Path, made: list[Path]) -> None:
    """Leave no store where a dry run found none: its owner would be the user who happened to try."""
    if made:
        lock.unlink(missing_ok=True)
    with suppress(OSError):  # somebody else put something there
        for folder in made:
            folder.rmdir()


def _enter(store: Store, stack: ExitStack) -> list[Error]:
    """Lock the store and check that it is ours to write; return what stands in the way."""
    problems: list[Error] = []
    try:
        stack.enter_context(locked(store.layout.lock))
    except LockedError as error:
        problems.append(error)
    except UnsafeStoreError as error:  # another user's store; nothing more can be said of it
        return [error]
    try:
        require_safe(store.layout)
    except UnsafeStoreError as error:
        problems.append(error)
    return problems


class _Run:
    """One install; holds what the steps hand to each other.

    Args:
        stack: closed when the install has ended, one way or the other.
        problems: what step 1 found. If there is any, this run writes nothing in the store, and ends with step 4.
    """

    def __init__(
        self,
        store: Store,
        observer: Observer,
        now: datetime,
        accept_expired: str | None,
        tmpdir: Path | None,
        stack: ExitStack,
        problems: list[Error],
    ) -> None:
        self._store = store
        self._layout = store.layout
        self._observer = observer
        self._now = now
        self._accept_expired = accept_expired
        self._stack = stack
        self._problems = problems
        self._staging = self._layout.staging / str(os.getpid())
        self._scratch = self._staging / "scratch"
        if problems:
            try:
                self._staging = self._scratch = self._outside(tmpdir)
            except OSError:
                # Nowhere to look at the rest from, as in a container: then what is known already is the report.
                preflight.require_none(problems)
                raise
            return
        stack.callback(self._clean)
        self._clean()
        complete(store, now)
        if tmpdir is not None:
            self._scratch = self._outside(tmpdir)

    def install(
        self,
        archive: Source,
        pinned: bytes,
        *,
        dry_run: bool,
        start_self_test: Callable[[], SelfTestProcess],
        policy: Policy,
        skip_unreviewed: bool,
    ) -> InstallReport:
        self._observer.step(2, "reading the head of the bundle")
        state = self._store.trust_state()
        floor = state.read_floor()
        trust = self._staging / "trust"
        durable.make_directory(trust)
        durable.make_directory(self._scratch)
        self._observer.step(3, "checking signatures")
        state.copy_to(trust)
        verified = verify_head(
            archive, pinned, trust, floor, now=self._now, ignore_expiry=self._accept_expired is not None
        )
        self._observer.step(4, "planning")
        plan, active = survey(self._store, verified)
        lacking = reviewing.unapproved(self._store, verified, plan, policy, max(self._now, verified.floor.time))
        if lacking and not skip_unreviewed:
            raise reviewing.refusal(lacking)
        if lacking:
            plan = reviewing.without(plan, lacking, active.models if active else {}, verified.release)
        # Early: the child imports ONNX Runtime while this process reads. Files that nobody converts need none.
        tried = any(manifest.form == layout.ONNX for manifest in plan.new)
        process = self._stack.enter_context(start_self_test()) if tried else None
        base = BaseFiles(self._store, verified.release, verified.contents, plan.new)
        base.require()
        descriptions = preflight.read_descriptions(archive, verified.contents, plan.new, base)
        self._problems += preflight.room(plan.new, self._layout.root, self._scratch)
        if process is not None:
            self._problems += preflight.compatibility(descriptions, process)
        preflight.require_none(self._problems)
        if dry_run:
            return InstallReport(
                verified.release.channel,
                plan,
                None,
                changed=False,
                refreshed=False,
                examples={},
                signers=verified.signers,
                taken_back=verified.taken_back,
            )
        self._observer.step(5, f"reading and verifying {verified.contents.size:,} bytes")
        staging = Staging(self._staging / "models", self._scratch, plan.new)
        base.copy_into(staging)
        verify_payload(archive, verified, staging.take, base.patcher(staging), staging.wanted)
        staging.sync()
        examples = try_out(plan, descriptions, staging, process, self._observer.step)
        self._observer.step(8, "activating")
        commit = Commit(self._layout, self._staging, self._now, self._accept_expired, policy.digest)
        with postponed():
            outcome = commit.run(verified, plan, staging, state, trust, active)
        # Told afterwards: a terminal that is gone must not come between the switch and the history.
        self._observer.step(9, "the history is written")
        return InstallReport(
            channel=verified.release.channel,
            plan=plan,
            generation=outcome.generation.number,
            changed=outcome.switched,
            refreshed=outcome.refreshed,
            examples=examples,
            signers=verified.signers,
            taken_back=verified.taken_back,
        )

    def _outside(self, tmpdir: Path | None) -> Path:
        """Make a private directory outside the store, which goes when the install ends."""
        return self._stack.enter_context(private_directory(tmpdir))

    def _clean(self) -> None:
        """Remove staging; whatever is there belongs to nobody, for we hold the lock."""
        durable.remove_tree(self._layout.staging)
