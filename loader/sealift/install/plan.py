"""Decide what an install will do, before it does anything. Pure."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sealift.errors import MixError
from sealift_common.metadata.release_document import Release, Withdrawal
from sealift_common.names import ModelVersion
from sealift_common.oci.manifest import Manifest


class Plan(NamedTuple):
    """The planned changes.

    Attributes:
        release: the channel's release that the bundle makes.
        new: manifests whose files are written.
        unchanged: model versions that the bundle holds and the store has, intact.
        active: name to the version that will be active.
        switched: of those, the ones that are not active now.
        withdrawn: versions of the store that this release lists no longer, with the channel's reason if it gives one.
        dropped: names that are active now and will no longer be.
        skipped: versions that lack an approval, and are not activated because the admin said so.
    """

    release: int
    new: tuple[Manifest, ...]
    unchanged: tuple[ModelVersion, ...]
    active: Mapping[str, ModelVersion]
    switched: tuple[ModelVersion, ...]
    withdrawn: tuple[tuple[ModelVersion, Withdrawal | None], ...]
    dropped: tuple[str, ...]
    skipped: tuple[ModelVersion, ...] = ()


def make_plan(
    release: Release,
    carried: Collection[Manifest],
    intact: Collection[ModelVersion],
    stored: Collection[ModelVersion],
    active: Mapping[str, ModelVersion],
    listed_before: Collection[ModelVersion],
) -> Plan:
    """Plan an install.

    Args:
        carried: manifests of the bundle.
        intact: model versions of the store whose files were just checked.
        stored: all model versions of the store.
        active: name to version of the active generation; empty before the first install.
        listed_before: what the release accepted before this one lists; empty before the first install.

    Raises:
        MixError: the newest version of a model is neither in the bundle nor in the store. A bundle
            stripped of it would otherwise bring an older version back.
    """
    new = tuple(manifest for manifest in carried if manifest.model not in intact)
    withdrawals = release.withdrawals()
    available = {manifest.model for manifest in carried} | set(intact)
    newest = release.newest()
    for model in newest.values():
        if model not in available:
            raise MixError(
                f"release {release.number} lists {model}, which is neither in the bundle nor intact in the store: "
                "the bundle was stripped, or is based on one that was never installed here"
            )
    return Plan(
        release=release.number,
        new=new,
        unchanged=tuple(sorted(manifest.model for manifest in carried if manifest.model in intact)),
        active=newest,
        switched=tuple(model for name, model in sorted(newest.items()) if active.get(name) != model),
        withdrawn=tuple(
            (model, withdrawals.get(model))
            for model in sorted(stored)
            if model in listed_before and model not in release.models
        ),
        dropped=tuple(sorted(set(active) - set(newest))),
    )
