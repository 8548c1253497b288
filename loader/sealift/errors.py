"""Every error that the loader raises; `sealift.Error` is the root of them all.

One class, one exit code, one stable `code`. 20-29 always means "do not use this file".
"""

from collections.abc import Sequence

from sealift_keys.errors import (
    ChannelError,
    Error,
    ExpiringError,
    ExpiringSoonError,
    KeyFileError,
    LapsingError,
    LocalError,
    UsageError,
)

# --- 10-19: the bytes are not a bundle that this version can read -------------------------------


class MalformedError(Error):
    """The bundle, a manifest or a JSON document does not have the form that the format demands."""

    exit_code = 10
    code = "malformed"


class UnsupportedVersionError(Error):
    """The format version is one that this Sealift does not know; the message says which it knows."""

    exit_code = 11
    code = "unsupported-version"


class LimitError(Error):
    """Something is larger, longer, deeper or more numerous than `sealift.limits` allows."""

    exit_code = 12
    code = "limit"


class UnsafeMemberError(Error):
    """A bundle member or file name could leave its place: wrong type, wrong name, a link, a device."""

    exit_code = 13
    code = "unsafe-member"


# --- 20-29: refused by trust: do not use this file ----------------------------------------------


class RootError(Error):
    """The bundle does not descend from the root that this instance pinned, or its chain is broken."""

    exit_code = 20
    code = "root"


class SignatureError(Error):
    """Metadata is unsigned, or carries a signature that does not verify."""

    exit_code = 21
    code = "signature"


class ThresholdError(Error):
    """Metadata carries valid signatures, but fewer than its role demands."""

    exit_code = 22
    code = "threshold"


class UntrustedKeyError(Error):
    """Metadata is signed only by keys that its role does not list (any more)."""

    exit_code = 23
    code = "untrusted-key"


class ExpiredError(Error):
    """Metadata was valid until a time that has passed; blocks installing, never loading."""

    exit_code = 24
    code = "expired"


class RollbackError(Error):
    """Metadata is older than what this instance has already accepted."""

    exit_code = 25
    code = "rollback"


class DigestError(Error):
    """Bytes do not have the length or SHA-256 digest that was signed for them."""

    exit_code = 26
    code = "digest"


class WithdrawnError(Error):
    """The model version is no longer listed by the channel: it may not be installed or loaded."""

    exit_code = 27
    code = "withdrawn"


class MixError(Error):
    """Metadata files that are each signed do not belong to one release of the channel."""

    exit_code = 28
    code = "mix"


# --- 30-39: the store ---------------------------------------------------------------------------


class NoTrustError(Error):
    """No channel root is pinned on this instance, so nothing can be verified."""

    exit_code = 30
    code = "no-trust"


class NotInstalledError(Error):
    """The store holds no such model, version or generation."""

    exit_code = 31
    code = "not-installed"


class LockedError(Error):
    """Another Sealift process is changing the store."""

    exit_code = 32
    code = "locked"


class CorruptError(Error):
    """The store does not hold what Sealift wrote there: a file, the trust state or a link changed."""

    exit_code = 33
    code = "corrupt"


class NoSpaceError(Error):
    """The store's file system has too little room for what the bundle holds."""

    exit_code = 34
    code = "no-space"


class AlreadyPinnedError(Error):
    """Another channel root is pinned already; replacing it is a decision for a person."""

    exit_code = 35
    code = "already-pinned"


class UnsafeStoreError(Error):
    """A folder of the store, or a watched folder, is a link, or can be written by somebody else than its owner."""

    exit_code = 36
    code = "unsafe-store"


class PreflightError(Error):
    """Several things stand in the way of an install at once; the message lists each with its own code."""

    exit_code = 37
    code = "preflight"

    def __init__(self, problems: Sequence[Error]) -> None:
        listed = "; ".join(f"({place}) {problem} [{problem.code}]" for place, problem in enumerate(problems, start=1))
        super().__init__(f"{len(problems)} problems, nothing was written: {listed}")
        self.problems = tuple(problems)


class StaleError(Error):
    """The newest bundle installed is older than `--fail-after` allows; models are served as before."""

    exit_code = 38
    code = "stale"


class BehindError(Error):
    """The newest bundle installed is older than the one that `--expect` names: this node was left behind."""

    exit_code = 39
    code = "behind"


# --- 40-49: loading and predicting --------------------------------------------------------------


class IncompatibleError(Error):
    """The model needs an operator, a version or a machine that is not here."""

    exit_code = 40
    code = "incompatible"


class InputError(Error):
    """The values given to a model do not fit its inputs; the message names the column or tensor."""

    exit_code = 41
    code = "input"


class SelfTestError(Error):
    """The model does not repeat its recorded examples on this machine."""

    exit_code = 42
    code = "self-test"


__all__ = [
    "AlreadyPinnedError",
    "BehindError",
    "ChannelError",
    "CorruptError",
    "DigestError",
    "Error",
    "ExpiredError",
    "ExpiringError",
    "ExpiringSoonError",
    "IncompatibleError",
    "InputError",
    "KeyFileError",
    "LapsingError",
    "LimitError",
    "LocalError",
    "LockedError",
    "MalformedError",
    "MixError",
    "NoSpaceError",
    "NoTrustError",
    "NotInstalledError",
    "PreflightError",
    "RollbackError",
    "RootError",
    "SelfTestError",
    "SignatureError",
    "StaleError",
    "ThresholdError",
    "UnsafeMemberError",
    "UnsafeStoreError",
    "UnsupportedVersionError",
    "UntrustedKeyError",
    "UsageError",
    "WithdrawnError",
]
