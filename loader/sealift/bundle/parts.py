"""A bundle in parts: files that fit a stick or a file system, read as one stream and never joined on disk.

A part is a header of 4,096 bytes, then bytes of the bundle. The header finds damage and mixing, and proves nothing:
anyone who can write a part can write its header. What counts is what `inspection.verify` accepts of the whole stream.
"""

import hashlib
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from sealift.bundle.archive import CHUNK_BYTES, open_regular
from sealift.bundle.holes import require_written
from sealift.bundle.naming import named
from sealift.bundle.part_header import HEADER_BYTES, MAGIC, PartHeader, parse_header
from sealift.errors import (
    DigestError,
    LimitError,
    MalformedError,
    UnsafeMemberError,
    UnsupportedVersionError,
    UsageError,
)
from sealift.limits import LIMITS

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_NAME = re.compile(r"\.part-[0-9]+-of-[0-9]+", re.ASCII)
# What damage in a bundle can look like.
_DAMAGE = (MalformedError, UnsupportedVersionError, LimitError, UnsafeMemberError, DigestError)


def part_name(bundle: str, number: int, count: int) -> str:
    """Return the name of a part's file, for example `gitlab-models-2.tar.part-01-of-04`."""
    width = max(2, len(str(count)))
    return f"{bundle}.part-{number:0{width}}-of-{count:0{width}}"


def is_part_name(name: str) -> bool:
    """Return whether a file of this name is taken for a part where a directory is given."""
    return _NAME.fullmatch(name, max(0, name.rfind(".part-"))) is not None


class Part:
    """An open part: its header, where it is, and the file itself.

    Raises:
        MalformedError, UnsupportedVersionError: it is not a part, or its header or length is damaged.
        UsageError, OSError: as `open_regular`.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = open_regular(path, buffering=0)
        try:
            self.header = parse_header(os.pread(self._file.fileno(), HEADER_BYTES, 0), path)
            self._require_length()
            require_written(self._file.fileno(), str(self))
        except BaseException:
            self._file.close()
            raise

    def __str__(self) -> str:
        return f"part {self.header.number} of {self.header.count} ({self.path!r})"

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def readinto(self, view: memoryview, offset: int) -> int:
        """Read bytes of the bundle from `offset` bytes into this part on; returns how many."""
        return os.preadv(self._file.fileno(), [view[: self.header.length - offset]], HEADER_BYTES + offset)

    def digest(self, progress: Callable[[int], object] = lambda _: None) -> str:
        """Return `sha256:<hex>` of the bytes that follow the header, a chunk at a time."""
        hasher, done, buffer = hashlib.sha256(), 0, memoryview(bytearray(CHUNK_BYTES))
        while done < self.header.length and (count := self.readinto(buffer, done)):
            hasher.update(buffer[:count])
            progress(count)
            done += count
        return "sha256:" + hasher.hexdigest()

    def _require_length(self) -> None:
        found, expected = os.fstat(self._file.fileno()).st_size, HEADER_BYTES + self.header.length
        if found != expected:
            how = "was cut short" if found < expected else "has grown"
            raise MalformedError(f"{self} {how}: it has {found:,} bytes; expected {expected:,}; copy it again")


class PartStream(io.RawIOBase):
    """The bundle that parts make, seekable and read-only; `parts` may have gaps, which must not be read."""

    def __init__(self, parts: Sequence[Part]) -> None:
        super().__init__()
        self._parts = parts
        self._size = parts[0].header.size
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in the bundle."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position in the bundle, perhaps beyond its end, and return it."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read up to the end of a part.

        Raises:
            MalformedError: the part that holds this position was not given, or shrank since it was opened.
        """
        view = memoryview(buffer).cast("B")
        if self._position >= self._size or not view:
            return 0
        for part in self._parts:
            offset = self._position - part.header.offset
            if 0 <= offset < part.header.length:
                count = part.readinto(view, offset)
                if not count:
                    raise MalformedError(f"{part} became shorter while it was read; copy it again")
                self._position += count
                return count
        raise MalformedError(
            f"byte {self._position:,} of {self._parts[0].header.bundle!r} is in a part that was not given; "
            f"give all {self._parts[0].header.count} parts"
        )


@contextmanager
def open_stream(paths: str | Sequence[str], *, complete: bool = True) -> Iterator[BinaryIO]:
    """Open a bundle: one file, or its parts in any order, or directories that hold them.

    An error inside the block that damage can cause names the file, or the parts that are damaged.

    Args:
        complete: False where the first part will do, because only the beginning is read.

    Raises:
        MalformedError, UnsupportedVersionError, LimitError: a part is damaged, missing, there twice, or of another
            bundle or another split.
        UsageError: a path is not a regular file, a directory without parts, or a bundle among others.
        OSError: a file does not exist or cannot be read.
    """
    found = find(paths)
    if found is None:
        path = paths if isinstance(paths, str) else paths[0]
        with open_regular(path) as file, named(path):
            yield file
        return
    with ExitStack() as stack:
        parts = [_enter(stack, path) for path in found]
        parts = _in_order(parts, complete=complete)
        # The buffer is the only memory that parts take, however many there are.
        stream = stack.enter_context(io.BufferedReader(PartStream(parts), CHUNK_BYTES))
        try:
            yield cast("BinaryIO", stream)
        except _DAMAGE as error:
            damaged = ", ".join(str(part) for part in parts if part.digest() != part.header.part_digest)
            if not damaged:
                raise
            raise type(error)(f"{damaged} is damaged, copy it again: {error}") from None


def find(paths: str | Sequence[str]) -> list[str] | None:
    """Return the files of all parts that `paths` name, or None for one bundle in one file.

    Raises:
        UsageError: a directory holds no parts, or several files are given of which one is not a part.
        LimitError: more parts than a bundle may have.
        OSError: a file does not exist or cannot be read.
    """
    given = [paths] if isinstance(paths, str) else list(paths)
    found: list[str] = []
    for path in given:
        if not os.path.isdir(path):
            found.append(path)
            continue
        inside = sorted(entry.path for entry in os.scandir(path) if is_part_name(entry.name))
        if not inside:
            raise UsageError(f"{path!r} is a directory; give the bundle's .tar file, or a directory of its parts")
        found += inside
    if len(found) > LIMITS.parts_per_bundle:
        raise LimitError(f"{len(found):,} parts are given; expected at most {LIMITS.parts_per_bundle}")
    strangers = [path for path in found if not is_part(path)]
    if strangers and len(given) > 1:
        raise UsageError(f"{strangers[0]!r} is not a part of a bundle; give one bundle, or all parts of one")
    return None if strangers else found


def is_part(path: str) -> bool:
    """Return whether a file is a part, by its first bytes or, where those are damaged, by its name.

    Raises:
        UsageError, OSError: as `open_regular`.
    """
    if is_part_name(os.path.basename(path)):
        return True
    with open_regular(path) as file:
        return file.read(len(MAGIC)) == MAGIC


def size_of(paths: str | Sequence[str]) -> int:
    """Return the length in bytes of a bundle, as its parts say if it is in parts.

    Raises:
        As `open_stream`.
    """
    found = find(paths)
    if found is None:
        return os.stat(paths if isinstance(paths, str) else paths[0]).st_size
    return read_header(found[0]).size


def read_header(path: str) -> PartHeader:
    """Read what a part says of itself, and check that the file has that length.

    Raises:
        As `check_part`.
    """
    with ExitStack() as stack:
        return _enter(stack, path).header


def check_part(path: str, progress: Callable[[int], object] = lambda _: None) -> PartHeader:
    """Compare one part with its own header: finds a bad stick, and proves nothing.

    Raises:
        MalformedError, UnsupportedVersionError: the part is damaged.
        UsageError, OSError: as `open_regular`.
    """
    with ExitStack() as stack:
        part = _enter(stack, path)
        digest = part.digest(progress)
        if digest != part.header.part_digest:
            raise MalformedError(f"{part} is damaged: expected {part.header.part_digest}, got {digest}; copy it again")
        return part.header


def _enter(stack: ExitStack, path: str) -> Part:
    part = Part(path)
    stack.callback(part.close)
    return part


def _in_order(parts: Sequence[Part], *, complete: bool) -> list[Part]:
    """Check that parts are those of one split of one bundle, each once."""
    first, *others = ordered = sorted(parts, key=lambda part: part.header.number)
    for part in others:
        if part.header.digest != first.header.digest:
            raise MalformedError(
                f"parts of two bundles: {first} is of {first.header.bundle!r}, {first.header.digest}; "
                f"{part} is of {part.header.bundle!r}, {part.header.digest}"
            )
        if (part.header.count, part.header.size) != (first.header.count, first.header.size):
            raise MalformedError(f"parts of two splits of {first.header.bundle!r}: {first} and {part}; use one split")
    for before, part in zip(ordered, others, strict=False):
        if part.header == before.header:
            raise MalformedError(f"{before} is there twice, also as {part.path!r}; give each part once")
        adjacent = part.header.number == before.header.number + 1
        if part.header.offset < before.header.end or (adjacent and part.header.offset != before.header.end):
            raise MalformedError(
                f"parts of two splits of {first.header.bundle!r}: {before} ends at byte {before.header.end:,}, "
                f"{part} begins at {part.header.offset:,}; use one split"
            )
    there = {part.header.number for part in parts}
    # The numbers are counted, not listed: a header may claim many.
    missing = [number for number in range(1, first.header.count + 1) if number not in there]
    if missing and (complete or 1 in missing):
        raise MalformedError(
            f"{first.header.bundle!r} has {first.header.count} parts; missing: {', '.join(map(str, missing))}; "
            f"given: {', '.join(map(str, sorted(there)))}"
        )
    return ordered
