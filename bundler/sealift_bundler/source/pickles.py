"""Pickles: look at one without running it, for the scikit-learn that saved it; then open it."""

import bz2
import gzip
import lzma
import re
import warnings
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sealift_bundler.errors import SourceError

# scikit-learn writes `_sklearn_version` and its value into the state of every estimator. joblib mixes raw
# arrays into the pickle, so its opcodes cannot be walked; the two strings stand next to each other.
_VERSION = re.compile(rb"_sklearn_version[\x94qrhjX\x8cUV\x00-\x1f].{0,12}?(\d+\.\d+(?:\.\w+)*)", re.DOTALL)
_MOST_BYTES = 1 << 31

PICKLES = (".joblib", ".pkl", ".pickle")
# Where a pickle's module comes from, when the package has another name.
_PACKAGE_OF = {"sklearn": "scikit-learn", "cv2": "opencv-python", "yaml": "PyYAML", "PIL": "Pillow"}


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


def open_pickle(path: Path) -> Any:
    """Open a pickle in this process, which runs its code here.

    Raises:
        SourceError: it needs a module or a name that is not here, or is damaged.
    """
    import joblib

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # versions were compared before
            return joblib.load(path)
    except ModuleNotFoundError as error:
        module = str(error.name)
        package = _PACKAGE_OF.get(module.split(".", maxsplit=1)[0], module.split(".", maxsplit=1)[0])
        raise SourceError(
            f"{str(path)!r} needs the module {module!r}, which is not installed; install {package!r} as it was "
            "when the model was saved, or put the module on PYTHONPATH"
        ) from error
    except AttributeError as error:
        raise SourceError(
            f"{str(path)!r} refers to something that its module does not have: {error}; "
            "functions defined in a notebook or script cannot be opened elsewhere"
        ) from error
    except MemoryError:
        raise
    except Exception as error:
        # Opening a pickle runs any code, so it can raise anything.
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"{str(path)!r} cannot be opened ({type(error).__name__}: {reason})") from error
