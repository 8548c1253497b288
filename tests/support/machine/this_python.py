"""This Python and what it imports, for a root of another kind: mounted at fixed places, wherever they are here.

Neither the interpreter nor the checkout need be readable by others, and either may lie below `/tmp` or in a home.
"""

import sys
from collections.abc import Iterator
from pathlib import Path


def mounts(place: str) -> dict[str, str]:
    """Directory of this machine to directory below `place`."""
    return {sys.base_prefix: f"{place}/python", **dict(_imported(place))}


def program(place: str) -> str:
    return f"{place}/python/bin/python{sys.version_info.major}.{sys.version_info.minor}"


def environment(place: str) -> dict[str, str]:
    """What the interpreter needs to start there and to import what it imports here."""
    return {
        "LD_LIBRARY_PATH": f"{place}/python/lib",
        "PYTHONPATH": ":".join(target for _, target in _imported(place)),
    }


def _imported(place: str) -> Iterator[tuple[str, str]]:
    for number, path in enumerate(sys.path):
        if path and Path(path).is_dir() and not Path(path).is_relative_to(sys.base_prefix):
            yield path, f"{place}/path{number}"
