"""Decide by signed statements whether a model version is approved. Pure.

Rules:

1. A statement counts for a key of the role that it names, whose signature verifies, that root lists and did not revoke;
   made before the key retired, for this channel, this path and this manifest. An approval of one version also names the
   record that the version has.
2. Of one key and subject the highest serial counts. Of equal serials the stricter decision counts.
3. A role approves with as many different keys, by material, as its threshold says.
4. A rejection or a withdrawal that counts blocks, whatever others approve, and never expires.
5. An approval that has expired does not count where `now` is given. Loading gives none.
6. Only envelopes that hold the subject's digest are parsed and verified, so that a thousand others cost nothing.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sealift_common.release_document import key_name
from sealift_common.review.dsse import MAX_PAYLOAD_BYTES, Envelope, canonical, decoded, parse_envelope
from sealift_common.review.reviewers import Reviewer, Reviewers
from sealift_common.review.statement import APPROVED, Statement, Subject, parse_statement


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
        return now is not None and max_age is not None and self.statement.created + max_age < now


def decisions(
    envelopes: Iterable[Mapping[str, object]], reviewers: Reviewers, subject: Subject, record: str | None
) -> list[Decision]:
    """Return what counts about `subject`, by rules 1 and 2, in the order of roles and names.

    Args:
        envelopes: as the signed targets hold them.
        record: digest of the version's `REVIEW.json`; None where it has none.

    Raises:
        MalformedError, LimitError: an envelope that names the subject is not of its form.
    """
    latest: dict[tuple[str, bytes], Decision] = {}
    for document in envelopes:
        if not names(document, subject):
            continue
        what = f"a review of {subject.model}"
        envelope = parse_envelope(document, what)
        statement = parse_statement(envelope.payload, what)
        if subject not in statement.subjects or statement.channel != reviewers.channel:
            continue
        # A rejection counts whatever it says of the record: its reviewer meant these bytes.
        if statement.decision == APPROVED and len(statement.subjects) == 1 and statement.record != record:
            continue
        for reviewer in _signers(envelope, statement, reviewers):
            decision = Decision(reviewer, statement, envelope)
            place = (statement.role, reviewer.material)
            if place not in latest or statement.rank > latest[place].statement.rank:
                latest[place] = decision
    return sorted(latest.values(), key=lambda one: (one.statement.role, one.name, one.reviewer.material))


def names(document: Mapping[str, object], subject: Subject) -> bool:
    """Return whether an envelope holds the digest of `subject`: cheap, and proof of nothing.

    Raises:
        MalformedError, LimitError: its payload is not base64.
    """
    payload = document.get("payload") if isinstance(document, Mapping) else None
    return subject.hex.encode() in decoded(payload, "a review", MAX_PAYLOAD_BYTES)


def _signers(envelope: Envelope, statement: Statement, reviewers: Reviewers) -> list[Reviewer]:
    role = reviewers.roles.get(statement.role)
    if role is None:
        return []
    return [
        one
        for one in role.reviewers
        if (one.until is None or statement.created <= one.until) and envelope.signed_with(one.key)
    ]


def kept(
    envelopes: Iterable[Mapping[str, object]], reviewers: Reviewers, subjects: Collection[Subject]
) -> tuple[dict[str, object], ...]:
    """Return the envelopes that a release needs, sorted: one for each key and subject that it lists, the latest.

    A batch stays while one of its subjects needs it.

    Raises:
        MalformedError, LimitError: an envelope is not of its form.
    """
    latest: dict[tuple[str, bytes, Subject], tuple[tuple[int, int], bytes, Envelope]] = {}
    wanted = set(subjects)
    for document in envelopes:
        envelope = parse_envelope(document, "a review")
        statement = parse_statement(envelope.payload, "a review")
        about = wanted.intersection(statement.subjects)
        if not about or statement.channel != reviewers.channel:
            continue
        for reviewer in _signers(envelope, statement, reviewers):
            entry = (statement.rank, canonical(envelope), envelope)
            for subject in about:
                place = (statement.role, reviewer.material, subject)
                if place not in latest or entry[:2] > latest[place][:2]:
                    latest[place] = entry
    found = {data: envelope for _, data, envelope in latest.values()}
    return tuple(found[data].to_dict() for data in sorted(found))


def dropped(
    before: Iterable[Mapping[str, object]],
    after: Collection[Mapping[str, object]],
    reviewers: Reviewers,
    listed: Collection[Subject],
) -> Iterator[tuple[Subject, Statement]]:
    """Yield what was said before of a version that is still listed, and is neither repeated nor replaced.

    A statement of a key that root revoked, or no longer knows, does not have to be repeated.

    Raises:
        MalformedError, LimitError: an envelope is not of its form.
    """
    still = {json.dumps(document, sort_keys=True) for document in after}
    wanted = set(listed)
    for document in before:
        if json.dumps(document, sort_keys=True) in still:
            continue
        envelope = parse_envelope(document, "a review")
        statement = parse_statement(envelope.payload, "a review")
        if statement.channel != reviewers.channel:
            continue
        for reviewer in _signers(envelope, statement, reviewers):
            for subject in wanted.intersection(statement.subjects):
                if _highest(after, subject, statement.role, reviewer) < statement.rank:
                    yield subject, statement


def _highest(
    envelopes: Iterable[Mapping[str, object]], subject: Subject, role: str, reviewer: Reviewer
) -> tuple[int, int]:
    highest = (0, 0)
    for document in envelopes:
        if names(document, subject):
            envelope = parse_envelope(document, "a review")
            statement = parse_statement(envelope.payload, "a review")
            same = subject in statement.subjects and statement.role == role
            if same and statement.rank > highest and envelope.signed_with(reviewer.key):
                highest = statement.rank
    return highest


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
        threshold = reviewers.roles[role].threshold
        approvals = [one for one in found if one.statement.role == role and one.statement.decision == APPROVED]
        ended = [one.name for one in approvals if one.expired(now) or one.older(now, max_age)]
        if len(approvals) - len(ended) < threshold:
            known = ", ".join(repr(key_name(one.key)) for one in reviewers.roles[role].active) or "nobody"
            end = f"; expired: {', '.join(map(repr, ended))}" if ended else ""
            said.append(f"{role}: {len(approvals) - len(ended)} of {threshold} approvals by {known}{end}")
    return said
