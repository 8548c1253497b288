"""Decide by signed statements whether a model version is approved. Pure.

Rules:

1. A statement counts for a key of the role that it names, whose signature verifies, that root lists and did not revoke;
   made before the key retired, for this channel, this path and this manifest. An approval of one version also names the
   record that the version has, and every approval a questionnaire that root lists and did not void.
2. Of one key and subject the highest serial counts. Of equal serials the stricter decision counts.
3. A role approves with as many different keys, by material, as its threshold says.
4. A rejection or a withdrawal that counts blocks, whatever others approve, and never expires.
5. An approval that has expired does not count where `now` is given. Loading gives none.
6. Only envelopes that hold the subject's digest are parsed and verified, so that a thousand others cost nothing.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from sealift_common.metadata.release_document import key_name
from sealift_common.review.dsse import Envelope, canonical
from sealift_common.review.index import Said, StatementIndex
from sealift_common.review.reviewers import Reviewer, Reviewers
from sealift_common.review.statement import APPROVED, Statement, Subject

Envelopes = Iterable[Mapping[str, object]] | StatementIndex


class Decision(NamedTuple):
    """What one reviewer's key says of one subject, verified and not replaced by a later statement."""

    reviewer: Reviewer
    statement: Statement
    envelope: Envelope

    @property
    def name(self) -> str:
        """How people call the key's owner."""
        return key_name(self.reviewer.key)

    def expired(self, now: datetime | None) -> bool:
        """Return whether it is an approval that ended before `now`."""
        expires = self.statement.expires
        return self.statement.decision == APPROVED and now is not None and expires is not None and expires <= now

    def older(self, now: datetime | None, max_age: timedelta | None) -> bool:
        """Return whether it was made longer before `now` than `max_age`."""
        # Counted from `now`, because a statement may name any day of the calendar, and nothing comes after the last.
        return now is not None and max_age is not None and self.statement.created < now - max_age


def decisions(envelopes: Envelopes, reviewers: Reviewers, subject: Subject, record: str | None) -> list[Decision]:
    """Return what counts about `subject`, by rules 1 and 2, in the order of roles and names.

    Args:
        envelopes: as the signed targets hold them, or their index.
        record: digest of the version's `REVIEW.json`; None where it has none.
    """
    latest: dict[tuple[str, bytes], Decision] = {}
    for said in StatementIndex.of(envelopes).about(subject):
        if not _fits(said.statement, reviewers, record):
            continue
        for reviewer in signers(said, reviewers):
            decision = Decision(reviewer, said.statement, said.envelope)
            place = (said.statement.role, reviewer.material)
            if place not in latest or said.statement.rank > latest[place].statement.rank:
                latest[place] = decision
    return sorted(latest.values(), key=lambda one: (one.statement.role, one.name, one.reviewer.material))


def _fits(statement: Statement, reviewers: Reviewers, record: str | None) -> bool:
    """Return whether an approval is of this record and of a questionnaire that counts."""
    # A rejection counts whatever it says of them: its reviewer meant these bytes. And the site's own reviewers go by
    # these bytes alone.
    if statement.decision != APPROVED or reviewers.own:
        return True
    if len(statement.subjects) == 1 and statement.record != record:
        return False
    return statement.questionnaire is None or statement.questionnaire in reviewers.questionnaires


def signers(said: Said, reviewers: Reviewers) -> list[Reviewer]:
    """Return the reviewers who signed a statement, where it counts: of this channel and role, before they retired."""
    statement = said.statement
    role = reviewers.roles.get(statement.role)
    if role is None or statement.channel != reviewers.channel:
        return []
    return [
        one for one in role.reviewers if (one.until is None or statement.created <= one.until) and said.signed_with(one)
    ]


def in_order(envelopes: Sequence[Mapping[str, object]]) -> bool:
    """Return whether envelopes stand as `kept` returns them: sorted, and each once."""
    try:
        keys = [(str(one["payload"]), json.dumps(one["signatures"], sort_keys=True)) for one in envelopes]
    except KeyError:
        return False
    return all(one < other for one, other in pairwise(keys))


def kept(envelopes: Envelopes, reviewers: Reviewers, subjects: Collection[Subject]) -> tuple[dict[str, object], ...]:
    """Return the envelopes that a release needs, sorted: one for each key and subject that it lists, the latest.

    A batch stays while one of its subjects needs it.
    """
    wanted = frozenset(subjects)
    return _sorted(said for said, subject in _latest(StatementIndex.of(envelopes), reviewers) if subject in wanted)


def objecting(envelopes: Envelopes, reviewers: Reviewers) -> tuple[dict[str, object], ...]:
    """Return the envelopes of rejections and withdrawals that no later word of their key replaces, sorted."""
    index = StatementIndex.of(envelopes)
    objected = {subject for said in index if said.statement.decision != APPROVED for subject in said.subjects}
    latest = _latest((said for said in index if not objected.isdisjoint(said.subjects)), reviewers)
    return _sorted(said for said, _ in latest if said.statement.decision != APPROVED)


def _latest(index: Iterable[Said], reviewers: Reviewers) -> Iterator[tuple[Said, Subject]]:
    """Yield, for each key and subject, the statement that counts."""
    latest: dict[tuple[str, bytes, Subject], tuple[tuple[tuple[int, int], bytes], Said]] = {}
    for said in index:
        entry = (said.statement.rank, canonical(said.envelope))
        for reviewer in signers(said, reviewers):
            for subject in said.subjects:
                place = (said.statement.role, reviewer.material, subject)
                if place not in latest or entry > latest[place][0]:
                    latest[place] = (entry, said)
    for (_, _, subject), (_, said) in latest.items():
        yield said, subject


def _sorted(found: Iterable[Said]) -> tuple[dict[str, object], ...]:
    envelopes = {canonical(said.envelope): said.envelope for said in found}
    return tuple(envelopes[data].to_dict() for data in sorted(envelopes))


def dropped(
    before: Iterable[Mapping[str, object]],
    after: Iterable[Mapping[str, object]],
    reviewers: Reviewers,
    listed: Collection[Subject],
) -> Iterator[tuple[Subject, Statement]]:
    """Yield what was said before of a version that is still listed, and is neither repeated nor replaced.

    A statement of a key that root revoked, or no longer knows, does not have to be repeated.
    """
    after = list(after)
    still = {json.dumps(document, sort_keys=True) for document in after}
    changed = [document for document in before if json.dumps(document, sort_keys=True) not in still]
    later: dict[Subject, list[Said]] = {}
    for said in StatementIndex(after) if changed else ():
        for subject in said.subjects:
            later.setdefault(subject, []).append(said)
    wanted = frozenset(listed)
    for said in StatementIndex(changed):
        for reviewer in signers(said, reviewers):
            for subject in sorted(wanted & said.subjects):
                if not any(_replaces(one, said, reviewer) for one in later.get(subject, ())):
                    yield subject, said.statement


def _replaces(later: Said, said: Said, reviewer: Reviewer) -> bool:
    """Return whether a statement of the same role says as much as another or more, and is by the same key."""
    same = later.statement.role == said.statement.role and later.statement.channel == said.statement.channel
    return same and later.statement.rank >= said.statement.rank and later.signed_with(reviewer)


def problems(
    found: Iterable[Decision], reviewers: Reviewers, roles: Collection[str], now: datetime | None = None
) -> list[str]:
    """Return what keeps a version from being approved, in words; empty when nothing does.

    Args:
        found: of `decisions`.
        roles: that must approve.
        now: what expiry is judged by; None where it does not matter.
    """
    found = list(found)
    return [*objections(found), *lacking(found, reviewers, roles, now)]


def objections(found: Iterable[Decision]) -> list[str]:
    """Return who rejected a version, or took an approval back, in words."""
    return [
        f"{one.statement.role}: {one.statement.decision} by {one.name!r}"
        + (f" ({one.statement.note!r})" if one.statement.note else "")
        for one in found
        if one.statement.decision != APPROVED
    ]


def lacking(
    found: Iterable[Decision],
    reviewers: Reviewers,
    roles: Collection[str],
    now: datetime | None = None,
    max_age: timedelta | None = None,
) -> list[str]:
    """Return which approvals are missing, in words.

    Args:
        found, roles, now: as for `problems`.
        max_age: how old an approval may be, where `now` is given.
    """
    found = list(found)
    said = []
    for role in roles:
        if role not in reviewers.roles:
            said.append(f"channel {reviewers.channel!r} has no reviewers for {role!r}")
            continue
        whose = f"this site's {role}" if reviewers.own else role
        threshold = reviewers.roles[role].threshold
        approvals = [one for one in found if one.statement.role == role and one.statement.decision == APPROVED]
        ended = [one.name for one in approvals if one.expired(now) or one.older(now, max_age)]
        if len(approvals) - len(ended) < threshold:
            known = ", ".join(repr(key_name(one.key)) for one in reviewers.roles[role].active) or "nobody"
            end = f"; expired: {', '.join(map(repr, ended))}" if ended else ""
            said.append(f"{whose}: {len(approvals) - len(ended)} of {threshold} approvals by {known}{end}")
    return said
