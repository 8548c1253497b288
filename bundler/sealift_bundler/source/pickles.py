"""Files that are pickles: undo joblib's compression, look for the scikit-learn that saved it, then open it."""

import bz2
import gzip
import io
import lzma
import mmap
import re
import warnings
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from sealift.errors import Error
from sealift_bundler.errors import SourceError
from sealift_bundler.source.saved_by import check_saved_by

# scikit-learn writes `_sklearn_version` and its value into the state of every estimator. joblib mixes raw
# arrays into the pickle, so its opcodes cannot be walked; the two strings stand next to each other.
_VERSION = re.compile(rb"_sklearn_version[\x94qrhjX\x8cUV\x00-\x1f].{0,12}?(\d+\.\d+(?:\.\w+)*)", re.DOTALL)
# A bomb ends here, an honest model does not come near; and it counts into the child's memory.
_MOST_EXPANDED_BYTES = 8 << 30
_PIECE_BYTES = 1 << 20

PICKLES = (".joblib", ".pkl", ".pickle")
# Where a pickle's module comes from, when the package has another name.
_PACKAGE_OF = {
    "sklearn": "scikit-learn",
    "imblearn": "imbalanced-learn",
    "cv2": "opencv-python",
    "yaml": "PyYAML",
    "PIL": "Pillow",
}
_UNREADABLE = {
    b"ZF": "was saved by joblib before 0.10; open it with that release and save it again",
    b"\x04\x22\x4d\x18": "is compressed with LZ4; save it with joblib.dump(model, path, compress=3)",
    b"PK\x03\x04": "is a ZIP archive and not a pickle; a model of skops ends in .skops, one of PyTorch in .pt2",
}


def open_pickle(path: Path, trusted: Collection[str] = ()) -> Any:
    """Open a pickle in this process, with `sealift_bundler.source.unpickling.unpickler`.

    Args:
        trusted: full names of classes and functions that the file may use besides those of known libraries.

    Raises:
        UntrustedPickleError: it asks for something else.
        SourceError: another minor version of scikit-learn saved it, it needs a module or a name that is not here, or
            it is damaged.
    """
    from sealift_bundler.source.unpickling.unpickler import Unpickler

    shown = repr(str(path))
    try:
        with _plain(path, shown) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # versions were compared before
            return Unpickler(file, shown, trusted).load()
    except ModuleNotFoundError as error:
        module = str(error.name)
        package = _PACKAGE_OF.get(module.split(".", maxsplit=1)[0], module.split(".", maxsplit=1)[0])
        raise SourceError(
            f"{shown} needs the module {module!r}, which is not installed; install {package!r} as it was "
            "when the model was saved, or put the module on PYTHONPATH"
        ) from error
    except AttributeError as error:
        raise SourceError(
            f"{shown} refers to something that its module does not have: {error}; "
            "functions defined in a notebook or script cannot be opened elsewhere"
        ) from error
    except (Error, MemoryError):
        raise
    except Exception as error:
        # Damaged pickles raise anything, and so do the constructors of listed classes.
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"{shown} cannot be opened ({type(error).__name__}: {reason})") from error


@contextmanager
def _plain(path: Path, shown: str) -> Iterator[BinaryIO]:
    """Give the file without the compressions that joblib writes, after a look at its scikit-learn."""
    with path.open("rb") as file:
        start = file.read(8)
        file.seek(0)
        for magic, problem in _UNREADABLE.items():
            if start.startswith(magic):
                raise SourceError(f"{shown} {problem}")
        pieces = _expanded(file, start)
        if pieces is not None:
            whole = io.BytesIO()
            for piece in pieces:
                whole.write(piece)
                if whole.tell() > _MOST_EXPANDED_BYTES:
                    raise SourceError(f"{shown} expands to more than {_MOST_EXPANDED_BYTES:,} bytes; save it as it is")
            with whole.getbuffer() as data:
                _check_versions(data, shown)
            whole.seek(0)
            yield whole
            return
        if start:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                _check_versions(data, shown)
        yield file


def _expanded(file: BinaryIO, start: bytes) -> Iterator[bytes] | None:
    if start[:2] in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"):
        return _inflated(file)
    if start[:2] == b"\x1f\x8b":
        return _read(gzip.GzipFile(fileobj=file))
    if start[:3] == b"BZh":
        return _read(bz2.BZ2File(file))
    if start[:6] == b"\xfd7zXZ\x00" or start[:2] == b"\x5d\x00":
        return _read(lzma.LZMAFile(file))
    return None


def _read(opened: Any) -> Iterator[bytes]:
    return iter(lambda: opened.read(_PIECE_BYTES), b"")


def _inflated(file: BinaryIO) -> Iterator[bytes]:
    inflater = zlib.decompressobj()
    data = b""
    while not inflater.eof:
        data = data or file.read(_PIECE_BYTES)
        if not data:
            raise EOFError("the file ends inside its compressed data")
        piece = inflater.decompress(data, _PIECE_BYTES)
        data = inflater.unconsumed_tail
        yield piece


def _check_versions(data: "memoryview | mmap.mmap", shown: str) -> None:
    """Refuse a pickle that another minor version of scikit-learn saved."""
    for saved in sorted({match[1].decode("ascii", "replace") for match in _VERSION.finditer(data)}):
        check_saved_by(saved, shown)
