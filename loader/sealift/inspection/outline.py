"""A bundle as people look at it before they carry it: what it claims and what it carries, read without any trust."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealift.bundle.base import Base
from sealift.bundle.reader import read_ahead, read_contents, read_head
from sealift.errors import LimitError
from sealift.inspection.claims import Claims, claims
from sealift.inspection.opening import open_bundle, size_of
from sealift.limits import LIMITS
from sealift.registry.access import DEFAULT_ACCESS, Access
from sealift_common.names import ModelVersion
from sealift_common.oci.compression import expand
from sealift_common.oci.manifest import Manifest, ModelFile

if TYPE_CHECKING:
    from sealift_common.blob import Blob

CARD_FILE = "CARD.md"


@dataclass(frozen=True)
class Outline:
    """Everything in front of the weights.

    Attributes:
        size: bytes of the bundle; those of its files, where it is in a registry.
        base: what a differential bundle leaves out; None for a whole one.
        documents: content of the files that were asked for, by model version; a model without it is left out.
    """

    claims: Claims
    manifests: tuple[Manifest, ...]
    size: int
    documents: Mapping[ModelVersion, bytes]
    base: Base | None

    def newest(self) -> dict[str, Manifest]:
        """Return the newest version carried of every model, by name."""
        return {manifest.model.name: manifest for manifest in sorted(self.manifests, key=lambda one: one.model)}


def read_outline(
    bundle: str | Sequence[str],
    *,
    document: str | None = None,
    models: Collection[ModelVersion] | None = None,
    access: Access = DEFAULT_ACCESS,
) -> Outline:
    """Read the head of a bundle, and one small document of each model if asked.

    Args:
        bundle: as for `open_bundle`; the first parts will do.
        document: name of a file, for example `CARD.md`; None reads no further than the head.
        models: whose document is read; None means all.
        access: how a registry may be reached.

    Raises:
        MalformedError, UnsafeMemberError, LimitError, UnsupportedVersionError, DigestError, UntrustedKeyError: the
            bundle is damaged, or does not hold what it says.
        UsageError, OSError: as `open_bundle`.
    """
    with open_bundle(bundle, access=access, complete=False) as archive:
        head = read_head(archive)
        claimed = claims(head)
        contents = read_contents(archive, head, claimed.release.models)
        wanted: dict[Blob, list[tuple[Manifest, ModelFile]]] = defaultdict(list)
        for manifest in contents.manifests:
            for one in manifest.files:
                travels = contents.base is None or one.blob.digest not in contents.base.left_out()
                if one.name == document and travels and (models is None or manifest.model in models):
                    wanted[one.blob].append((manifest, one))
        documents = {}
        for blob, data in read_ahead(archive, contents, wanted):
            for manifest, one in wanted[blob]:
                documents[manifest.model] = _plain(data, manifest, one)
    size = size_of(bundle)
    return Outline(claimed, contents.manifests, contents.size if size is None else size, documents, contents.base)


def _plain(data: bytes, manifest: Manifest, file: ModelFile) -> bytes:
    what = f"{file.name!r} of {manifest.model}"
    if file.plain.size > LIMITS.json_size_bytes:
        raise LimitError(f"{what} has {file.plain.size:,} bytes; expected at most {LIMITS.json_size_bytes:,}")
    return b"".join(expand([data], file.plain, what)) if file.compressed else data
