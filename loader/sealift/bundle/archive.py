"""Read a canonical tar front to back, never further than asked; a look ahead returns to where it began.

Works on any binary stream; knows nothing of models or trust. The reader says how much it will take.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from sealift.bundle.source import verified
from sealift.bundle.tarformat import BLOCK, END, Member, parse_header
from sealift.errors import LimitError, MalformedError, UsageError
from sealift_common.wrong_file import kind_of

CHUNK_BYTES = 1024 * 1024
# Holds headers and small members. A chunk is larger, so that it comes from the file without a copy in between.
_BUFFER_BYTES = 128 * 1024


def open_regular(path: str, *, buffering: int = _BUFFER_BYTES) -> BinaryIO:
    """Open a bundle for reading, without waiting on a FIFO or reading a device.

    Args:
        buffering: bytes of the buffer, 0 for none.

    Raises:
        UsageError: the path is a directory or not a regular file.
        OSError: it does not exist or cannot be read.
    """
    # Looked at first, because opening a device can act (a tape rewinds), and again once open, because the
    # path may name something else by then.
    _require_regular(path, os.stat(path).st_mode)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        _require_regular(path, os.fstat(descriptor).st_mode)
    except BaseException:
        os.close(descriptor)
        raise
    # Not inside: a signal right after this would have the descriptor closed twice.
    return os.fdopen(descriptor, "rb", buffering=buffering)


def _require_regular(path: str, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
        raise UsageError(f"{path!r} is {kind}; give the bundle's .tar file")


class Archive:
    """One pass over the members of a bundle.

    Args:
        stream: positioned at the first header.
        progress: called with the number of bytes taken since the last call.
        what: how errors name the file, `bundle` or `backup`.
    """

    any_order = False

    def __init__(
        self, stream: BinaryIO, progress: Callable[[int], object] = lambda _: None, *, what: str = "bundle"
    ) -> None:
        self._what = what
        self._stream = stream
        self._progress = progress
        self._last: Member | None = None
        self._mtime: int | None = None

    def next(self, expected: str) -> Member:
        """Read the next header, which must be that of `expected`.

        Raises:
            MalformedError: the archive ends here, or another member stands here.
            UnsafeMemberError: the header is not a plain file's.
        """
        member = self._header(expected)
        if member.name != expected:
            raise MalformedError(f"the {self._what} holds {member.name[:120]!r} {self._where()}; expected {expected!r}")
        return self._enter(member)

    def next_of(self, expected: tuple[str, ...]) -> Member:
        """Like `next`, for a place where one of several members may stand."""
        member = self._header(" or ".join(expected))
        if member.name not in expected:
            raise MalformedError(
                f"the {self._what} holds {member.name[:120]!r} {self._where()}; "
                f"expected {' or '.join(map(repr, expected))}"
            )
        return self._enter(member)

    def read(self, member: Member, max_size_bytes: int) -> bytes:
        """Return the whole content of the member just entered.

        Raises:
            LimitError: it is larger than `max_size_bytes`.
            MalformedError: the archive was cut short.
        """
        if member.size > max_size_bytes:
            raise LimitError(f"{member.name!r} has {member.size:,} bytes; expected at most {max_size_bytes:,}")
        return b"".join(self.chunks(member))

    def chunks(self, member: Member) -> Iterator[bytes]:
        """Yield the content of the member just entered, then check that its padding is zero."""
        left = member.size
        while left:
            chunk = self._stream.read(min(left, CHUNK_BYTES))
            if not chunk:
                raise MalformedError(
                    f"the {self._what} ends inside {member.name!r}, {left:,} bytes too early; "
                    "it was cut short, copy it again"
                )
            left -= len(chunk)
            self._progress(len(chunk))
            yield chunk
        if self._take(member.padding) != bytes(member.padding):
            raise MalformedError(f"the padding after {member.name!r} is damaged or cut short; copy it again")

    def verified_chunks(self, member: Member, digest: str, what: str) -> Iterator[bytes]:
        """Yield the content like `chunks`; after the last chunk, compare it with its signed digest.

        The caller must not use what it got before the iteration ended without an error.

        Raises:
            DigestError: the content is not what was signed.
        """
        return verified(self.chunks(member), digest, f"{member.name!r} ({what})")

    @contextmanager
    def looking_ahead(self) -> Iterator[None]:
        """Read on inside the block, then stand where the block began; the stream must be seekable.

        What is read twice is checked twice.
        """
        position, last, progress = self._stream.tell(), self._last, self._progress
        self._progress = lambda _: None
        try:
            yield
        finally:
            self._stream.seek(position)
            self._last, self._progress = last, progress

    def skip(self, member: Member) -> None:
        """Pass over the content of the member just entered, unread; only while looking ahead."""
        self._stream.seek(member.size + member.padding, os.SEEK_CUR)

    def end(self) -> None:
        """Check that the archive ends here, and the file with it.

        Raises:
            MalformedError: another member, damage or trailing data follows.
        """
        found = self._take(len(END) + 1)
        if found != END:
            raise MalformedError(
                f"the {self._what} does not end {self._where()} as it should; data is damaged, missing or added"
            )

    def _header(self, expected: str) -> Member:
        block = self._take(BLOCK)
        if not block or block == bytes(BLOCK):
            raise MalformedError(
                f"the {self._what} ends {self._where()}; expected {expected!r}; it was cut short, copy it again"
            )
        if self._last is None:
            self._refuse_other_kinds(block)
        try:
            member = parse_header(block, f"of {expected!r} {self._where()}")
        except MalformedError as error:
            if self._last is None:
                raise MalformedError(
                    f"this is not a Sealift {self._what}, or its beginning is damaged: {error}"
                ) from None
            raise
        if self._mtime is None:
            self._mtime = member.mtime
        elif member.mtime != self._mtime:
            raise MalformedError(
                f"the tar header of {member.name[:120]!r} has another time than the first; copy it again"
            )
        return member

    def _enter(self, member: Member) -> Member:
        self._last = member
        return member

    def _where(self) -> str:
        return f"after {self._last.name!r}" if self._last else "at its start"

    def _take(self, size: int) -> bytes:
        # A pipe may return less than asked without being at its end.
        parts = []
        while size:
            part = self._stream.read(size)
            if not part:
                break
            parts.append(part)
            size -= len(part)
        taken = b"".join(parts)
        self._progress(len(taken))
        return taken

    def _refuse_other_kinds(self, block: bytes) -> None:
        kind = kind_of(block, self._what)
        if kind is not None:
            raise MalformedError(f"this is not a Sealift {self._what}: it is {kind}")
