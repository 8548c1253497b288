"""Check one file of a version of the kind "files", by what its name and its first bytes say it is."""

from collections.abc import Callable, Iterator, Mapping

from sealift.errors import MalformedError
from sealift.limits import LIMITS
from sealift.model.weights.gguf import check_gguf
from sealift.model.weights.safetensors import check_safetensors
from sealift.model.weights.source import Bytes

_CHECKS: Mapping[str, Callable[[Bytes], int]] = {"gguf": check_gguf, "safetensors": check_safetensors}
# A pickle of protocol 2 to 5; opening one runs what is in it.
_PICKLES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
_HEAD_BYTES = 1024
_LENGTH_BYTES = 8
_LONGEST = {"gguf": LIMITS.gguf_header_bytes, "safetensors": _LENGTH_BYTES + LIMITS.safetensors_header_bytes}


def format_of(name: str) -> str | None:
    """Return the format that a file's name stands for, "safetensors" or "gguf"; None for any other file."""
    suffix = name.rpartition(".")[2].lower()
    return suffix if suffix in _CHECKS else None


def longest_header(name: str) -> int:
    """Return how many bytes `check_file` reads at most of a file of this name."""
    return _LONGEST.get(format_of(name) or "", _HEAD_BYTES)


def check_file(name: str, pieces: Iterator[bytes], size: int, what: str) -> int:
    """Check the header of a file of weights, and return its length in bytes; refuse any file that is a pickle.

    Args:
        name: the file's name.
        pieces: the file from its first byte on, in pieces of any size.
        size: its length in bytes.
        what: how errors name it.

    Returns:
        Bytes of the header; 0 for a file of another format.

    Raises:
        MalformedError, LimitError, UnsupportedVersionError: the header is not what its format says, or it is a pickle.
    """
    check = _CHECKS.get(format_of(name) or "")
    if check is not None:
        return check(Bytes(pieces, size, what))
    head = Bytes(pieces, size, what).take(min(size, _HEAD_BYTES))
    # The archive of PyTorch is a zip that begins with its pickle.
    in_zip = head.startswith(b"PK\x03\x04") and b"data.pkl" in head
    if in_zip or head.startswith(_PICKLES):
        raise MalformedError(f"{what} is a pickle, which may run anything where it is opened; save it as safetensors")
    return 0
