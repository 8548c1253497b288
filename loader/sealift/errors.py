"""Every error that the loader raises; `sealift.Error` is the root of them all.

One class, one exit code, one stable `code`. 20-29 always means "do not use this file".
"""

from collections.abc import Sequence

from sealift_common.errors import (
    ChannelError,
    DigestError,
    Error,
    ExpiringError,
    ExpiringSoonError,
    KeyFileError,
    LapsingError,
    LimitError,
    LocalError,
    MalformedError,
    UnsafeMemberError,
    UnsupportedVersionError,
    UsageError,
)

# --- 20-29: refused by trust: do not use this file ----------------------------------------------


class RootError(Error):
    """The bundle does not descend from the root that this instance pinned, or its chain is broken."""

    exit_code = 20
    code = "root"
    remedy = (
        "Do not use the file. Compare the fingerprint of `sealift trust show` with the published one, and ask the "
        "channel's owners."
    )


class SignatureError(Error):
    """Metadata is unsigned, or carries a signature that does not verify."""

    exit_code = 21
    code = "signature"
    remedy = "Do not use the file. Copy it again from its source; if it is refused again, tell the channel's owners."


class ThresholdError(Error):
    """Metadata carries valid signatures, but fewer than its role demands."""

    exit_code = 22
    code = "threshold"
    remedy = (
        "Do not use the file. Ask for a bundle that all approvers have signed; `sealift verify --explain` shows "
        "who is missing."
    )


class UntrustedKeyError(Error):
    """Metadata is signed only by keys that its role does not list, or no longer lists."""

    exit_code = 23
    code = "untrusted-key"
    remedy = (
        "Do not use the file. Ask for a bundle signed with the channel's present keys, and tell its owners who "
        "signed this one."
    )


class ExpiredError(Error):
    """Metadata was valid until a time that has passed; blocks installing, never loading."""

    exit_code = 24
    code = "expired"
    remedy = (
        "Correct the clock if it is wrong, otherwise fetch a newer bundle. `--accept-expired REASON` installs at "
        "your own risk."
    )


class RollbackError(Error):
    """Metadata is older than what this instance has already accepted."""

    exit_code = 25
    code = "rollback"
    remedy = (
        "Do not use the file. Fetch the newest bundle; to use an earlier version of a model, run `sealift rollback`."
    )


class WithdrawnError(Error):
    """The model version is no longer listed by the channel: it may not be installed or loaded."""

    exit_code = 27
    code = "withdrawn"
    remedy = "Use another version of the model. A newer bundle may bring one."


class MixError(Error):
    """Metadata files that are each signed do not belong to one release of the channel."""

    exit_code = 28
    code = "mix"
    remedy = "Do not use the file. Ask the sender for a complete bundle as `sealift-bundler pack` writes it."


class UnreviewedError(Error):
    """The model version lacks an approval that root or this instance's policy demands, or a reviewer rejected it."""

    exit_code = 29
    code = "unreviewed"
    remedy = (
        "Do not use the file. Have the reviewers that the message names approve the version, and carry the next bundle."
    )


# --- 30-39: the store ---------------------------------------------------------------------------


class NoTrustError(Error):
    """No channel root is pinned on this instance, so nothing can be verified."""

    exit_code = 30
    code = "no-trust"
    remedy = (
        "Pin the channel's root with `sealift trust init ROOT.json`, or name its directory with `--trust` or "
        "SEALIFT_TRUST."
    )


class NotInstalledError(Error):
    """The store holds no such model, version or generation."""

    exit_code = 31
    code = "not-installed"
    remedy = "Install a bundle that holds it; `sealift list` and `sealift history` show what is here."


class LockedError(Error):
    """Another Sealift process is changing the store."""

    exit_code = 32
    code = "locked"
    remedy = "Wait until the other process has finished, then run the same command again."


class CorruptError(Error):
    """The store does not hold what Sealift wrote there: a file, the trust state or a link changed."""

    exit_code = 33
    code = "corrupt"
    remedy = (
        "Find out what changed the store, then run `sealift check` and `sealift check --repair BUNDLE`, or restore "
        "a backup."
    )


class NoSpaceError(Error):
    """The store's file system has too little room for what the bundle holds."""

    exit_code = 34
    code = "no-space"
    remedy = "Make room, for example with `sealift prune`, and run the same command again."


class AlreadyPinnedError(Error):
    """Another channel root is pinned already; replacing it is a decision for a person."""

    exit_code = 35
    code = "already-pinned"
    remedy = "Keep the pinned root. To follow another channel, remove the file yourself and use a new store."


class UnsafeStoreError(Error):
    """Somebody else can write or replace the store, a watched folder or the pinned root, or a link stands there."""

    exit_code = 36
    code = "unsafe-store"
    remedy = (
        "Run the command as the store's owner, and give every path that the message names the owner and mode it "
        "asks for."
    )


class PreflightError(Error):
    """Several things stand in the way of an install at once; the message lists each with its own code."""

    exit_code = 37
    code = "preflight"
    remedy = "Fix every problem in the list (each has its own code), and run the same command again."

    def __init__(self, problems: Sequence[Error]) -> None:
        listed = "; ".join(f"({place}) {problem} [{problem.code}]" for place, problem in enumerate(problems, start=1))
        super().__init__(f"{len(problems)} problems, nothing was written: {listed}")
        self.problems = tuple(problems)


class StaleError(Error):
    """The newest bundle installed is older than `--fail-after` allows; models are served as before."""

    exit_code = 38
    code = "stale"
    remedy = "Carry the newest bundle to this instance. If there is none, ask the channel's owners for a release."


class BehindError(Error):
    """The newest bundle installed is older than the one that `--expect` names: this node was left behind."""

    exit_code = 39
    code = "behind"
    remedy = "Install the expected bundle on this node."


# --- 40-49: loading and predicting --------------------------------------------------------------


class IncompatibleError(Error):
    """The model needs an operator, a version or a machine that is not here."""

    exit_code = 40
    code = "incompatible"
    remedy = "Install the ONNX Runtime that the message asks for, or ask for a model that runs on this machine."


class InputError(Error):
    """The values given to a model do not fit its inputs; the message names the column or tensor."""

    exit_code = 41
    code = "input"
    remedy = "Change the values as the message says; `sealift show NAME` lists what the model takes."


class SelfTestError(Error):
    """The model does not repeat its recorded examples on this machine."""

    exit_code = 42
    code = "self-test"
    remedy = (
        "Nothing was activated. Send the message to the release engineer, with the output of `sealift doctor --json`."
    )


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
    "UnreviewedError",
    "UnsafeMemberError",
    "UnsafeStoreError",
    "UnsupportedVersionError",
    "UntrustedKeyError",
    "UsageError",
    "WithdrawnError",
]
