"""A store as readers see it: what is installed, what is active, and verified models.

Reading never locks and never writes: an install switches generations under running readers.
"""

import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sealift.bundle.manifest import Manifest
from sealift.errors import Error, NotInstalledError, WithdrawnError
from sealift.store import files, generations
from sealift.store.generations import Generation
from sealift.store.layout import StoreLayout, default_store, default_trust
from sealift.store.loading_step import loading_step
from sealift.store.shared import SHARED, Key
from sealift.store.version_range import VersionRange
from sealift.trust import pin
from sealift.trust.release import Release
from sealift.trust.remembered import verified_release
from sealift.trust.state import TrustState
from sealift_keys.names import ModelVersion, is_model_name, is_version

if TYPE_CHECKING:
    from sealift.model import Model


# Two installs in the time of one load are rare; each costs one more try.
_TRIES = 4


@dataclass(frozen=True)
class Installed:
    """A model version in the store, with the manifest that its files are checked against."""

    model: ModelVersion
    manifest: Manifest
    path: Path


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
        used = self.layout.current.is_symlink() or bool(generations.numbers(self.layout))
        return TrustState(self.layout.trust, must_exist=used)

    def release(self) -> Release:
        """Verify the store's targets against the pinned root and return what they list.

        Raises:
            NoTrustError: no root is pinned.
            NotInstalledError: nothing was installed yet.
            CorruptError, RootError, SignatureError, ThresholdError, UntrustedKeyError: the chain does not hold.
        """
        pinned = pin.read(self.trust_directory)
        state = self.trust_state()
        if state.current is None:
            raise NotInstalledError(f"the store {str(self.layout.root)!r} is empty; run `sealift install BUNDLE` first")
        return verified_release(pinned, state.read_root, state.read_targets())

    def active(self, only: str | None = None) -> Generation:
        """Return the active generation.

        Args:
            only: the name of the one model to look for; None means all.

        Raises:
            NotInstalledError: nothing is active yet.
            CorruptError: the link or the generation is damaged.
        """
        number = generations.active_number(self.layout)
        if number is None:
            raise NotInstalledError(f"the store {str(self.layout.root)!r} is empty; run `sealift install BUNDLE` first")
        return generations.read(self.layout, number, only)

    def find(self, name: str, version: str | None = None, *, release: Release | None = None) -> Installed:
        """Find a model that may be loaded, and its manifest; its files are not read yet.

        Args:
            name: the model's name.
            version: a range such as `>=1.2,<2` or `1.4.0`; None means the active version. The active version
                is taken if it fits, otherwise the newest installed one that does.
            release: what `release()` returned, to save verifying it again.

        Raises:
            NotInstalledError: no such model or version is here.
            WithdrawnError: the channel took the version back.
        """
        release = release or self.release()
        model = self._choose(name, version, release)
        signed = release.models.get(model)
        if signed is None:
            raise self._withdrawn(model, release)
        manifest = files.read_manifest(self.layout, model, signed)
        return Installed(model, manifest, self.layout.model(model))

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
    ) -> "Model":
        """Load a model: the bytes that are checked against signed targets are the bytes that run.

        Trust and manifest are verified every time. While a model of the same manifest and options is in use in
        this process, its session is shared; otherwise every file is read and verified.

        Args:
            name: the model's name.
            version: as for `find`.
            threads: number of threads of one prediction; None leaves it to ONNX Runtime.
            providers: ONNX Runtime's execution providers, in order of preference; None means the CPU's.

        Raises:
            sealift.Error: 20-29 and 33 when the bytes or the trust do not hold, 31 not installed,
                40 not runnable here; the message names the step: trust, manifest, files or session.
        """
        for _ in range(_TRIES):
            moment = self._moment(name)
            try:
                return self._load(name, version, threads, tuple(providers or ()))
            except Error:
                # An install or a rollback may have switched between two of our steps.
                if self._moment(name) == moment:
                    raise
        return self._load(name, version, threads, tuple(providers or ()))

    def _load(self, name: str, version: str | None, threads: int | None, providers: tuple[str, ...]) -> "Model":
        with loading_step("trust", name):
            release = self.release()
        with loading_step("manifest", name):
            installed = self.find(name, version, release=release)

        def make() -> "Model":
            with loading_step("files", name):
                contents = files.seal_files(self.layout, installed.manifest)
            with loading_step("session", name):
                from sealift.model import Model

                return Model.from_files(
                    contents, digest=installed.manifest.digest, threads=threads, providers=providers or None
                )

        return SHARED.get(Key(str(self.layout.root), installed.manifest.digest, threads, providers), make)

    def _moment(self, name: str) -> tuple[object, ...]:
        """What an install, a rollback or a repair changes: the two links, and the folder of the model's versions."""
        found: list[object] = []
        for link in (self.layout.trust / "current", self.layout.current):
            try:
                found.append(os.readlink(link))
            except OSError:
                found.append(None)
        if is_model_name(name):
            with suppress(OSError):
                found.append((self.layout.models / name).stat().st_mtime_ns)
        return tuple(found)

    def installed_versions(self, name: str) -> list[ModelVersion]:
        """Return the versions of a model whose directories exist, oldest first; active or not."""
        directory = self.layout.models / name
        if not directory.is_dir():
            return []
        return sorted(ModelVersion.parse(name, entry.name) for entry in directory.iterdir() if is_version(entry.name))

    def all_versions(self) -> list[ModelVersion]:
        """Return every model version whose directory exists; what is no model's is left alone."""
        if not self.layout.models.is_dir():
            return []
        names = sorted(entry.name for entry in self.layout.models.iterdir() if is_model_name(entry.name))
        return [model for name in names for model in self.installed_versions(name)]

    def _choose(self, name: str, version: str | None, release: Release) -> ModelVersion:
        if not is_model_name(name):
            raise NotInstalledError(f"{name[:120]!r} cannot be a model's name; expected [a-z0-9][a-z0-9._-]*")
        active = self.active(name).models.get(name)
        wanted = VersionRange.parse(version) if version is not None else None
        fits = active is not None and (wanted is None or wanted.contains(active.version))
        if fits and active in release.models:
            return cast("ModelVersion", active)
        # Another version was asked for; or an install is switching at this moment, and the active one and the
        # release are not of one time: then the newest that is here and listed serves.
        fitting = [model for model in self.installed_versions(name) if wanted is None or wanted.contains(model.version)]
        allowed = [model for model in fitting if model in release.models]
        if allowed and (wanted is not None or active is not None):
            return allowed[-1]
        if fitting and (wanted is not None or active is not None):
            return fitting[-1]
        return self._missing(name, version, release)

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
