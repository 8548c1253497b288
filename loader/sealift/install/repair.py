"""Restore damaged model versions from a bundle that carries them. Activates nothing and accepts nothing new.

The bundle's metadata is checked as an install checks it, but what counts is what the store already trusts: a
version is restored only as the manifest that the store's own targets sign. So expiry does not matter, as it does
not for loading, and a newer bundle serves as well. Trust, generations and `current` stay as they are; so
the golden examples, replayed when the version was installed, are not replayed again.
"""

import os
from collections.abc import Callable, Collection
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from sealift.errors import NoSpaceError, UsageError
from sealift.inspection.opening import open_bundle
from sealift.inspection.verify import Verified, verify_head, verify_payload
from sealift.install.commit import documents_of
from sealift.install.staging import Staging
from sealift.registry.access import DEFAULT_ACCESS, Access
from sealift.store import Store
from sealift.store.contents import history
from sealift.store.guard.lock import locked
from sealift.store.guard.room import free_bytes, full_disk, private_directory
from sealift.store.guard.safety import require_safe
from sealift.store.transaction import Contents, put_back
from sealift.trust import pin
from sealift_common.files import durable
from sealift_common.interrupts import postponed
from sealift_common.names import ModelVersion
from sealift_common.oci.manifest import Manifest

# What file systems round up.
_SLACK_BYTES = 1024 * 1024


def repair(
    bundle: str,
    store: Store,
    damaged: Collection[ModelVersion],
    *,
    now: datetime,
    tmpdir: Path | None = None,
    bytes_read: Callable[[int], object] = lambda _count: None,
    access: Access = DEFAULT_ACCESS,
) -> list[ModelVersion]:
    """Rewrite every model version of `damaged` that `bundle` carries; return those.

    Args:
        bundle: path of the tar, or of a directory that holds its parts, or the address of a release in a registry.
        damaged: from `CheckReport.damaged_models`; others are left alone.
        tmpdir: where compressed files wait for their digest; None means inside the store.
        access: how a registry may be reached.

    Raises:
        sealift.Error: the bundle is refused, or the store may not be written; the store is as it was before.
        CorruptError: the trust state is damaged; no bundle can repair that.
        OSError: the operating system refused.
    """
    pinned = pin.read(store.trust_directory, store.layout.root)
    with full_disk(store.layout.root), ExitStack() as stack:
        archive = stack.enter_context(open_bundle(bundle, bytes_read, access))
        stack.enter_context(locked(store.layout.lock))
        require_safe(store.layout)
        staging = store.layout.staging / str(os.getpid())
        # Whatever is there belongs to nobody, for we hold the lock.
        durable.remove_tree(store.layout.staging)
        stack.callback(durable.remove_tree, store.layout.staging)
        durable.make_directory(staging / "trust")
        scratch = staging if tmpdir is None else stack.enter_context(private_directory(tmpdir))
        state = store.trust_state()
        state.copy_to(staging / "trust")
        verified = verify_head(archive, pinned, staging / "trust", state.read_floor(), now=now, ignore_expiry=True)
        if verified.contents.base is not None:
            raise UsageError(
                f"this bundle builds on release {verified.contents.base.release} and cannot repair; give a whole bundle"
            )
        manifests = _restorable(store, verified, damaged)
        if not manifests:
            return []
        _require_space(store, manifests)
        files = Staging(staging / "models", scratch, manifests)
        verify_payload(archive, verified, files.take, wanted=files.wanted)
        files.sync()
        models = [manifest.model for manifest in manifests]
        contents = Contents(
            {manifest.model: files.path(manifest.model) for manifest in manifests},
            documents_of(store.layout, manifests),
        )

        def note() -> None:
            history.append(
                store.layout.history,
                "repair",
                now,
                release=verified.release.number,
                repaired=[model.reference for model in models],
            )

        with postponed():
            put_back(store.layout, staging, contents, note)
        return models


def _restorable(store: Store, verified: Verified, damaged: Collection[ModelVersion]) -> list[Manifest]:
    trusted = store.release().models
    return [
        manifest
        for manifest in verified.contents.manifests
        if manifest.model in damaged and manifest.model in trusted and trusted[manifest.model].digest == manifest.digest
    ]


def _require_space(store: Store, manifests: list[Manifest]) -> None:
    compressed = [file.blob.size for manifest in manifests for file in manifest.files if file.compressed]
    need = sum(manifest.size for manifest in manifests) + max(compressed, default=0) + _SLACK_BYTES
    free = free_bytes(store.layout.root)
    if need > free:
        raise NoSpaceError(
            f"the repair needs {need:,} bytes on the file system of {str(store.layout.root)!r}; {free:,} are free; "
            "make room and run the same command again"
        )
