"""Name the file of a damaged bundle or backup, and say what to do: the reader of its bytes knows neither."""

from collections.abc import Iterator
from contextlib import contextmanager

from sealift.errors import DigestError, LimitError, MalformedError, UnsafeMemberError, UnsupportedVersionError

_COPY = "copy it again"
_COMPARE = f"{_COPY}, and compare its SHA-256"
# Says what it is, and with that what to do.
_OTHER_KIND = ": it is "
# A watched folder opens a bundle once, and gives it on by its descriptor; its events have the name.
_DESCRIPTORS = "/proc/"


@contextmanager
def named(path: str) -> Iterator[None]:
    """Begin what is refused inside the block with the path of the file; a damaged one is to be copied again."""
    try:
        yield
    except (MalformedError, DigestError) as error:
        error.args = (_begun(path, _ended(str(error))),)
        raise
    except (UnsupportedVersionError, LimitError, UnsafeMemberError) as error:
        error.args = (_begun(path, str(error)),)
        raise


def _begun(path: str, message: str) -> str:
    return message if path.startswith(_DESCRIPTORS) or repr(path) in message else f"{path!r}: {message}"


def _ended(message: str) -> str:
    if message.endswith(_COPY):
        return message.removesuffix(_COPY) + _COMPARE
    return message if " again" in message or _OTHER_KIND in message else f"{message}; {_COMPARE}"
