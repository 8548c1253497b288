"""Sealift 0.1.0 as a reader: its code from this repository's own history, and an instance that only it uses."""

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMIT = "d751702066a513bf80efc531e8629ca37802bd2e"
OLD = ROOT / "build" / "first-reader"
WHOLE = ROOT / "build" / "first-release"
_WINGS = ("loader", "keys", "bundler")
_PROGRAM = "import sys; from sealift.cli import main; sys.argv[0] = 'sealift'; main()"


def old_reader() -> None:
    """Take the release's code out of the history, once."""
    if not (OLD / "loader").is_dir():
        _take(OLD, _WINGS)


def tree_of_the_old_release() -> Path:
    """Return a folder with the whole checkout, which makes kits."""
    if not (WHOLE / "pyproject.toml").is_file():
        _take(WHOLE, ())
    return WHOLE


def _take(folder: Path, paths: tuple[str, ...]) -> None:
    # From the top: `git archive` in a folder gives that folder alone.
    archive = subprocess.run(["git", "archive", COMMIT, *paths], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode != 0:
        sys.exit(f"commit {COMMIT[:7]} is not in this clone; fetch the whole history: git fetch --unshallow")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")


class Instance:
    """A store and a pinned root, used by the old reader alone."""

    def __init__(self, place: Path, root: bytes) -> None:
        self.store = place / "store"
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(OLD / wing) for wing in _WINGS),
            "SEALIFT_STORE": str(self.store),
            "SEALIFT_TRUST": str(place / "trust"),
        }
        (place / "root.json").write_bytes(root)
        assert self.sealift("trust", "init", str(place / "root.json")).returncode == 0

    def sealift(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self.python(_PROGRAM, *arguments)

    def python(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.run(command, env=self._environment, check=False, capture_output=True, text=True)

    def snapshot(self) -> dict[str, bytes]:
        files = (path for path in self.store.rglob("*") if path.is_file() and path.name != "lock")
        return {str(path): path.read_bytes() for path in files}
