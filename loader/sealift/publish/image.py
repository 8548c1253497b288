"""A ready store as an image of one layer, for init containers and Kubernetes image volumes, which know only images.

The store is made by the real installer, so the models were tried; the layer is deterministic. A container that mounts
it trusts nothing of that: `sealift.load` verifies from its own pinned root down, as in any store.
"""

import hashlib
import tarfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sealift.errors import UsageError
from sealift.inspection.opening import open_bundle
from sealift.inspection.verify import Verified, verify_head
from sealift.install.steps import install
from sealift.publish.image_documents import config_bytes, manifest_bytes
from sealift.publish.layout_file import FileBlob
from sealift.publish.sending import PushReport, Sending
from sealift.registry.access import Access
from sealift.registry.address import OciAddress
from sealift.registry.repository import open_repository
from sealift.registry.tags import tags_for
from sealift.store import Store
from sealift.trust import pin
from sealift_common.blob import Blob
from sealift_common.files.scratch import folder
from sealift_common.oci import layout

# What belongs to the machine that made the store, and not to the store.
_LEFT_OUT = {"lock", "staging"}


def push_image(
    bundle: str | Sequence[str],
    address: OciAddress,
    access: Access,
    trust: Path,
    progress: Callable[[int], object],
    tmpdir: Path | None = None,
    *,
    self_test_memory_bytes: int | None = None,
) -> PushReport:
    """Install `bundle` into a new store, and push that as an image.

    Args:
        address: a tag in it names the image in place of `<channel>-<N>-image` and `latest-image`.
        trust: directory of the pinned root.
        tmpdir: room for the store, twice; None means the system's.
        self_test_memory_bytes: as of an install.

    Raises:
        sealift.Error: as an install; nothing was pushed.
        UsageError: the bundle is differential.
        LocalError: the registry refused, or does not answer.
    """
    with folder("sealift-image", tmpdir) as directory:
        release = _verify(bundle, trust, directory / "trust").release
        # The clock of the release and not ours, so that the same user makes the same image of a bundle.
        install(
            bundle,
            Store(directory / "store", trust=trust),
            now=release.released,
            self_test_memory_bytes=self_test_memory_bytes,
        )
        layer = directory / "layer.tar"
        _write_layer(directory / "store", layer, int(release.released.timestamp()))
        with layer.open("rb") as file:
            blob = Blob(_digest(layer), layer.stat().st_size)
            config = config_bytes(blob, release.released)
            raw = manifest_bytes(config, blob, release)
            with open_repository(address, access, "pull,push") as repository:
                tags = tags_for(repository, release.channel, release.number, "-image")
                sending = Sending(repository, progress)
                sending.document(config)
                sending.blob(blob, FileBlob(file, 0, blob, "the layer"))
                # Again: somebody else may have pushed a newer release meanwhile.
                tags = tags_for(repository, release.channel, release.number, "-image")
                for tag in tags:
                    sending.manifest(tag, raw)
    return sending.report(release.channel, release.number, layout.sha256(raw), tags)


def _verify(bundle: str | Sequence[str], trust: Path, scratch: Path) -> Verified:
    """Verify the head by the clock of this machine; what was seen before does not count in a new store."""
    scratch.mkdir()
    with open_bundle(bundle) as source:
        verified = verify_head(source, pin.read(trust, None), scratch, None, now=datetime.now(UTC))
    base = verified.contents.base
    if base is not None:
        raise UsageError(
            f"this bundle builds on release {base.release} and cannot fill a new store; push a whole bundle"
        )
    return verified


def _write_layer(store: Path, layer: Path, mtime: int) -> None:
    """Write a tar in which every byte follows from the content of the store: sorted, one time, one owner."""

    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mtime = mtime
        return info

    with tarfile.open(layer, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(store.rglob("*")):
            name = path.relative_to(store)
            if name.parts[0] not in _LEFT_OUT:
                tar.add(path, name, recursive=False, filter=plain)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
