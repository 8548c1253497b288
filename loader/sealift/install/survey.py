"""The beginning of step 4: compare what a verified bundle brings with what stands in the store."""

from sealift.errors import CorruptError
from sealift.inspection.verify import Verified
from sealift.install.plan import Plan, make_plan
from sealift.store import Store
from sealift.store.contents import files, generations
from sealift.store.contents.generations import Generation
from sealift_common.names import ModelVersion
from sealift_common.oci.manifest import Manifest


def survey(store: Store, verified: Verified) -> tuple[Plan, Generation | None]:
    """Return the plan, and the generation that is active now.

    Raises:
        MixError: the bundle was stripped of a model.
        CorruptError: the store's trust state, `current` or active generation is damaged.
    """
    active = generations.active(store.layout)
    stored = store.all_versions()
    carried = {manifest.model: manifest for manifest in verified.contents.manifests}
    intact = [model for model in stored if _is_intact(store, model, carried.get(model), verified)]
    plan = make_plan(
        verified.release,
        verified.contents.manifests,
        intact,
        stored,
        active.models if active else {},
        store.release().models if active else {},
    )
    return plan, active


def _is_intact(store: Store, model: ModelVersion, carried: Manifest | None, verified: Verified) -> bool:
    """Check a stored model that may stay; a damaged one is installed again from the bundle."""
    signed = verified.release.models.get(model)
    if signed is None:
        return False
    try:
        files.check_files(store.layout, carried or files.read_manifest(store.layout, model, signed))
    except CorruptError:
        return False
    return True
