"""What is installed: every version on the disk, whether it is active, and how it stands. Changes nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sealift.errors import CorruptError
from sealift.policy.mark import Mark, mark
from sealift.store import Store
from sealift.store.contents.files import read_manifest
from sealift_common.names import ModelVersion
from sealift_common.oci.manifest import Manifest

ACTIVE, KEPT, WITHDRAWN, UNLISTED, DAMAGED = "active", "installed", "withdrawn", "no longer listed", "DAMAGED"


class Entry(NamedTuple):
    """One installed version.

    Attributes:
        state: one of the words above.
        why: of a withdrawal or damage; empty elsewhere.
        manifest: None where the channel does not list it any longer, or it is damaged.
        path: its folder.
        mark: how its approvals stand; None where nobody asks for them, and for what is not active.
    """

    model: ModelVersion
    state: str
    why: str
    manifest: Manifest | None
    path: Path
    mark: Mark | None


def catalog(store: Store, *, everything: bool = False) -> list[Entry]:
    """List the active versions, or with `everything` every version on the disk, by name, newest first.

    Raises:
        NoTrustError, NotInstalledError: there is nothing to list.
        CorruptError, RootError, SignatureError, ThresholdError, UntrustedKeyError: as `Store.moment`; and without
            `everything`, a manifest of an active version is damaged.
    """
    return list(_entries(store, everything=everything))


def _entries(store: Store, *, everything: bool) -> Iterator[Entry]:
    generation, release = moment = store.moment()
    active = set(generation.models.values())
    policy, floor = store.policy(), store.trust_state().read_floor()
    now = datetime.now(UTC) if floor is None else max(datetime.now(UTC), floor.time)
    listed = {*active, *store.all_versions()} if everything else active
    newest_first = sorted(listed, reverse=True)
    for model in sorted(newest_first, key=lambda one: one.name):
        path = store.layout.model(model)
        if model not in release.models:
            withdrawal = release.withdrawal_of(model)
            if everything:
                why = withdrawal.reason if withdrawal else ""
                yield Entry(model, WITHDRAWN if withdrawal else UNLISTED, why, None, path, None)
            continue
        if model in active and not everything:
            found = store.find(model.name, moment=moment)
            yield Entry(model, ACTIVE, "", found.manifest, found.path, mark(policy, release, found.manifest, now))
            continue
        try:
            manifest = read_manifest(store.layout, model, release.models[model])
        except CorruptError as error:
            yield Entry(model, DAMAGED, str(error), None, path, None)
            continue
        how = mark(policy, release, manifest, now) if model in active else None
        yield Entry(model, ACTIVE if model in active else KEPT, "", manifest, path, how)
