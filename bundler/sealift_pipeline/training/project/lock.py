"""The lock file of a project: names, versions and hashes of its environment, as pip and uv write it."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sealift_bundler.errors import GateError
from sealift_bundler.kit.lock import parse_lock
from sealift_bundler.kit.target import Target
from sealift_common.files.secret_file import read_regular
from sealift_pipeline.errors import ProjectError
from sealift_pipeline.runs.document import digest

# Without these no model is trained, so no lock may be silent about them.
TRAINERS = ("numpy", "onnx", "optuna", "scikit-learn", "skl2onnx")
MAKE_LOCK = "write it with `uv pip compile --generate-hashes requirements.in -o requirements.lock`"
_MOST_BYTES = 16 * 1024 * 1024


class Lock:
    """A lock file.

    Args:
        path: of the file.

    Raises:
        ProjectError: it cannot be read, or pins nothing.
    """

    def __init__(self, path: Path) -> None:
        try:
            data, _ = read_regular(path, _MOST_BYTES + 1)
            text = data.decode("utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise ProjectError(f"the lock {str(path)!r} cannot be read: {reason}") from error
        self.path, self.digest = path, digest(data)
        self.pins = _pins(text, path) if len(data) <= _MOST_BYTES else {}
        if not self.pins:
            raise ProjectError(f"the lock {str(path)!r} pins no package; {MAKE_LOCK}")

    def require_here(self) -> Mapping[str, str]:
        """Check that this environment is that of the lock; return the versions of what trains.

        Raises:
            ProjectError: a package has another version here, or the lock does not name one that trains.
        """
        for name, wanted in self.pins.items():
            found = _installed(name)
            if found is not None and found != wanted:
                raise ProjectError(
                    f"{name} is {found} here and {wanted} in {self.path.name}: not the environment of the lock; "
                    f"install it: pip install --require-hashes --no-deps -r {self.path.name}"
                )
        missing = [name for name in TRAINERS if name not in self.pins or _installed(name) is None]
        if missing:
            raise ProjectError(
                f"{missing[0]} is not installed, or {self.path.name} does not pin it; lock it, install it"
            )
        return {name: self.pins[name] for name in TRAINERS}


def _pins(text: str, path: Path) -> dict[str, str]:
    """Return what the lock pins for this Python and this system."""
    here = Target(f"linux-{platform.machine()}", ".".join(platform.python_version_tuple()[:2]))
    try:
        return {str(pin.name): str(pin.version) for pin in parse_lock(text, here)}
    except GateError as error:
        # `make lock` writes those of Sealift itself, which nobody has who installed it.
        reason = str(error).removesuffix("; run: make lock")
        raise ProjectError(f"{str(path)!r}: {reason}; {MAKE_LOCK}") from error


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
