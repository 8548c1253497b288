"""A lock file: exact versions with the SHA-256 of every wheel that may be taken for them. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from sealift_bundler.errors import GateError
from sealift_bundler.kit.target import Target

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})(?=\s|$)")


@dataclass(frozen=True)
class Pin:
    """One package at one version; `digests` holds 64 hexadecimal digits for each wheel of it."""

    name: NormalizedName
    version: Version
    digests: frozenset[str]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def requirement(self) -> str:
        """Return the line by which pip takes this package and nothing else."""
        hashes = " ".join(f"--hash=sha256:{digest}" for digest in sorted(self.digests))
        return f"{self.name}=={self.version} {hashes}"


def parse_lock(text: str, target: Target) -> list[Pin]:
    """Return what a lock file pins for one Python on one platform, in order of name.

    Raises:
        GateError: a line is not an exact version with hashes.
    """
    return sorted(_pins(text, target), key=lambda pin: pin.name)


def _pins(text: str, target: Target) -> Iterator[Pin]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for entry in "\n".join(lines).replace("\\\n", " ").splitlines():
        if not entry.strip():
            continue
        words, digests = entry.partition("--hash")[0].strip(), frozenset(_HASH.findall(entry))
        try:
            requirement = Requirement(words)
            (pin,) = requirement.specifier
        except (InvalidRequirement, ValueError):
            pin = None
        if pin is None or pin.operator != "==" or len(digests) != entry.count("--hash"):
            raise GateError(f"the lock file pins {words[:120]!r} without exact version or SHA-256; run: make lock")
        if requirement.marker is None or requirement.marker.evaluate(target.marker_environment()):
            if not digests:
                raise GateError(f"the lock file has no hash for {words[:120]!r}; run: make lock")
            yield Pin(canonicalize_name(requirement.name), Version(pin.version), digests)
