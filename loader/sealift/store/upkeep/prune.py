"""Remove what nothing needs any longer: old generations, the versions only they linked to, their documents.

Kept: the newest generations, the active one, the one that a plain `rollback` would return to; every version
that one of them links to, that the next install builds on, or that somebody uses, unless those are to go too.

The order makes a crash harmless: a generation goes before the models that it links to; each leaves its place by
one rename into staging and is deleted there. The newest generation always stays, so that no number is
used twice.
"""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from sealift.errors import CorruptError, NotInstalledError, UsageError
from sealift.store.contents import files, generations, history
from sealift.store.guard import in_use
from sealift.store.guard.lock import locked
from sealift.store.guard.processes import users
from sealift.store.guard.safety import require_safe
from sealift.store.store import Store
from sealift.store.upkeep.rollback import choose
from sealift_common.blob import is_digest
from sealift_common.files import durable
from sealift_common.names import ModelVersion

# What a writer that died leaves next to the file or link that it was about to replace.
_SCRATCH = re.compile(
    r"\.(current|lock|history\.jsonl|[0-9]+|[0-9a-f]{64}\.json)(\.[0-9]+|\.[0-9a-f]{8}-[0-9a-f]{8})?\.new", re.ASCII
)

Kind = Literal["leftover", "generation", "model", "manifest"]


@dataclass(frozen=True)
class Removal:
    """Something that goes: what, where, and how many bytes its files have."""

    kind: Kind
    name: str
    path: Path
    size: int


@dataclass(frozen=True)
class InUse:
    """A version that would go if nobody used it; the processes that were seen to hold it, if any were."""

    model: ModelVersion
    processes: tuple[int, ...]


@dataclass(frozen=True)
class PruneReport:
    """Result of a prune, done or planned.

    Attributes:
        removed: in the order in which it goes.
        kept: generations that stay.
        in_use: versions that stay only because somebody uses them.
        unseen: processes that this user may not look at.
    """

    removed: tuple[Removal, ...]
    kept: tuple[int, ...]
    in_use: tuple[InUse, ...]
    unseen: int

    @property
    def size(self) -> int:
        """Bytes of all files that go."""
        return sum(removal.size for removal in self.removed)


def prune(store: Store, keep: int, now: datetime, *, dry_run: bool = False, also_in_use: bool = False) -> PruneReport:
    """Remove what is not needed.

    Args:
        keep: how many of the newest generations stay, at least 1.
        dry_run: only say what would go.
        also_in_use: remove versions that somebody uses too; what is loaded or open stays readable where it is.

    Raises:
        UsageError: `keep` is below 1.
        NotInstalledError: nothing is active.
        LockedError: another process is changing the store.
        CorruptError, UnsafeStoreError: the store is damaged or unsafe; nothing was removed.
    """
    if keep < 1:
        raise UsageError(f"{keep} generations to keep are too few; expected 1 or more: the newest always stays")
    store.active()
    with locked(store.layout.lock):
        require_safe(store.layout)
        run = _Prune(store, keep, also_in_use=also_in_use)
        report = run.plan()
        if dry_run:
            return report
        return run.apply(report, now)


class _Prune:
    """One prune; everything but `apply` only looks."""

    def __init__(self, store: Store, keep: int, *, also_in_use: bool) -> None:
        self._layout = store.layout
        self._store = store
        self._also_in_use = also_in_use
        self._release = store.release()
        self._exist = generations.numbers(self._layout)
        self._kept = self._generations_to_keep(keep)

    def plan(self) -> PruneReport:
        """Decide what goes."""
        # The next install builds on the newest versions, also where an earlier one is active.
        needed = set(self._release.newest().values())
        for number in self._kept:
            needed |= set(generations.read(self._layout, number).models.values())
        stored = self._store.all_versions()
        spare = [model for model in stored if model not in needed]
        asked = [] if self._also_in_use else spare
        seen = users([self._layout.model(model) for model in asked])
        used = []
        for model in asked:
            directory = self._layout.model(model)
            processes = seen.of.get(directory, [])
            with in_use.exclusively(directory) as free:
                if processes or not free:
                    holders = [] if free else in_use.holders(directory)
                    used.append(InUse(model, tuple(sorted({*processes, *holders}))))
        going = [model for model in spare if model not in {held.model for held in used}]
        removals = [
            *self._leftovers(),
            *[_removal("generation", self._layout.generation(n)) for n in self._exist if n not in self._kept],
            *[_removal("model", self._layout.model(model), str(model)) for model in going],
            *self._documents(model for model in stored if model not in going),
        ]
        return PruneReport(tuple(removals), tuple(self._kept), tuple(used), seen.unseen)

    def apply(self, plan: PruneReport, now: datetime) -> PruneReport:
        """Remove what `plan` names, and return what was removed; a model that somebody took meanwhile stays."""
        removed: list[Removal] = []
        used = list(plan.in_use)
        durable.make_directory(self._layout.staging)
        try:
            for removal in plan.removed:
                if removal.kind == "model":
                    if not self._remove_model(removal.path):
                        model = ModelVersion.parse(removal.path.parent.name, removal.path.name)
                        used.append(InUse(model, tuple(in_use.holders(removal.path))))
                        continue
                elif removal.kind in ("leftover", "generation"):
                    self._remove(removal.path)
                else:
                    continue
                removed.append(removal)
            # Only now is it certain which models are left.
            for removal in self._documents(self._store.all_versions()):
                removal.path.unlink()
                removed.append(removal)
            if self._layout.manifests.is_dir():
                durable.sync_directory(self._layout.manifests)
        finally:
            durable.remove_tree(self._layout.staging)
            if removed:
                self._note(removed, now)
        return PruneReport(tuple(removed), plan.kept, tuple(used), plan.unseen)

    def _generations_to_keep(self, keep: int) -> list[int]:
        active = self._store.active()
        kept = {*self._exist[-keep:], active.number}
        with suppress(NotInstalledError):
            kept.add(choose(self._store, active, None, None).number)
        return sorted(kept)

    def _documents(self, models: Iterable[ModelVersion]) -> list[Removal]:
        """Return the manifests and configs that none of `models` needs."""
        needed = set()
        for model in models:
            signed = self._release.models.get(model)
            if signed is None:
                continue  # Withdrawn: nothing reads its manifest.
            try:
                manifest = files.read_manifest(self._layout, model, signed)
            except CorruptError:
                return []  # Nobody can tell which config it needs; all of them are small.
            needed |= {self._layout.manifest(manifest.digest), self._layout.manifest(manifest.config.digest)}
        return [
            _removal("manifest", path)
            for path in sorted(self._layout.manifests.glob("*.json"))
            if is_digest(f"sha256:{path.stem}") and path not in needed
        ]

    def _leftovers(self) -> list[Removal]:
        """Return what writers left that died; nobody else can be writing, for we hold the lock."""
        layout = self._layout
        paths = [*layout.staging.glob("*")]
        for folder in (layout.root, layout.trust, layout.manifests):
            paths += [path for path in folder.glob(".*") if _SCRATCH.fullmatch(path.name)]
        return [_removal("leftover", path, str(path.relative_to(layout.root))) for path in sorted(paths)]

    def _remove(self, path: Path) -> None:
        """Take away in one rename, then delete."""
        bin_ = self._layout.staging / ".pruned"
        durable.move(path, bin_)
        durable.remove_tree(bin_)

    def _remove_model(self, path: Path) -> bool:
        bin_ = self._layout.staging / ".pruned"
        with in_use.exclusively(path) as free:
            if not free and not self._also_in_use:
                return False
            durable.move(path, bin_)
        durable.remove_tree(bin_)
        with suppress(OSError):
            path.parent.rmdir()
        return True

    def _note(self, removed: list[Removal], now: datetime) -> None:
        history.append(
            self._layout.history,
            "prune",
            now,
            generations=[int(removal.name) for removal in removed if removal.kind == "generation"],
            removed=[removal.name for removal in removed if removal.kind == "model"],
            bytes=sum(removal.size for removal in removed),
        )


def _removal(kind: Kind, path: Path, name: str | None = None) -> Removal:
    return Removal(kind, name or path.name, path, _size(path))


def _size(path: Path) -> int:
    if not path.is_dir() or path.is_symlink():
        return path.lstat().st_size
    return sum(Path(base, name).lstat().st_size for base, _, names in os.walk(path) for name in names)
