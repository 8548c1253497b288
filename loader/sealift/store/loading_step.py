"""Say what failed, of a load at which of the five steps: trust, manifest, policy, files, session."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from sealift.errors import (
    CorruptError,
    Error,
    LocalError,
    NotInstalledError,
    UnreviewedError,
    UsageError,
    WithdrawnError,
)

# As `sealift predict` runs for root and applications do not, a refusal is most often a permission.
_READABLE = "the store and the pinned root must be readable by this user"
_TOO_MANY = "close models that are not needed, or raise the limit of open files"
# The store looks damaged to a process that may not read it, or may open no more files; it is not.
_NO_DAMAGE = {errno.EACCES: _READABLE, errno.EPERM: _READABLE, errno.EMFILE: _TOO_MANY, errno.ENFILE: _TOO_MANY}


@contextmanager
def loading_step(step: str, name: str) -> Iterator[None]:
    """Name the step in whatever is raised inside.

    Raises:
        LocalError: the operating system refused, for example to read a file.
        sealift.Error: what was raised inside, with the step before its message.
    """
    with explained(f"cannot load {name[:120]!r}, step {step!r}: "):
        yield


@contextmanager
def explained(before: str) -> Iterator[None]:
    """Put `before` in front of the message of a failure inside; a refused permission is one of the machine.

    Raises:
        LocalError: the operating system refused, for example to read a file.
        sealift.Error: what was raised inside.
    """
    try:
        yield
    except (NotInstalledError, UnreviewedError, WithdrawnError, UsageError):
        # Answers, not failures: nothing was wrong with the step.
        raise
    except Error as error:
        refusal = error.__context__
        if isinstance(error, CorruptError) and isinstance(refusal, OSError) and refusal.errno in _NO_DAMAGE:
            raise _local(before, refusal) from error
        error.args = (before + str(error),)
        raise
    except MemoryError:
        raise LocalError(before + "this machine has too little free memory") from None
    except OSError as error:
        raise _local(before, error) from error


def _local(before: str, error: OSError) -> LocalError:
    where = f" ({error.filename!r})" if error.filename else ""
    remedy = _NO_DAMAGE.get(error.errno or 0, _READABLE)
    return LocalError(f"{before}{error.strerror or error}{where}; {remedy}")
