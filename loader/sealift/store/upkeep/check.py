"""Check everything in a store against what is signed, and report all that is wrong at once. Changes nothing.

Checked: the pinned root, the trust state and its floor · every listed version on disk: manifest, config, every
file, strangers · every document of `manifests/` · every generation's links · `current` · the history.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sealift.errors import CorruptError, Error, NotInstalledError
from sealift.policy.policy import in_force
from sealift.store.contents import files, generations, history
from sealift.store.guard.safety import require_closed
from sealift.store.store import Installed, Store
from sealift.store.upkeep.check_models import check_models
from sealift.trust import local_state, pin
from sealift_common.blob import is_digest
from sealift_common.metadata.release_document import Release
from sealift_common.names import ModelVersion

Progress = Callable[[int], AbstractContextManager[Callable[[int], object]]]
_CLOCK_SLACK = timedelta(days=1)


@dataclass(frozen=True)
class Finding:
    """Something that is not as Sealift left it.

    Attributes:
        where: path below the store.
        model: the model version that is damaged, if it is one; a bundle that carries it repairs it.
    """

    where: str
    error: Error
    model: ModelVersion | None = None


@dataclass
class CheckReport:
    """Findings of a check.

    Attributes:
        findings: damage.
        notes: path below the store, and what is worth knowing of it without being damage.
        release: what the store's targets list, or None if they do not verify.
        models, files, size: how many model versions and files were compared with their digests, and their bytes.
    """

    findings: list[Finding] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    release: Release | None = None
    models: int = 0
    files: int = 0
    size: int = 0
    generations: int = 0

    def worst(self) -> Error | None:
        """Return the finding of the lowest exit code: trust comes before damage, damage before modes."""
        return min((finding.error for finding in self.findings), key=lambda error: error.exit_code, default=None)

    def damaged_models(self) -> set[ModelVersion]:
        """Return the model versions that a bundle can restore."""
        return {finding.model for finding in self.findings if finding.model is not None}


def check(store: Store, *, progress: Progress | None = None) -> CheckReport:
    """Check the whole store.

    Args:
        progress: given the number of bytes that will be read, makes a context whose function is called with
            the number of bytes read since the last call.

    Raises:
        NoTrustError: no root is pinned, so that nothing can be checked.
        NotInstalledError: the store is empty.
        MalformedError, RootError, LimitError: the pinned root is not one.
    """
    run = _Check(store)
    run.trust()
    run.folders()
    run.generations()
    run.models(progress or _silent)
    run.reviews()
    run.documents()
    run.history()
    return run.report


class _Check:
    """One check; gathers what the parts find."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._layout = store.layout
        self._pinned = pin.read(store.trust_directory, store.layout.root)
        pin.parse_root(self._pinned)
        self.report = CheckReport()

    def trust(self) -> None:
        """Check the state that every load and every install starts from."""
        floor = None
        with self._catch(self._layout.trust):
            state = self._store.trust_state()
            if state.current is not None:
                floor = state.read_floor()
                local_state.require(state.current, floor, self._pinned)
        with self._catch(self._layout.trust):
            self.report.release = release = self._store.release()
            if floor is not None and floor.time < release.released:
                raise CorruptError(
                    f"the floor of time is {floor.time:%Y-%m-%d}, before release {release.number} was made: "
                    "it was changed outside Sealift, restore the store from a backup"
                )
        if floor is not None and floor.time > datetime.now(UTC) + _CLOCK_SLACK:
            self._note(
                self._layout.trust,
                f"this machine's clock is behind {floor.time:%Y-%m-%d}, the latest time that the store has seen",
            )

    def folders(self) -> None:
        """Check who may write the store, and that no folder is a link."""
        with self._catch(self._layout.root):
            # Not `require_safe`: it asks whether this user may change the store, and a check changes nothing.
            require_closed(self._layout)
        if self._layout.staging.is_dir() and any(self._layout.staging.iterdir()):
            self._note(self._layout.staging, "an install is running or was interrupted; the next one clears it")

    def generations(self) -> None:
        """Check that each generation links to models that are here, and that one of them is active."""
        exist = generations.numbers(self._layout)
        for number in exist:
            where = self._layout.generation(number)
            with self._catch(where):
                for model in generations.read(self._layout, number).models.values():
                    self._require_present(where, model)
        self.report.generations = len(exist)
        with self._catch(self._layout.current):
            active = generations.active_number(self._layout)
            if active not in exist:
                what = "missing" if active is None else f"a link to generation {active}, which does not exist"
                raise CorruptError(f"{str(self._layout.current)!r} is {what}; restore the store from a backup")

    def models(self, progress: Progress) -> None:
        """Check every listed version on disk, files in parallel."""
        release = self.report.release
        manifests = []
        for model in self._store.all_versions() if release else ():
            signed = release.models.get(model) if release else None
            where = self._layout.model(model)
            if signed is None:
                self._note(where, f"{model} is no longer listed by the channel; it is not loaded and was not checked")
                continue
            with self._catch(where, model):
                manifests.append(files.read_manifest(self._layout, model, signed))
        self.report.models = len(manifests)
        self.report.files = sum(len(manifest.files) for manifest in manifests)
        self.report.size = sum(manifest.size for manifest in manifests)
        with progress(self.report.size) as bytes_read:
            for damage in check_models(self._layout, manifests, bytes_read):
                self._find(damage.where, damage.error, damage.model)

    def reviews(self) -> None:
        """Check that the policy can be read, and that what is active has the approvals that it demands."""
        release, where = self.report.release, self._layout.current
        with self._catch(where):
            policy = self._store.policy()
            generation = generations.active(self._layout)
            if generation is None or release is None or not in_force(policy, release):
                return
            for model in generation.models.values():
                signed = release.models.get(model)
                if signed is not None:
                    manifest = files.read_manifest(self._layout, model, signed)
                    with self._catch(self._layout.model(model)):
                        self._store.require_approved(Installed(model, manifest, self._layout.model(model)), release)

    def documents(self) -> None:
        """Check every manifest and config against its name, also those that no model needs now."""
        found = {finding.model for finding in self.report.findings}
        release = self.report.release
        known = {signed.digest for model, signed in release.models.items() if model in found} if release else set()
        for path in sorted(self._layout.manifests.glob("*")):
            digest = f"sha256:{path.stem}"
            if not is_digest(digest) or path.suffix != ".json":
                self._note(path, "this file is not Sealift's; it is left alone")
            elif digest not in known:
                with self._catch(path):
                    files.check_document(path)

    def history(self) -> None:
        """Check that every line can be read; nothing signs it."""
        with self._catch(self._layout.history):
            if not history.read(self._layout.history):
                raise CorruptError("the history is missing or empty although models were installed")
            for number, is_cut in history.unreadable(self._layout.history):
                where, what = self._layout.history, f"line {number} of the history cannot be read"
                if is_cut:
                    self._note(where, f"{what}; a power failure may have cut it short")
                else:
                    self._find(where, CorruptError(f"{what}; look at it, then remove it"))

    def _require_present(self, where: Path, model: ModelVersion) -> None:
        directory, release = self._layout.model(model), self.report.release
        if directory.is_dir() and not directory.is_symlink():
            return
        if release is not None and model not in release.models:
            self._note(where, f"links to {model}, which was withdrawn and is gone")
            return
        error = CorruptError(f"links to {model}, which is not in the store; {files.REPAIR}")
        self._find(where, error, model)

    def _note(self, where: Path, text: str) -> None:
        self.report.notes.append((self._below(where), text))

    def _find(self, where: Path, error: Error, model: ModelVersion | None = None) -> None:
        finding = Finding(self._below(where), error, model)
        if str(error) not in [str(known.error) for known in self.report.findings]:
            self.report.findings.append(finding)

    def _below(self, path: Path) -> str:
        return str(path.relative_to(self._layout.root))

    @contextmanager
    def _catch(self, where: Path, model: ModelVersion | None = None) -> Iterator[None]:
        try:
            yield
        except NotInstalledError:
            # Pruned while we looked; or the store is empty, which is for the caller.
            if where.name == self._layout.trust.name:
                raise
        except OSError as error:
            self._find(where, CorruptError(f"{self._below(where)!r} cannot be read: {error.strerror}"), model)
        except Error as error:
            if model is None or os.path.lexists(where):
                self._find(where, error, model)


def _silent(_size: int) -> AbstractContextManager[Callable[[int], object]]:
    return nullcontext(lambda _count: None)
