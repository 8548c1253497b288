"""Fetch the newest release from a registry into a copy of its channel, verified as an instance that installs it does.

1. the release descends from the pinned root, is signed, has not expired, and takes nothing back of what was seen here
2. the newest version of the model is there, and has the approvals that root requires
3. blobs of the model's versions, each by its signed digest
4. what was seen
5. metadata, targets last

A crash leaves the copy as it was, or with more blobs; the same command then goes on.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from sealift.inspection.opening import open_bundle
from sealift.inspection.verify import Verified, verify_head, verify_payload
from sealift.install.reviewing import refusal
from sealift.policy import policy
from sealift.policy.verdict import unmet
from sealift.registry.access import Access
from sealift.trust import pin
from sealift.trust.floor import ROLES
from sealift.trust.state import TrustState
from sealift_common.blob import Blob
from sealift_common.files import durable, scratch
from sealift_common.oci.manifest import Manifest
from sealift_keys.channel.directory import Channel
from sealift_pipeline.errors import ChallengerError
from sealift_pipeline.training.project.settings import Registry


def fetch(registry: Registry, name: str, folder: Path) -> Channel:
    """Bring the copy of a channel up to the newest release in a registry.

    Args:
        registry: its address, and the root that is pinned.
        name: of the model whose versions are fetched.
        folder: of the copy; may not exist yet.

    Raises:
        ChallengerError: the release does not carry the newest version of the model.
        LocalError: the registry cannot be reached.
        sealift.Error: 10-19 malformed, 20-29 refused by trust; the copy is as it was.
    """
    pinned, now = pin.read_given(registry.root), datetime.now(UTC)
    pin.parse_root(pinned)
    channel = Channel(folder)
    state = TrustState(folder / "trust", at_least=0, used=(channel.tuf_dir / "targets.json").exists())
    with (
        scratch.folder("sealift-champion") as work,
        open_bundle(registry.address, access=Access(registry.ca_file, registry.plain_http)) as source,
        ExitStack() as undo,
    ):
        state.copy_to(work)
        verified = verify_head(source, pinned, work, state.read_floor(), now=now)  # 1
        own = [manifest for manifest in verified.contents.manifests if manifest.model.name == name]
        _require_newest(registry, verified, own, name, max(now, verified.floor.time))  # 2
        durable.make_directory(channel.blobs_dir)
        files = {file.blob for manifest in own for file in manifest.files}

        def keep(blob: Blob, chunks: Iterator[bytes]) -> None:
            if blob in files:
                _write(channel.blobs_dir / blob.hex, chunks)
            else:
                for _ in chunks:
                    pass

        verify_payload(source, verified, keep, wanted=files)  # 3
        for manifest in own:
            durable.write_file(channel.blobs_dir / manifest.config.hex, manifest.raw_config)
            durable.write_file(channel.blobs_dir / verified.release.models[manifest.model].hex, manifest.raw)
        state.write(work, verified.floor, undo)  # 4
        undo.pop_all()
    state.settle()
    _write_metadata(channel, verified)  # 5
    return channel


def _require_newest(registry: Registry, verified: Verified, own: list[Manifest], name: str, now: datetime) -> None:
    """Check what an instance without a policy of its own checks before it activates a version.

    Raises:
        ChallengerError: it is not there, or the release is differential.
        UnreviewedError: it lacks an approval that root requires, or was rejected.
    """
    if verified.contents.base is not None:
        raise ChallengerError(f"{registry.address} leaves out what an instance has; push a release that is whole")
    newest = max((model for model in verified.release.models if model.name == name), default=None)
    found = next((manifest for manifest in own if manifest.model == newest), None)
    if newest is None:
        return
    if found is None:
        raise ChallengerError(f"{registry.address} does not carry {newest}, the newest version; pack and push it again")
    said = unmet(policy.NONE, verified.release, found, now)
    if said:
        raise refusal({newest: said})


def _write(path: Path, chunks: Iterator[bytes]) -> None:
    """Write a blob; it has its name once its digest is verified, which the end of `chunks` is."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    durable.write_new(new, chunks)
    durable.move(new, path)


def _write_metadata(channel: Channel, verified: Verified) -> None:
    metadata = verified.head.metadata
    durable.make_directory(channel.tuf_dir)
    roots = [file for file in metadata if file.endswith(".root.json")]
    for file in (*roots, *(f"{role}.json" for role in ROLES)):
        path = channel.tuf_dir / file
        if not path.exists() or path.read_bytes() != metadata[file]:
            durable.write_file(path, metadata[file])
