"""The next release of a channel: stage a model version, release what is staged, withdraw what was released.

Rules: a released version never changes its bytes; a withdrawn version never returns; a release lists
every version that may still be loaded; the signatures of the release before do not carry over.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from securesystemslib.signer import Signer
from tuf.api.metadata import Metadata
from tuf.api.serialization.json import JSONSerializer

from sealift.errors import ChannelError, LimitError, UsageError
from sealift_bundler.errors import UnapprovedError
from sealift_bundler.release.spoken import require_harmless_notes, require_harmless_reason
from sealift_common.blob import Blob
from sealift_common.clock import next_release_time, rfc3339
from sealift_common.metadata.release_document import Release, Withdrawal, targets_of
from sealift_common.names import ModelVersion
from sealift_common.review.index import StatementIndex
from sealift_common.review.judgement import kept
from sealift_common.review.reviewers import Reviewers
from sealift_common.review.statement import Subject
from sealift_common.wording import counted
from sealift_keys.ceremony.beginning import new_release
from sealift_keys.ceremony.quorum import missing, newest_questionnaire
from sealift_keys.ceremony.signing import Signed
from sealift_keys.ceremony.stating import envelopes_of, reviewers_of
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.statements import forget_statements
from sealift_keys.channel.status import status

MAX_REASON_CHARS = 500
# Instances read 5 MB; four ML-DSA-65 signatures and some more take the rest.
MAX_TARGETS_BYTES = 4_500_000
# Enough room for some hundred approvals, and time to ask for them to be gathered.
WARN_TARGETS_BYTES = 4_000_000
_GATHER = "have each reviewer run `sealift-keys gather`, or withdraw versions that nobody needs"


@dataclass(frozen=True)
class Made:
    """A release that was written: its number, what is new in it, the signatures it has so far, and what to think of."""

    number: int
    added: tuple[ModelVersion, ...]
    withdrawn: tuple[ModelVersion, ...]
    signed: tuple[Signed, ...]
    notes: tuple[str, ...] = ()


def check_may_add(channel: Channel, model: ModelVersion) -> None:
    """Refuse a version that was withdrawn; call this before the expensive conversion.

    Raises:
        ChannelError: `model` is withdrawn.
    """
    for entry in channel.release().withdrawn:
        if entry.model == model:
            raise ChannelError(
                f"{model} was withdrawn at {entry.at} ({entry.reason!r}) and cannot return; "
                "give the model a new version"
            )


def stage(channel: Channel, model: ModelVersion, reference: Blob) -> str:
    """Stage a model version whose blobs are in the channel; return 'added', 'replaced' or 'unchanged'.

    Raises:
        ChannelError: it is withdrawn, was released with other bytes, or its manifest blob is not there.
    """
    with channel.locked():
        return stage_locked(channel, model, reference)


def stage_locked(channel: Channel, model: ModelVersion, reference: Blob) -> str:
    """Do what `stage` does, for who holds the channel's lock already."""
    check_may_add(channel, model)
    _check_manifest(channel, model, reference)
    released = channel.released().get(model)
    if released == reference:
        channel.unstage(model)
        return "unchanged"
    if released is not None:
        raise ChannelError(
            f"{model} is released as {released.digest}, this one is {reference.digest}; "
            "a released version never changes, give the model a new version"
        )
    staged = channel.staged().get(model)
    if staged == reference:
        return "unchanged"
    channel.stage(model, reference)
    return "added" if staged is None else "replaced"


def unstage(channel: Channel, model: ModelVersion) -> None:
    """Take a staged version out of the next release; its blobs stay until `sweep`.

    Raises:
        ChannelError: it is not staged.
    """
    with channel.locked():
        staged = channel.staged()
        if model not in staged:
            what = "released, so withdraw it instead" if model in channel.released() else "not staged"
            known = ", ".join(map(str, staged)) or "nothing"
            raise ChannelError(f"{model} is {what}; staged: {known}")
        channel.unstage(model)


def release(
    channel: Channel, signers: Sequence[Signer] = (), *, refresh: bool = False, now: datetime | None = None
) -> Made:
    """Write the next release: everything released and staged; sign it with `signers`.

    Args:
        channel: the channel to change.
        signers: private keys at hand; others sign with `sealift-keys sign`.
        refresh: make a release with nothing new in it, for new expiry dates.
        now: what expiry counts from; the system clock by default.

    Raises:
        ChannelError: nothing is staged, a blob is missing, or metadata is damaged; or the questionnaire is not root's.
        KeyFileError: a signer belongs to no role of this channel.
        UnapprovedError: a staged version lacks an approval; nothing is written.
        DisclosureError: the note of a new review holds a secret or personal data; nothing is written.
        LimitError: targets would be larger than instances read.
    """
    with channel.locked():
        staged, before = channel.staged(), channel.release()
        models = dict(sorted({**before.models, **staged}.items()))
        listed = {Subject(model, blob.digest) for model, blob in models.items()}
        reviewers = reviewers_of(channel)
        envelopes = StatementIndex(envelopes_of(channel))
        reviews = before.reviews if reviewers is None else kept(envelopes, reviewers, listed)
        # After an interrupted release there may be nothing left to stage, and still much to repair.
        waits = staged or refresh or reviews != before.reviews
        if not waits and not status(channel).inconsistent:
            raise ChannelError(_nothing_staged(channel, before))
        for model, reference in staged.items():
            check_may_add(channel, model)
            _check_manifest(channel, model, reference)
            if before.models.get(model, reference) != reference:
                raise ChannelError(f"{model} is released with other bytes; unstage it, and give it a new version")
        if reviewers is not None:
            _require_approval(channel, reviewers, staged, envelopes, now or datetime.now(UTC))
            require_harmless_notes(reviews, before.reviews)
        content = before._replace(models=models, released=next_release_time(before.released), reviews=reviews)
        notes = _require_size(content)
        signed = new_release(channel, content, signers, now=now)
        for model in staged:
            channel.unstage(model)
        forget_statements(channel.directory, listed)
        added = tuple(model for model in staged if model not in before.models)
        return Made(channel.targets().signed.version, added, (), tuple(signed), notes)


def _nothing_staged(channel: Channel, before: Release) -> str:
    """Say what to do in place of a release: sign the one that was made, or stage something."""
    waiting = [name for role in status(channel).roles if role.missing for name in role.waiting_for]
    if waiting:
        return (
            f"nothing is staged in {str(channel.directory)!r}: release {before.number} is made and waits for "
            f"{', '.join(map(repr, dict.fromkeys(waiting)))}; run: sealift-keys sign {channel.directory} --key FILE"
        )
    return (
        f"nothing is staged in {str(channel.directory)!r}; run sealift-bundler add first, "
        "or give --refresh for a release with new expiry dates only"
    )


def _require_approval(
    channel: Channel,
    reviewers: Reviewers,
    staged: Mapping[ModelVersion, Blob],
    envelopes: StatementIndex,
    now: datetime,
) -> None:
    """Check that everyone who reviews a new version approved it; what was released before is not asked again.

    Raises:
        UnapprovedError: something is missing; the message says of each version what.
        ChannelError: as `newest_questionnaire` and `missing`.
    """
    if not staged:
        return
    questionnaire = newest_questionnaire(channel, reviewers)
    said = []
    for model, blob in staged.items():
        found = missing(channel, reviewers, model, blob, envelopes, questionnaire=questionnaire, now=now)
        if found:
            said.append(f"{model} {blob.digest}: {'; '.join(found)}")
    if said:
        raise UnapprovedError(
            f"{counted(len(said), 'version')} not approved, so nothing was released: {'. '.join(said)}. Reviewers run: "
            f"sealift-keys review {channel.directory} NAME VERSION --role ROLE --approve --digest DIGEST --key FILE"
        )


def _require_size(release: Release) -> tuple[str, ...]:
    """Check that instances can read the targets, with room for signatures; say so where that ends soon.

    Raises:
        LimitError: they are too large.
    """
    targets = targets_of(release, release.released)
    size = len(Metadata(targets).to_bytes(JSONSerializer(compact=True)))
    if size > MAX_TARGETS_BYTES:
        raise LimitError(
            f"the targets of this release would have {size:,} bytes, with {counted(len(release.reviews), 'review')}; "
            f"expected at most {MAX_TARGETS_BYTES:,}: {_GATHER}"
        )
    if size <= WARN_TARGETS_BYTES:
        return ()
    return (f"the targets have {size:,} bytes, and beyond {MAX_TARGETS_BYTES:,} nothing is released: {_GATHER}",)


def withdraw(
    channel: Channel, model: ModelVersion, reason: str, signers: Sequence[Signer] = (), *, now: datetime | None = None
) -> Made:
    """Write a release without `model`; it can neither be installed, loaded, nor added again.

    Staged versions stay staged: taking something back must not wait for, or carry along, anything new.

    Raises:
        ChannelError: the version is not released, or is withdrawn already.
        KeyFileError: a signer belongs to no role of this channel.
        UsageError: the reason is empty, too long, or not one line.
        DisclosureError: the reason holds a secret or personal data.
    """
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON_CHARS or not reason.isprintable():
        raise UsageError(
            f"the reason is {reason[:40]!r}; expected one line of 1 to {MAX_REASON_CHARS} characters "
            "for the admins who will read it"
        )
    require_harmless_reason(reason)
    with channel.locked():
        before = channel.release()
        models, withdrawn, at = channel.released(), before.withdrawn, next_release_time(before.released)
        earlier = before.withdrawal_of(model)
        if earlier is None:
            if model not in models:
                raise ChannelError(_not_released(channel, model))
            del models[model]
            withdrawn = (*withdrawn, Withdrawal(model, reason, rfc3339(at)))
        elif not status(channel).inconsistent:
            raise ChannelError(f"{model} was withdrawn already, at {earlier.at}: {earlier.reason!r}")
        # Otherwise this very command was interrupted after its first file, and now finishes.
        content = before._replace(models=models, released=at, withdrawn=withdrawn)
        signed = new_release(channel, content, signers, now=now)
        channel.unstage(model)
        return Made(channel.targets().signed.version, (), (model,), tuple(signed))


def _not_released(channel: Channel, model: ModelVersion) -> str:
    if model in channel.staged():
        return (
            f"{model} is only staged, not released; drop it with: sealift-bundler unstage {model.name} {model.version} "
            f"--channel {channel.directory}"
        )
    versions = [str(other.version) for other in channel.released() if other.name == model.name]
    known = f"released versions: {', '.join(versions)}" if versions else "the channel has no model of that name"
    return f"{model} is not released; {known}"


def _check_manifest(channel: Channel, model: ModelVersion, reference: Blob) -> None:
    path = channel.blobs_dir / reference.hex
    if not path.is_file():
        raise ChannelError(f"{model}: its manifest {reference.digest} is not among the channel's blobs; add it again")
    # The size first: nothing is read that is longer than it.
    size = path.stat().st_size
    data = path.read_bytes() if size == reference.size else b""
    if size != reference.size or hashlib.sha256(data).hexdigest() != reference.hex:
        raise ChannelError(f"{model}: blob {str(path)!r} does not match its name or size; delete it and add again")
