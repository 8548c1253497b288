"""The root of every error that Sealift raises on purpose.

It lives on the common floor so that all wings can share it; applications see it as `sealift.Error`.
Ranges of exit codes, shared by the four commands: 0 ok, 1 bug, 2 usage, 3 local OS error, 10-19
malformed, 20-29 refused by trust, 30-39 store, 40-49 load, 50-59 build, 60-69 review,
70-79 data and training. Only the command line
turns `exit_code` into an exit status. `remedy` is what a person does about it, for the reference page and for scripts.
"""

from typing import ClassVar


class Error(Exception):
    """Anything Sealift refuses or cannot do; `str(error)` is one line that a person can act on."""

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "error"
    remedy: ClassVar[str] = "This is a bug in Sealift: report it with the traceback and the command."


class UsageError(Error):
    """The command or call was given arguments that cannot work together or do not exist."""

    exit_code = 2
    code = "usage"
    remedy = "Correct the command line; `--help` shows what the command takes."


class LocalError(Error):
    """The operating system refused: a file is missing, unreadable, a directory, or cannot be written."""

    exit_code = 3
    code = "local"
    remedy = "Fix what the message names (path, owner, mode, disk), then run the same command again."


class MalformedError(Error):
    """The bundle, a manifest or a JSON document does not have the form that the format demands."""

    exit_code = 10
    code = "malformed"
    remedy = (
        "Copy the file again and compare its SHA-256 with the one that `sealift-bundler pack` printed. If they are "
        "equal, tell its sender."
    )


class UnsupportedVersionError(Error):
    """The format version is one that this Sealift does not know; the message says which it knows."""

    exit_code = 11
    code = "unsupported-version"
    remedy = "Upgrade Sealift on this instance, or ask for a bundle of a format that the message names."


class LimitError(Error):
    """Something is larger, longer, deeper or more numerous than `sealift.limits` allows."""

    exit_code = 12
    code = "limit"
    remedy = (
        "Ask the sender for a smaller bundle or model. A file that nobody meant to be so large is damaged or hostile."
    )


class UnsafeMemberError(Error):
    """A bundle member or file name could leave its place: wrong type, wrong name, a link, a device."""

    exit_code = 13
    code = "unsafe-member"
    remedy = (
        "Do not use the file. `sealift-bundler pack` never writes such a member: ask the sender where it comes from."
    )


class DigestError(Error):
    """Bytes do not have the length or SHA-256 digest that was signed for them."""

    exit_code = 26
    code = "digest"
    remedy = "Do not use the file. Copy it again; if it is refused again, tell its sender."


class KeyFileError(Error):
    """A key or its passphrase cannot be created, opened or used: wrong passphrase or format, or others may read it."""

    exit_code = 53
    code = "key-file"
    remedy = (
        "Use the right key file and passphrase. Key and passphrase files need mode 0600, in a folder that only you can "
        "write. If the key is lost, replace it."
    )


class ChannelError(Error):
    """A channel directory is missing, incomplete or in a state that does not allow this step."""

    exit_code = 55
    code = "channel"
    remedy = "Do the step that the message names on the channel, or fetch a complete copy of it."


class ExpiringError(Error):
    """Metadata of a channel expires within 90 days; plan the renewal. Only `sealift-keys expiry` says so."""

    exit_code = 57
    code = "expiring"
    remedy = "Plan the renewal with the holders of the keys."


class ExpiringSoonError(Error):
    """Metadata of a channel expires within 30 days; renew it now. Only `sealift-keys expiry` says so."""

    exit_code = 58
    code = "expiring-soon"
    remedy = "Renew the metadata now: `sealift-keys renew` for the root, a release for everything else."


class LapsingError(Error):
    """Metadata of a channel expires within 7 days, or has expired. Only `sealift-keys expiry` says so."""

    exit_code = 59
    code = "lapsing"
    remedy = "Renew the metadata today, and carry a new bundle to every instance."
