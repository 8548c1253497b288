"""Say at which of the four steps a load failed: trust, manifest, files, session."""

from collections.abc import Iterator
from contextlib import contextmanager

from sealift.errors import Error, LocalError, NotInstalledError, UsageError, WithdrawnError


@contextmanager
def loading_step(step: str, name: str) -> Iterator[None]:
    """Name the step in whatever is raised inside.

    Raises:
        LocalError: the operating system refused, for example to read a file.
        sealift.Error: what was raised inside, with the step before its message.
    """
    before = f"cannot load {name[:120]!r}, step {step!r}: "
    try:
        yield
    except (NotInstalledError, WithdrawnError, UsageError):
        # Answers, not failures: nothing was wrong with the step.
        raise
    except Error as error:
        error.args = (before + str(error),)
        raise
    except MemoryError:
        raise LocalError(before + "this machine has too little free memory") from None
    except OSError as error:
        # As `sealift predict` runs for root and applications do not, this is most often a permission.
        where = f" ({error.filename!r})" if error.filename else ""
        raise LocalError(
            f"{before}{error.strerror or error}{where}; the store and the pinned root must be readable by this user"
        ) from error
