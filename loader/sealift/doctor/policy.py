"""The policy: whether it can be read and met, what of it ends, and what it keeps from being loaded. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sealift.doctor.finding import Finding, ok, problem, warning
from sealift.errors import Error, UnreviewedError
from sealift.policy.mark import EXPIRED, EXPIRING, SOON, Mark
from sealift.policy.policy import NONE, Policy
from sealift_common.metadata.release_document import Release
from sealift_common.review.reviewers import demand_line
from sealift_common.wording import counted


@dataclass(frozen=True)
class Active:
    """An active version, how it stands, and what keeps it from being loaded."""

    model: str
    mark: Mark | None
    lacks: tuple[str, ...]


@dataclass(frozen=True)
class PolicyFacts:
    """Facts about the policy of an instance.

    Attributes:
        now: the latest of clock and floor (UTC).
        error: why the policy cannot be read.
        release: what the store trusts; None where that cannot be said.
        unsigned: statements beside the policy that nobody signed who reviews.
    """

    now: datetime
    policy: Policy = NONE
    error: Error | None = None
    release: Release | None = None
    active: Sequence[Active] = ()
    unsigned: int = 0


def judge(facts: PolicyFacts) -> list[Finding]:
    """Judge everything that was seen."""
    if facts.error is not None:
        return [problem("policy", str(facts.error), "until then nothing is installed or loaded", type(facts.error))]
    policy, release = facts.policy, facts.release
    demanded = demand_line(None if release is None else release.reviewers)
    findings = [ok("policy", f"{_asked(policy)}{f'; by root, {demanded}' if demanded else ''}")]
    if release is not None:
        findings += _unknown_roles(policy, release)
        findings += _exceptions(policy, release, facts.now)
    if facts.unsigned:
        findings.append(
            warning(
                "policy",
                f"{counted(facts.unsigned, 'statement')} beside it signed by nobody who reviews here or there",
                "name the key under [own], or remove the file",
            )
        )
    for one in facts.active:
        findings += _active(one)
    return findings


def _asked(policy: Policy) -> str:
    if not policy.digest:
        return "there is none"
    roles = [*policy.roles_for(""), *(f"{', '.join(roles)} of {name}" for name, roles in policy.models.items())]
    return f"{policy.digest} asks for {', '.join(roles) or 'no role'}"


def _unknown_roles(policy: Policy, release: Release) -> list[Finding]:
    asked = dict.fromkeys((*policy.roles, *(role for roles in policy.models.values() for role in roles)))
    known = set(policy.own_keys) | (set() if release.reviewers is None else set(release.reviewers.roles))
    return [
        problem(
            "policy",
            f"it asks for {role!r}, and channel {release.channel!r} has no reviewers for that",
            "correct the policy, or ask the channel's owners",
            UnreviewedError,
        )
        for role in asked
        if role not in known
    ]


def _exceptions(policy: Policy, release: Release, now: datetime) -> list[Finding]:
    listed = {blob.digest: model for model, blob in release.models.items()}
    findings = []
    for one in policy.exceptions.values():
        model = listed.get(one.digest)
        what = f"its exception for {one.digest[:19] if model is None else model}"
        if model is None:
            findings.append(warning("policy", f"{what} concerns no version that the channel lists", "remove it"))
        elif one.until <= now:
            seen = f"{what} ({one.reason}) ended on {one.until:%Y-%m-%d}: it is loaded, and not installed again"
            findings.append(warning("policy", seen, "have the version reviewed"))
        elif one.until - now <= SOON:
            seen = f"{what} ({one.reason}) ends on {one.until:%Y-%m-%d}; then it is loaded, and not installed again"
            findings.append(warning("policy", seen, "have the version reviewed"))
        else:
            findings.append(ok("policy", f"{what} ({one.reason}) is good until {one.until:%Y-%m-%d}"))
    return findings


def _active(one: Active) -> list[Finding]:
    if one.lacks:
        seen = f"{one.model} is active and not loaded: {'; '.join(one.lacks)}"
        return [problem("reviews", seen, "carry a bundle with the approvals, or another version", UnreviewedError)]
    if one.mark is not None and one.mark.until is not None and one.mark.state in (EXPIRING, EXPIRED):
        end = "ended" if one.mark.state == EXPIRED else "end"
        seen = f"the approvals of {one.model} {end} on {one.mark.until:%Y-%m-%d}: it is loaded, and not installed again"
        return [warning("reviews", seen, "ask for a release in which it is approved again")]
    return []
