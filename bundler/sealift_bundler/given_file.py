"""A file that somebody gave us to convert, before a library reads it whole."""

from pathlib import Path

from sealift.bundle import holes
from sealift.errors import MalformedError
from sealift_bundler.errors import SourceError


def require_written(path: Path) -> None:
    """Check that a file can be read without waiting, and was written, not only made long.

    Raises:
        SourceError: it is a pipe or a device, or most of it was never written.
        OSError: it does not exist or cannot be read.
    """
    # Looked at before it is opened: opening a pipe waits for its writer.
    if path.exists() and not path.is_file():
        raise SourceError(f"{str(path)!r} is not a plain file; give a file")
    with path.open("rb") as file:
        try:
            holes.require_written(file.fileno(), repr(str(path)))
        except MalformedError as error:
            raise SourceError(str(error)) from None
