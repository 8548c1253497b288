"""Who reviews for a channel, as its root says: roles, their keys and thresholds, and keys that retired. Pure.

    root    sealift.reviewers = {"<role>": {"keyids": […], "threshold": 1, "retired": [{"keyid", "at"}]}}
            the keys themselves in root.keys, where no TUF role lists them
            sealift.questionnaires = [{"digest", "at", "void"}]
            sealift.review = {"require": ["<role>"], "exempt": ["sha256:<manifest>"]}

Rules:

1. A reviewer's key holds no role of TUF, by material, and one role of reviewers.
2. What a key signed before it retired goes on counting; what it signs afterwards does not. Nothing of a revoked key
   counts.
3. A threshold is met by different keys, by material.
4. Roles of `require` must have approved every version that an instance installs or loads, but those of `exempt`, which
   were released before. Every reader that knows the field asks for them, with or without a policy of its own.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from securesystemslib.signer import Key
from tuf.api.metadata import Root

from sealift_common import fingerprint
from sealift_common.blob import is_digest
from sealift_common.errors import KeyFileError, LimitError, MalformedError, UnsupportedVersionError
from sealift_common.metadata.release_document import FIELD, REVIEW, REVIEWERS, channel_of, revocations
from sealift_common.names import is_model_name
from sealift_common.wording import counted

QUESTIONNAIRES = "questionnaires"
MAX_ROLES = 20
MAX_QUESTIONNAIRES = 1000
# Of 75 bytes each; instances read 512 kB of root.
MAX_EXEMPT = 4000
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class Reviewer(NamedTuple):
    """A key of a role; `until` is when it retired, None where it did not."""

    key: Key
    material: bytes
    until: datetime | None


class ReviewRole(NamedTuple):
    """A role of reviewers: how many different keys must approve, and all keys whose statements may count."""

    name: str
    threshold: int
    reviewers: tuple[Reviewer, ...]

    @property
    def active(self) -> tuple[Reviewer, ...]:
        """The keys that may sign today."""
        return tuple(one for one in self.reviewers if one.until is None)


class Reviewers(NamedTuple):
    """All roles of reviewers of a channel, or those of an instance.

    Attributes:
        questionnaires: digests of those that count, the newest last.
        require: roles that must have approved what is installed or loaded anywhere.
        exempt: digests of manifests that are not asked for them.
        own: they are those of an instance, and go by a version's digest alone.
    """

    channel: str
    roles: Mapping[str, ReviewRole]
    questionnaires: tuple[str, ...]
    require: tuple[str, ...] = ()
    exempt: frozenset[str] = frozenset()
    own: bool = False


def demand_line(reviewers: Reviewers | None) -> str:
    """Say in one line what root lets every instance demand; empty where that is nothing."""
    if reviewers is None or not reviewers.require:
        return ""
    exempt = f"; {counted(len(reviewers.exempt), 'version')} released before exempt" if reviewers.exempt else ""
    return f"instances demand approvals for {', '.join(reviewers.require)} of every version{exempt}"


def read_reviewers(root: Root) -> Reviewers | None:
    """Read who reviews; None where the root names no reviewers.

    Raises:
        MalformedError, LimitError: the root, which its own keys signed, breaks a rule of reviewers.
    """
    fields = root.unrecognized_fields.get(FIELD)
    if not isinstance(fields, Mapping):
        return None
    document = fields.get(REVIEWERS)
    if document is None:
        if REVIEW in fields:
            raise MalformedError(f"root: it has {REVIEW!r}, and no reviewers")
        return None
    if not isinstance(document, Mapping) or not document:
        raise MalformedError("root: 'reviewers' is not an object with roles")
    if len(document) > MAX_ROLES:
        raise LimitError(f"root: it has {len(document):,} roles of reviewers; expected at most {MAX_ROLES}")
    revoked = {entry["fingerprint"] for entry in revocations(root)}
    signers = {_material(root, keyid) for role in root.roles.values() for keyid in role.keyids}
    roles: dict[str, ReviewRole] = {}
    holders: dict[bytes, str] = {}
    for name, entry in document.items():
        role = _role(root, name, entry, revoked)
        for one in role.reviewers:
            if one.material in signers:
                raise MalformedError(f"root: a key of reviewers for {name!r} signs metadata as well")
            if holders.setdefault(one.material, name) != name:
                raise MalformedError(f"root: one key reviews for {holders[one.material]!r} and for {name!r}")
        roles[name] = role
    require, exempt = _review(fields, roles)
    return Reviewers(channel_of(root), roles, _questionnaires(fields), require, exempt)


def _role(root: Root, name: str, entry: Any, revoked: set[str]) -> ReviewRole:
    what = f"root: reviewers for {str(name)[:80]!r}"
    if not is_model_name(name) or not isinstance(entry, Mapping):
        raise MalformedError(f"{what}: not a role")
    keyids, threshold, retired = entry.get("keyids"), entry.get("threshold"), entry.get("retired", [])
    if not isinstance(keyids, list) or not isinstance(retired, list) or type(threshold) is not int or threshold < 1:
        raise MalformedError(f"{what}: no key ids, or no threshold from 1 on")
    found: dict[bytes, Reviewer] = {}
    ends: list[tuple[Any, datetime | None]] = [(keyid, None) for keyid in keyids]
    for one in retired:
        if not isinstance(one, Mapping):
            raise MalformedError(f"{what}: a retired key is not of the form keyid, at")
        ends.append((one.get("keyid"), _time(one.get("at"), what)))
    for keyid, until in ends:
        if not isinstance(keyid, str) or keyid not in root.keys:
            raise MalformedError(f"{what}: key {str(keyid)[:80]!r} is not among the root's keys")
        material = _material(root, keyid)
        if material is None:
            raise MalformedError(f"{what}: key {keyid[:80]!r} is of a kind that cannot be compared")
        if material in found:
            raise MalformedError(f"{what}: one key is listed twice")
        if fingerprint.of_bytes(material) not in revoked:
            found[material] = Reviewer(root.keys[keyid], material, until)
    return ReviewRole(name, threshold, tuple(found.values()))


def _material(root: Root, keyid: str) -> bytes | None:
    try:
        return fingerprint.material(root.keys[keyid])
    except (KeyFileError, KeyError):
        return None


def _questionnaires(fields: Mapping[str, Any]) -> tuple[str, ...]:
    entries = fields.get(QUESTIONNAIRES, [])
    if not isinstance(entries, list) or len(entries) > MAX_QUESTIONNAIRES:
        raise MalformedError("root: 'questionnaires' is not a list of some entries")
    good = []
    for entry in entries:
        if not isinstance(entry, Mapping) or not is_digest(entry.get("digest")) or type(entry.get("void")) is not bool:
            raise MalformedError("root: an entry of 'questionnaires' is not of the form digest, at, void")
        good += [] if entry["void"] else [str(entry["digest"])]
    return tuple(good)


def _review(fields: Mapping[str, Any], roles: Mapping[str, ReviewRole]) -> tuple[tuple[str, ...], frozenset[str]]:
    document = fields.get(REVIEW, {"require": [], "exempt": []})
    if not isinstance(document, Mapping) or not document.keys() >= {"require", "exempt"}:
        raise MalformedError(f"root: {REVIEW!r} is not of the form require, exempt")
    for other in sorted(document.keys() - {"require", "exempt"}):
        # It is a demand: who does not know all of it must not go on.
        raise UnsupportedVersionError(
            f"root: {REVIEW!r} demands {other[:80]!r}, which this Sealift does not know; install a newer Sealift"
        )
    require, exempt = document["require"], document["exempt"]
    if not isinstance(require, list) or not all(isinstance(role, str) and role in roles for role in require):
        raise MalformedError(f"root: {REVIEW!r} requires {str(require)[:80]}; its roles are {', '.join(sorted(roles))}")
    if not isinstance(exempt, list) or not all(map(is_digest, exempt)):
        raise MalformedError(f"root: {REVIEW!r} exempts something other than digests of manifests")
    if len(exempt) > MAX_EXEMPT:
        raise LimitError(f"root: it exempts {len(exempt):,} versions; expected at most {MAX_EXEMPT:,}")
    return tuple(require), frozenset(exempt)


def _time(text: Any, what: str) -> datetime:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except (TypeError, ValueError):
        raise MalformedError(f"{what}: {str(text)[:40]!r} is not a time such as '2026-11-23T12:00:00Z'") from None
