"""Files that the kit takes from this distribution: lock files, pages and units, from a wheel or from a checkout.

In a wheel they lie in this package. A checkout has them where people edit them.
"""

from collections.abc import Collection
from pathlib import Path

from sealift.errors import LocalError

_HERE = Path(__file__).parent
# What a kit installs itself with: the script that a person runs, and what that runs once the kit was checked.
INSTALL_SCRIPTS = (_HERE / "install.py", _HERE / "environments.py")
# What a kit carries on request, each with a lock file of its name.
EXTRAS = ("serve", "text")
_LICENSES = _HERE / "licenses"
# By their extras.
_UNLICENSED = {"text": "tokenizers"}
_CHECKOUT = _HERE.parents[2]


def checkout() -> Path | None:
    """Return the checkout that this code runs from, or None where Sealift was installed from a wheel."""
    return _CHECKOUT if (_CHECKOUT / "pyproject.toml").is_file() and (_CHECKOUT / "bundler").is_dir() else None


def lock(name: str) -> Path:
    """Return the lock file `name`, such as `base.lock`.

    Raises:
        LocalError: it was not installed with Sealift.
    """
    return _carried("requirements") / name


def licenses(extras: Collection[str]) -> list[Path]:
    """Return the licence texts of packages whose wheels bring none, of some extras."""
    return [_LICENSES / f"{package}.txt" for extra, package in _UNLICENSED.items() if extra in extras]


def pages() -> dict[str, Path]:
    """Return every page of the documentation: its path below `docs`, such as `how-to/load-a-model.md`, to its file.

    Raises:
        LocalError: they were not installed with Sealift.
    """
    return _below_docs("*.md")


def beside_pages() -> dict[str, Path]:
    """Return the notebooks that pages lead to and the pictures that they show, as `pages` does.

    Raises:
        LocalError: they were not installed with Sealift.
    """
    return _below_docs("*.ipynb") | _below_docs("*.svg")


def _below_docs(pattern: str) -> dict[str, Path]:
    directory = _carried("docs")
    return {path.relative_to(directory).as_posix(): path for path in sorted(directory.rglob(pattern))}


def for_admins() -> dict[str, Path]:
    """Return what admins copy: its path below `deploy`, such as `systemd/sealift-serve.service`, to its file.

    Raises:
        LocalError: they were not installed with Sealift.
    """
    directory = _carried("deploy")
    files = [*directory.glob("systemd/*"), *directory.glob("prometheus-*.yml")]
    return {path.relative_to(directory).as_posix(): path for path in sorted(files)}


def _carried(name: str) -> Path:
    for place in (_HERE, checkout()):
        if place is not None and (place / name).is_dir():
            return place / name
    raise LocalError(f"Sealift's own folder {str(_HERE / name)!r} is missing; install Sealift again from its wheel")
