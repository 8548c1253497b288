"""Expand a file of a model: one zstd frame, never more than its signed length, in bounded memory. Pure.

The caller has checked the frame against its signed digest; what is signed can still be a bomb, or no frame.
"""

import hashlib
import sys
from collections.abc import Iterable, Iterator

from sealift_common.blob import Blob
from sealift_common.errors import DigestError, LimitError
from sealift_common.parsing.limits import LIMITS

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Prefix = zstd.ZstdDict
_CHUNK_BYTES = 1024 * 1024
_FRAME_MAGIC = b"\x28\xb5\x2f\xfd"
_SINGLE_SEGMENT = 0x20
_WINDOW_BASE_LOG = 10
_PATCH_LOG = (LIMITS.patched_file_size_bytes - 1).bit_length()


def prefix_of(chunks: Iterable[bytes], size: int) -> Prefix:
    """Take a file of `size` bytes, which patches start from, into memory; at its end there is one copy of it."""
    content = bytearray(size)
    view, place = memoryview(content), 0
    for chunk in chunks:
        view[place : place + len(chunk)] = chunk
        place += len(chunk)
    return zstd.ZstdDict(content, is_raw=True)


def expand(chunks: Iterable[bytes], plain: Blob, what: str, *, old: Prefix | None = None) -> Iterator[bytes]:
    """Yield the file that a frame holds, in chunks of at most 1 MiB; after the last, check its digest.

    The caller must not use what it got before the iteration ended without an error.

    Args:
        chunks: the bytes of the blob, in pieces of any size.
        plain: the signed digest and length of the file.
        what: how errors name it.
        old: the file that the frame is a patch to; None where it is none.

    Raises:
        LimitError: the frame wants more memory than `LIMITS.zstd_window_log` allows.
        DigestError: it is not exactly one zstd frame, or does not hold the file that was signed.
    """
    hasher = hashlib.sha256()
    size = 0
    try:
        for chunk in _one_frame(iter(chunks), what, old):
            size += len(chunk)
            if size > plain.size:
                raise DigestError(f"{what} expands beyond its signed length of {plain.size:,} bytes")
            hasher.update(chunk)
            yield chunk
    except (zstd.ZstdError, EOFError) as error:
        raise DigestError(f"{what} is {_expected(old)}, and is not one: {error}") from None
    if size != plain.size or "sha256:" + hasher.hexdigest() != plain.digest:
        raise DigestError(f"{what} does not expand to the {plain.size:,} bytes that were signed")


def _one_frame(chunks: Iterator[bytes], what: str, old: Prefix | None) -> Iterator[bytes]:
    """Expand exactly one frame; more of them, empty or skippable ones say, could cost time without end."""
    start = b""
    while len(start) < len(_FRAME_MAGIC) + 2:
        start += _next(chunks)
    if not start.startswith(_FRAME_MAGIC):
        raise DigestError(f"{what} is {_expected(old)}, and begins with {start[:4].hex()}")
    _require_small_window(start, what)
    decompressor = zstd.ZstdDecompressor(
        # A patch says how long its file is, and its window is that file; the bound on it is one on both.
        options={zstd.DecompressionParameter.window_log_max: LIMITS.zstd_window_log if old is None else _PATCH_LOG},
        zstd_dict=None if old is None else old.as_prefix,
    )
    data = start
    while True:
        if expanded := decompressor.decompress(data, max_length=_CHUNK_BYTES):
            yield expanded
        if decompressor.eof:
            break
        data = _next(chunks) if decompressor.needs_input else b""
    if decompressor.unused_data or next((chunk for chunk in chunks if chunk), b""):
        raise DigestError(f"{what} is {_expected(old)}, and more follows it")


def _expected(old: Prefix | None) -> str:
    return "signed as a zstd frame" if old is None else "to be made by a patch that is a zstd frame"


def _next(chunks: Iterator[bytes]) -> bytes:
    """Take the next chunk that holds something."""
    for chunk in chunks:
        if chunk:
            return chunk
    raise EOFError("it is cut short")


def _require_small_window(start: bytes, what: str) -> None:
    """Name the window where it is too large; zstd itself would only speak of memory (RFC 8878, 3.1.1.1.2)."""
    descriptor, window = start[len(_FRAME_MAGIC)], start[len(_FRAME_MAGIC) + 1]
    if descriptor & _SINGLE_SEGMENT:
        return
    base = 1 << (_WINDOW_BASE_LOG + (window >> 3))
    size = base + base // 8 * (window & 7)
    if size > 1 << LIMITS.zstd_window_log:
        raise LimitError(
            f"{what} is a zstd frame with a window of {size:,} bytes; expected at most {1 << LIMITS.zstd_window_log:,}"
        )
