"""Write a channel's current release as one deterministic tar, then open it as an instance would.

Nothing but the channel decides the bytes: members are sorted, the time is the signed release time,
owner and mode are fixed, and blobs were compressed when they were added.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sealift.bundle.archive import Archive
from sealift.bundle.base import Base
from sealift.bundle.holes import require_written
from sealift.bundle.parts import open_stream
from sealift.bundle.reader import payload_order
from sealift.bundle.tarformat import BLOCK, END, Member
from sealift.errors import DigestError, Error, MalformedError, UsageError
from sealift.inspection.verify import verify_head, verify_payload
from sealift.trust.client import TrustClient
from sealift.trust.python_tuf.fetcher import BundleFetcher
from sealift.trust.release import release_of
from sealift_bundler.errors import GateError
from sealift_bundler.packing.blobs import blob_chunks, chunks_of, read_manifest
from sealift_bundler.packing.installable import require_installable
from sealift_bundler.packing.manifest_page import manifest_md
from sealift_bundler.packing.parts import PartWriter
from sealift_common.blob import Blob
from sealift_common.files import scratch
from sealift_common.files.output import BUNDLE, replacing, require_place
from sealift_common.metadata.release_document import Release
from sealift_common.names import ModelVersion
from sealift_common.oci import layout
from sealift_common.oci.manifest import Manifest, index_of
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.status import status


@dataclass(frozen=True)
class Packed:
    """A bundle that was written and verified.

    Attributes:
        path: the tar, which does not exist where it was written in parts.
        parts: the files of the parts, none for a tar in one file.
        size: bytes of the tar.
        digest: `sha256:<hex>` of the tar, for people who compare copies.
    """

    path: Path
    channel: str
    release: int
    models: tuple[Manifest, ...]
    size: int
    digest: str
    parts: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """A channel that was found fit to pack, and what its bundle will hold.

    Attributes:
        base: what a differential bundle leaves out; None for a whole one.
        patches: member name to the file that holds the patch.
    """

    blobs: Path
    metadata: dict[str, bytes]
    release: Release
    manifests: tuple[Manifest, ...]
    base: Base | None = None
    patches: Mapping[str, Path] = field(default_factory=dict)

    def path_in(self, output: Path) -> Path:
        """Return the file to write: `output`, or `<channel>-<N>.tar` in it when it is a folder."""
        since = "" if self.base is None else f"-since-{self.base.release}"
        return output / f"{self.release.channel}-{self.release.number}{since}.tar" if output.is_dir() else output

    @property
    def payload_size(self) -> int:
        """Bytes of all file blobs and patches that travel."""
        patches = () if self.base is None else self.base.patches
        return sum(blob.size for blob in self.payload()) + sum(patch.content.size for patch in patches)

    def payload(self) -> tuple[Blob, ...]:
        """Return the file blobs that travel whole, in order."""
        left_out = set() if self.base is None else self.base.left_out()
        return tuple(blob for blob in payload_order(self.manifests) if blob.digest not in left_out)


def prepare(directory: Path, include: Iterable[ModelVersion] = ()) -> Prepared:
    """Check that a channel may be packed, and choose the newest version of every model plus `include`.

    Raises:
        GateError: the channel is not completely signed, has expired, or a blob is not what was signed; or an instance
            would refuse to install one of the versions.
        ChannelError: it is not a channel.
        UsageError: `include` names a version that the release does not list.
    """
    prepared = select(directory, include)
    for manifest in prepared.manifests:
        require_installable(prepared.blobs, manifest)
    return prepared


def select(directory: Path, include: Iterable[ModelVersion] = ()) -> Prepared:
    """Do as `prepare`, without a look at the documents of the versions.

    Raises:
        GateError: the channel is not completely signed, has expired, or a blob is not what was signed.
        ChannelError: it is not a channel.
        UsageError: `include` names a version that the release does not list.
    """
    channel = Channel.open(directory)
    metadata = {path.name: path.read_bytes() for path in sorted(channel.tuf_dir.glob("*.json"))}
    release = _require_fit(channel, metadata)
    chosen = choose_models(release, include)
    manifests = tuple(read_manifest(channel.blobs_dir, model, release.models[model]) for model in chosen)
    return Prepared(channel.blobs_dir, metadata, release, manifests)


def pack(
    prepared: Prepared,
    output: Path,
    *,
    part_size_bytes: int | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> Packed:
    """Write the bundle, then verify what was written with the loader's own code.

    Args:
        output: the file to write (replaced if it exists), or a folder for `<channel>-<N>.tar`.
        part_size_bytes: write parts of at most this size in place of one file.
        progress: called with the number of bytes written or verified since the last call.

    Raises:
        GateError: a blob of the channel is not what was signed; nothing is left behind.
    """
    release = prepared.release
    path = prepared.path_in(output)
    require_place(path, kind=BUNDLE)
    if part_size_bytes is not None:
        return _pack_parts(prepared, path, part_size_bytes, progress)
    with replacing(path) as out:
        for chunk in bundle_bytes(prepared):
            out.write(chunk)
            progress(len(chunk))
        out.flush()
        digest, size = _verify([Path(out.name)], prepared.metadata, progress)
    return Packed(path, release.channel, release.number, prepared.manifests, size, digest)


def _pack_parts(prepared: Prepared, path: Path, part_size_bytes: int, progress: Callable[[int], object]) -> Packed:
    with PartWriter(path, bundle_size(prepared), part_size_bytes) as writer:
        for chunk in bundle_bytes(prepared):
            writer.write(chunk)
            progress(len(chunk))
        digest, size = _verify(writer.finish(), prepared.metadata, progress)
        parts = writer.publish()
    release = prepared.release
    return Packed(path, release.channel, release.number, prepared.manifests, size, digest, parts)


def _require_fit(channel: Channel, metadata: dict[str, bytes]) -> Release:
    """Check that all is signed, then run the instance's own client, so that nothing it would refuse is packed."""
    state = status(channel)
    if problems := state.problems():
        raise GateError(
            f"channel {state.channel!r} is not ready to pack: {'; '.join(problems)}; run: {state.next_command()}"
        )
    try:
        with scratch.folder("sealift-pack") as work:
            client = TrustClient(work, metadata["1.root.json"], BundleFetcher(metadata), None, datetime.now(UTC))
            trusted = client.refresh()
            return release_of(trusted.root, trusted.targets)
    except Error as error:
        raise GateError(
            f"channel {state.channel!r} is not ready to pack: {error}; `sealift-keys status` shows its state"
        ) from error


def digest_of(path: Path) -> str | None:
    """Return `sha256:<hex>` of a file for people, or None where there is none."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        try:
            require_written(file.fileno(), repr(str(path)))
        except MalformedError:
            return "not completely copied"
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def choose_models(release: Release, include: Iterable[ModelVersion]) -> list[ModelVersion]:
    """Return the newest version of every model of `release`, and those in `include`."""
    chosen = set(release.newest().values())
    for model in include:
        if model not in release.models:
            raise UsageError(f"release {release.number} does not list {model}; it cannot be included")
        chosen.add(model)
    return sorted(chosen)


def _file_chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from chunks_of(file)


def bundle_bytes(prepared: Prepared) -> Iterator[bytes]:
    """Yield the bytes of the tar."""
    for member, content in bundle_members(prepared):
        yield member.header()
        yield from content
        yield bytes(member.padding)
    yield END


def bundle_size(prepared: Prepared) -> int:
    """Return the length in bytes of the tar, without reading a file of a model."""
    return len(END) + sum(BLOCK + member.size + member.padding for member, _ in bundle_members(prepared))


def bundle_members(prepared: Prepared) -> Iterator[tuple[Member, Iterable[bytes]]]:
    """Yield every member and its content, unread, in the order that `sealift.bundle.reader` documents."""
    blobs, metadata, release, manifests = prepared.blobs, prepared.metadata, prepared.release, prepared.manifests
    mtime = int(release.released.timestamp())
    roots = sorted((name for name in metadata if name.endswith(".root.json")), key=lambda name: int(name.split(".")[0]))
    head = {f"tuf/{name}": metadata[name] for name in [*roots, *(f"{role}.json" for role in layout.TUF_ROLES)]}
    head[layout.MANIFEST_MD] = manifest_md(release, manifests).encode("utf-8")
    if prepared.base is not None:
        head[layout.BASE] = prepared.base.to_bytes()
    digests = {name: layout.sha256(data) for name, data in head.items()}
    index = index_of(manifests, digests)
    for name, data in [(layout.OCI_LAYOUT, layout.OCI_LAYOUT_BYTES), (layout.INDEX, index), *head.items()]:
        yield Member(name, len(data), mtime), [data]
    small = [Blob(m.digest, len(m.raw)) for m in manifests], list({m.config for m in manifests})
    for group in small:
        for blob in sorted(group, key=lambda blob: blob.digest):
            yield Member(blob.member, blob.size, mtime), blob_chunks(blobs, blob, blob.member)
    for blob in prepared.payload():
        yield Member(blob.member, blob.size, mtime), blob_chunks(blobs, blob, blob.member)
    for patch in () if prepared.base is None else prepared.base.patches:
        yield Member(patch.member, patch.content.size, mtime), _file_chunks(prepared.patches[patch.member])


def _verify(paths: Sequence[Path], metadata: dict[str, bytes], progress: Callable[[int], object]) -> tuple[str, int]:
    """Verify what was written with the loader's code, as an instance that pinned the first root."""
    hasher = hashlib.sha256()
    with scratch.folder("sealift-pack") as work, open_stream([str(path) for path in paths]) as file:
        archive = Archive(file, progress)
        try:
            verified = verify_head(archive, metadata["1.root.json"], work, None, now=datetime.now(UTC))
            verify_payload(archive, verified)
        except DigestError as error:
            raise GateError(f"a blob of the channel is not what was signed: {error}; add the model again") from error
        file.seek(0)
        for chunk in chunks_of(file):
            hasher.update(chunk)
        return "sha256:" + hasher.hexdigest(), file.tell()
