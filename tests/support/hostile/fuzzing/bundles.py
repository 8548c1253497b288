"""Parsers of bundles: tar, parts, patches, frames, manifests."""

import contextlib
import hashlib
import io
import sys
from collections.abc import Callable
from functools import cache

from support.hostile.bundles import raw_header

from sealift.bundle import base
from sealift.bundle import part_header as parts
from sealift.bundle.archive import Archive
from sealift.bundle.reader import read_contents, read_head, read_payload
from sealift.bundle.tarformat import parse_header
from sealift.errors import Error
from sealift.inspection import claims as inspect
from sealift_common.blob import Blob
from sealift_common.oci.compression import expand, prefix_of
from sealift_common.oci.manifest import bind_config, parse_manifest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd
from support.hostile.fuzzing.samples import MODEL, OLD, SHA, good, good_manifest


def tar_header(data: bytes) -> None:
    parse_header(data[:512], "here")


def part_header(data: bytes) -> None:
    """A header as it is, and its text under a checksum that is right."""
    with contextlib.suppress(Error):
        parts.parse_header(data[: parts.HEADER_BYTES], "x")
    start = data[: parts.HEADER_BYTES - 64].ljust(parts.HEADER_BYTES - 64, b"\0")
    parts.parse_header(start + hashlib.sha256(start).hexdigest().encode(), "x")


def base_document(data: bytes) -> None:
    base.require_fit(base.parse_base(data), [good_manifest()])


def patch(data: bytes) -> None:
    """Apply a patch; the first two bytes say how long the file should be."""
    length = int.from_bytes(data[:2], "big") * 64
    taken = 0
    try:
        for chunk in expand([data[2:]], Blob(SHA, length), "x", old=prefix_of([OLD], len(OLD))):
            taken += len(chunk)
    finally:
        assert taken <= length


def bundle(data: bytes) -> None:
    """Read a whole bundle as `inspect` and then `verify` do, trusting what it claims."""
    archive = Archive(io.BytesIO(data))
    head = read_head(archive)
    claims = inspect.claims(head)
    contents = read_contents(archive, head, claims.release.models)
    read_payload(archive, contents, lambda _blob, chunks: list(chunks), lambda _patch, chunks: list(chunks))


def patched_bundle(data: bytes) -> None:
    """Patch a good bundle: three bytes of position, a length, and what to write there."""
    base = bytearray(good()[0])
    while len(data) >= 5:
        position = int.from_bytes(data[:3], "big") % len(base)
        length = 1 + data[3] % 32
        base[position : position + length] = data[4 : 4 + length]
        data = data[4 + length :]
    bundle(bytes(base))


def odd_archive(data: bytes) -> None:
    """Put tar headers of any kind between the members of a good bundle: a byte for the place, then the block."""
    base, place = good()[0], 512 * (data[0] if data else 0)
    bundle(base[:place] + data[1:] + bytes(-len(data[1:]) % 512) + base[place:])


def compression(data: bytes) -> None:
    """Expand a frame that was signed; the first two bytes say how long the file should be."""
    length = int.from_bytes(data[:2], "big") * 64
    taken = 0
    try:
        for chunk in expand([data[2:]], Blob("sha256:" + "0" * 64, length), "x"):
            taken += len(chunk)
    finally:
        assert taken <= length


def manifest(data: bytes) -> None:
    bind_config(parse_manifest(data, MODEL, "sha256:" + "0" * 64), good()[3])


def config(data: bytes) -> None:
    bind_config(parse_manifest(good()[2], MODEL, "sha256:" + "0" * 64), data)


def odd_headers() -> list[bytes]:
    """One header of each kind that tar has."""
    kinds = [b"0", b"1", b"2", b"5", b"L", b"K", b"S", b"x", b"g"]
    records = b"22 path=../etc/passwd\n".ljust(512, b"\0")
    return [raw_header(b"oci-layout", 22, type=kind, linkname=b"/etc") + records for kind in kinds]


def _base() -> base.Base:
    blobs = {file.name: file.blob.digest for file in good_manifest().files}
    return base.Base(
        3, SHA, frozenset([blobs["model.json"]]), (base.Patch(blobs["model.onnx"], Blob(SHA, 9), Blob(SHA, 99)),)
    )


def _patch_frame() -> bytes:
    compressor = zstd.ZstdCompressor(zstd_dict=zstd.ZstdDict(OLD, is_raw=True).as_prefix)
    return compressor.compress(OLD[:700] + b"new") + compressor.flush()


@cache
def _frame() -> bytes:
    return zstd.compress(b"hello" * 100)


# Each target, and good inputs for it, from which a fuzzer departs.
TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "tar_header": (tar_header, lambda: [good()[0][:512]]),
    "part_header": (part_header, lambda: [parts.PartHeader("x", SHA, 9, 1, 2, 0, 5, SHA).to_bytes()]),
    "base_document": (base_document, lambda: [_base().to_bytes()]),
    "patch": (patch, lambda: [b"\0\x10" + _frame(), b"\0\x10" + _patch_frame()]),
    "bundle": (bundle, lambda: [good()[0]]),
    "patched_bundle": (patched_bundle, lambda: [b"\0\2\0\1x"]),
    "odd_archive": (odd_archive, lambda: [b"\0" + header for header in odd_headers()]),
    "compression": (
        compression,
        lambda: [b"\0\x10" + _frame(), b"\xff\xff" + _frame() * 2, b"\0\0\x50\x2a\x4d\x18\0\0\0\0" + _frame()],
    ),
    "manifest": (manifest, lambda: [good()[2]]),
    "config": (config, lambda: [good()[3]]),
}
