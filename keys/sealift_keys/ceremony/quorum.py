"""Which model versions of a channel lack an approval, by its root, its statements and their records."""

from datetime import datetime

from tuf.api.metadata import Root

from sealift_common.blob import Blob
from sealift_common.contents.reading import read_contents
from sealift_common.errors import ChannelError, Error
from sealift_common.names import ModelVersion
from sealift_common.review.index import StatementIndex
from sealift_common.review.judgement import Envelopes, decisions, lacking, problems
from sealift_common.review.questionnaire import Questionnaire, default_bytes, parse_questionnaire
from sealift_common.review.reviewers import Reviewers, read_reviewers
from sealift_common.review.statement import Subject
from sealift_keys.ceremony.stating import envelopes_of, record_digest, reviewers_of
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.status import ChannelStatus


def newest_questionnaire(channel: Channel, reviewers: Reviewers) -> Questionnaire:
    """Return the questionnaire that new versions answer, which root names by its digest.

    Raises:
        ChannelError: the one that lies in the channel is another.
    """
    found = parse_questionnaire(channel.questionnaire() or default_bytes())
    if not reviewers.questionnaires or reviewers.questionnaires[-1] != found.digest:
        expected = reviewers.questionnaires[-1] if reviewers.questionnaires else "none"
        raise ChannelError(
            f"the questionnaire of channel {reviewers.channel!r} is {found.digest}, and its root names {expected}; "
            "restore it, or have the holders of root agree: sealift-keys reviewer"
        )
    return found


def missing(
    channel: Channel,
    reviewers: Reviewers,
    model: ModelVersion,
    blob: Blob,
    envelopes: Envelopes,
    *,
    questionnaire: Questionnaire | None = None,
    now: datetime | None = None,
) -> list[str]:
    """Return what keeps a version from being approved, in words; empty when nothing does.

    Args:
        questionnaire: that the version must answer, and whose roles must approve; None takes the roles of its record.
            Those that root requires of every version are asked as well.
        now: what expiry is judged by; None where it does not matter.

    Raises:
        DigestError, MalformedError, LimitError, UnsafeMemberError: as `read_contents` and `decisions`.
        ChannelError: a file of the version is missing.
    """
    try:
        contents = read_contents(model, blob, channel.blob)
    except FileNotFoundError as error:
        raise ChannelError(f"{model}: {error.filename!r} is not among the channel's blobs; add it again") from error
    record = contents.record
    if record is None:
        return ["nobody answered the questionnaire; add it again with `review` in the recipe"]
    roles = dict.fromkeys(record.roles)
    if blob.digest not in reviewers.exempt:
        roles |= dict.fromkeys(reviewers.require)
    if questionnaire is not None:
        if record.questionnaire != questionnaire.digest:
            return [f"it answers {record.questionnaire}, and root names {questionnaire.digest}; add it again"]
        roles |= dict.fromkeys(questionnaire.demand(record.risk, personal_data=record.personal_data).roles)
    found = decisions(envelopes, reviewers, Subject(model, blob.digest), record_digest(contents))
    return problems(found, reviewers, roles, now)


def losing(channel: Channel, root: Root) -> list[ModelVersion]:
    """Return the released versions that are approved now, and would not be under `root`.

    Raises:
        As `missing`.
    """
    before, after = reviewers_of(channel), read_reviewers(root)
    if before is None:
        return []
    index = StatementIndex(envelopes_of(channel))
    lost = []
    for model, blob in channel.released().items():
        said_of = any(True for _ in index.about(Subject(model, blob.digest)))
        approved = said_of and not missing(channel, before, model, blob, index)
        if approved and (after is None or missing(channel, after, model, blob, index)):
            lost.append(model)
    return lost


def unasked(channel: Channel, root: Root) -> list[tuple[ModelVersion, Blob]]:
    """Return the released versions that instances would refuse by what `root` requires, and that it does not exempt.

    Raises:
        As `missing`.
    """
    reviewers = read_reviewers(root)
    if reviewers is None or not reviewers.require:
        return []
    index = StatementIndex(envelopes_of(channel))
    found = []
    for model, blob in channel.released().items():
        subject = Subject(model, blob.digest)
        record = None
        if any(True for _ in index.about(subject)):
            record = record_digest(read_contents(model, blob, channel.blob))
        said = decisions(index, reviewers, subject, record)
        if blob.digest not in reviewers.exempt and lacking(said, reviewers, reviewers.require):
            found.append((model, blob))
    return found


def next_command(channel: Channel, state: ChannelStatus, now: datetime | None = None) -> str:
    """Return the command that brings the channel on, or what `release` would ask for first.

    Raises:
        ChannelError: the root or the targets are damaged.
    """
    reviewers, command = reviewers_of(channel), state.next_command()
    if reviewers is None or not state.staged or not command.startswith("sealift-bundler release"):
        return command
    try:
        questionnaire, envelopes = newest_questionnaire(channel, reviewers), StatementIndex(envelopes_of(channel))
        for model, blob in channel.staged().items():
            found = missing(channel, reviewers, model, blob, envelopes, questionnaire=questionnaire, now=now)
            if found:
                return (
                    f"{model} lacks approval ({'; '.join(found)}): sealift-keys review {channel.directory} {model} "
                    f"--role ROLE --approve --digest {blob.digest} --key FILE, or take it out: "
                    f"sealift-bundler unstage {model} --channel {channel.directory}"
                )
    except Error:
        # `release` says what is damaged; a status must still be shown.
        return command
    return command
