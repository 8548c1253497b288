"""The ceremony of a channel: make its metadata, sign it, make the next release.

Rules, kept by every function here:

1. A threshold is at least 1 and at most the number of *different* keys of its role. Keys are compared
   by their material, so one key under two ids does not count twice.
2. A signature of somebody else is never removed; a new version starts without any, and so does an
   unfinished root that is changed once more (see `rotation`).
3. Every signature made is verified with the key that root lists, before it is written.
4. Versions only grow. Targets, snapshot and timestamp are written in that order, so an interrupted
   release shows as one that snapshot does not list, and releasing again repairs it.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer import Key, Signer
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Timestamp

from sealift_common.clock import release_time
from sealift_common.errors import ChannelError, UsageError
from sealift_common.files import durable, scratch
from sealift_common.metadata.release_document import Release, targets_of
from sealift_common.names import MAX_NAME_CHARS, is_model_name
from sealift_keys.ceremony.plan import RolePlan, lifetime_days, root_of
from sealift_keys.ceremony.signing import Signed, add_signatures, digest_of, unsigned
from sealift_keys.channel.directory import Channel, create
from sealift_keys.channel.status import status
from sealift_keys.channel.verification import metadata_by_role


def init(
    directory: Path,
    name: str,
    plans: Mapping[str, RolePlan],
    signers: Sequence[Signer] = (),
    *,
    now: datetime | None = None,
) -> list[Signed]:
    """Make a new channel with an empty first release, signed by `signers`; all of it or nothing.

    Args:
        directory: must not exist, or be empty.
        name: the channel's name, by the rule for model names.
        plans: one for each of root, targets, snapshot and timestamp.
        signers: private keys that are at hand; others sign later.
        now: what expiry counts from; the system clock by default.

    Raises:
        ChannelError: the directory holds something.
        UsageError: the name, a threshold, a key or an expiry breaks a rule.
        KeyFileError: a signer belongs to no role.

    """
    now = now or datetime.now(UTC)
    if not is_model_name(name):
        raise UsageError(
            f"channel name {name[:120]!r} is not allowed; expected [a-z0-9][a-z0-9._-]*, "
            f"at most {MAX_NAME_CHARS} characters"
        )
    if os.path.lexists(directory) and not (directory.is_dir() and not os.listdir(directory)):
        raise ChannelError(
            f"{str(directory)!r} exists and is not an empty folder; choose another place for the channel"
        )
    root = root_of(name, plans, now)
    documents: list[Metadata[Any]] = [
        Metadata(root),
        *_documents(root, (1, 1, 1), Release(name, 1, release_time(), {}), now),
    ]
    made = add_signatures(root, None, documents, signers)
    parent = directory.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    with scratch.folder(".sealift-init", parent) as temporary:
        # One rename at the end: an interrupted init leaves no half channel that the next would refuse.
        half = temporary / "channel"
        half.mkdir(mode=0o755)
        create(half).write(*documents)
        half.rename(directory)
    durable.sync_directory(parent)
    return made


def sign(channel: Channel, signers: Sequence[Signer], *, seen: Mapping[str, str] | None = None) -> list[Signed]:
    """Add the signatures of `signers` to every current metadata file that they may sign and did not.

    Args:
        seen: role to `digest_of` what the signer has seen; other content of that role is not signed.

    Raises:
        KeyFileError: a signer belongs to no role of this channel.
        ChannelError: metadata is missing or damaged, is not what was seen, or another process changes the channel.

    """
    with channel.locked():
        documents, root, previous = _signable(channel)
        for role, digest in (seen or {}).items():
            if role in documents and digest_of(documents[role]) != digest:
                raise ChannelError(
                    f"{role} {documents[role].signed.version} is {digest_of(documents[role])}, and not the {digest} "
                    "that you expect; nothing was signed: look at it with `sealift-bundler preview`"
                )
        made = add_signatures(root, previous, documents.values(), signers)
        channel.write(*(documents[role] for role in documents if any(one.role == role for one in made)))
    return made


def to_sign(channel: Channel, keys: Sequence[Key]) -> dict[str, str]:
    """Return the roles that `sign` would sign with these keys, each with `digest_of` its content.

    Raises:
        KeyFileError: a key belongs to no role of this channel.
        ChannelError: metadata is missing or damaged.

    """
    documents, root, previous = _signable(channel)
    roles = unsigned(root, previous, documents.values(), keys)
    return {role: digest_of(document) for role, document in documents.items() if role in roles}


def _signable(channel: Channel) -> tuple[dict[str, Metadata[Any]], Root, Root | None]:
    """Return the metadata that takes signatures, with the newest root and the one before it."""
    documents = metadata_by_role(channel)
    root = documents["root"].signed
    if status(channel).roles[0].complete:
        # One more signature would change the file, and with it the fingerprint that people compare.
        del documents["root"]
    return documents, root, channel.root(root.version - 1).signed if root.version > 1 else None


def new_release(
    channel: Channel,
    release: Release,
    signers: Sequence[Signer] = (),
    *,
    now: datetime | None = None,
) -> list[Signed]:
    """Write the next version of targets, snapshot and timestamp; the caller holds `channel.locked()`.

    Args:
        channel: the channel to change.
        release: what the new targets say; they get the next number.
        signers: private keys that are at hand; nobody's earlier signature is carried over.
        now: what expiry counts from; the system clock by default.

    Raises:
        KeyFileError: a signer belongs to no role of this channel.
        ChannelError: metadata is missing or damaged.

    """
    current = metadata_by_role(channel)
    root, snapshot, timestamp = (current[role].signed for role in ("root", "snapshot", "timestamp"))
    # An interrupted release may have left a file that the next one does not list: go beyond both.
    listed = snapshot.meta.get("targets.json")
    versions = (
        max(current["targets"].signed.version, listed.version if listed else 0) + 1,
        max(snapshot.version, timestamp.snapshot_meta.version) + 1,
        timestamp.version + 1,
    )
    # Instances refuse a release whose time goes back.
    release = release._replace(released=max(release.released, channel.release().released))
    documents = _documents(root, versions, release, now or datetime.now(UTC))
    made = add_signatures(root, None, documents, signers)
    channel.write(*documents)
    return made


def _documents(root: Root, versions: tuple[int, int, int], release: Release, now: datetime) -> list[Metadata[Any]]:
    """Unsigned targets, snapshot and timestamp, in the order of writing; `versions` in the same order."""

    def expires(role: str) -> datetime:
        return now + timedelta(days=lifetime_days(root, role))

    targets = targets_of(release._replace(number=versions[0]), expires("targets"))
    # Versions only: with hashes, an approver's later signature on targets would break snapshot.
    listed = {"targets.json": MetaFile(versions[0])}
    snapshot = Snapshot(version=versions[1], expires=expires("snapshot"), meta=listed)
    timestamp = Timestamp(version=versions[2], expires=expires("timestamp"), snapshot_meta=MetaFile(versions[1]))
    return [Metadata(targets), Metadata(snapshot), Metadata(timestamp)]
