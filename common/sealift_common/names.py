"""Names that become paths: models, versions and target paths, parsed by one strict rule.

python-tuf accepts any string as a target path, `../../x` included, so this rule is ours to keep.
Everything here is pure; nothing touches a file.
"""

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import NamedTuple

from sealift_common.errors import UsageError

MAX_NAME_CHARS = 100
MAX_VERSION_CHARS = 100

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII)
# https://semver.org, version 2.0.0: no leading zeros, dot-separated identifiers.
_NUMBER = r"(?:0|[1-9][0-9]*)"
_PRERELEASE = rf"(?:{_NUMBER}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
_SEMVER = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})"
    rf"(?:-({_PRERELEASE}(?:\.{_PRERELEASE})*))?"
    r"(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?",
    re.ASCII,
)


def is_model_name(name: str) -> bool:
    """Return whether `name` may name a model or a channel: `[a-z0-9][a-z0-9._-]*`, at most 100 characters."""
    return len(name) <= MAX_NAME_CHARS and _NAME.fullmatch(name) is not None


def is_version(text: str) -> bool:
    """Return whether `text` is a SemVer 2.0.0 version of at most 100 characters."""
    return len(text) <= MAX_VERSION_CHARS and _SEMVER.fullmatch(text) is not None


@total_ordering
@dataclass(frozen=True, eq=False)
class Version:
    """A SemVer 2.0.0 version, ordered by precedence; build metadata only breaks ties.

    Raises:
        UsageError: from `parse`, when the text is not SemVer.

    """

    text: str
    release: tuple[int, int, int]
    prerelease: tuple[str, ...]
    build: str

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Parse `text`, for example `1.4.0-rc.1`."""
        match = _SEMVER.fullmatch(text) if len(text) <= MAX_VERSION_CHARS else None
        if match is None:
            raise UsageError(f"version {text[:120]!r} is not SemVer; expected for example '1.4.0'")
        major, minor, patch, prerelease, build = match.groups()
        identifiers = tuple(prerelease.split(".")) if prerelease else ()
        return cls(text, (int(major), int(minor), int(patch)), identifiers, build or "")

    def _precedence(self) -> tuple[object, ...]:
        # A release is later than its pre-releases; numeric identifiers sort before textual ones.
        identifiers = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.prerelease)
        return (self.release, not self.prerelease, identifiers, self.build)

    def __lt__(self, other: "Version") -> bool:
        return self._precedence() < other._precedence()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text


class ModelVersion(NamedTuple):
    """One version of one model: what a TUF target, a manifest and a store directory stand for."""

    name: str
    version: Version

    @classmethod
    def parse(cls, name: str, version: str) -> "ModelVersion":
        """Check both parts.

        Raises:
            UsageError: the name or the version breaks its rule.

        """
        if not is_model_name(name):
            raise UsageError(
                f"model name {name[:120]!r} is not allowed; expected [a-z0-9][a-z0-9._-]*, "
                f"at most {MAX_NAME_CHARS} characters"
            )
        return cls(name, Version.parse(version))

    @classmethod
    def from_target_path(cls, path: str) -> "ModelVersion":
        """Parse `models/<name>/<version>`.

        Raises:
            UsageError: the path has another form; callers that read hostile metadata turn this into
                their own refusal.

        """
        parts = path.split("/") if len(path) <= 2 * MAX_NAME_CHARS + 10 else []
        if len(parts) != 3 or parts[0] != "models":
            raise UsageError(f"target path {path[:120]!r} is not allowed; expected 'models/<name>/<version>'")
        return cls.parse(parts[1], parts[2])

    @property
    def target_path(self) -> str:
        """The TUF target path, `models/<name>/<version>`."""
        return f"models/{self.name}/{self.version}"

    @property
    def reference(self) -> str:
        """The name for people and OCI tools: `<name>:<version>`."""
        return f"{self.name}:{self.version}"

    def __str__(self) -> str:
        return f"{self.name} {self.version}"
