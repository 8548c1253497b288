"""Change who may sign: rotate keys, change thresholds, renew expiry dates.

Rules, kept by every function here:

1. Each change is one new version of root, signed by the old and the new threshold. While that version
   lacks signatures, a further change goes into the same version, and those made for it are void.
2. A role whose keys change gets new metadata, and so do the roles that depend on it (`renewal`): what
   the old keys signed stays with the old versions.
3. One key counts once: keys are compared by their material, also with keys that were revoked.
4. Everything is made and signed in memory first, and root is written first. If writing stops there,
   `sealift-keys status` shows what the new keys have not signed yet, and `sealift-keys sign` repairs it.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from securesystemslib.signer import Signer, SSlibKey
from tuf.api.metadata import Metadata, Root

from sealift_common.errors import UsageError
from sealift_keys.ceremony.draft import Draft
from sealift_keys.ceremony.plan import DAYS_FIELD, MAX_EXPIRES_DAYS, check_root, lifetime_days
from sealift_keys.ceremony.renewal import refuse_interrupted, renewed
from sealift_keys.ceremony.signing import Signed, add_signatures
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.status import status


@dataclass(frozen=True)
class Changed:
    """Result of a ceremony: sentences for people, the files that it wrote, and the signatures they have."""

    lines: tuple[str, ...]
    written: tuple[tuple[str, int], ...]
    signed: tuple[Signed, ...]


def rotate(
    channel: Channel,
    roles: Sequence[str],
    *,
    remove: Sequence[str] = (),
    add: Sequence[SSlibKey] = (),
    signers: Sequence[Signer] = (),
    now: datetime | None = None,
) -> Changed:
    """Take the keys named `remove` out of `roles` and put `add` in, in one new root.

    Raises:
        UsageError: nothing would change, a name is unknown, or the result breaks a rule.
        KeyFileError: a signer belongs to no role.
        ChannelError: metadata is missing or damaged, or a release was interrupted.

    """
    if not remove and not add:
        raise UsageError("nothing to rotate; give --remove NAME, --add FILE.pub or both")

    def edit(draft: Draft) -> None:
        for role in dict.fromkeys(roles):
            leaving = [draft.find(name) for name in remove]
            for key in leaving:
                draft.remove(key, role)
            for key in add:
                draft.add(key, role)

    return change_root(channel, edit, signers, now)


def set_threshold(
    channel: Channel, role: str, number: int, signers: Sequence[Signer] = (), *, now: datetime | None = None
) -> Changed:
    """Change how many keys of `role` must sign; signatures that are there keep counting.

    Raises:
        UsageError: it is that already, or the role's keys cannot meet it.
        KeyFileError, ChannelError: as `rotate`.

    """

    def edit(draft: Draft) -> None:
        before = draft.root.roles[role].threshold
        if number == before:
            raise UsageError(f"the threshold of {role!r} is {before} already")
        draft.root.roles[role].threshold = number
        draft.lines.append(f"{role}: threshold {before} becomes {number}")

    return change_root(channel, edit, signers, now)


def renew(
    channel: Channel,
    roles: Sequence[str],
    *,
    days: int | None = None,
    signers: Sequence[Signer] = (),
    now: datetime | None = None,
) -> Changed:
    """Give `roles` new expiry dates.

    Args:
        days: how long the new versions are good; what root records by default. For root it is recorded.

    Raises:
        UsageError: the number of days is beyond reason.
        KeyFileError, ChannelError: as `rotate`.

    """
    if days is not None and not 1 <= days <= MAX_EXPIRES_DAYS:
        raise UsageError(f"{days} days put the expiry in the past or beyond reason; expected 1 to {MAX_EXPIRES_DAYS}")
    others = [role for role in roles if role != Root.type]
    if Root.type in roles:

        def edit(draft: Draft) -> None:
            if days is not None:
                draft.root.roles[Root.type].unrecognized_fields[DAYS_FIELD] = days
            draft.lines.append(f"root: good for {lifetime_days(draft.root, Root.type)} days")
            draft.roles.update(others)

        return change_root(channel, edit, signers, now, days=days)
    now = now or datetime.now(UTC)
    with channel.locked():
        root = channel.root().signed
        documents = renewed(channel, root, others, now, days)
        made = add_signatures(root, None, documents, signers)
        channel.write(*documents)
        return _changed([], documents, made)


def change_root(
    channel: Channel,
    edit: Callable[[Draft], None],
    signers: Sequence[Signer],
    now: datetime | None = None,
    *,
    days: int | None = None,
) -> Changed:
    """Write the next root as `edit` changes it, with new metadata for the roles that it names.

    Raises:
        UsageError: the changed root breaks a rule.
        KeyFileError, ChannelError: as `rotate`.

    """
    now = now or datetime.now(UTC)
    with channel.locked():
        refuse_interrupted(channel)
        draft = _draft(channel)
        edit(draft)
        root = draft.root
        for role, delegation in root.roles.items():
            if len(delegation.keyids) < delegation.threshold:
                raise UsageError(
                    f"role {role!r} would have {len(delegation.keyids)} keys for {delegation.threshold} signatures; "
                    "add a key in the same step, or lower the threshold first"
                )
        check_root(root)
        root.expires = now + timedelta(days=lifetime_days(root, Root.type))
        documents: list[Metadata[Any]] = [Metadata(root), *renewed(channel, root, draft.roles, now, days)]
        made = add_signatures(root, draft.previous, documents, signers)
        channel.write(*documents)
        return _changed(draft.lines, documents, made)


def _draft(channel: Channel) -> Draft:
    newest = channel.root()
    version = newest.signed.version
    if status(channel).roles[0].complete:
        root = deepcopy(newest.signed)
        root.version = version + 1
        return Draft(root, newest.signed, _roots(channel, version))
    previous = channel.root(version - 1).signed if version > 1 else None
    void = f"root {version} still lacked signatures and is changed in place; the {len(newest.signatures)} made are void"
    lines = [void] if newest.signatures else []
    return Draft(deepcopy(newest.signed), previous, _roots(channel, version - 1), lines)


def _roots(channel: Channel, last: int) -> list[Root]:
    return [channel.root(version).signed for version in range(1, last + 1)]


def _changed(lines: Sequence[str], documents: Sequence[Metadata[Any]], made: Sequence[Signed]) -> Changed:
    written = tuple((one.signed.type, one.signed.version) for one in documents)
    return Changed(tuple(lines), written, tuple(made))
