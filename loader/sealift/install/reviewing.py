"""Which versions that an install would activate lack an approval, and the plan without them."""

from collections.abc import Mapping
from datetime import datetime

from sealift.errors import UnreviewedError
from sealift.inspection.verify import Verified
from sealift.install.plan import Plan
from sealift.policy.policy import Policy, in_force
from sealift.policy.verdict import unmet
from sealift.store import Store
from sealift.store.contents import files
from sealift_common.metadata.release_document import Release
from sealift_common.names import ModelVersion
from sealift_common.review.judgement import in_order
from sealift_common.wording import counted


def unapproved(
    store: Store, verified: Verified, plan: Plan, policy: Policy, now: datetime
) -> dict[ModelVersion, list[str]]:
    """Return what keeps each version from being activated that is not active now; empty when nothing does.

    What is active already is judged where it is loaded, so that a release which takes an approval back is installed.

    Args:
        policy: of the instance.
        now: the latest of clock and floor (UTC).

    Raises:
        UnreviewedError: the reviews are not in order, so that somebody else made these targets.
        CorruptError: the manifest of a stored version is damaged.
    """
    if not in_force(policy, verified.release):
        return {}
    carried = {manifest.model: manifest for manifest in verified.contents.manifests}
    found = {}
    for model in plan.switched:
        manifest = carried.get(model)
        if manifest is None:
            manifest = files.read_manifest(store.layout, model, verified.release.models[model])
        said = unmet(policy, verified.release, manifest, now)
        if said:
            found[model] = said
    if not in_order(verified.release.reviews):
        raise UnreviewedError(
            f"the reviews of release {verified.release.number} are not sorted, each once, as releases are made; do not "
            "use this bundle, and ask the channel's owners who signed it" + "".join(f". {one}" for one in _lines(found))
        )
    return found


def refusal(found: Mapping[ModelVersion, list[str]]) -> UnreviewedError:
    """Return one error that says of each version what it lacks."""
    return UnreviewedError(
        f"{counted(len(found), 'version')} not approved for this instance: {'. '.join(_lines(found))}. Nothing was "
        "installed; `--skip-unreviewed` installs the rest"
    )


def _lines(found: Mapping[ModelVersion, list[str]]) -> list[str]:
    return [f"{model}: {'; '.join(reasons)}" for model, reasons in found.items()]


def without(
    plan: Plan, skipped: Mapping[ModelVersion, list[str]], active: Mapping[str, ModelVersion], release: Release
) -> Plan:
    """Return the plan that activates the rest: a skipped model stays at its active version, or is not active at all.

    Its files are stored all the same, for a bundle that is based on this one and brings the approval.

    Args:
        active: name to version of the active generation.
        release: what is being installed; a version that it does not list cannot stay.
    """
    stay = {}
    for name, model in plan.active.items():
        if model not in skipped:
            stay[name] = model
        elif name in active and active[name] in release.models:
            stay[name] = active[name]
    return plan._replace(
        active=stay,
        switched=tuple(model for model in plan.switched if model not in skipped),
        dropped=tuple(sorted(set(active) - set(stay))),
        skipped=tuple(sorted(skipped)),
    )
