"""Sources of a bundle: a file (`bundle.archive`), or a registry (`sealift.registry`).

Whatever the place, the reader asks for the same members in the same order, and believes none of them.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from sealift.bundle.tarformat import Member
from sealift.errors import DigestError

_LARGE_BYTES = 1024 * 1024


class Source(Protocol):
    """One pass over the members of a bundle. `Archive` says what each method raises.

    Attributes:
        any_order: whether a member can be had without passing over those before it. Then blobs that nobody needs
            are not asked for; a file is always read to its end.
    """

    any_order: bool

    def next(self, expected: str) -> Member:
        """Begin with the member `expected`."""

    def next_of(self, expected: tuple[str, ...]) -> Member:
        """Like `next`, for a place where one of several members may stand."""

    def read(self, member: Member, max_size_bytes: int) -> bytes:
        """Return the whole content of the member just entered."""

    def verified_chunks(self, member: Member, digest: str, what: str) -> Iterator[bytes]:
        """Yield the content of the member just entered; after the last chunk, compare it with its signed digest."""

    def looking_ahead(self) -> AbstractContextManager[None]:
        """Read on inside the block, then stand where the block began."""

    def skip(self, member: Member) -> None:
        """Pass over the content of the member just entered, unread; only while looking ahead."""

    def end(self) -> None:
        """Check that the bundle ends here."""


def verified(chunks: Iterable[bytes], digest: str, what: str) -> Iterator[bytes]:
    """Yield `chunks`; after the last, compare them with their digest.

    The caller must not use what it got before the iteration ended without an error. While it works on one chunk, a
    thread hashes it: of large files, hashing takes as long as reading and writing together.

    Raises:
        DigestError: they are other bytes.
    """
    hasher = hashlib.sha256()
    chunks = iter(chunks)
    for chunk in chunks:
        hasher.update(chunk)
        yield chunk
        # Most files are one chunk, for which no thread is worth its start.
        if len(chunk) >= _LARGE_BYTES:
            yield from _hashed_beside(hasher, chunks)
    found = "sha256:" + hasher.hexdigest()
    if found != digest:
        raise DigestError(f"{what} is damaged or was changed; expected {digest}, got {found}")


def _hashed_beside(hasher: "hashlib._Hash", chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield `chunks`, each while a thread hashes it; never more than one is waiting to be hashed."""
    from concurrent.futures import Future, ThreadPoolExecutor

    with ThreadPoolExecutor(1, "sealift-hash") as thread:
        last: Future[None] | None = None
        for chunk in chunks:
            if last is not None:
                last.result()
            last = thread.submit(hasher.update, chunk)
            yield chunk
        if last is not None:
            last.result()
