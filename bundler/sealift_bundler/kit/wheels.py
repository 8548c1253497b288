"""Choose from a folder the wheel of every pinned package, by its tags, and hold it to the lock's hashes."""

import hashlib
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, NormalizedName, parse_wheel_filename
from packaging.version import Version

from sealift.errors import UsageError
from sealift_bundler.errors import GateError
from sealift_bundler.given_file import require_written
from sealift_bundler.kit.lock import Pin
from sealift_bundler.kit.target import Target


@dataclass(frozen=True)
class Wheel:
    """A wheel file; `digest` is the SHA-256 of its bytes, 64 hexadecimal digits, `size` its length in bytes."""

    name: NormalizedName
    version: Version
    path: Path
    digest: str
    size: int

    def requirement(self) -> str:
        """Return the line by which pip takes exactly this file."""
        return f"{self.name}=={self.version} --hash=sha256:{self.digest}"


def choose(directory: Path, pins: Iterable[Pin], target: Target) -> list[Wheel]:
    """Return the best wheel in `directory` of each pin.

    Raises:
        UsageError: `directory` does not exist.
        GateError: a wheel is missing, or is not one that the lock file lists.
    """
    if not directory.is_dir():
        raise UsageError(f"folder of wheels {str(directory)!r} does not exist; make it with: pip download")
    ranks = {tag: rank for rank, tag in enumerate(target.tags())}
    found = _by_package(directory)
    return [_choose_one(found.get((pin.name, pin.version), []), pin, ranks, directory, target) for pin in pins]


def open_wheel(path: Path) -> Wheel:
    """Read what a wheel's file name says, and its digest.

    Raises:
        GateError: it is not the file name of a wheel.
        SourceError: it is a pipe, or most of it was never written.
    """
    try:
        name, version, _, _ = parse_wheel_filename(path.name)
    except InvalidWheelFilename:
        raise GateError(f"{str(path)!r} does not have the name of a wheel") from None
    require_written(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Wheel(name, version, path, digest, path.stat().st_size)


def newest_date(wheels: Iterable[Wheel]) -> datetime:
    """Return the newest date of a file in any of the wheels: it follows from their bytes alone."""
    dates = [(1980, 1, 1, 0, 0, 0)]
    for wheel in wheels:
        with zipfile.ZipFile(wheel.path) as archive:
            dates += [info.date_time for info in archive.infolist()]
    # A zip has no time zone, and some writers leave a month or day of zero.
    year, month, day, hour, minute, second = max(dates)
    return datetime(year, max(month, 1), max(day, 1), hour, minute, min(second, 59), tzinfo=UTC)


def unpacked_size(wheels: Iterable[Wheel]) -> int:
    """Return the bytes that the wheels take once they are installed, without compiled modules."""
    total = 0
    for wheel in wheels:
        with zipfile.ZipFile(wheel.path) as archive:
            total += sum(info.file_size for info in archive.infolist())
    return total


def _by_package(directory: Path) -> dict[tuple[NormalizedName, Version], list[tuple[frozenset[Tag], Path]]]:
    found: dict[tuple[NormalizedName, Version], list[tuple[frozenset[Tag], Path]]] = {}
    for path in sorted(directory.glob("*.whl")):
        try:
            name, version, _, tags = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue
        found.setdefault((name, version), []).append((tags, path))
    return found


def _choose_one(
    there: list[tuple[frozenset[Tag], Path]], pin: Pin, ranks: dict[Tag, int], directory: Path, target: Target
) -> Wheel:
    fitting = [
        (min(ranks[tag] for tag in tags if tag in ranks), path) for tags, path in there if not tags.isdisjoint(ranks)
    ]
    if not fitting:
        other = f"; there are only: {', '.join(path.name for _, path in there)}" if there else ""
        raise GateError(f"no wheel of {pin} for {target} in {str(directory)!r}{other}")
    wheel = open_wheel(min(fitting)[1])
    if wheel.digest not in pin.digests:
        raise GateError(
            f"{str(wheel.path)!r} is not a wheel that the lock file lists for {pin}: it has sha256:{wheel.digest}; "
            "remove it and fetch it again"
        )
    return wheel
