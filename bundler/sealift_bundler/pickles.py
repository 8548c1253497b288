"""Look at a pickle without running it: which scikit-learn saved it."""

import bz2
import gzip
import lzma
import re
import zlib
from importlib.metadata import version
from pathlib import Path

from sealift_bundler.errors import SourceError

# scikit-learn writes `_sklearn_version` and its value into the state of every estimator. joblib mixes raw
# arrays into the pickle, so its opcodes cannot be walked; the two strings stand beside each other.
_VERSION = re.compile(rb"_sklearn_version[\x94qrhjX\x8cUV\x00-\x1f].{0,12}?(\d+\.\d+(?:\.\w+)*)", re.DOTALL)
_MOST_BYTES = 1 << 31


def check_versions(path: Path) -> None:
    """Refuse a pickle that another minor version of scikit-learn saved.

    Raises:
        SourceError: naming the version to install; or the file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read the model {str(path)!r}: {error.strerror}") from error
    found = sorted({match[1].decode("ascii", "replace") for match in _VERSION.finditer(_plain(data))})
    installed = version("scikit-learn")
    for saved in found:
        if _minor(saved) != _minor(installed):
            raise SourceError(
                f"{str(path)!r} was saved by scikit-learn {saved}, and this is {installed}: a pickle of another "
                f"version may load and answer differently; run pip install 'scikit-learn=={saved}', or save it again"
            )


def _minor(text: str) -> list[str]:
    return text.split(".")[:2]


def _plain(data: bytes) -> bytes:
    """Undo the compressions that joblib writes; anything else is returned as it is."""
    try:
        if data[:2] in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"):
            return zlib.decompressobj().decompress(data, _MOST_BYTES)
        if data[:2] == b"\x1f\x8b":
            return gzip.decompress(data)
        if data[:3] == b"BZh":
            return bz2.decompress(data)
        if data[:6] == b"\xfd7zXZ\x00" or data[:1] == b"\x5d":
            return lzma.decompress(data)
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        pass  # the child's own attempt to open it gives the better message
    return data
