"""Leave out of a bundle what a base has, and send a patch where that is smaller: only what an instance lacks travels.

A patch is a zstd frame with the old file as its prefix, and long-distance matching over both. It takes both files in
memory, here and on the instance, so it is bounded; the result was checked here, and is checked again there.
"""

import hashlib
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sealift.bundle.archive import CHUNK_BYTES
from sealift.bundle.base import Base, Patch, in_order, may_be_patched
from sealift.bundle.reader import payload_order
from sealift.errors import MixError, UsageError
from sealift.inspection.outline import read_outline
from sealift.limits import LIMITS
from sealift.trust.release import release_of
from sealift_bundler.errors import GateError
from sealift_bundler.packing.blobs import blob_chunks, read_manifest
from sealift_bundler.packing.whole import Prepared
from sealift_common.blob import Blob
from sealift_common.metadata.release_document import Release
from sealift_common.oci import layout
from sealift_common.oci.compression import expand, prefix_of
from sealift_common.oci.manifest import Manifest, ModelFile
from sealift_keys.channel import history
from sealift_keys.channel.directory import Channel

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# Below, a header and a member's padding outweigh what a patch saves.
_LEAST_BYTES = 4096
_LEVEL = 3
# As for compressing. A patch costs the instance memory for two files, and zstd alone saves some percent of weights.
_WORTH_PATCHING = 0.9


@dataclass(frozen=True)
class Since:
    """The release that an instance has: number, digest of its targets, and the models that its bundle brought."""

    release: int
    digest: str
    manifests: tuple[Manifest, ...]


def since(directory: Path, base: str, release: Release) -> Since:
    """Find the base of a differential bundle.

    Args:
        directory: the channel.
        base: number of a release of the channel, or path of a bundle.
        release: what is packed now.

    Raises:
        UsageError: there is no such release, or it is not older than this one.
        MixError: the bundle is of another channel.
        GateError: the channel has lost a manifest of that release.
        sealift.Error, OSError: the bundle cannot be read.
    """
    channel = Channel.open(directory)
    records = {record.number: record for record in history.releases(directory)}
    carried = None
    if base.isdecimal():
        number = int(base)
    else:
        outline = read_outline(base)
        number = outline.claims.release.number
        carried = {manifest.model: manifest.digest for manifest in outline.manifests}
    if number not in records or number > release.number:
        raise UsageError(f"--since {base!r}: this channel has no release {number}; it is at release {release.number}")
    record = records[number]
    old = release_of(channel.root(record.root_version).signed, record.metadata.signed)
    models = sorted(old.newest().values()) if carried is None else sorted(carried)
    for model, digest in (carried or {}).items():
        if model not in old.models or old.models[model].digest != digest:
            raise MixError(f"{base!r} carries {model} with other bytes than this channel released: it is another's")
    manifests = tuple(read_manifest(channel.blobs_dir, model, old.models[model]) for model in models)
    return Since(number, layout.sha256(record.metadata.signed_bytes), manifests)


def leave_out(
    prepared: Prepared, base: Since, scratch: Path, *, progress: Callable[[int], object] = lambda _: None
) -> Prepared:
    """Return what is left to pack when `base` is there already.

    Args:
        scratch: a directory for patches, which must stay until the bundle is written.
        progress: called with the number of bytes looked at since the last call.

    Raises:
        GateError: a blob of the channel is not what was signed.
    """
    known = {file.plain for manifest in base.manifests for file in manifest.files}
    predecessors = {(m.model.name, f.name): f for m in base.manifests for f in m.files}
    files: dict[Blob, list[tuple[Manifest, ModelFile]]] = {}
    for manifest in prepared.manifests:
        for file in manifest.files:
            files.setdefault(file.blob, []).append((manifest, file))
    absent, patches, paths = set(), [], {}
    for blob in payload_order(prepared.manifests):
        uses = files[blob]
        if all(file.plain in known for _, file in uses):
            absent.add(blob.digest)
        elif (old := _predecessor(uses, predecessors)) is not None:
            path = scratch / blob.digest.removeprefix("sha256:")
            patch = make_patch(prepared.blobs, uses[0][1], old, path)
            if patch is not None:
                patches.append(patch)
                paths[patch.member] = path
        progress(blob.size)
    made = Base(base.release, base.digest, frozenset(absent), in_order(patches))
    return replace(prepared, base=made, patches=paths)


def _predecessor(
    uses: Collection[tuple[Manifest, ModelFile]], predecessors: dict[tuple[str, str], ModelFile]
) -> ModelFile | None:
    """Return the file of the base that a patch may start from: the same file of the same model."""
    first = next(iter(uses))[1].plain
    for manifest, file in uses:
        if not may_be_patched(file.name) or file.plain != first:
            return None
        old = predecessors.get((manifest.model.name, file.name))
    if old is None or min(first.size, old.plain.size) < _LEAST_BYTES:
        return None
    return old if max(first.size, old.plain.size) <= LIMITS.patched_file_size_bytes else None


def make_patch(blobs: Path, new: ModelFile, old: ModelFile, path: Path) -> Patch | None:
    """Write a patch to `path` if it saves a tenth of the blob, and try it; None, and no file, where it is not."""
    prefix = prefix_of(_plain(blobs, old), old.plain.size)
    compressor = zstd.ZstdCompressor(
        options={
            zstd.CompressionParameter.compression_level: _LEVEL,
            # The beginning of the old file must be within reach of the end of the new one.
            zstd.CompressionParameter.window_log: (old.plain.size + new.plain.size - 1).bit_length(),
            # Without it, nothing beyond the newest megabytes is found.
            zstd.CompressionParameter.enable_long_distance_matching: 1,
        },
        zstd_dict=prefix.as_prefix,
    )
    compressor.set_pledged_input_size(new.plain.size)
    hasher, size, most = hashlib.sha256(), 0, int(new.blob.size * _WORTH_PATCHING)
    with path.open("xb") as out:
        for chunk in _compressed(compressor, _plain(blobs, new)):
            hasher.update(chunk)
            size += out.write(chunk)
            if size > most:
                break
    if size > most:
        path.unlink()
        return None
    with path.open("rb") as written:
        frame = iter(lambda: written.read(CHUNK_BYTES), b"")
        for _ in expand(frame, new.plain, f"the patch for {new.name!r}", old=prefix):
            pass
    return Patch(new.blob.digest, Blob("sha256:" + hasher.hexdigest(), size), old.plain)


def _compressed(compressor: zstd.ZstdCompressor, chunks: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        yield compressor.compress(chunk)
    yield compressor.flush()


def _plain(blobs: Path, file: ModelFile) -> Iterator[bytes]:
    """Yield a file of the channel, expanded and compared with its digest."""
    chunks = blob_chunks(blobs, file.blob, f"{file.name!r}")
    if file.compressed:
        yield from expand(chunks, file.plain, f"{file.name!r}")
        return
    hasher = hashlib.sha256()
    for chunk in chunks:
        hasher.update(chunk)
        yield chunk
    if "sha256:" + hasher.hexdigest() != file.plain.digest:
        raise GateError(f"{file.name!r} in the channel is not what was signed; add the model again")
