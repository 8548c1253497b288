"""Put a kit together: wheels that were checked, the script that installs them, pages, the channel's root, digests."""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import sealift
from sealift.trust.pin import parse_root
from sealift_bundler.errors import GateError
from sealift_bundler.kit import carried
from sealift_bundler.kit.download import download
from sealift_bundler.kit.lock import Pin, parse_lock
from sealift_bundler.kit.own_wheel import own_wheel
from sealift_bundler.kit.pages.html import html_pages
from sealift_bundler.kit.pages.man import man_page
from sealift_bundler.kit.pages.readme import readme
from sealift_bundler.kit.target import GLIBC, Target
from sealift_bundler.kit.wheels import Wheel, choose, newest_date, unpacked_size
from sealift_bundler.kit.writing import Written, digests, write_kit
from sealift_common import clock
from sealift_common.files import scratch
from sealift_common.files.output import KIT, require_place
from sealift_common.fingerprint import of_bytes
from sealift_common.metadata.release_document import channel_of

if TYPE_CHECKING:
    from click import Group

# base.lock is what an instance runs; kit.lock is the pip that installs it.
_LOCKS = ("base.lock", "kit.lock")
_INSTALLER = "pip"

# Where each shell looks for the completion of a command, below a prefix.
_SHELLS = {
    "bash": "completion/bash/{name}",
    "zsh": "completion/zsh/_{name}",
    "fish": "completion/fish/{name}.fish",
}


@dataclass(frozen=True)
class Kit:
    """A kit that was written.

    Attributes:
        pythons: Python versions that it installs on, such as `3.12`.
        wheels: every wheel in it, in order of file name.
        channel, fingerprint: of the root that it brings; None for a kit without one.
    """

    written: Written
    version: str
    platform: str
    pythons: tuple[str, ...]
    wheels: tuple[Wheel, ...]
    channel: str | None
    fingerprint: str | None


def make_kit(
    output: Path,
    targets: Sequence[Target],
    *,
    root: bytes | None = None,
    wheels: Path | None = None,
    extras: Sequence[str] = (),
    stage: Callable[[str], object] = lambda _: None,
) -> Kit:
    """Write the kit for the Pythons of one platform.

    Args:
        output: the file to write (replaced if it exists), or a folder for `sealift-kit-<version>-<platform>.tar`.
        targets: one for each Python, all of one platform.
        root: the channel's first root, or None.
        wheels: a folder that has the wheels already; None means that pip downloads them.
        extras: of `carried.EXTRAS`, whose packages come along.
        stage: called with one line of text when something slow begins.

    Raises:
        UsageError: a path does not exist, or something stands at `output` that is not a regular file.
        GateError: a wheel is missing, or is not one that the lock file lists; nothing is left behind.
        RootError, MalformedError, LimitError: `root` is not fit to be pinned.
        LocalError: pip or hatchling is missing, or pip cannot download.
    """
    version, platform = sealift.__version__, targets[0].platform
    folder, path = f"sealift-kit-{version}-{platform}", kit_path(output, platform)
    require_place(path, kind=KIT)
    channel = None if root is None else channel_of(parse_root(root))
    with scratch.folder("sealift-kit") as work:
        stage("making Sealift's own wheel")
        own = own_wheel(work)
        chosen = {target: [*_wheels(target, wheels, work, extras, stage), own] for target in targets}
        everything = {wheel.path.name: wheel for of_target in chosen.values() for wheel in of_target}
        moment = _moment(everything.values())
        files: dict[str, bytes | Wheel] = {f"wheels/{name}": wheel for name, wheel in everything.items()}
        for target, of_target in chosen.items():
            files[f"requirements/{target.interpreter}.txt"] = _requirements(of_target)
        files["kit.json"] = _description(chosen, version)
        files |= {script.name: script.read_bytes() for script in carried.INSTALL_SCRIPTS}
        files |= _man_pages(version, moment) | _completions()
        pages = {name: page.read_text("utf-8") for name, page in carried.pages().items()}
        files |= {f"docs/{name}": page for name, page in html_pages(pages, version).items()}
        files |= {f"docs/{name}": path.read_bytes() for name, path in carried.beside_pages().items()}
        files |= {f"deploy/{name}": path.read_bytes() for name, path in carried.for_admins().items()}
        files |= {f"licenses/{path.name}": path.read_bytes() for path in carried.licenses(extras)}
        if root is not None:
            files["1.root.json"] = root
        files["README.md"] = readme(
            version=version,
            platform=platform,
            pythons=[target.python for target in targets],
            glibc=".".join(map(str, GLIBC)),
            folder=folder,
            channel=channel,
            wheels=list(everything.values()),
        ).encode("utf-8")
        files["SHA256SUMS"] = digests(files)
        stage("writing the kit")
        written = write_kit(path, folder, files, int(moment.timestamp()))
    return Kit(
        written,
        version,
        platform,
        tuple(target.python for target in targets),
        tuple(wheel for _, wheel in sorted(everything.items())),
        channel,
        None if root is None else of_bytes(root),
    )


def kit_path(output: Path, platform: str) -> Path:
    """Return the file to write: `output`, or `sealift-kit-<version>-<platform>.tar` in it when it is a folder."""
    return output / f"sealift-kit-{sealift.__version__}-{platform}.tar" if output.is_dir() else output


def _wheels(
    target: Target, given: Path | None, work: Path, extras: Sequence[str], stage: Callable[[str], object]
) -> list[Wheel]:
    pins: list[Pin] = []
    for name in (*_LOCKS, *(f"{extra}.lock" for extra in carried.EXTRAS if extra in extras)):
        pins += parse_lock(carried.lock(name).read_text("utf-8"), target)
    directory = given
    if directory is None:
        stage(f"downloading {len(pins)} wheels for {target}")
        directory = work / "wheels"
        directory.mkdir(exist_ok=True)
        download(pins, target, directory)
    return choose(directory, pins, target)


def _moment(wheels: Iterable[Wheel]) -> datetime:
    return clock.release_time() if clock.VARIABLE in os.environ else newest_date(wheels)


def _requirements(wheels: list[Wheel]) -> bytes:
    lines = sorted(wheel.requirement() for wheel in wheels if wheel.name != _INSTALLER)
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def _description(chosen: dict[Target, list[Wheel]], version: str) -> bytes:
    """Facts for the install script; it checks the machine against it before it writes anything."""
    (machine,) = {target.machine for target in chosen}
    (installer,) = {wheel.path.name for wheels in chosen.values() for wheel in wheels if wheel.name == _INSTALLER}
    document = {
        "schema": "sealift.kit/1",
        "version": version,
        "machine": machine,
        "glibc": list(GLIBC),
        "pythons": {target.interpreter: target.python for target in chosen},
        "pip": installer,
        "unpacked_bytes": max(unpacked_size(wheels) for wheels in chosen.values()),
    }
    return json.dumps(document, indent=2, sort_keys=True).encode("ascii") + b"\n"


def _groups() -> "dict[str, Group]":
    from sealift.cli import cli as loader
    from sealift_keys.cli import command as keys

    return {"sealift": loader, "sealift-keys": keys}


def _man_pages(version: str, moment: datetime) -> dict[str, bytes]:
    groups = _groups()
    return {
        f"man/man1/{name}.1": man_page(
            name,
            group,
            version=version,
            day=moment.astimezone(UTC).date(),
            see_also=[other for other in groups if other != name],
        ).encode("ascii")
        for name, group in groups.items()
    }


def _completions() -> dict[str, bytes]:
    """What each shell needs to complete our commands, as it would print it on the machine itself."""
    from click.shell_completion import get_completion_class

    files = {}
    for name, group in _groups().items():
        variable = f"_{name.replace('-', '_').upper()}_COMPLETE"
        for shell, place in _SHELLS.items():
            found = get_completion_class(shell)
            if found is None:
                raise GateError(f"this version of click cannot complete in {shell}; install the locked one")
            made = found(group, {}, name, variable)
            # Not `source()`, which asks the shell of this machine for its version.
            files[place.format(name=name)] = (made.source_template % made.source_vars()).encode("ascii")
    return files
