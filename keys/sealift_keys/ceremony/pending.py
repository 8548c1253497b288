"""The release that waits for signatures, or for `release`, and the one before it to compare it with.

Rules, because a copy of a channel comes from somebody else:

1. A release counts as the one before only when its recorded signatures verify: enough keys of the root it was made
   under had signed, that root descends from the first by signatures, and none of these keys was revoked since. A
   record that says something else is passed over, so that more is shown as new, never less.
2. A signer sees what changed since the last release that their own key signed, if there is one: no root that somebody
   put into the copy can forge that.
3. Documents of a version are read only from blobs that match the digests that the release lists.
"""

from collections.abc import Mapping, Sequence

from securesystemslib.signer import Key
from tuf.api.metadata import Metadata, Root, Targets

from sealift_common import fingerprint
from sealift_common.blob import Blob
from sealift_common.contents.changes import changes
from sealift_common.contents.reading import Contents, read_contents
from sealift_common.contents.summary import Summary
from sealift_common.errors import ChannelError, MalformedError, UnsafeMemberError
from sealift_common.metadata.release_document import Release, read_release, revocations
from sealift_common.names import ModelVersion
from sealift_common.review.index import StatementIndex
from sealift_common.review.judgement import Decision, decisions
from sealift_common.review.statement import Subject
from sealift_keys.ceremony.signing import digest_of, verifies
from sealift_keys.ceremony.stating import envelopes_of, record_digest, reviewers_of
from sealift_keys.channel import history
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.status import status


def waiting(channel: Channel, own: Sequence[Key] = ()) -> Summary:
    """Summarize the targets of the channel against the release before them.

    Args:
        own: the keys of the person who looks; see rule 2.

    Raises:
        ChannelError: metadata is missing or damaged.
        DigestError, MalformedError, LimitError, UnsafeMemberError: a new version is not what its digest says.
    """
    targets = channel.targets()
    after = channel.release()
    return _summary(channel, _before(channel, after.number, own), after, digest_of(targets))


def undecided(channel: Channel) -> Summary | None:
    """Summarize as `coming` what still needs a signature or a `release`; None where nothing waits.

    Raises:
        As `waiting`.
    """
    unsigned = any(role.missing for role in status(channel).roles if role.role != Root.type)
    return coming(channel) if unsigned or channel.staged() else None


def coming(channel: Channel) -> Summary:
    """Summarize what people decide about next.

    That is the release that lacks signatures; else what `release` would make of what is staged; else the last one.

    Raises:
        As `waiting`.
    """
    staged = channel.staged()
    targets = next(role for role in status(channel).roles if role.role == Targets.type)
    if not staged or targets.missing:
        return waiting(channel)
    before = channel.release()
    models = dict(sorted({**before.models, **staged}.items()))
    return _summary(channel, before, before._replace(number=before.number + 1, models=models), "")


def _summary(channel: Channel, before: Release | None, after: Release, digest: str) -> Summary:
    found = changes(before, after)
    wanted = {**dict(found.predecessors.values()), **found.new}
    contents = {model: one for model, blob in wanted.items() if (one := _contents(channel, model, blob)) is not None}
    return Summary(before, after, found, contents, digest, _decisions(channel, found.new, contents))


def _decisions(
    channel: Channel, new: Mapping[ModelVersion, Blob], contents: Mapping[ModelVersion, Contents]
) -> dict[ModelVersion, tuple[Decision, ...]]:
    """Read what reviewers decided about the new versions, in the targets and in the statements that wait."""
    reviewers = reviewers_of(channel)
    if reviewers is None:
        return {}
    envelopes = StatementIndex(envelopes_of(channel))
    return {
        model: tuple(decisions(envelopes, reviewers, Subject(model, blob.digest), record_digest(contents[model])))
        for model, blob in new.items()
        if model in contents
    }


def _contents(channel: Channel, model: ModelVersion, blob: Blob) -> Contents | None:
    """Read a version; None where this copy of the channel does not have its files."""
    try:
        return read_contents(model, blob, channel.blob)
    except FileNotFoundError:
        return None


def _before(channel: Channel, number: int, own: Sequence[Key]) -> Release | None:
    roots = _descending(channel)
    revoked = {entry["fingerprint"] for entry in revocations(channel.root().signed)}
    found: Release | None = None
    for record in history.newest_first(channel.directory):
        if record.number >= number:
            continue
        signed = record.metadata.signed_bytes
        if any(verifies(key, one, signed) for key in own for one in record.metadata.signatures.values()):
            return _release(channel, record)
        enough = record.root_version <= len(roots) and _enough(record.metadata, roots[record.root_version - 1], revoked)
        if found is None and enough:
            found = _release(channel, record)
            if not own:
                break
    return found


def _release(channel: Channel, record: history.Record) -> Release:
    try:
        return read_release(channel.root(1).signed, record.metadata.signed)
    except (MalformedError, UnsafeMemberError) as error:
        raise ChannelError(
            f"the record of release {record.number} in {str(channel.directory)!r} is damaged: {error}; restore it"
        ) from error


def _descending(channel: Channel) -> list[Root]:
    """Return the roots from the first on, as far as each is signed by itself and by the one before it."""
    roots: list[Root] = []
    for version in channel.root_versions():
        metadata = channel.root(version)
        previous = roots[-1] if roots else None
        verdict = metadata.signed.get_root_verification_result(previous, metadata.signed_bytes, metadata.signatures)
        if not verdict.verified or metadata.signed.version != version:
            break
        roots.append(metadata.signed)
    return roots


def _enough(metadata: Metadata[Targets], root: Root, revoked: set[str]) -> bool:
    verdict = root.get_verification_result(Targets.type, metadata.signed_bytes, metadata.signatures)
    good = {fingerprint.of_key(key) for key in verdict.signed.values()} - revoked
    return len(good) >= verdict.threshold
