"""Which packages the demo needs as well as Sealift: pandas and those of the model server, as dev.lock pins them."""

import re
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


PACKAGES = ("pandas", "uvicorn", "httptools")


def write_application_lock(requirements: Path, output: Path, packages: tuple[str, ...] = PACKAGES) -> None:
    """Write the pins and hashes of `packages` and what they need, without those of the base lock file."""
    base = set(_pins((requirements / "base.lock").read_text("utf-8")))
    pins = _pins((requirements / "dev.lock").read_text("utf-8"))
    wanted = sorted(_needed_by(packages) - base)
    output.write_text("".join(pins[name] for name in wanted), "utf-8")


def _pins(text: str) -> dict[str, str]:
    """Split a lock file into one block for each package."""
    starts = [(match.start(), canonicalize_name(match[1])) for match in _PIN.finditer(text)]
    ends = [start for start, _ in starts[1:]] + [len(text)]
    return {name: text[start:end] for (start, name), end in zip(starts, ends, strict=True)}


def _needed_by(packages: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    waiting = [*packages]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        found.add(name)
        for line in requires(name) or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found
