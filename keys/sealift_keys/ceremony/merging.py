"""Take over the signatures of a copy of the channel, signed on another machine.

Only signatures are taken, only for content that is the same here byte for byte, and only those that
verify with a key that root lists; and statements that a key of a reviewer signed. So a copy that comes
back on a USB stick can add a signature or a review, and nothing else.
"""

from dataclasses import dataclass
from typing import Any

from tuf.api.metadata import Metadata, Root

from sealift_common.errors import ChannelError
from sealift_common.metadata.release_document import key_name
from sealift_common.review.statement import Statement, parse_statement
from sealift_keys.ceremony.signing import Signed, keys_of, verifies
from sealift_keys.ceremony.stating import reviewers_of
from sealift_keys.channel.directory import ROLES, Channel
from sealift_keys.channel.statements import keep_statement, statements
from sealift_keys.channel.status import status
from sealift_keys.channel.verification import metadata_by_role


@dataclass(frozen=True)
class Merged:
    """What was taken of a copy, and what does not verify and was left."""

    taken: tuple[Signed, ...]
    refused: tuple[Signed, ...]
    # Statements of reviewers: taken, and those that nobody signed who reviews for the channel.
    statements: tuple[Statement, ...] = ()
    strange: tuple[str, ...] = ()
    # Why no signatures were taken, although statements were; empty otherwise.
    only_statements: str = ""


def merge(channel: Channel, other: Channel) -> Merged:
    """Add to `channel` the signatures that `other`, a copy of it, has and `channel` has not.

    Raises:
        ChannelError: `other` is another channel, or has other content under the same version, or one
            of the two is ahead; nothing is written. Statements are taken all the same, if there are any.

    """
    with channel.locked():
        reviews, strange = _statements(channel, other)
        try:
            pairs = _pairs(channel, other)
        except ChannelError as error:
            if not reviews:
                raise
            # They speak for themselves, however old the rest of the copy is.
            return Merged((), (), reviews, strange, str(error))
        taken: list[Signed] = []
        refused: list[Signed] = []
        changed = []
        for ours, theirs, root, previous in pairs:
            before = len(taken)
            for key in keys_of(ours.signed.type, root, previous):
                signature = theirs.signatures.get(key.keyid)
                if signature is None or _counts(ours, key):
                    continue
                one = Signed(ours.signed.type, ours.signed.version, key_name(key))
                if verifies(key, signature, ours.signed_bytes):
                    ours.signatures[key.keyid] = signature
                    taken.append(one)
                else:
                    refused.append(one)
            if len(taken) > before:
                changed.append(ours)
        channel.write(*changed)
        return Merged(tuple(taken), tuple(refused), reviews, strange)


def _statements(channel: Channel, other: Channel) -> tuple[tuple[Statement, ...], tuple[str, ...]]:
    """Take the statements of `other` that are not here, and that a reviewer of this channel signed."""
    known, reviewers = statements(channel.directory), reviewers_of(channel)
    taken, strange = [], []
    for name, envelope in statements(other.directory).items():
        if name in known:
            continue
        statement = parse_statement(envelope.payload, name)
        role = None if reviewers is None else reviewers.roles.get(statement.role)
        ours = reviewers is not None and statement.channel == reviewers.channel
        if ours and role is not None and any(envelope.signed_with(one.key) for one in role.active):
            keep_statement(channel.directory, envelope)
            taken.append(statement)
        else:
            strange.append(name)
    return tuple(taken), tuple(strange)


def _counts(metadata: Metadata[Any], key: Any) -> bool:
    signature = metadata.signatures.get(key.keyid)
    return signature is not None and verifies(key, signature, metadata.signed_bytes)


def _pairs(channel: Channel, other: Channel) -> list[tuple[Metadata[Any], Metadata[Any], Root, Root | None]]:
    """Every metadata file here with its copy there, and the roots that say who may sign it."""
    pairs: list[tuple[Metadata[Any], Metadata[Any], Root, Root | None]] = []
    newest, theirs = channel.root_versions()[-1], other.root_versions()[-1]
    previous: Root | None = None
    for version in range(1, min(newest, theirs) + 1):
        ours = channel.root(version)
        copy = _same(ours, other.root(version), other)
        # A complete root stays as it is: its fingerprint is published.
        if version == newest and not status(channel).roles[0].complete:
            pairs.append((ours, copy, ours.signed, previous))
        previous = ours.signed
    _same_version("root", newest, theirs, other)
    root = channel.root().signed
    there = metadata_by_role(other)
    for role, document in metadata_by_role(channel).items():
        if role == ROLES[0]:
            continue
        _same_version(role, document.signed.version, there[role].signed.version, other)
        pairs.append((document, _same(document, there[role], other), root, None))
    return pairs


def _same_version(role: str, here: int, there: int, other: Channel) -> None:
    if here == there:
        return
    what = f"{role} is version {here} here and {there} in {str(other.directory)!r}"
    if there > here:
        raise ChannelError(f"{what}: the copy is ahead; continue with the copy, and merge this one into it")
    raise ChannelError(f"{what}: the copy is too old; sign a fresh copy of this channel")


def _same(ours: Metadata[Any], theirs: Metadata[Any], other: Channel) -> Metadata[Any]:
    if ours.signed_bytes != theirs.signed_bytes:
        raise ChannelError(
            f"{ours.signed.type} {ours.signed.version} in {str(other.directory)!r} differs from the one here; "
            "it is another channel, or both were changed: compare the two, and sign a fresh copy of the right one"
        )
    return theirs
