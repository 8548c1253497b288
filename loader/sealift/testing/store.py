"""A store for tests: the real installer, the real checks, and a channel that this process made."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sealift.errors import UsageError
from sealift.install.steps import install
from sealift.model.documents.description import FILE_NAME, ModelDescription
from sealift.store import Store
from sealift.testing.channel import ToyChannel
from sealift.testing.models import ToyFiles, ToyGraphs, ToyModel
from sealift.trust import pin
from sealift_common.names import ModelVersion

if TYPE_CHECKING:
    from sealift.install.steps import InstallReport

# A toy model, or the files of a converted one.
AnyModel = ToyModel | ToyGraphs | ToyFiles | Mapping[str, bytes]

_STORE, _TRUST = "SEALIFT_STORE", "SEALIFT_TRUST"


class ToyStore:
    """A store with a pinned throw-away channel; `toy_store` makes one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._channel = ToyChannel("toy")
        pin.pin(self.trust_path, self._channel.root_bytes)

    @property
    def store_path(self) -> Path:
        """The store's directory, as `SEALIFT_STORE` names it."""
        return self.path / "store"

    @property
    def trust_path(self) -> Path:
        """The directory of the pinned root, as `SEALIFT_TRUST` names it."""
        return self.path / "trust"

    @property
    def store(self) -> Store:
        """The store, for code that takes one."""
        return Store(self.store_path, trust=self.trust_path)

    @property
    def environment(self) -> dict[str, str]:
        """The two variables that make `sealift.load`, and the `sealift` command, use this store."""
        return {_STORE: str(self.store_path), _TRUST: str(self.trust_path)}

    def install(self, models: Mapping[str, AnyModel]) -> "InstallReport":
        """Release `models` as well as those that are there, and install the bundle: the newest of each name is active.

        Args:
            models: by name; a `ToyModel`, `ToyGraphs` or `ToyFiles`, or the files of a converted model, such as
                `conversion.files`.

        Raises:
            UsageError: a model's parts do not fit each other, or that version is installed already.
            sealift.Error: the installer refused it, as it would on an instance.
        """
        for name, model in models.items():
            files = dict(model) if isinstance(model, Mapping) else model.files(name)
            self._channel.add(_identity(name, files), files)
        return self._install_release()

    def withdraw(self, name: str, version: str, reason: str = "a test took it back") -> "InstallReport":
        """Release without that version, and install: loading it raises WithdrawnError from now on.

        Raises:
            UsageError: no such version is listed.
        """
        self._channel.withdraw(ModelVersion.parse(name, version), reason)
        return self._install_release()

    def _install_release(self) -> "InstallReport":
        bundle = self.path / "toy.tar"
        bundle.write_bytes(self._channel.bundle())
        try:
            return install(str(bundle), self.store)
        finally:
            bundle.unlink()


def _identity(name: str, files: Mapping[str, bytes]) -> ModelVersion:
    if FILE_NAME not in files:
        raise UsageError(f"the files of toy model {name!r} lack {FILE_NAME!r}; they are {sorted(files)}")
    description = ModelDescription.parse(files[FILE_NAME])
    if description.name != name:
        raise UsageError(f"the files of toy model {name!r} describe {description.name!r}; convert it under that name")
    return ModelVersion.parse(name, description.version)


@contextmanager
def toy_store(
    path: str | os.PathLike[str] | None = None, *, models: Mapping[str, AnyModel] | None = None
) -> Iterator[ToyStore]:
    """Make a store, install toy models in it, and let `sealift.load` use it inside the `with` block.

    `SEALIFT_STORE` and `SEALIFT_TRUST` name it for this process and its children, and are put back afterwards; so
    one toy store at a time serves a process, and it is not for threads that use different ones.

    Args:
        path: an empty or new directory, which stays; None means a temporary one, which is removed.
        models: by name; None means one model `toy` that answers "no".

    Raises:
        UsageError: the directory holds something, or a model's parts do not fit each other.
        sealift.Error: the installer refused a model, as it would on an instance.
    """
    if path is not None and Path(path).exists() and any(Path(path).iterdir()):
        raise UsageError(f"{os.fspath(path)!r} is not empty; a toy store needs a directory of its own")
    directory = Path(tempfile.mkdtemp(prefix="sealift-toy-") if path is None else path).absolute()
    before = {name: os.environ.get(name) for name in (_STORE, _TRUST)}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        made = ToyStore(directory)
        made.install({"toy": ToyModel()} if models is None else models)
        os.environ.update(made.environment)
        yield made
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if path is None:
            shutil.rmtree(directory)
