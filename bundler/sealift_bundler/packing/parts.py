"""Write a bundle as parts, in one pass and without a second copy; the headers come last, when the digests are known."""

import hashlib
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from sealift.bundle.archive import CHUNK_BYTES, Archive
from sealift.bundle.holes import require_written
from sealift.bundle.part_header import HEADER_BYTES, PartHeader
from sealift.bundle.parts import check_part, is_part, is_part_name, open_stream, part_name
from sealift.bundle.reader import read_head
from sealift.errors import UsageError
from sealift.limits import LIMITS
from sealift_common.files import durable, scratch
from sealift_common.files.output import require_place
from sealift_common.wording import counted


class PartWriter:
    """Takes the bytes of a bundle; nothing stands under the name of a part before `publish`.

    Args:
        path: the file that the bundle would be, in the directory of the parts.
        size_bytes: of the bundle.
        part_size_bytes: what a part may have at most, its header included.

    Raises:
        UsageError: parts would be too many or too small, or something else stands where they go.
        LimitError: the file's name cannot name parts.
    """

    def __init__(self, path: Path, size_bytes: int, part_size_bytes: int) -> None:
        content = part_size_bytes - HEADER_BYTES
        if content < HEADER_BYTES:
            raise UsageError(
                f"parts of {part_size_bytes:,} bytes are too small; expected at least {2 * HEADER_BYTES:,}"
            )
        count = -(-size_bytes // content)
        if count > LIMITS.parts_per_bundle:
            raise UsageError(
                f"{path.name!r} would have {count:,} parts; expected at most {LIMITS.parts_per_bundle}: "
                "choose a larger part size"
            )
        self._headers = [
            PartHeader(
                bundle=path.name,
                digest="",
                size=size_bytes,
                number=number + 1,
                count=count,
                offset=number * content,
                length=min(content, size_bytes - number * content),
                part_digest="",
            )
            for number in range(count)
        ]
        self._headers[0].to_bytes()
        self._paths = [path.with_name(part_name(path.name, header.number, count)) for header in self._headers]
        for part in self._paths:
            require_place(part)
        self._scratch: list[scratch.ScratchFile] = []
        self._stack = ExitStack()
        _require_no_others(path, self._paths)
        self._whole, self._part = hashlib.sha256(), hashlib.sha256()
        self._number = -1
        self._left = 0

    def __enter__(self) -> Self:
        """Return the writer, and remove what killed ones left."""
        scratch.sweep(self._paths[0].parent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove what was not published."""
        self._stack.close()

    def write(self, chunk: bytes) -> None:
        """Append to the part that has room, and begin others as needed."""
        self._whole.update(chunk)
        view = memoryview(chunk)
        while view:
            if not self._left:
                self._begin()
            piece = view[: self._left]
            self._scratch[-1].file.write(piece)
            self._part.update(piece)
            self._left -= len(piece)
            view = view[len(piece) :]

    def finish(self) -> list[Path]:
        """Write the headers and sync every part; returns where they are now, to be read before they count."""
        self._end()
        digest = "sha256:" + self._whole.hexdigest()
        for header, made in zip(self._headers, self._scratch, strict=True):
            made.file.seek(0)
            made.file.write(replace(header, digest=digest).to_bytes())
            made.file.flush()
            os.fsync(made.file.fileno())
        return [made.path for made in self._scratch]

    def publish(self) -> tuple[Path, ...]:
        """Give the parts their names, durably; a part of the same name is replaced."""
        for made, path in zip(self._scratch, self._paths, strict=True):
            durable.move(made.path, path)
        return tuple(self._paths)

    def _begin(self) -> None:
        self._end()
        self._number += 1
        self._left = self._headers[self._number].length
        self._part = hashlib.sha256()
        # Open, and so locked, until it has its name.
        made = self._stack.enter_context(scratch.beside(self._paths[self._number], "part"))
        made.file.seek(HEADER_BYTES)
        self._scratch.append(made)

    def _end(self) -> None:
        if self._number < 0:
            return
        self._scratch[-1].file.flush()
        digest = "sha256:" + self._part.hexdigest()
        self._headers[self._number] = replace(self._headers[self._number], part_digest=digest)


def split(
    bundle: Path, directory: Path, part_size_bytes: int, *, progress: Callable[[int], object] = lambda _: None
) -> tuple[Path, ...]:
    """Write `bundle` as parts into `directory`, made if it is not there, then read them back; the bundle stays.

    Only its head is looked at: `sealift verify` judges bundles.

    Args:
        part_size_bytes: what a part may have at most, its header included.
        progress: called with the number of bytes written or read since the last call.

    Raises:
        UsageError: it is a part already, or parts would be too many or too small, or others are there.
        MalformedError, UnsafeMemberError, LimitError, DigestError, UnsupportedVersionError: it is not a bundle.
    """
    if not bundle.is_dir() and is_part(str(bundle)):
        raise UsageError(f"{str(bundle)!r} is a part already; split the whole bundle")
    with ExitStack() as stack:
        file = stack.enter_context(open_stream(str(bundle)))
        read_head(Archive(file))
        require_written(file.fileno(), repr(str(bundle)))
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        directory.mkdir(parents=True, exist_ok=True)
        writer = stack.enter_context(PartWriter(directory / bundle.name, size, part_size_bytes))
        left = size
        while left and (chunk := file.read(min(left, CHUNK_BYTES))):
            writer.write(chunk)
            progress(len(chunk))
            left -= len(chunk)
        if left or file.read(1):
            raise UsageError(f"{str(bundle)!r} changed while it was read; split it once it is complete")
        _read_back(writer.finish(), progress)
        return writer.publish()


def _read_back(paths: list[Path], progress: Callable[[int], object]) -> None:
    """Read every part as an instance would, so that a disk that lies is found here."""
    for path in paths:
        check_part(str(path), progress)


def _require_no_others(path: Path, paths: list[Path]) -> None:
    """Refuse to leave parts of two splits in one directory, where `install` would find both."""
    expected = {part.name for part in paths}
    for name in sorted(os.listdir(path.absolute().parent)):
        if name.startswith(f"{path.name}.part-") and is_part_name(name) and name not in expected:
            raise UsageError(
                f"{str(path.with_name(name))!r} is a part of another split, and this one has "
                f"{counted(len(paths), 'part')}; remove it first"
            )
