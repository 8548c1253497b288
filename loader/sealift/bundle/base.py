"""The parts that a differential bundle leaves out: `base.json`, unsigned, bytes in and objects out. Pure.

Nothing in it is trusted: it says where bytes come from, and every file is compared with its signed digest afterwards.
A base that lies can only make an install fail.
"""

import json
from collections.abc import Collection
from typing import Any, NamedTuple

from sealift.errors import LimitError, MalformedError, UnsupportedVersionError
from sealift.limits import LIMITS
from sealift.model.documents.file_set import is_graph_file
from sealift_common.blob import Blob, is_digest
from sealift_common.oci import layout
from sealift_common.oci.manifest import Manifest, ModelFile
from sealift_common.parsing import strict_json

SCHEMA = "sealift.base/1"
# zstd takes no shorter prefix.
_LEAST_PREFIX_BYTES = 8


class Patch(NamedTuple):
    """Recipe for one blob's file from a file that the base has: a zstd frame with that file as its prefix.

    Attributes:
        blob: digest of the blob that does not travel.
        content: the patch itself, as it travels.
        old: digest and length of the base's file, expanded.
    """

    blob: str
    content: Blob
    old: Blob

    @property
    def member(self) -> str:
        """The bundle member that holds it."""
        return layout.PATCHES + self.blob.removeprefix("sha256:")


class Base(NamedTuple):
    """The claims of a differential bundle.

    Attributes:
        release: number of the release whose files must be in the store.
        digest: `sha256:<hex>` of that release's targets, for people.
        absent: digests of blobs whose files the base has.
        patches: from small to large, as they travel.
    """

    release: int
    digest: str
    absent: frozenset[str]
    patches: tuple[Patch, ...]

    def to_bytes(self) -> bytes:
        """Return the bytes of `base.json`: sorted keys, no spaces."""
        document = {
            "schema": SCHEMA,
            "release": self.release,
            "digest": self.digest,
            "absent": sorted(self.absent),
            "patches": [
                {
                    "blob": patch.blob,
                    "digest": patch.content.digest,
                    "size": patch.content.size,
                    "old_digest": patch.old.digest,
                    "old_size": patch.old.size,
                }
                for patch in in_order(self.patches)
            ],
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")

    def left_out(self) -> set[str]:
        """Return the digests of all blobs that do not travel whole."""
        return {*self.absent, *(patch.blob for patch in self.patches)}


def in_order(patches: Collection[Patch]) -> tuple[Patch, ...]:
    """Order patches as a bundle holds them."""
    return tuple(sorted(patches, key=lambda patch: (patch.content.size, patch.blob)))


def may_be_patched(name: str) -> bool:
    """Return whether a file may travel as a patch: weights and graphs; documents are read ahead and travel whole."""
    return is_graph_file(name)


def parse_base(data: bytes) -> Base:
    """Parse `base.json`.

    Raises:
        UnsupportedVersionError: another schema.
        LimitError: a patch needs more memory than an instance gives it.
        MalformedError: anything else that is not as `to_bytes` writes it.
    """
    document = strict_json.parse(data, layout.BASE, max_size_bytes=LIMITS.index_size_bytes)
    if isinstance(document, dict) and document.get("schema") != SCHEMA:
        raise UnsupportedVersionError(
            f"{layout.BASE!r} has schema {document.get('schema')!r:.80}; this Sealift knows {SCHEMA!r}; upgrade first"
        )
    try:
        base = Base(
            release=_number(document["release"]),
            digest=_digest(document["digest"]),
            absent=frozenset(_digest(digest) for digest in document["absent"]),
            patches=tuple(_patch(entry) for entry in document["patches"]),
        )
    except (TypeError, KeyError, ValueError) as error:
        raise MalformedError(f"{layout.BASE!r} is not of the expected form: {str(error)[:120]}") from None
    if base.to_bytes() != data:
        raise MalformedError(f"{layout.BASE!r} is not as Sealift writes it; copy the bundle again")
    return base


def require_fit(base: Base, manifests: Collection[Manifest]) -> None:
    """Check that a base leaves out only blobs of the bundle, each in one way, and patches only what may be.

    Raises:
        MalformedError: it does not.
        LimitError: a patch makes a file that is larger than a patch may make.
    """
    files: dict[str, list[tuple[Manifest, ModelFile]]] = {}
    for manifest in manifests:
        for file in manifest.files:
            files.setdefault(file.blob.digest, []).append((manifest, file))
    for digest in sorted(base.left_out()):
        if digest not in files:
            raise MalformedError(f"{layout.BASE!r} leaves out {digest}, which no model of the bundle has")
    patched = [patch.blob for patch in base.patches]
    if len(set(patched)) != len(patched) or base.absent & set(patched):
        raise MalformedError(f"{layout.BASE!r} says twice where a file comes from")
    for digest in patched:
        for manifest, file in files[digest]:
            if not may_be_patched(file.name) or file.plain != files[digest][0][1].plain:
                raise MalformedError(
                    f"{layout.BASE!r} has a patch for {file.name!r} of {manifest.model}; expected none"
                )
            if file.plain.size > LIMITS.patched_file_size_bytes:
                raise LimitError(
                    f"{file.name!r} of {manifest.model} has {file.plain.size:,} bytes; "
                    f"a patch makes at most {LIMITS.patched_file_size_bytes:,}"
                )


def _patch(entry: Any) -> Patch:
    content = Blob(_digest(entry["digest"]), _number(entry["size"]))
    old = Blob(_digest(entry["old_digest"]), _number(entry["old_size"]))
    if old.size < _LEAST_PREFIX_BYTES:
        raise ValueError(f"a patch to a file of {old.size} bytes")
    if old.size > LIMITS.patched_file_size_bytes or content.size > LIMITS.patched_file_size_bytes:
        raise LimitError(
            f"{layout.BASE!r} has a patch of {content.size:,} bytes to a file of {old.size:,}; "
            f"expected at most {LIMITS.patched_file_size_bytes:,} each"
        )
    return Patch(_digest(entry["blob"]), content, old)


def _digest(value: Any) -> str:
    if not is_digest(value):
        raise ValueError(f"{str(value)[:80]!r} is not a digest")
    return str(value)


def _number(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"{str(value)[:80]!r} is not a positive number")
    return value
