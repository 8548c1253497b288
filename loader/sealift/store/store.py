"""A store as readers see it: what is installed, what is active, and verified models.

Reading never waits and never writes: an install switches generations under running readers. A loaded
model only marks its directory as in use.
"""

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sealift.errors import Error, NotInstalledError, UnreviewedError, UsageError, WithdrawnError
from sealift.logs import Stopwatch, logger
from sealift.model.documents.description import FILE_NAME
from sealift.policy.place import read_policy
from sealift.policy.policy import NONE as NO_POLICY
from sealift.policy.policy import Policy, in_force
from sealift.store.contents import files, generations
from sealift.store.contents.generations import Generation
from sealift.store.contents.layout import GENERATION_FILE, StoreLayout, default_store, default_trust
from sealift.store.guard import in_use
from sealift.store.loading_step import loading_step
from sealift.store.shared import SHARED, Key
from sealift.trust import pin
from sealift.trust.remembered import verified_release
from sealift.trust.state import TrustState
from sealift_common.metadata.release_document import Release
from sealift_common.names import ModelVersion, is_model_name, is_version
from sealift_common.oci import layout
from sealift_common.oci.manifest import Manifest

if TYPE_CHECKING:
    from sealift.model import Model
    from sealift.model.engine import Engine
    from sealift.model.observing import Observer

_LOG = logger(__name__)


class Installed(NamedTuple):
    """A model version in the store, with the manifest that its files are checked against."""

    model: ModelVersion
    manifest: Manifest
    path: Path


def _require_text(what: str, value: object, example: str) -> None:
    """Refuse what a caller without a type checker gives: 1.4 for a version, None for a name."""
    if not isinstance(value, str):
        raise UsageError(f"{what} is {value!r:.80} ({type(value).__name__}); expected text such as {example!r}")


def _require_model(installed: Installed) -> None:
    """Refuse, before tens of gigabytes are read, what nothing here could run."""
    manifest = installed.manifest
    if manifest.form != layout.ONNX:
        names = [file.name for file in manifest.files if file.name != FILE_NAME]
        listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        raise UsageError(
            f"{installed.model} is files ({manifest.form}: {listed}), which Sealift carries and does not run; "
            f"`sealift path {installed.model.name}` gives their folder"
        )


class Store:
    """Models that were verified when they were installed, and are verified again when they are loaded.

    Args:
        path: the store's directory; None means `SEALIFT_STORE`, or `/var/opt/gitlab/sealift`.
        trust: the directory of the pinned root; None means `SEALIFT_TRUST`, or `/etc/gitlab/sealift`.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, trust: str | os.PathLike[str] | None = None
    ) -> None:
        self.layout = StoreLayout(Path(path) if path is not None else default_store())
        self.trust_directory = Path(trust) if trust is not None else default_trust()

    def __repr__(self) -> str:
        return f"Store({str(self.layout.root)!r}, trust={str(self.trust_directory)!r})"

    def trust_state(self) -> TrustState:
        """Open the client state.

        Raises:
            CorruptError: models were installed, and the state is gone.
        """
        generation = generations.active(self.layout)
        if generation is not None:
            return self._trust_of(generation)
        from sealift.store.contents import history

        # The history is what an install writes last: before its first line, a beginning was cut off at most.
        return TrustState(self.layout.trust, at_least=0, used=bool(history.read(self.layout.history)))

    def release(self) -> Release:
        """Verify the store's targets against the pinned root and return what they list.

        Raises:
            NoTrustError: no root is pinned.
            NotInstalledError: nothing was installed yet.
            CorruptError, RootError, SignatureError, ThresholdError, UntrustedKeyError: the chain does not hold.
        """
        return self._release(self.trust_state())

    def moment(self, only: str | None = None) -> tuple[Generation, Release]:
        """Return the active generation and the release of the same moment, whatever is being installed meanwhile.

        Args:
            only: as for `active`.

        Raises:
            sealift.Error: as `active` and `release`.
        """
        while True:
            generation = self.active(only)
            try:
                release = self._release(self._trust_of(generation))
            except Error:
                if not self._has_switched(generation):
                    raise
                continue
            # A switch in between may have brought the newer release to the older generation: look again.
            if not self._has_switched(generation):
                return generation, release

    def active(self, only: str | None = None) -> Generation:
        """Return the active generation.

        Args:
            only: the name of the one model to look for; None means all.

        Raises:
            NotInstalledError: nothing is active yet.
            CorruptError: the link or the generation is damaged.
        """
        generation = generations.active(self.layout, only)
        if generation is None:
            raise self._empty()
        return generation

    def find(
        self, name: str, version: str | None = None, *, moment: tuple[Generation, Release] | None = None
    ) -> Installed:
        """Find a model that may be loaded, and its manifest; its files are not read yet.

        Args:
            name: the model's name.
            version: a range such as `>=1.2,<2` or `1.4.0`; None means the active version. The active version
                is taken if it fits, otherwise the newest installed one that does.
            moment: what `moment()` returned, to save verifying it again.

        Raises:
            NotInstalledError: no such model or version is here.
            WithdrawnError: the channel took the version back.
            UsageError: name or version is no text.
        """
        self._require_texts(name, version)
        generation, release = moment or self.moment()
        model = self._choose(name, version, generation, release)
        signed = release.models.get(model)
        if signed is None:
            raise self._withdrawn(model, release)
        manifest = files.read_manifest(self.layout, model, signed)
        return Installed(model, manifest, self.layout.model(model))

    def policy(self) -> Policy:
        """Return the admin's policy; one that demands nothing where there is none.

        Raises:
            LocalError: it cannot be read, or is not of its form.
            UnsafeStoreError: somebody can have changed it who may not.
        """
        return read_policy(self.trust_directory, self.layout.root) or NO_POLICY

    def require_approved(self, installed: Installed, release: Release) -> None:
        """Check that a model may be used by what root requires and by the policy of this instance.

        Raises:
            UnreviewedError: an approval is missing, or somebody rejected it.
            LocalError, UnsafeStoreError: as `policy`.
        """
        policy = self.policy()
        if not in_force(policy, release):
            return
        # Most instances demand nothing, and their loads import nothing that judges reviews.
        from sealift.policy.verdict import unmet_for_loading

        said = unmet_for_loading(policy, release, installed.manifest)
        if said:
            raise UnreviewedError(f"{installed.model} may not be used here: {'; '.join(said)}")

    def read(self, installed: Installed, names: Collection[str] | None = None) -> dict[str, bytes]:
        """Return the verified bytes of a model's files.

        Raises:
            CorruptError: a file was changed since it was installed.
        """
        return files.read_files(self.layout, installed.manifest, names)

    def load(
        self,
        name: str,
        version: str | None = None,
        *,
        threads: int | None = None,
        providers: Sequence[str] | None = None,
        observer: "Observer | None" = None,
    ) -> "Model":
        """Load a model: the bytes that are checked against signed targets are the bytes that run.

        Trust and manifest are verified every time. While a model of the same manifest and options is in use in
        this process, its session is shared; otherwise every file is read and verified. The model's directory counts
        as in use, and is not pruned, until the model is collected.

        Args:
            name: the model's name.
            version: as for `find`.
            threads: number of threads of one prediction; None leaves it to ONNX Runtime.
            providers: ONNX Runtime's execution providers, in order of preference; None means the CPU's.
            observer: called with a `sealift.Prediction` after every prediction; see `Model.observed`.

        Raises:
            sealift.Error: 20-29 and 33 when the bytes or the trust do not hold, 31 not installed,
                40 not runnable here, 3 for a policy that cannot be read; the message names the step: trust, manifest,
                policy, files or session.
        """
        self._require_texts(name, version)
        watch = Stopwatch()

        def find() -> Installed:
            with loading_step("trust", name):
                moment = self.moment(name if is_model_name(name) else None)
            watch.lap("trust")
            with loading_step("manifest", name):
                found = self.find(name, version, moment=moment)
            watch.lap("manifest")
            with loading_step("policy", name):
                self.require_approved(found, moment[1])
            watch.lap("policy")
            return found

        def make(installed: Installed) -> "Engine":
            with loading_step("files", name):
                _require_model(installed)
                contents = files.seal_files(self.layout, installed.manifest)
            watch.lap("files")
            with loading_step("session", name):
                from sealift.model.engine import Engine

                return Engine.from_files(
                    contents, digest=installed.manifest.digest, threads=threads, providers=providers
                )

        def share(installed: Installed) -> "Engine":
            # As text: what is not a provider's name is refused by `make`, and need not have a hash.
            key = Key(str(self.layout.root), installed.manifest.digest, threads, tuple(map(str, providers or ())))
            return SHARED.get(key, lambda: make(installed))

        installed, engine, held = in_use.read_held(find, share)
        # Costs nothing here: what is heavy came with the engine.
        from sealift.model.model import LoadedModel

        model = LoadedModel(engine)
        watch.lap("session")
        if held is not None:
            held.keep_for(model)
        _LOG.info("loaded %s %s in %.1f ms", installed.model, model.digest, watch.total_ms)
        _LOG.debug("loading %s took, in milliseconds: %s", installed.model, watch.steps_ms)
        return model if observer is None else model.observed(observer)

    @staticmethod
    def _require_texts(name: object, version: object) -> None:
        _require_text("name", name, "issue-triage")
        if version is not None:
            _require_text("version", version, ">=1.4,<2")

    def _has_switched(self, generation: Generation) -> bool:
        return generations.active_number(self.layout) != generation.number

    def _empty(self) -> NotInstalledError:
        root = self.layout.root
        if not root.is_dir():
            return NotInstalledError(
                f"the store {str(root)!r} does not exist; check --store and SEALIFT_STORE, or run `sealift install "
                "BUNDLE` to make it"
            )
        if os.path.lexists(root / GENERATION_FILE):
            store = root.parent if root.is_symlink() else root.parent.parent
            return NotInstalledError(
                f"{str(root)!r} is not a store, but a generation inside one; give the store: {str(store)!r}"
            )
        return NotInstalledError(f"the store {str(root)!r} is empty; run `sealift install BUNDLE` first")

    def _trust_of(self, generation: Generation) -> TrustState:
        return TrustState(self.layout.trust, at_least=generation.trust, used=True)

    def _release(self, state: TrustState) -> Release:
        pinned = pin.read(self.trust_directory, self.layout.root)
        if state.current is None:
            raise self._empty()
        return verified_release(pinned, state.read_root, state.read_targets(), state.read_objections())

    def installed_versions(self, name: str) -> list[ModelVersion]:
        """Return the versions of a model whose directories exist, oldest first; active or not."""
        try:
            entries = os.listdir(self.layout.models / name)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(ModelVersion.parse(name, entry) for entry in entries if is_version(entry))

    def all_versions(self) -> list[ModelVersion]:
        """Return every model version whose directory exists; everything that is not a model's is left alone."""
        if not self.layout.models.is_dir():
            return []
        names = sorted(entry.name for entry in self.layout.models.iterdir() if is_model_name(entry.name))
        return [model for name in names for model in self.installed_versions(name)]

    def _choose(self, name: str, version: str | None, generation: Generation, release: Release) -> ModelVersion:
        if not is_model_name(name):
            hint = "; give the version by itself, with --version or version=" if ":" in name else ""
            raise NotInstalledError(f"{name[:120]!r} cannot be a model's name; expected [a-z0-9][a-z0-9._-]*{hint}")
        active = generation.models.get(name)
        if version is None:
            return active or self._missing(name, version, release)
        from sealift.store.version_range import VersionRange

        wanted = VersionRange.parse(version)
        if active is not None and wanted.contains(active.version) and active in release.models:
            return active
        fitting = [model for model in self.installed_versions(name) if wanted.contains(model.version)]
        allowed = [model for model in fitting if model in release.models]
        if not fitting:
            return self._missing(name, version, release)
        return (allowed or fitting)[-1]

    def _missing(self, name: str, version: str | None, release: Release) -> ModelVersion:
        installed = [str(model.version) for model in self.installed_versions(name)]
        if version is not None and installed:
            raise NotInstalledError(f"{name!r} has no version {version!r} here; installed: {', '.join(installed)}")
        for withdrawal in reversed(release.withdrawn):
            if withdrawal.model.name == name:
                raise self._withdrawn(withdrawal.model, release)
        known = ", ".join(sorted(self.active().models)) or "none"
        raise NotInstalledError(f"no model {name!r} is active in {str(self.layout.root)!r}; active: {known}")

    @staticmethod
    def _withdrawn(model: ModelVersion, release: Release) -> WithdrawnError:
        withdrawal = release.withdrawal_of(model)
        reason = f"{withdrawal.at}: {withdrawal.reason!r}" if withdrawal else "no reason given"
        return WithdrawnError(f"{model} was withdrawn by channel {release.channel!r} ({reason}); use another version")
