"""Environments of their own for packages that others wrote: build/NAME, made from requirements/environments/NAME.lock."""

import subprocess
import venv
from pathlib import Path

ROOT = Path(__file__).parents[3]


def environment(name: str) -> Path:
    """Return its Python; it is made once for each content of its lock file."""
    lock, place = ROOT / "requirements" / "environments" / f"{name}.lock", ROOT / "build" / name
    made_of = place / "made-of.lock"
    if not made_of.is_file() or made_of.read_bytes() != lock.read_bytes():
        venv.create(place, with_pip=True, clear=True)
        options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--disable-pip-version-check"]
        subprocess.run([place / "bin" / "python", "-m", "pip", "install", "-qq", *options, "-r", lock], check=True)
        made_of.write_bytes(lock.read_bytes())
    return place / "bin" / "python"
