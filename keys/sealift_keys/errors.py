"""The root of every error that Sealift raises on purpose.

It lives in the lowest wing so that all three can share it; applications see it as `sealift.Error`.
Ranges of exit codes, shared by the three commands: 0 ok, 1 bug, 2 usage, 3 local OS error, 10-19
malformed, 20-29 refused by trust, 30-39 store, 40-49 load, 50-59 build. Only the command line turns
`exit_code` into an exit status.
"""

from typing import ClassVar


class Error(Exception):
    """Anything Sealift refuses or cannot do; `str(error)` is one line that a person can act on."""

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "error"


class UsageError(Error):
    """The command or call was given arguments that cannot work together or do not exist."""

    exit_code = 2
    code = "usage"


class LocalError(Error):
    """The operating system refused: a file is missing, unreadable, a directory, or cannot be written."""

    exit_code = 3
    code = "local"


class KeyFileError(Error):
    """A private or public key cannot be created, opened or used: wrong passphrase, format or mode."""

    exit_code = 53
    code = "key-file"


class ChannelError(Error):
    """A channel directory is missing, incomplete or in a state that does not allow this step."""

    exit_code = 55
    code = "channel"


class ExpiringError(Error):
    """Metadata of a channel expires within 90 days; plan the renewal. Only `sealift-keys expiry` says so."""

    exit_code = 57
    code = "expiring"


class ExpiringSoonError(Error):
    """Metadata of a channel expires within 30 days; renew it now. Only `sealift-keys expiry` says so."""

    exit_code = 58
    code = "expiring-soon"


class LapsingError(Error):
    """Metadata of a channel expires within 7 days, or has expired. Only `sealift-keys expiry` says so."""

    exit_code = 59
    code = "lapsing"
