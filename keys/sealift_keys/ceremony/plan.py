"""The signers of a new channel: the keys, thresholds and lifetimes of its roles, checked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from securesystemslib.signer import Key, SSlibKey
from tuf.api.metadata import Role, Root

from sealift_common import fingerprint
from sealift_common.errors import LimitError, MalformedError, UsageError
from sealift_common.metadata.release_document import FIELD, key_name
from sealift_common.review.reviewers import read_reviewers
from sealift_keys.channel.directory import ROLES

# How long each role is good for. An instance behind an air gap sees a new timestamp only with a new
# bundle, so these are months, not hours.
DEFAULT_EXPIRES_DAYS: Mapping[str, int] = {"root": 1095, "targets": 365, "snapshot": 365, "timestamp": 180}
MAX_EXPIRES_DAYS = 36_500
# Root keeps each role's lifetime, so that every later release uses what was agreed.
DAYS_FIELD = "x-sealift-expires-days"


@dataclass(frozen=True)
class RolePlan:
    """Signers of one role, how many of them must sign, and for how many days a version is valid (None: the default)."""

    keys: Sequence[SSlibKey]
    threshold: int = 1
    expires_days: int | None = None

    def days(self, role: str) -> int:
        """Return for how many days a version of `role` is valid."""
        return DEFAULT_EXPIRES_DAYS[role] if self.expires_days is None else self.expires_days


def root_of(name: str, plans: Mapping[str, RolePlan], now: datetime) -> Root:
    """Make the first root of channel `name`, unsigned.

    Raises:
        UsageError: a threshold, a key, a key's name or an expiry breaks a rule.
    """
    keys: dict[str, Key] = {}
    roles: dict[str, Role] = {}
    for role in ROLES:
        plan = plans[role]
        _check_plan(role, plan)
        for listed in plan.keys:
            keys.setdefault(listed.keyid, listed)
        roles[role] = Role([key.keyid for key in plan.keys], plan.threshold, {DAYS_FIELD: plan.days(role)})
    _check_names(keys.values())
    return Root(
        version=1,
        expires=now + timedelta(days=plans["root"].days("root")),
        keys=keys,
        roles=roles,
        consistent_snapshot=False,
        unrecognized_fields={FIELD: {"channel": name}},
    )


def check_root(root: Root) -> None:
    """Check a root that was changed by the same rules as a new one.

    Raises:
        UsageError: a threshold cannot be met, a role lists one key twice, two keys share a name, or a reviewer's key
            signs metadata.
    """
    for role in ROLES:
        keys = [key for keyid in root.roles[role].keyids if isinstance(key := root.keys[keyid], SSlibKey)]
        _check_plan(role, RolePlan(keys, root.roles[role].threshold, lifetime_days(root, role)))
    _check_names(root.keys.values())
    try:
        read_reviewers(root)
    except (MalformedError, LimitError) as error:
        raise UsageError(f"{error}; give reviewers keys of their own") from error


def lifetime_days(root: Root, role: str) -> int:
    """For how many days a new version of `role` is good, as root records it."""
    days = root.roles[role].unrecognized_fields.get(DAYS_FIELD)
    return days if type(days) is int and 0 < days <= MAX_EXPIRES_DAYS else DEFAULT_EXPIRES_DAYS[role]


def _check_names(keys: Iterable[Key]) -> None:
    names: dict[str, str] = {}
    for key in keys:
        other = names.setdefault(key_name(key), key.keyid)
        if other != key.keyid:
            raise UsageError(
                f"two different keys are named {key_name(key)!r}; rename one: "
                "put 'name: NEW' on the first line of its .pub file"
            )


def _check_plan(role: str, plan: RolePlan) -> None:
    if not plan.keys:
        raise UsageError(f"role {role!r} has no key; give --{role}-key FILE.pub")
    seen: dict[bytes, str] = {}
    for key in plan.keys:
        material = fingerprint.material(key)
        if material in seen:
            raise UsageError(
                f"role {role!r}: {seen[material]!r} and {key_name(key)!r} are the same key; "
                "give each key once, or a threshold could be met by one person"
            )
        seen[material] = key_name(key)
    if not 1 <= plan.threshold <= len(plan.keys):
        raise UsageError(
            f"role {role!r}: threshold {plan.threshold} cannot be met with {len(plan.keys)} keys; "
            f"expected 1 to {len(plan.keys)}, or give the role more keys"
        )
    if not 1 <= plan.days(role) <= MAX_EXPIRES_DAYS:
        raise UsageError(
            f"role {role!r}: {plan.days(role)} days put the expiry in the past or beyond reason; "
            f"expected 1 to {MAX_EXPIRES_DAYS}"
        )
