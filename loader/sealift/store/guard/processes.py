"""Processes that have a file of a model open or mapped: Ruby, Go and Node read bare paths and lock nothing.

Best effort, from /proc: it shows this machine alone, of it the processes that this user may look at, and
paths as this machine's own mounts name them. A path that a process will open later is not seen.
"""

import os
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Users:
    """Directory to the ids of processes that use a file in it; how many processes could not be looked at."""

    of: dict[Path, list[int]]
    unseen: int


def users(directories: Collection[Path], proc: Path = _PROC) -> Users:
    """Look for open and mapped files below `directories`."""
    wanted = {os.path.realpath(directory): directory for directory in directories}
    found: dict[Path, list[int]] = defaultdict(list)
    unseen = 0
    for process in _processes(proc) if wanted else ():
        try:
            paths = {path for path in _paths(process) if path.startswith("/")}
        except (FileNotFoundError, ProcessLookupError):
            continue  # It has ended.
        except PermissionError:
            unseen += 1
            continue
        for directory in {wanted[parent] for path in paths for parent in _parents(path) if parent in wanted}:
            found[directory].append(int(process.name))
    return Users(dict(found), unseen)


def _processes(proc: Path) -> list[Path]:
    try:
        return sorted(proc / name for name in os.listdir(proc) if name.isdecimal())
    except OSError:
        return []


def _paths(process: Path) -> Iterator[str]:
    for name in os.listdir(process / "fd"):
        try:
            yield os.readlink(process / "fd" / name)
        except FileNotFoundError:
            continue
    with (process / "maps").open(encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            # Address, permissions, offset, device, inode, path.
            columns = line.rstrip("\n").split(maxsplit=5)
            if len(columns) == 6:
                yield columns[5]


def _parents(path: str) -> Iterator[str]:
    # A model's directory holds plain files and no folders.
    yield path
    yield os.path.dirname(path)
