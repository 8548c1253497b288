"""The head of a bundle, and the order of what follows: what is read before any weight is.

Rules, in the order in which they are checked:

1. `oci-layout`, `index.json`, the channel's roots from 1 on, timestamp, snapshot, targets and
   `MANIFEST.md` come first, in this order, each within its limit; in a differential bundle, `base.json` follows.
2. Every one of them has the digest that `index.json` gives. That finds damage; it proves nothing.
3. The trust client accepts the metadata (not here; see `sealift.trust`).
4. Every manifest that `index.json` names is a target of the release, with its signed digest and length;
   for every model, the newest version that the release lists is here or already installed.
5. Manifests, then configs, then file blobs from small to large follow, each exactly once, nothing else. No file
   is a manifest or a config at the same time: it would be read with those, and never reach its model.
   A differential bundle leaves out what `base.json` says, and its patches follow, from small to large.
6. `index.json` is, byte for byte, the one that follows from all this.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sealift.bundle.base import Base, Patch, parse_base, require_fit
from sealift.bundle.source import Source
from sealift.bundle.tarformat import Member
from sealift.errors import DigestError, LimitError, MalformedError, UnsupportedVersionError, UntrustedKeyError
from sealift.limits import LIMITS
from sealift_common.blob import Blob
from sealift_common.names import ModelVersion
from sealift_common.oci import layout
from sealift_common.oci.manifest import Manifest, UnboundManifest, bind_config, index_of, parse_manifest
from sealift_common.parsing import strict_json

_ROLE_LIMITS = {
    "timestamp": LIMITS.timestamp_size_bytes,
    "snapshot": LIMITS.snapshot_size_bytes,
    "targets": LIMITS.targets_size_bytes,
}


@dataclass(frozen=True)
class Head:
    """Everything before the first blob: unverified bytes.

    Attributes:
        index: the parsed `index.json`.
        index_bytes: the same, as read.
        metadata: `1.root.json`, …, `timestamp.json`, `snapshot.json`, `targets.json` to their bytes.
        digests: member name to `sha256:<hex>` for every member but `oci-layout` and `index.json`.
        manifest_md: the text for people.
        base: what a differential bundle leaves out; None for a whole one.
    """

    index: Mapping[str, Any]
    index_bytes: bytes
    metadata: Mapping[str, bytes]
    digests: Mapping[str, str]
    manifest_md: bytes
    base: Base | None = None


class Contents(NamedTuple):
    """Contents of a bundle: verified manifests, and the file blobs in the order in which they follow.

    Attributes:
        base: what a differential bundle leaves out of `payload`; None for a whole one.
    """

    manifests: tuple[Manifest, ...]
    payload: tuple[Blob, ...]
    base: Base | None = None

    @property
    def patches(self) -> tuple[Patch, ...]:
        """Patches, in the order in which they follow the file blobs."""
        return () if self.base is None else self.base.patches

    @property
    def size(self) -> int:
        """Bytes of all file blobs and patches."""
        return sum(blob.size for blob in self.payload) + sum(patch.content.size for patch in self.patches)


def read_head(archive: Source) -> Head:
    """Read the members before the first blob (rules 1 and 2).

    Raises:
        MalformedError, UnsafeMemberError, LimitError, UnsupportedVersionError, DigestError.
    """
    if archive.read(archive.next(layout.OCI_LAYOUT), len(layout.OCI_LAYOUT_BYTES)) != layout.OCI_LAYOUT_BYTES:
        raise MalformedError(f"{layout.OCI_LAYOUT!r} is damaged or of another layout version; expected 1.0.0")
    index_bytes = archive.read(archive.next(layout.INDEX), LIMITS.index_size_bytes)
    index = _parse_index(index_bytes)
    members: dict[str, bytes] = {}
    version = 1
    while True:
        expected = (
            (layout.root_name(version),) if version == 1 else (layout.root_name(version), layout.role_name("timestamp"))
        )
        member = archive.next_of(expected)
        if member.name != expected[0]:
            break
        if version > LIMITS.root_rotations:
            raise LimitError(f"the bundle holds more than {LIMITS.root_rotations} versions of the root")
        members[member.name] = archive.read(member, LIMITS.root_size_bytes)
        version += 1
    for role in layout.TUF_ROLES:
        if role != "timestamp":
            member = archive.next(layout.role_name(role))
        members[member.name] = archive.read(member, _ROLE_LIMITS[role])
    members[layout.MANIFEST_MD] = archive.read(archive.next(layout.MANIFEST_MD), LIMITS.manifest_md_size_bytes)
    base = None
    if _is_differential(index["annotations"]):
        members[layout.BASE] = archive.read(archive.next(layout.BASE), LIMITS.index_size_bytes)
    digests = {name: layout.sha256(data) for name, data in members.items()}
    _compare_with_index(index, digests)
    if layout.BASE in members:
        base = parse_base(members[layout.BASE])
    metadata = {name.removeprefix("tuf/"): data for name, data in members.items() if name.startswith("tuf/")}
    return Head(index, index_bytes, metadata, digests, members[layout.MANIFEST_MD], base)


def read_contents(archive: Source, head: Head, targets: Mapping[ModelVersion, Blob]) -> Contents:
    """Read manifests and configs against the signed `targets` (rules 4 to 6).

    Raises:
        MalformedError, DigestError, UntrustedKeyError, LimitError, UnsafeMemberError.
    """
    listed = sorted(_listed_manifests(head, targets), key=lambda model: targets[model].digest)
    _require_small(targets[model] for model in listed)
    unbound = {model: _read_manifest(archive, model, targets[model]) for model in listed}
    configs = {manifest.config: manifest for manifest in unbound.values()}
    _require_small([*(targets[model] for model in listed), *configs])
    raw = {
        blob: _read_blob(archive, blob, f"the config of {configs[blob].model}", LIMITS.oci_config_size_bytes)
        for blob in sorted(configs, key=lambda blob: blob.digest)
    }
    manifests = tuple(bind_config(unbound[model], raw[unbound[model].config]) for model in sorted(unbound))
    _require_apart(manifests)
    expected = index_of(manifests, head.digests)
    if expected != head.index_bytes:
        raise MalformedError(f"{layout.INDEX!r} is damaged: it does not describe what the bundle holds; copy it again")
    if head.base is None:
        return Contents(manifests, payload_order(manifests))
    require_fit(head.base, manifests)
    left_out = head.base.left_out()
    travelling = tuple(blob for blob in payload_order(manifests) if blob.digest not in left_out)
    return Contents(manifests, travelling, head.base)


def read_payload(
    archive: Source,
    contents: Contents,
    sink: Callable[[Blob, Iterator[bytes]], object],
    patch_sink: Callable[[Patch, Iterator[bytes]], object],
    wanted: Collection[Blob] | None = None,
) -> None:
    """Stream every file blob and patch once, in order, then check that the bundle ends.

    `sink` must take all chunks; a chunk is verified only once the iteration has ended without error. What
    `patch_sink` gets was signed by nobody: the digest of a patch finds damage, and only what it makes can be verified.

    Args:
        wanted: what the caller needs; from a source that gives members in any order, nothing else is fetched.
            None means everything.

    Raises:
        MalformedError, UnsafeMemberError, DigestError: and whatever `sink` raises.
    """
    users = names_of_blobs(contents.manifests)
    for blob in contents.payload:
        if archive.any_order and wanted is not None and blob not in wanted:
            continue
        member = _enter(archive, blob, users[blob])
        sink(blob, archive.verified_chunks(member, blob.digest, users[blob]))
    for patch in contents.patches:
        what = f"the patch for {patch.blob}"
        member = _enter_member(archive, patch.member, patch.content.size, what)
        patch_sink(patch, archive.verified_chunks(member, patch.content.digest, what))
    archive.end()


def read_ahead(archive: Source, contents: Contents, wanted: Collection[Blob]) -> Iterator[tuple[Blob, bytes]]:
    """Yield some file blobs before their turn, each verified, and return to the beginning of the payload.

    Blobs come from small to large, so that documents stand before weights and the look ahead is short.

    Raises:
        MalformedError, UnsafeMemberError, DigestError: as `read_payload`.
        LimitError: a wanted blob is larger than a document may be.
    """
    users = names_of_blobs(contents.manifests)
    left = set(wanted)
    with archive.looking_ahead():
        for blob in contents.payload:
            if not left:
                return
            if blob not in left:
                if not archive.any_order:
                    archive.skip(_enter(archive, blob, users[blob]))
                continue
            left.remove(blob)
            yield blob, _read_blob(archive, blob, users[blob], LIMITS.json_size_bytes)


def payload_order(manifests: Collection[Manifest]) -> tuple[Blob, ...]:
    """Order the file blobs of `manifests` as a bundle holds them: each once, from small to large."""
    blobs = {file.blob for manifest in manifests for file in manifest.files}
    heads = {blob for manifest in manifests for blob in (manifest.config,)}
    return tuple(sorted(blobs - heads, key=lambda blob: (blob.size, blob.digest)))


def names_of_blobs(manifests: Collection[Manifest]) -> dict[Blob, str]:
    """Say for people which file of which model a blob carries, for example `churn 1.0.0: model.onnx`."""
    names: dict[Blob, str] = {}
    for manifest in manifests:
        for file in manifest.files:
            names.setdefault(file.blob, f"{manifest.model}: {file.name}")
    return names


def _require_small(documents: Iterable[Blob]) -> None:
    total = sum(blob.size for blob in documents)
    if total > LIMITS.oci_documents_size_bytes:
        raise LimitError(
            f"the bundle's manifests and configs have {total:,} bytes; "
            f"expected at most {LIMITS.oci_documents_size_bytes:,}"
        )


def _require_apart(manifests: Collection[Manifest]) -> None:
    documents = {digest for manifest in manifests for digest in (manifest.digest, manifest.config.digest)}
    for manifest in manifests:
        for file in manifest.files:
            if file.blob.digest in documents:
                raise MalformedError(
                    f"file {file.name!r} of {manifest.model} is the blob of a manifest or config; expected its own"
                )


def _parse_index(data: bytes) -> Mapping[str, Any]:
    index = strict_json.parse(data, layout.INDEX, max_size_bytes=LIMITS.index_size_bytes)
    annotations = index.get("annotations") if isinstance(index, dict) else None
    if not isinstance(annotations, dict) or not isinstance(index.get("manifests"), list):
        raise MalformedError(f"{layout.INDEX!r} is not the index of a Sealift bundle")
    version = annotations.get(layout.BUNDLE_FORMAT)
    if version not in layout.FORMATS:
        raise UnsupportedVersionError(
            f"the bundle has format version {str(version)[:20]!r}; "
            f"this Sealift reads {' and '.join(map(repr, layout.FORMATS))}; upgrade Sealift first"
        )
    checked: dict[str, Any] = index
    return checked


def _is_differential(annotations: Mapping[str, Any]) -> bool:
    version = annotations[layout.BUNDLE_FORMAT]
    has_base = layout.MEMBER_DIGEST + layout.BASE in annotations
    return version == layout.DIFFERENTIAL_FORMAT or (version == layout.NEWER_FORMAT and has_base)


def _compare_with_index(index: Mapping[str, Any], digests: Mapping[str, str]) -> None:
    for name, digest in digests.items():
        expected = index["annotations"].get(layout.MEMBER_DIGEST + name)
        if expected != digest:
            raise DigestError(
                f"{name!r} does not fit {layout.INDEX!r}: one of them is damaged or was changed; "
                f"expected {str(expected)[:80]!r}, got {digest!r}"
            )


def _listed_manifests(head: Head, targets: Mapping[ModelVersion, Blob]) -> set[ModelVersion]:
    by_digest = {blob.digest: model for model, blob in targets.items()}
    descriptors = head.index["manifests"]
    if len(descriptors) > LIMITS.models_per_bundle:
        raise LimitError(
            f"{layout.INDEX!r} lists {len(descriptors):,} models; expected at most {LIMITS.models_per_bundle:,}"
        )
    listed = set()
    for descriptor in descriptors:
        digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
        if not isinstance(digest, str) or digest not in by_digest:
            raise UntrustedKeyError(
                f"{layout.INDEX!r} lists a manifest {str(digest)[:80]!r} that the channel did not sign, or withdrew"
            )
        listed.add(by_digest[digest])
    return listed


def _read_manifest(archive: Source, model: ModelVersion, blob: Blob) -> UnboundManifest:
    return parse_manifest(
        _read_blob(archive, blob, f"the manifest of {model}", LIMITS.oci_manifest_size_bytes), model, blob.digest
    )


def _enter(archive: Source, blob: Blob, what: str) -> Member:
    return _enter_member(archive, blob.member, blob.size, what)


def _enter_member(archive: Source, name: str, size: int, what: str) -> Member:
    member = archive.next(name)
    if member.size != size:
        raise DigestError(f"{member.name!r} has {member.size:,} bytes; {what} was listed with {size:,}")
    return member


def _read_blob(archive: Source, blob: Blob, what: str, max_size_bytes: int) -> bytes:
    member = _enter(archive, blob, what)
    if member.size > max_size_bytes:
        raise LimitError(f"{what} has {member.size:,} bytes; expected at most {max_size_bytes:,}")
    return b"".join(archive.verified_chunks(member, blob.digest, what))
