"""Walk the chain of every version in a bundle that `retrain` made: its signatures and bytes, then each link."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sealift.inspection.opening import open_bundle
from sealift.inspection.verify import Verified, verify_head, verify_payload
from sealift_common.blob import Blob
from sealift_common.contents.reading import read_contents
from sealift_common.errors import DigestError, UsageError
from sealift_common.files import scratch
from sealift_common.oci.compression import expand
from sealift_common.oci.manifest import Manifest
from sealift_pipeline.runs.document import FILE as RUN_FILE
from sealift_pipeline.training.chain.links import Linked, linked

_FIRST_ROOT = "1.root.json"


class Walked(NamedTuple):
    """What a walk found.

    Attributes:
        verified: the bundle.
        linked: versions whose chain holds.
        others: versions that `retrain` did not make.
    """

    verified: Verified
    linked: tuple[Linked, ...]
    others: tuple[str, ...]


def walk(
    bundle: Path,
    root: bytes | None,
    *,
    now: datetime | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> Walked:
    """Verify a whole bundle, and the links of its versions up to their data snapshots.

    Args:
        root: the pinned root of its channel; None takes the first root that the bundle itself brings, which shows that
            the bundle is whole, and not whose it is.
        now: when signatures must not have expired; None for the present.

    Raises:
        UsageError: the bundle is differential, or `retrain` made none of its versions.
        DigestError: a link is broken, each with a class of its own; see `linked`.
        sealift.Error: the bundle is refused, as `sealift verify` refuses it.
    """
    with scratch.folder("sealift-chain") as work, open_bundle(str(bundle), progress) as source:
        pinned = _first_root(bundle) if root is None else root
        verified = verify_head(source, pinned, work, None, now=now or datetime.now(UTC))
        contents = verified.contents
        if contents.base is not None:
            raise UsageError(f"{str(bundle)!r} leaves out what an instance has; give a bundle that was packed whole")
        wanted = {file.blob for manifest in contents.manifests if _is_trained(manifest) for file in manifest.files}
        kept: dict[Blob, Path] = {}

        def keep(blob: Blob, chunks: Iterator[bytes]) -> None:
            if blob not in wanted:
                for _ in chunks:
                    pass
                return
            kept[blob] = work / f"blob-{blob.hex}"
            with kept[blob].open("xb") as into:
                into.writelines(chunks)

        verify_payload(source, verified, keep)
        trained = [manifest for manifest in contents.manifests if _is_trained(manifest)]
        others = [str(manifest.model) for manifest in contents.manifests if not _is_trained(manifest)]
        if not trained:
            raise UsageError(f"`retrain` made no version of {str(bundle)!r}: {', '.join(others)} end at their proof")
        return Walked(verified, tuple(_linked(one, kept, verified) for one in trained), tuple(others))


def _first_root(bundle: Path) -> bytes:
    from sealift.bundle.reader import read_head

    with open_bundle(str(bundle), complete=False) as source:
        metadata = read_head(source).metadata
    return metadata[_FIRST_ROOT]


def _is_trained(manifest: Manifest) -> bool:
    return any(file.name == RUN_FILE for file in manifest.files)


def _linked(manifest: Manifest, kept: dict[Blob, Path], verified: Verified) -> Linked:
    documents = {digest.removeprefix("sha256:"): data for digest, data in manifest.documents}

    def read(blob: Blob) -> bytes:
        return documents[blob.hex] if blob.hex in documents else kept[blob].read_bytes()

    proof = read_contents(manifest.model, verified.release.models[manifest.model], read).proof
    files = {}
    for file in manifest.files:
        what = f"{file.name!r} of {manifest.model}"
        data = kept[file.blob].read_bytes()
        files[file.name] = b"".join(expand([data], file.plain, what)) if file.compressed else data
        if hashlib.sha256(files[file.name]).hexdigest() != file.plain.hex:
            raise DigestError(f"{what} is not what the manifest lists")
    return linked(manifest, proof, files)
