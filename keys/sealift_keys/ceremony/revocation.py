"""Revoke a stolen key, and say what its thief could have signed.

The channel's records decide: `history` holds every release with its signatures, and the roots say
which roles the key had. A release that is in neither was made by the thief, if an instance has it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from securesystemslib.signer import Key, Signer, SSlibKey
from tuf.api.metadata import Metadata, Root, Targets

from sealift_common import fingerprint
from sealift_common.clock import release_time, rfc3339
from sealift_common.errors import UsageError
from sealift_common.metadata.release_document import FIELD, REVOKED, key_name, revocations
from sealift_common.metadata.succession import keys_of, replaced
from sealift_common.review.reviewers import read_reviewers
from sealift_common.wording import counted
from sealift_keys.ceremony.draft import Draft
from sealift_keys.ceremony.quorum import losing
from sealift_keys.ceremony.reviewing import leave_reviewers
from sealift_keys.ceremony.rotation import Changed, change_root
from sealift_keys.ceremony.signing import verifies
from sealift_keys.channel import history
from sealift_keys.channel.directory import ROLES, Channel

MAX_REASON_CHARS = 500


@dataclass(frozen=True)
class ExposedRelease:
    """One release that the thief could have signed.

    Attributes:
        number: the release's number, the version of targets.
        released: when, RFC 3339, as signed.
        signed: whether the recorded release carries a valid signature of the key.
        others_needed: how many other keys had to sign as well; 0: the thief alone was enough.
        models: what it lists, as `name:version`.
    """

    number: int
    released: str
    signed: bool
    others_needed: int
    models: tuple[str, ...]


@dataclass(frozen=True)
class Exposure:
    """Power of a key: role to the number of other keys that had to sign as well, and the releases.

    `unrecorded` are releases of which the channel has no record, so that nothing can be said of them.
    """

    key: str
    fingerprint: str
    roles: dict[str, int]
    releases: tuple[ExposedRelease, ...]
    unrecorded: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """The document that `--json` prints."""
        return asdict(self)


def revoke(
    channel: Channel,
    name: str,
    reason: str,
    *,
    replacement: SSlibKey | None = None,
    signers: Sequence[Signer] = (),
    accept_loss: bool = False,
    now: datetime | None = None,
) -> Changed:
    """Take the key `name` out of every role, for good: root records it, and it cannot be added again.

    A key that left in peace can be revoked too: what it signed in its day, its thief can sign now.

    Args:
        replacement: takes its place in every role that it is not in already.
        signers: sign the new root and the new metadata of the roles; not the stolen key.
        accept_loss: write it although released versions lose an approval that they need.

    Raises:
        UsageError: no key has that name, it is revoked already, the reason is not one line, or a threshold could not
            be met.
        KeyFileError: a signer belongs to no role.
        ChannelError: metadata is missing or damaged, or a release was interrupted.

    """
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON_CHARS or not reason.isprintable():
        raise UsageError(f"the reason is {reason[:40]!r}; expected one line of 1 to {MAX_REASON_CHARS} characters")

    def edit(draft: Draft) -> None:
        key = _find([*draft.earlier, draft.root], name)
        digits = fingerprint.of_key(key)
        for known in revocations(draft.root):
            if known["fingerprint"] == digits:
                raise UsageError(f"key {key_name(key)!r} was revoked already, at {known['at']}: {known['reason']!r}")
        for role in ROLES:
            if key.keyid in draft.root.roles[role].keyids:
                draft.remove(key, role)
                if replacement is not None and not _listed(draft.root, role, fingerprint.material(replacement)):
                    draft.add(replacement, role)
        leave_reviewers(draft, key, replacement)
        _void(draft.root, key, reason)
        lost = losing(channel, draft.root)
        if lost and not accept_loss:
            raise UsageError(
                f"without what {key_name(key)!r} signed, {counted(len(lost), 'released version')} would lack an "
                f"approval: {', '.join(map(str, lost[:20]))}; nothing was written: give --yes to revoke it all the "
                "same, and have them reviewed again"
            )
        draft.lines += [f"{model} lacks an approval now: have it reviewed again" for model in lost]
        if not draft.lines:
            draft.lines.append(f"{key_name(key)!r} signs nothing today; root records that it was stolen")

    return change_root(channel, edit, signers, now)


def _void(root: Root, key: Key, reason: str) -> None:
    digits = fingerprint.of_key(key)
    entry = {"at": rfc3339(release_time()), "fingerprint": digits, "name": key_name(key), "reason": reason}
    fields = root.unrecognized_fields[FIELD]
    root.unrecognized_fields[FIELD] = {**fields, REVOKED: [*revocations(root), entry]}


def exposure(channel: Channel, name: str, since: datetime | None = None) -> Exposure:
    """Say what the holder of the key `name` could sign, from the first root that lists the key on.

    Args:
        since: the key was certainly safe before; older releases are left out.

    Raises:
        UsageError: no root of the channel lists a key of that name.
        ChannelError: a record is damaged.

    """
    roots = [channel.root(version).signed for version in channel.root_versions()]
    key = _find(roots, name)
    material = fingerprint.material(key)
    others: dict[str, int] = {}
    for root in roots:
        for role in ROLES:
            if _listed(root, role, material):
                needed = root.roles[role].threshold - 1
                others[role] = min(others.get(role, needed), needed)
        reviewers = read_reviewers(root)
        for held in () if reviewers is None else reviewers.roles.values():
            if any(one.material == material for one in held.reviewers):
                what, needed = f"review for {held.name}", held.threshold - 1
                others[what] = min(others.get(what, needed), needed)
    found = []
    records = history.releases(channel.directory)
    recorded = {record.number for record in records}
    unrecorded = set(range(1, channel.targets().signed.version + 1)) - recorded
    for record in records:
        root, metadata = roots[record.root_version - 1], record.metadata
        released = str(metadata.signed.unrecognized_fields.get(FIELD, {}).get("released", ""))
        if not _listed(root, Targets.type, material) or (since is not None and released < rfc3339(since)):
            continue
        found.append(
            ExposedRelease(
                number=record.number,
                released=released,
                signed=_signed_by(metadata, key),
                others_needed=root.roles[Targets.type].threshold - 1,
                models=tuple(":".join(path.split("/")[1:]) for path in sorted(metadata.signed.targets)),
            )
        )
    return Exposure(key_name(key), fingerprint.of_bytes(material), others, tuple(found), tuple(sorted(unrecorded)))


def targets_keys_to_replace(channel: Channel) -> tuple[str, ...]:
    """Name the targets keys that have to go although nobody stole them.

    Anyone who held enough revoked keys to sign targets may have signed a release of a huge number or a far time.
    Instances that installed it go on refusing what is older, until a root leaves too few of the earlier targets keys.

    Raises:
        ChannelError: a root is missing or damaged.

    """
    roots = [channel.root(version).signed for version in channel.root_versions()]
    stolen = {entry["fingerprint"] for entry in revocations(roots[-1])}
    exposed = [
        place
        for place, root in enumerate(roots)
        if sum(fingerprint.of_bytes(key) in stolen for key in keys_of(root, Targets.type))
        >= root.roles[Targets.type].threshold
    ]
    stuck = [place for place in exposed if not replaced(Targets.type, roots[: place + 1], roots[-1])]
    if not stuck:
        return ()
    earlier = frozenset().union(*(keys_of(root, Targets.type) for root in roots[: stuck[-1] + 1]))
    newest = roots[-1]
    keys = [newest.keys[keyid] for keyid in newest.roles[Targets.type].keyids]
    return tuple(sorted(key_name(key) for key in keys if fingerprint.material(key) in earlier))


def _find(roots: Sequence[Root], name: str) -> Key:
    for root in reversed(roots):
        for key in root.keys.values():
            if name in (key_name(key), key.keyid):
                return key
    raise UsageError(
        f"no root of this channel lists a key named {name[:80]!r}; `sealift-keys show` lists the present ones"
    )


def _listed(root: Root, role: str, material: bytes) -> bool:
    return any(fingerprint.material(root.keys[keyid]) == material for keyid in root.roles[role].keyids)


def _signed_by(metadata: Metadata[Targets], key: Key) -> bool:
    signature = metadata.signatures.get(key.keyid)
    return signature is not None and verifies(key, signature, metadata.signed_bytes)
