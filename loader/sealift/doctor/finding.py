"""One line of a diagnosis: how bad, what was seen, what to do. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sealift.errors import (
    CorruptError,
    Error,
    IncompatibleError,
    LocalError,
    NoSpaceError,
    RollbackError,
    RootError,
    SignatureError,
    ThresholdError,
    UnreviewedError,
    UnsafeStoreError,
    UntrustedKeyError,
)

Level = Literal["ok", "warning", "problem", "unknown"]
# First what lets somebody in, then what is damaged, then what does not work.
_GRAVITY: tuple[type[Error], ...] = (
    RootError,
    SignatureError,
    ThresholdError,
    UntrustedKeyError,
    RollbackError,
    UnsafeStoreError,
    CorruptError,
    NoSpaceError,
    IncompatibleError,
    LocalError,
    UnreviewedError,
)


@dataclass(frozen=True)
class Finding:
    """One observation about the machine or its store.

    Attributes:
        about: what was looked at, in one or two words.
        do: what to do about it; empty where nothing is to be done.
        error: the class of a problem, which decides the exit status; None for what is none.
    """

    about: str
    level: Level
    seen: str
    do: str = ""
    error: type[Error] | None = None


def ok(about: str, seen: str) -> Finding:
    """Say that something is as it should be."""
    return Finding(about, "ok", seen)


def warning(about: str, seen: str, do: str) -> Finding:
    """Say what will trouble somebody later."""
    return Finding(about, "warning", seen, do)


def problem(about: str, seen: str, do: str, error: type[Error]) -> Finding:
    """Say what does not work, or is not safe."""
    return Finding(about, "problem", seen, do, error)


def unknown(about: str, reason: str, do: str = "") -> Finding:
    """Say what could not be looked at, and why."""
    return Finding(about, "unknown", reason, do)


def worst(findings: Iterable[Finding]) -> type[Error] | None:
    """Return the class of the gravest problem, or None without one."""
    classes = {finding.error for finding in findings if finding.error is not None}
    ordered = [error for error in _GRAVITY if error in classes]
    others = sorted(classes - set(_GRAVITY), key=lambda error: error.exit_code)
    return next(iter([*ordered, *others]), None)
