"""The lock file of a project: names, versions and hashes of its environment, as pip and uv write it."""

import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name

from sealift_common.files.secret_file import read_regular
from sealift_pipeline.errors import ProjectError
from sealift_pipeline.runs.document import digest

# Without these no model is trained, so no lock may be silent about them.
TRAINERS = ("numpy", "onnx", "optuna", "scikit-learn", "skl2onnx")
_MOST_BYTES = 16 * 1024 * 1024
_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)\s*(?:;\s*([^\\]*?))?\s*\\?")


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
        self.pins = _pins(text)
        if not self.pins or len(data) > _MOST_BYTES:
            raise ProjectError(f"the lock {str(path)!r} pins no package; expected lines such as numpy==2.3.5")

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


def _pins(text: str) -> dict[str, str]:
    """Return what the lock pins for this Python and this system."""
    found = {}
    for line in text.splitlines():
        match = _PIN.fullmatch(line.strip()) if line[:1].isalnum() else None
        if match is None:
            continue
        name, pinned, marker = match.groups()
        try:
            if marker and not Marker(marker).evaluate():
                continue
        except InvalidMarker:
            continue
        found[str(canonicalize_name(name))] = pinned
    return found


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
