"""Judge one model version by a policy and what the channel's reviewers said of it. Pure, but for what is remembered.

Rules:

1. A rejection or withdrawal by a reviewer of the channel blocks, and nothing excepts it.
2. Each role of the policy must have approved; a role that the channel does not define is missing.
3. Expiry, age and the end of an exception are judged where `now` is given: for what an install newly activates.
"""

from datetime import datetime

from sealift.policy.policy import Policy
from sealift_common.oci.manifest import Manifest
from sealift_common.release_document import Release
from sealift_common.review.judgement import decisions, lacking, objections
from sealift_common.review.record import FILE_NAME
from sealift_common.review.statement import Subject

# A process serves some hundred models of a few releases.
_MOST = 1000

_judged: dict[tuple[int, str, str], tuple[Release, list[str]]] = {}


def unmet(policy: Policy, release: Release, manifest: Manifest, now: datetime | None = None) -> list[str]:
    """Return what keeps a version from being used, in words; empty when nothing does.

    Args:
        release: verified, and lists the version.
        manifest: verified as well.
        now: the latest of clock and floor (UTC), for what an install newly activates; None for loading.

    Raises:
        MalformedError, LimitError: a review that names the version is not of its form.
    """
    roles = policy.roles_for(manifest.model.name)
    excepted = _excepted(policy, manifest, now)
    if release.reviewers is None:
        return [] if excepted else [f"channel {release.channel!r} has no reviewers for {role!r}" for role in roles]
    record = next((file.plain.digest for file in manifest.files if file.name == FILE_NAME), None)
    subject = Subject(manifest.model, manifest.digest)
    found = decisions(release.reviews, release.reviewers, subject, record)
    said = objections(found)
    if not excepted:
        said += lacking(found, release.reviewers, roles, now, policy.max_age)
    return said


def unmet_for_loading(policy: Policy, release: Release, manifest: Manifest) -> list[str]:
    """Return the same for loading, where time does not matter: once for each release, version and policy.

    Raises:
        MalformedError, LimitError: as `unmet`.
    """
    name = (id(release), manifest.digest, policy.digest)
    known = _judged.get(name)
    # The release is kept, so that its identity is nobody else's.
    if known is not None and known[0] is release:
        return known[1]
    said = unmet(policy, release, manifest)
    _judged[name] = (release, said)
    for old in list(_judged)[:-_MOST]:
        _judged.pop(old, None)
    return said


def _excepted(policy: Policy, manifest: Manifest, now: datetime | None) -> bool:
    found = policy.exceptions.get(manifest.digest)
    return found is not None and (now is None or now <= found.until)
