"""Judge one model version by root, a policy, and what reviewers said of it. Pure, but for what is remembered.

Rules:

1. A rejection or withdrawal blocks, and nothing excepts it: by a reviewer of the channel, in this release or in one
   that was seen before, or by one of this site's own.
2. Each role that root requires must have approved a version that root does not exempt. A policy only adds: each role
   that it asks for must have approved as well. A role of `[own]` is approved by this site's reviewers, and by the
   channel's too where the channel has such reviewers; one that neither has is missing.
3. An exception of the policy covers approvals that the policy asks for. What root requires, it does not cover.
4. Expiry, age and the end of an exception are judged where `now` is given: for what an install newly activates.
"""

from datetime import datetime
from typing import Any

from sealift.policy.policy import Policy, in_force
from sealift_common.metadata.release_document import Release
from sealift_common.oci.manifest import Manifest
from sealift_common.review.index import StatementIndex
from sealift_common.review.judgement import Decision, decisions, lacking, objections
from sealift_common.review.record import FILE_NAME
from sealift_common.review.reviewers import Reviewers
from sealift_common.review.statement import Subject

# A process serves some hundred models of a few releases.
_MOST = 1000
_MOST_RELEASES = 8

# Each value holds what its key names by identity, so that this is nobody else's meanwhile.
_judged: dict[tuple[int, int, str], tuple[Release, Policy, list[str]]] = {}
_indexed: dict[tuple[int, int], tuple[Release, Policy, StatementIndex]] = {}


def unmet(policy: Policy, release: Release, manifest: Manifest, now: datetime | None = None) -> list[str]:
    """Return what keeps a version from being used, in words; empty when nothing does.

    Args:
        release: verified, and lists the version.
        manifest: verified as well.
        now: the latest of clock and floor (UTC), for what an install newly activates; None for loading.
    """
    if not in_force(policy, release):
        return []
    subject = Subject(manifest.model, manifest.digest)
    own, roles = policy.own, policy.roles_for(manifest.model.name)
    reviewers = release.reviewers or Reviewers(release.channel, {}, ())
    found = decisions(_index(policy, release), reviewers, subject, _record(manifest))
    said = objections(found)
    asked = [] if excepted(policy, manifest, now) else list(roles)
    if own is not None:
        ours = own.reviewers(release.channel)
        decided = decisions(own.statements, ours, subject, None)
        said += objections(decided)
        said += lacking(decided, ours, [role for role in asked if role in own.roles], now, policy.max_age)
        asked = [role for role in asked if role not in own.roles or role in reviewers.roles]
    required = () if manifest.digest in reviewers.exempt else reviewers.require
    said += lacking(found, reviewers, asked, now, policy.max_age)
    said += lacking(found, reviewers, [role for role in required if role not in asked], now)
    return said


def heard(policy: Policy, release: Release, manifest: Manifest) -> list[Decision]:
    """Return what counts about a version: of reviewers of the channel, then of this site's own."""
    subject = Subject(manifest.model, manifest.digest)
    found = []
    if release.reviewers is not None:
        found = decisions(_index(policy, release), release.reviewers, subject, _record(manifest))
    if policy.own is not None:
        found += decisions(policy.own.statements, policy.own.reviewers(release.channel), subject, None)
    return found


def unmet_for_loading(policy: Policy, release: Release, manifest: Manifest) -> list[str]:
    """Return the same for loading, where time does not matter: once for each release, version and policy."""
    name = (id(release), id(policy), manifest.digest)
    known = _judged.get(name)
    if known is not None and known[0] is release and known[1] is policy:
        return known[2]
    said = unmet(policy, release, manifest)
    _remember(_judged, name, (release, policy, said), _MOST)
    return said


def excepted(policy: Policy, manifest: Manifest, now: datetime | None) -> bool:
    """Return whether an exception of the policy covers a version."""
    found = policy.exceptions.get(manifest.digest)
    return found is not None and (now is None or now <= found.until)


def _record(manifest: Manifest) -> str | None:
    return next((file.plain.digest for file in manifest.files if file.name == FILE_NAME), None)


def _index(policy: Policy, release: Release) -> StatementIndex:
    """Return what was said of the versions of a release, here and there, once for each release and policy."""
    name = (id(release), id(policy))
    known = _indexed.get(name)
    if known is not None and known[0] is release and known[1] is policy:
        return known[2]
    own = () if policy.own is None else policy.own.objections
    index = StatementIndex([*release.reviews, *release.objections, *own])
    _remember(_indexed, name, (release, policy, index), _MOST_RELEASES)
    return index


def _remember(known: dict[Any, Any], name: object, value: object, most: int) -> None:
    known[name] = value
    for old in list(known)[:-most]:
        known.pop(old, None)
