"""Make a reviewer's statement about one model version: the digest is typed, so that nobody approves blind."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from securesystemslib.signer import Signer

from sealift_common import fingerprint
from sealift_common.clock import release_time
from sealift_common.contents.reading import Contents, read_contents
from sealift_common.errors import ChannelError, KeyFileError, MalformedError, UsageError
from sealift_common.metadata.release_document import key_name
from sealift_common.names import ModelVersion, is_model_name
from sealift_common.review.dsse import Envelope, pre_authentication
from sealift_common.review.index import StatementIndex
from sealift_common.review.judgement import Decision, decisions
from sealift_common.review.record import FILE_NAME
from sealift_common.review.reviewers import Reviewer, Reviewers, ReviewRole, read_reviewers
from sealift_common.review.statement import (
    APPROVED,
    MAX_SUBJECTS,
    WITHDRAWN,
    Statement,
    Subject,
    check_note,
)
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.statements import keep_statement, statements

MAX_EXPIRES_DAYS = 3_650
DEFAULT_EXPIRES_DAYS = 365


@dataclass(frozen=True)
class Stated:
    """A statement that was written, where, and what it is about."""

    statement: Statement
    contents: Contents
    path: Path


def reviewers_of(channel: Channel) -> Reviewers | None:
    """Return who reviews for a channel; None where nobody does.

    Raises:
        ChannelError: its root breaks a rule of reviewers.
    """
    try:
        return read_reviewers(channel.root().signed)
    except MalformedError as error:
        raise ChannelError(f"channel {str(channel.directory)!r}: {error}; restore its root") from error


def envelopes_of(channel: Channel) -> list[Mapping[str, object]]:
    """Return every statement of a channel: those of its targets, and those that wait for the next release."""
    return [*channel.release().reviews, *(one.to_dict() for one in statements(channel.directory).values())]


def record_digest(contents: Contents) -> str | None:
    """Return the digest of a version's `REVIEW.json`; None where it has none."""
    return next((file.plain.digest for file in contents.manifest.files if file.name == FILE_NAME), None)


def state(
    channel: Channel,
    model: ModelVersion,
    role: str,
    decision: str,
    digest: str,
    signer: Signer,
    *,
    expires_days: int = DEFAULT_EXPIRES_DAYS,
    note: str = "",
) -> Stated:
    """Sign what a reviewer decided, and keep it in the channel for the next release.

    Args:
        digest: of the manifest that the reviewer looked at.
        expires_days: how long an approval is good.
        note: one line for people; signed.

    Raises:
        ChannelError: the channel has no such reviewers or version, or the version has another digest.
        KeyFileError: the key does not review for this role, or cannot sign.
        UsageError: the note or the number of days is beyond reason, or there is nothing to withdraw.
    """
    note, ends = check_note(note), _ends(decision, expires_days)
    reviewers = _require_role(channel, role)
    reviewer = _reviewer(reviewers, role, signer)
    with channel.locked():
        contents = _contents(channel, model, digest, decision)
        subject = Subject(model, digest)
        if decision == WITHDRAWN:
            found = decisions(envelopes_of(channel), reviewers, subject, record_digest(contents))
            _require_approval(found, reviewer, model)
        statement = Statement(
            channel=reviewers.channel,
            role=role,
            decision=decision,
            serial=last_serial(envelopes_of(channel), subject, role, reviewer) + 1,
            subjects=(subject,),
            record=record_digest(contents),
            questionnaire=None if contents.record is None else contents.record.questionnaire,
            created=release_time(),
            expires=ends,
            note=note,
        )
        envelope = _signed(statement, signer, reviewer)
        return Stated(statement, contents, keep_statement(channel.directory, envelope))


def state_own(
    directory: Path,
    channel_name: str,
    model: ModelVersion,
    role: str,
    decision: str,
    digest: str,
    signer: Signer,
    *,
    expires_days: int = DEFAULT_EXPIRES_DAYS,
    note: str = "",
) -> tuple[Statement, Path]:
    """Sign what a reviewer of an instance decided, outside of any channel, into `reviews` of a directory.

    Args:
        directory: of the instance's policy, or another whose statements are taken there.
        channel_name: of the channel that the version comes from.
        digest, expires_days, note: as for `state`.

    Raises:
        ChannelError: a statement in the directory is damaged.
        KeyFileError: the key cannot sign.
        UsageError: a name, the note or the number of days is beyond reason, or there is nothing to withdraw.
    """
    note, ends = check_note(note), _ends(decision, expires_days)
    for name, what in ((channel_name, "a channel"), (role, "reviewers")):
        if not is_model_name(name):
            raise UsageError(f"{name[:80]!r} is not a name for {what}; expected [a-z0-9][a-z0-9._-]*")
    key = signer.public_key
    reviewer, subject = Reviewer(key, fingerprint.material(key), None), Subject(model, digest)
    found = [one.to_dict() for one in statements(directory).values()]
    if decision == WITHDRAWN:
        own = Reviewers(channel_name, {role: ReviewRole(role, 1, (reviewer,))}, (), own=True)
        _require_approval(decisions(found, own, subject, None), reviewer, model)
    statement = Statement(
        channel=channel_name,
        role=role,
        decision=decision,
        serial=last_serial(found, subject, role, reviewer) + 1,
        subjects=(subject,),
        record=None,
        questionnaire=None,
        created=release_time(),
        expires=ends,
        note=note,
    )
    return statement, keep_statement(directory, _signed(statement, signer, reviewer))


def _ends(decision: str, expires_days: int) -> datetime | None:
    if not 1 <= expires_days <= MAX_EXPIRES_DAYS:
        raise UsageError(
            f"{expires_days} days put the expiry in the past or beyond reason; expected 1 to {MAX_EXPIRES_DAYS:,}"
        )
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=expires_days)
    return ends if decision == APPROVED else None


def gather(channel: Channel, role: str, signer: Signer) -> list[Statement]:
    """Sign all approvals that this key gave to released and staged versions once more, many in one statement.

    A statement for each version takes a kilobyte of targets, a version in a batch some hundred bytes. Approvals that
    end in one month come together, and end with the first of them: none is good for longer.

    Raises:
        ChannelError: the channel has no such reviewers.
        KeyFileError: the key does not review for this role, or cannot sign.
    """
    reviewers = _require_role(channel, role)
    reviewer = _reviewer(reviewers, role, signer)
    with channel.locked():
        envelopes = envelopes_of(channel)
        groups: dict[tuple[str, str | None], list[Subject]] = {}
        ends: dict[str, datetime | None] = {}
        serial = 0
        for subject, statement in _approvals(channel, envelopes, role, reviewer):
            month = "" if statement.expires is None else f"{statement.expires:%Y-%m}"
            groups.setdefault((month, statement.questionnaire), []).append(subject)
            ends[month] = min(filter(None, (ends.get(month), statement.expires)), default=None)
            serial = max(serial, statement.serial)
        made = []
        for (month, questionnaire), subjects in groups.items():
            for start in range(0, len(subjects), MAX_SUBJECTS):
                several = tuple(sorted(subjects[start : start + MAX_SUBJECTS]))
                if len(several) < 2:
                    continue
                statement = Statement(
                    channel=reviewers.channel,
                    role=role,
                    decision=APPROVED,
                    serial=serial + 1,
                    subjects=several,
                    record=None,
                    questionnaire=questionnaire,
                    created=release_time(),
                    expires=ends[month],
                    note="",
                )
                keep_statement(channel.directory, _signed(statement, signer, reviewer))
                made.append(statement)
        return made


def _approvals(
    channel: Channel, envelopes: Iterable[Mapping[str, object]], role: str, reviewer: Reviewer
) -> Iterator[tuple[Subject, Statement]]:
    """Yield the released and staged versions that a key approves now, each with the statement that says so."""
    listed = {Subject(model, blob.digest) for model, blob in {**channel.released(), **channel.staged()}.items()}
    latest: dict[Subject, Statement] = {}
    for said in StatementIndex(envelopes):
        about = listed & said.subjects
        if about and said.statement.role == role and said.signed_with(reviewer):
            for subject in about:
                known = latest.get(subject)
                if known is None or said.statement.rank > known.rank:
                    latest[subject] = said.statement
    yield from ((subject, one) for subject, one in sorted(latest.items()) if one.decision == APPROVED)


def _require_role(channel: Channel, role: str) -> Reviewers:
    reviewers = reviewers_of(channel)
    if reviewers is None or role not in reviewers.roles:
        known = "nobody reviews for it" if reviewers is None else f"its roles are {', '.join(sorted(reviewers.roles))}"
        raise ChannelError(f"channel {channel.name!r} has no reviewers for {role[:80]!r}; {known}")
    return reviewers


def _reviewer(reviewers: Reviewers, role: str, signer: Signer) -> Reviewer:
    material = fingerprint.material(signer.public_key)
    active = reviewers.roles[role].active
    for one in active:
        if one.material == material:
            return one
    names = ", ".join(repr(key_name(one.key)) for one in active) or "nobody"
    raise KeyFileError(f"key {key_name(signer.public_key)!r} does not review for {role!r}; these do: {names}")


def _contents(channel: Channel, model: ModelVersion, digest: str, decision: str) -> Contents:
    taken_back = channel.release().withdrawal_of(model)
    if taken_back is not None and decision == APPROVED:
        raise ChannelError(
            f"{model} was withdrawn at {taken_back.at}: {taken_back.reason!r}; nothing is left to approve"
        )
    found = {**channel.released(), **channel.staged()}.get(model)
    if found is None:
        raise ChannelError(f"{model} is neither released nor staged in {str(channel.directory)!r}; get a fresh copy")
    if found.digest != digest:
        raise ChannelError(
            f"{model} is {found.digest}, and not the {digest} that you looked at; look at this one first"
        )
    try:
        return read_contents(model, found, channel.blob)
    except FileNotFoundError:
        raise ChannelError(
            f"the files of {model} are not in {str(channel.directory)!r}; get a complete copy of the channel"
        ) from None


def _require_approval(found: Iterable[Decision], reviewer: Reviewer, model: ModelVersion) -> None:
    if not any(one.reviewer.material == reviewer.material and one.statement.decision == APPROVED for one in found):
        raise UsageError(
            f"{key_name(reviewer.key)!r} has not approved {model}, so there is nothing to withdraw; "
            "to refuse it, give --reject"
        )


def last_serial(envelopes: Iterable[Mapping[str, object]], subject: Subject, role: str, reviewer: Reviewer) -> int:
    """Return the serial of the last word of a key about one version; 0 where it said nothing."""
    said = StatementIndex(envelopes).about(subject)
    return max(
        (one.statement.serial for one in said if one.statement.role == role and one.signed_with(reviewer)), default=0
    )


def _signed(statement: Statement, signer: Signer, reviewer: Reviewer) -> Envelope:
    payload = statement.to_bytes()
    try:
        signature = signer.sign(pre_authentication(payload))
    except Exception as error:
        raise KeyFileError(f"key {key_name(reviewer.key)!r} cannot sign: {type(error).__name__} {error}") from error
    signature.keyid = reviewer.key.keyid
    envelope = Envelope(payload, (signature,))
    if not envelope.signed_with(reviewer.key):
        raise KeyFileError(
            f"key {key_name(reviewer.key)!r}: its signature does not verify with the key that root lists"
        )
    return envelope
