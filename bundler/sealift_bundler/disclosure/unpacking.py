"""Look into documents: what is compressed, an archive or a table is expanded, and what cannot be is told. Pure."""

import bz2
import lzma
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

from sealift.limits import LIMITS

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# An archive in an archive in an archive.
_DEPTH = 4
_CLOSED = {
    b"%PDF": "a PDF",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x04\x22\x4d\x18": "compressed with LZ4",
    b"\x89HDF": "an HDF5 file",
    b"Obj\x01": "an Avro file",
    b"\x1f\x9d": "compressed with compress",
    b"LZIP\x01": "compressed with lzip",
    b"\x02\x21\x4c\x18": "compressed with LZ4",
    b"MSCF\0\0\0\0": "a CAB archive",
    b"!<arch>\n": "an ar archive",
    b"\xed\xab\xee\xdb": "an RPM package",
    b"\xff\x06\x00\x00sNaPpY": "compressed with Snappy",
}


class UnreadableError(Exception):
    """A document that cannot be looked into; the message says what it is and holds nothing of it."""


class DamagedError(UnreadableError):
    """It is not what it looks like, or was."""


def contents(data: bytes, most_bytes: int = LIMITS.document_size_bytes) -> Iterator[bytes]:
    """Yield a document and, at any depth, what is packed in it.

    Args:
        most_bytes: what may come out of it in all.

    Raises:
        UnreadableError: it is encrypted, damaged, too deep or too large, or of a format that nothing here reads.
    """
    yield from _Unpacking(most_bytes).contents(data, 0)


class _Unpacking:
    """One document; counts what it expands to."""

    def __init__(self, most_bytes: int) -> None:
        self._left = self._most_bytes = most_bytes

    def contents(self, data: bytes, depth: int) -> Iterator[bytes]:
        yield data
        inner = self._inner(data)
        if inner is None:
            return
        if depth == _DEPTH:
            raise UnreadableError("archives in archives, too deep")
        for part in inner:
            yield from self.contents(part, depth + 1)

    def _inner(self, data: bytes) -> Iterator[bytes] | None:
        what = _closed(data)
        if what is not None:
            raise UnreadableError(what)
        for start, opener in _STREAMS.items():
            if data.startswith(start):
                return self._stream(data, start, opener)
        if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return self._zip(data)
        if data[257:262] == b"ustar":
            return self._tar(data)
        if data.startswith((b"PAR1", b"ARROW1\0\0")) or (data.startswith(b"PARE") and data.endswith(b"PARE")):
            return _table(data)
        # zlib has no magic number: two bytes that 31 divides. Not all that begins so is it. An archive may stand behind
        # a program that unpacks it, or a picture; and its last bytes anywhere by chance.
        may_be = data[:1] == b"x" and len(data) > 2 and int.from_bytes(data[:2]) % 31 == 0
        opened = self._stream(data, b"x", zlib.decompressobj) if may_be else self._zip(data)
        try:
            return iter(list(opened)) if may_be or zipfile.is_zipfile(BytesIO(data)) else None
        except DamagedError:
            return None

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise UnreadableError(f"it expands to more than {self._most_bytes:,} bytes")

    def _stream(self, data: bytes, start: bytes, opener: Callable[[], Any]) -> Iterator[bytes]:
        parts = []
        try:
            while data:
                decompressor = opener()
                if isinstance(decompressor, _ZLIB):
                    parts.append(decompressor.decompress(data, self._left + 1))
                    ended, data = decompressor.eof, decompressor.unused_data
                else:
                    parts.append(decompressor.decompress(data, max_length=self._left + 1))
                    ended, data = decompressor.eof, decompressor.unused_data
                self._spend(len(parts[-1]))
                if not ended:
                    raise DamagedError("compressed, and cut short")
        except (OSError, EOFError, zlib.error, lzma.LZMAError, zstd.ZstdError):
            if not parts or data.startswith(start):
                raise DamagedError("compressed, and damaged") from None
            # Something else stands behind the compressed part, and is searched with the document's own bytes.
        yield b"".join(parts)

    def _zip(self, data: bytes) -> Iterator[bytes]:
        try:
            with zipfile.ZipFile(BytesIO(data)) as archive:
                for member in archive.infolist():
                    if member.flag_bits & 1:
                        raise UnreadableError("an encrypted archive")
                    with archive.open(member) as file:
                        content = file.read(self._left + 1)
                    self._spend(len(content))
                    yield content
        except (OSError, EOFError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error, lzma.LZMAError):
            raise DamagedError("a damaged archive") from None

    def _tar(self, data: bytes) -> Iterator[bytes]:
        try:
            with tarfile.open(fileobj=BytesIO(data), mode="r:") as archive:
                for member in archive:
                    file = archive.extractfile(member) if member.isreg() else None
                    if file is not None:
                        self._spend(member.size)
                        yield file.read()
        except (OSError, EOFError, ValueError, tarfile.TarError):
            raise DamagedError("a damaged archive") from None


def _closed(data: bytes) -> str | None:
    # A text may begin with these letters.
    if data.startswith(b"ORC") and data[-4:-1] == b"ORC":
        return "an ORC file"
    return next((what for start, what in _CLOSED.items() if data.startswith(start)), None)


_ZLIB = type(zlib.decompressobj())
_STREAMS: dict[bytes, Callable[[], Any]] = {
    b"\x1f\x8b": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\x00": lzma.LZMADecompressor,
    b"\x5d\0\0": lzma.LZMADecompressor,
    b"\x28\xb5\x2f\xfd": zstd.ZstdDecompressor,
}


def _table(data: bytes) -> Iterator[bytes]:
    """Yield the texts of each batch of a Parquet or Arrow file, one a line."""
    try:
        import pyarrow as pa
        from pyarrow import feather, parquet
    except ModuleNotFoundError:
        raise UnreadableError("a Parquet or Arrow file, and the Python package 'pyarrow' is not installed") from None
    try:
        table = (parquet.read_table if data[:1] == b"P" else feather.read_table)(BytesIO(data))
        yield repr(table.schema.metadata or {}).encode()
        for batch in table.to_batches(max_chunksize=10_000):
            for column in batch.columns:
                yield "\n".join(_texts(column.to_pylist())).encode("utf-8", "surrogatepass")
    except (pa.ArrowException, OSError, ValueError):
        raise DamagedError("a damaged Parquet or Arrow file") from None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield value.decode("latin-1")
    elif isinstance(value, dict):
        yield from _texts([*value, *value.values()])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield str(value)
