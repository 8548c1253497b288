"""Expand a signed zstd frame: one frame, never more than its signed length, its digest checked at the end.

The caller has compared the compressed bytes with their signed digest first; nothing else is ever expanded.
"""

import hashlib
import sys
from collections.abc import Iterable, Iterator

from sealift.bundle.manifest import Blob
from sealift.errors import DigestError
from sealift.limits import LIMITS

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_CHUNK_BYTES = 1024 * 1024


def expand(compressed: Iterable[bytes], plain: Blob, what: str) -> Iterator[bytes]:
    """Yield the file that `compressed` holds.

    The caller must not use what it got before the iteration ended without an error.

    Args:
        compressed: the bytes of the frame, in chunks.
        plain: the signed digest and length of the file.
        what: how errors name the file.

    Raises:
        DigestError: it is not one zstd frame, needs more memory than a frame of ours, or does not expand to
            what was signed.
    """
    hasher = hashlib.sha256()
    size = 0
    try:
        for chunk in _frame(compressed, what):
            size += len(chunk)
            if size > plain.size:
                raise DigestError(f"{what} expands beyond its signed length of {plain.size:,} bytes")
            hasher.update(chunk)
            yield chunk
    except (zstd.ZstdError, EOFError) as error:
        raise DigestError(f"{what} is signed as a zstd frame, and is not one: {error}") from None
    if size != plain.size or "sha256:" + hasher.hexdigest() != plain.digest:
        raise DigestError(f"{what} does not expand to the {plain.size:,} bytes that were signed")


def _frame(compressed: Iterable[bytes], what: str) -> Iterator[bytes]:
    """Expand exactly one frame; more of them, empty ones say, could cost time without end."""
    options = {int(zstd.DecompressionParameter.window_log_max): LIMITS.zstd_window_log}
    decompressor = zstd.ZstdDecompressor(options=options)
    for data in compressed:
        if decompressor.eof:
            raise DigestError(f"{what} is signed as one zstd frame, and more follows it")
        yield decompressor.decompress(data, max_length=_CHUNK_BYTES)
        while not decompressor.eof and not decompressor.needs_input:
            yield decompressor.decompress(b"", max_length=_CHUNK_BYTES)
    if not decompressor.eof:
        raise EOFError("it is cut short")
    if decompressor.unused_data:
        raise DigestError(f"{what} is signed as one zstd frame, and more follows it")
