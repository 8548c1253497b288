"""A ready store as an image of one layer, for init containers and Kubernetes image volumes, which know only images.

The store is made by the real installer, so the models were tried; the layer is deterministic. Whoever mounts it trusts
nothing of that: `sealift.load` verifies from its own pinned root down, as in any store.
"""

import hashlib
import json
import platform
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sealift.bundle import layout
from sealift.bundle.manifest import Blob
from sealift.bundle.opening import open_bundle
from sealift.errors import UsageError
from sealift.install.steps import install
from sealift.registry.access import Access
from sealift.registry.address import LATEST, OciAddress
from sealift.registry.layout_file import FileBlob
from sealift.registry.release_artifact import release_tag
from sealift.registry.repository import open_repository
from sealift.store import Store
from sealift.trust import pin
from sealift.verify import Verified, verify_head

_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# What belongs to the machine that made the store, and not to the store.
_LEFT_OUT = {"lock", "staging"}


@dataclass(frozen=True)
class ImageReport:
    """What was pushed.

    Attributes:
        sent: whether the layer had to travel.
        size: of the layer, in bytes.
    """

    channel: str
    release: int
    digest: str
    tags: tuple[str, ...]
    sent: bool
    size: int


def push_image(
    bundle: str | Sequence[str],
    address: OciAddress,
    access: Access,
    trust: Path,
    progress: Callable[[int], object],
    tmpdir: Path | None = None,
) -> ImageReport:
    """Install `bundle` into a new store, and push that as an image.

    Args:
        address: a tag in it names the image in place of `<channel>-<N>-image` and `latest-image`.
        trust: directory of the pinned root.
        tmpdir: room for the store, twice; None means the system's.

    Raises:
        sealift.Error: as an install; nothing was pushed.
        UsageError: the bundle is differential.
        LocalError: the registry refused, or does not answer.
    """
    with TemporaryDirectory(dir=tmpdir, prefix="sealift-image-") as name:
        directory = Path(name)
        release = _verify(bundle, trust, directory / "trust").release
        # The clock of the release and not ours, so that the same user makes the same image of a bundle.
        install(bundle, Store(directory / "store", trust=trust), now=release.released)
        layer = directory / "layer.tar"
        _write_layer(directory / "store", layer, int(release.released.timestamp()))
        with layer.open("rb") as file:
            blob = Blob(_digest(layer), layer.stat().st_size)
            content = FileBlob(file, 0, blob, "the layer")
            config = _config(blob, release.released)
            raw = _manifest(config, blob, release.channel, release.number)
            with open_repository(address, access, "pull,push") as repository:
                sent = not repository.has_blob(blob.digest)
                if sent:
                    repository.upload(blob, lambda offset, length: _counted(content(offset, length), progress))
                described = Blob(layout.sha256(config), len(config))
                if not repository.has_blob(described.digest):
                    repository.upload(described, lambda offset, length: [config[offset : offset + length]])
                own = release_tag(release.channel, release.number)
                # Apart from the artifact's own tags, for both may live in one repository.
                tags = (f"{own}-image", f"{LATEST}-image") if address.reference is None else (address.reference,)
                for tag in tags:
                    repository.put_manifest(tag, raw)
    return ImageReport(release.channel, release.number, layout.sha256(raw), tags, sent=sent, size=blob.size)


def _verify(bundle: str | Sequence[str], trust: Path, scratch: Path) -> Verified:
    """Verify the head by the clock of this machine; what was seen before does not count in a new store."""
    scratch.mkdir()
    with open_bundle(bundle) as source:
        verified = verify_head(source, pin.read(trust), scratch, None, now=datetime.now(UTC))
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


def _config(layer: Blob, created: datetime) -> bytes:
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise UsageError(f"no name for the architecture {machine!r} in an image; expected {', '.join(_ARCHITECTURES)}")
    return _json(
        {
            "architecture": _ARCHITECTURES[machine],
            "os": "linux",
            "created": f"{created:%Y-%m-%dT%H:%M:%SZ}",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
        }
    )


def _manifest(config: bytes, layer: Blob, channel: str, release: int) -> bytes:
    return _json(
        {
            "schemaVersion": 2,
            "mediaType": layout.MANIFEST_TYPE,
            "config": {"mediaType": _CONFIG_TYPE, "digest": layout.sha256(config), "size": len(config)},
            "layers": [{"mediaType": _LAYER_TYPE, "digest": layer.digest, "size": layer.size}],
            "annotations": {"io.sealift.channel": channel, "io.sealift.release": str(release)},
        }
    )


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def _counted(chunks: Iterable[bytes], progress: Callable[[int], object]) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        progress(len(chunk))
