"""Say in a word and a day how the approvals of an active version stand: for `sealift list` and `doctor`. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sealift.policy.policy import Policy, in_force
from sealift.policy.verdict import heard, unmet, unmet_for_loading
from sealift_common.metadata.release_document import Release
from sealift_common.oci.manifest import Manifest
from sealift_common.review.statement import APPROVED

# When an end is near enough to mention it.
SOON = timedelta(days=30)
_SECOND = timedelta(seconds=1)
UNREVIEWED, EXCEPTED, EXPIRING, EXPIRED, APPROVED_MARK = "unreviewed", "excepted", "expiring", "expired", "approved"


class Mark(NamedTuple):
    """How a version stands, and the time (UTC) from which it would not be installed again; None for no such time."""

    state: str
    until: datetime | None

    def __str__(self) -> str:
        """The mark as `sealift list` shows it; nothing where all is well."""
        if self.state == UNREVIEWED:
            return "UNREVIEWED, not loaded"
        if self.state == APPROVED_MARK or self.until is None:
            return ""
        word = {EXCEPTED: "excepted until", EXPIRING: "approved until", EXPIRED: "approved until"}[self.state]
        return f"{word} {self.until:%Y-%m-%d}"


def mark(policy: Policy, release: Release, manifest: Manifest, now: datetime) -> Mark | None:
    """Return how an active version stands; None where nobody asks for approvals.

    Args:
        now: the latest of clock and floor (UTC).
    """
    if not in_force(policy, release):
        return None
    if unmet_for_loading(policy, release, manifest):
        return Mark(UNREVIEWED, None)
    exception = policy.exceptions.get(manifest.digest)
    if exception is not None and unmet(policy._replace(exceptions={}), release, manifest):
        return Mark(EXCEPTED, exception.until)
    # The first moment from which an install would refuse it.
    ends = sorted(set(_ends(policy, release, manifest)))
    until = next((end for end in ends if unmet(policy, release, manifest, _after(end, _SECOND))), None)
    if until is None:
        return Mark(APPROVED_MARK, None)
    return Mark(EXPIRED if until <= now else EXPIRING if until - now <= SOON else APPROVED_MARK, until)


def _ends(policy: Policy, release: Release, manifest: Manifest) -> Iterator[datetime]:
    for decision in heard(policy, release, manifest):
        if decision.statement.decision == APPROVED:
            if decision.statement.expires is not None:
                yield decision.statement.expires
            if policy.max_age is not None:
                yield _after(decision.statement.created, policy.max_age)


def _after(moment: datetime, later: timedelta) -> datetime:
    """Add to a time that a statement names, which may be the last of the calendar."""
    return moment + min(later, datetime.max.replace(tzinfo=UTC) - moment)
