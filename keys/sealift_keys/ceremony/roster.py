"""The signers of a channel by its newest root: what `sealift-keys show` prints."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from securesystemslib.signer import Key
from tuf.api.metadata import Root

from sealift_common import fingerprint
from sealift_common.clock import rfc3339
from sealift_common.metadata.release_document import key_name, revocations
from sealift_common.review.reviewers import Reviewers, read_reviewers
from sealift_common.wording import counted
from sealift_keys.channel.directory import ROLES, Channel
from sealift_keys.channel.status import status
from sealift_keys.channel.verification import metadata_by_role


@dataclass(frozen=True)
class RosterKey:
    """One key: its owner's name, algorithm, the roles it signs, and its fingerprint (64 hexadecimal digits)."""

    name: str
    algorithm: str
    roles: tuple[str, ...]
    fingerprint: str


@dataclass(frozen=True)
class RosterRole:
    """One role: how many of which keys must sign, and when its present version expires (RFC 3339)."""

    role: str
    version: int
    threshold: int
    keys: tuple[str, ...]
    expires: str


@dataclass(frozen=True)
class Roster:
    """Everything that root says about who may sign, and the keys that were revoked."""

    channel: str
    root_version: int
    # None while root lacks signatures: each signature changes the file.
    root_fingerprint: str | None
    roles: tuple[RosterRole, ...]
    keys: tuple[RosterKey, ...]
    revoked: tuple[dict[str, str], ...]
    # Roles of reviewers that every instance demands, and the versions that are exempt, by the digest of the manifest.
    required_roles: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The document that `--json` prints."""
        return asdict(self)


def roster(channel: Channel) -> Roster:
    """Read who may sign `channel`.

    Raises:
        ChannelError: metadata is missing or does not parse.

    """
    documents = metadata_by_role(channel)
    root = documents["root"].signed
    roles = tuple(
        RosterRole(
            role=role,
            version=documents[role].signed.version,
            threshold=root.roles[role].threshold,
            keys=tuple(key_name(root.keys[keyid]) for keyid in root.roles[role].keyids),
            expires=rfc3339(documents[role].signed.expires),
        )
        for role in ROLES
    )
    reviewers = read_reviewers(root)
    reviews = _reviews(reviewers)
    keys = tuple(
        RosterKey(
            name=key_name(key),
            algorithm=algorithm_of(key),
            roles=(*(role for role in ROLES if keyid in root.roles[role].keyids), *reviews.get(keyid, ())),
            fingerprint=fingerprint.of_key(key),
        )
        for keyid, key in root.keys.items()
    )
    return Roster(
        channel=channel.name,
        root_version=root.version,
        root_fingerprint=status(channel).root_fingerprint,
        roles=roles,
        keys=tuple(sorted(keys, key=lambda key: key.name)),
        revoked=tuple(revocations(root)),
        required_roles=() if reviewers is None else reviewers.require,
        exempt=() if reviewers is None else tuple(sorted(reviewers.exempt)),
    )


def algorithm_of(key: Key) -> str:
    """The algorithm as people and `sealift-keys new` call it."""
    names = {
        "ecdsa-sha2-nistp256": "p256",
        "ecdsa-sha2-nistp384": "p384",
        "rsassa-pss-sha256": "rsa-pss",
        "ml-dsa-65/1": "ml-dsa-65",
    }
    return names.get(key.scheme, key.scheme)


def root_changes(channel: Channel) -> list[str]:
    """Say in words what the newest root changes, for those who are asked to sign it; the first one changes all."""
    root = channel.root().signed
    if root.version == 1:
        return [line for role in ROLES for line in (_demand(root, role), *_with(root, role, root.roles[role].keyids))]
    before = channel.root(root.version - 1).signed
    lines = []
    for role in ROLES:
        old, new = before.roles[role], root.roles[role]
        lines += [f"{role}: without {key_name(before.keys[k])!r}" for k in old.keyids if k not in new.keyids]
        lines += _with(root, role, [keyid for keyid in new.keyids if keyid not in old.keyids])
        if old.threshold != new.threshold:
            lines.append(f"{role}: threshold {old.threshold} becomes {new.threshold}")
    lines += _reviewer_lines(before, root)
    lines += [
        f"revoked: {entry['name']!r}, {entry['reason']!r}" for entry in revocations(root)[len(revocations(before)) :]
    ]
    return lines or [f"only the expiry date: {before.expires:%Y-%m-%d} becomes {root.expires:%Y-%m-%d}"]


def _reviews(reviewers: Reviewers | None) -> dict[str, list[str]]:
    """Say of each reviewer's key for which role it reviews, or did."""
    found: dict[str, list[str]] = {}
    for role in () if reviewers is None else reviewers.roles.values():
        for one in role.reviewers:
            retired = "" if one.until is None else f" until {one.until:%Y-%m-%d}"
            found.setdefault(one.key.keyid, []).append(f"review {role.name}{retired}")
    return found


def _reviewer_lines(before: Root | None, root: Root) -> list[str]:
    """Say which reviewers come and go, and which questionnaire counts."""
    old, new = None if before is None else read_reviewers(before), read_reviewers(root)
    old_roles, new_roles = {} if old is None else old.roles, {} if new is None else new.roles
    lines = []
    for name in dict.fromkeys((*old_roles, *new_roles)):
        was = {one.material: one for one in old_roles[name].active} if name in old_roles else {}
        now = {one.material: one for one in new_roles[name].active} if name in new_roles else {}
        lines += [f"reviewers for {name}: without {key_name(one.key)!r}" for key, one in was.items() if key not in now]
        for key, one in now.items():
            if key not in was:
                digits = fingerprint.grouped(fingerprint.of_bytes(key))
                lines.append(f"reviewers for {name}: with {key_name(one.key)!r}, fingerprint {digits}")
        thresholds = [roles[name].threshold if name in roles else 0 for roles in (old_roles, new_roles)]
        if thresholds[0] != thresholds[1]:
            lines.append(f"reviewers for {name}: {thresholds[1]} of {counted(len(now), 'key')} must approve")
    digests = [() if one is None else one.questionnaires for one in (old, new)]
    if digests[0] != digests[1]:
        lines.append(f"questionnaires: {', '.join(digests[1]) or 'none'}; the last is what new versions answer")
    required = [() if one is None else one.require for one in (old, new)]
    if required[0] != required[1]:
        lines.append(f"instances demand of every version: {', '.join(required[1]) or 'no reviewers'}")
    added = sorted((new.exempt if new else frozenset()) - (old.exempt if old else frozenset()))
    lines += [f"exempt, as released before: {digest}" for digest in added]
    return lines


def _demand(root: Root, role: str) -> str:
    delegation = root.roles[role]
    return f"{role}: {delegation.threshold} of {counted(len(delegation.keyids), 'key')} must sign"


def _with(root: Root, role: str, keyids: Sequence[str]) -> list[str]:
    keys = [root.keys[keyid] for keyid in keyids]
    return [
        f"{role}: with {key_name(key)!r}, fingerprint {fingerprint.grouped(fingerprint.of_key(key))}" for key in keys
    ]
