"""Which model versions of a channel lack an approval, by its root, its statements and their records."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from tuf.api.metadata import Root

from sealift_common.blob import Blob
from sealift_common.contents.reading import read_contents
from sealift_common.errors import ChannelError
from sealift_common.names import ModelVersion
from sealift_common.review.judgement import decisions, names, problems
from sealift_common.review.questionnaire import Questionnaire, default_bytes, parse_questionnaire
from sealift_common.review.reviewers import Reviewers, read_reviewers
from sealift_common.review.statement import Subject
from sealift_keys.ceremony.stating import envelopes_of, record_digest, reviewers_of
from sealift_keys.channel.directory import Channel


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
    envelopes: Iterable[Mapping[str, object]],
    *,
    questionnaire: Questionnaire | None = None,
    now: datetime | None = None,
) -> list[str]:
    """Return what keeps a version from being approved, in words; empty when nothing does.

    Args:
        questionnaire: that the version must answer, and whose roles must approve; None takes the roles of its record.
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
    envelopes = envelopes_of(channel)
    lost = []
    for model, blob in channel.released().items():
        about = [one for one in envelopes if names(one, Subject(model, blob.digest))]
        approved = bool(about) and not missing(channel, before, model, blob, about)
        if approved and (after is None or missing(channel, after, model, blob, about)):
            lost.append(model)
    return lost
