"""One canonical tar: every byte of a header follows from its member's name, size and the release time.

A reader that accepts exactly what the writer produces needs no list of tar tricks: links, devices,
sparse files, PAX overrides, odd modes and alternative number encodings are all "not canonical".
The encoding itself is `tarfile`'s (POSIX.1-1988 ustar).
"""

import tarfile
from typing import NamedTuple

from sealift.errors import LimitError, MalformedError, UnsafeMemberError
from sealift.limits import LIMITS

BLOCK = 512
# POSIX ends an archive with two zero blocks; we add nothing to fill a tape record.
END = bytes(2 * BLOCK)
_FILE_MODE = 0o644


class Member(NamedTuple):
    """A regular file in the tar: its name, `size` in bytes, and `mtime` in seconds since 1970."""

    name: str
    size: int
    mtime: int

    @property
    def padding(self) -> int:
        """Zero bytes between the content and the next header."""
        return -self.size % BLOCK

    def header(self) -> bytes:
        """Return the 512 bytes that stand in front of the content.

        Raises:
            LimitError: the size does not fit a ustar header.
        """
        if self.size > LIMITS.member_size_bytes:
            raise LimitError(
                f"{self.name!r} has {self.size:,} bytes; a member holds at most {LIMITS.member_size_bytes:,}"
            )
        info = tarfile.TarInfo(self.name)
        info.size, info.mtime, info.mode = self.size, self.mtime, _FILE_MODE
        return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def _as_written(block: bytes) -> Member | None:
    """Return the member whose header this is, byte for byte; None for any other block.

    Raises:
        LimitError: as `Member.header`.
    """
    size, mtime = block[124:135], block[136:147]
    if not (size.isdigit() and mtime.isdigit()):
        return None
    try:
        name, prefix = (part.rstrip(b"\0").decode("ascii") for part in (block[:100], block[345:500]))
        member = Member(f"{prefix}/{name}" if prefix else name, int(size, 8), int(mtime, 8))
        return member if member.header() == block else None
    except ValueError:
        return None


def parse_header(block: bytes, position: str) -> Member:
    """Parse a header block; `position` says where it stands, for errors.

    Raises:
        MalformedError: the block is not a tar header, or cut short.
        UnsafeMemberError: it is a header, but not the one that we write for this name and size.
    """
    if len(block) != BLOCK:
        raise MalformedError(f"the file ends inside the tar header {position}; it was cut short, copy it again")
    written = _as_written(block)
    if written is not None:
        return written
    # What is wrong with it, the library says.
    try:
        info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        member = Member(info.name, info.size, int(info.mtime))
        canonical = member.header() if info.size >= 0 and info.mtime >= 0 else b""
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise MalformedError(f"the tar header {position} is damaged or not a tar header: {error}") from None
    if canonical != block:
        raise UnsafeMemberError(
            f"the tar header {position} ({info.name[:120]!r}) is not of a plain file as Sealift packs it; "
            "the file was damaged or repacked, copy it again"
        )
    return member
