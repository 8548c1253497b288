"""Names that become paths: models, versions and target paths, parsed by one strict rule.

python-tuf accepts any string as a target path, `../../x` included, so this rule is ours to keep.
Everything here is pure; nothing touches a file. Read by hand and not by patterns: every process that loads a model
would compile them, which takes longer than all the names in a store.
"""

import string
from typing import Final, NamedTuple

from sealift_common.errors import UsageError

MAX_NAME_CHARS = 100
MAX_VERSION_CHARS = 100

_FIRST: Final = string.ascii_lowercase + string.digits
_NAME: Final = _FIRST + "._-"
_IDENTIFIER: Final = string.ascii_letters + string.digits + "-"


def holds_only(text: str, characters: str) -> bool:
    """Return whether `text` has one of `characters` or more, and nothing else."""
    # `strip` leaves what lies between the first and the last character that is another.
    return bool(text) and not text.strip(characters)


def is_model_name(name: str) -> bool:
    """Return whether `name` may name a model or a channel: `[a-z0-9][a-z0-9._-]*`, at most 100 characters."""
    return len(name) <= MAX_NAME_CHARS and holds_only(name, _NAME) and name[0] in _FIRST


def is_version(text: str) -> bool:
    """Return whether `text` is a SemVer 2.0.0 version of at most 100 characters."""
    return _parts(text) is not None


def is_count(text: str, most_digits: int) -> bool:
    """Return whether `text` is a whole number from 0 on as people write it: ASCII digits, the first not an idle 0."""
    return len(text) <= most_digits and holds_only(text, string.digits) and (text[0] != "0" or text == "0")


def is_directory_number(text: str) -> bool:
    """Return whether `text` may number a directory of a store: 1 to 999,999,999, without leading zeros."""
    return is_count(text, 9) and text != "0"


def _parts(text: str) -> tuple[list[str], list[str], list[str]] | None:
    """Divide a version into its three numbers, pre-release and build, as https://semver.org, version 2.0.0, says."""
    if len(text) > MAX_VERSION_CHARS:
        return None
    before, plus, build = text.partition("+")
    core, dash, prerelease = before.partition("-")
    numbers = core.split(".")
    identifiers = prerelease.split(".") if dash else []
    builds = build.split(".") if plus else []
    fits = (
        len(numbers) == 3
        and all(is_count(number, MAX_VERSION_CHARS) for number in numbers)
        # A number in a pre-release has no leading zero either; in a build, it may.
        and all(
            is_count(one, MAX_VERSION_CHARS) if holds_only(one, string.digits) else holds_only(one, _IDENTIFIER)
            for one in identifiers
        )
        and all(holds_only(one, _IDENTIFIER) for one in builds)
    )
    return (numbers, identifiers, builds) if fits else None


class Version:
    """A SemVer 2.0.0 version, ordered by precedence; build metadata only breaks ties.

    Made by `parse` alone, and never changed afterwards.

    Raises:
        UsageError: from `parse`, when the text is not SemVer.

    """

    __slots__ = ("build", "prerelease", "release", "text")

    def __init__(self, text: str, release: tuple[int, int, int], prerelease: tuple[str, ...], build: str) -> None:
        self.text: Final = text
        self.release: Final = release
        self.prerelease: Final = prerelease
        self.build: Final = build

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Parse `text`, for example `1.4.0-rc.1`."""
        parts = _parts(text)
        if parts is None:
            raise UsageError(f"version {text[:120]!r} is not SemVer; expected for example '1.4.0'")
        (major, minor, patch), prerelease, build = parts
        return cls(text, (int(major), int(minor), int(patch)), tuple(prerelease), ".".join(build))

    def _precedence(self) -> tuple[object, ...]:
        # A release is later than its pre-releases; numeric identifiers sort before textual ones.
        identifiers = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.prerelease)
        return (self.release, not self.prerelease, identifiers, self.build)

    def __lt__(self, other: "Version") -> bool:
        return self._precedence() < other._precedence()

    def __le__(self, other: "Version") -> bool:
        return self == other or self < other

    def __gt__(self, other: "Version") -> bool:
        return not self <= other

    def __ge__(self, other: "Version") -> bool:
        return not self < other

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Version({self.text!r})"


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
