"""`policy.toml`: which approvals an instance demands. Schema /1, strict. Pure.

schema = "sealift.policy/1"
[require]
roles = ["security", "legal"]     # for every version that is installed or loaded
max_age_days = 400                # older approvals do not count for installing
[require.models."spam-*"]         # may only add
roles = ["privacy"]
[[except]]                        # the admin's decision: missing approvals of these bytes are no obstacle
digest = "sha256:…"
reason = "installed before reviews"
until = 2027-03-01                # after it, no obstacle for loading alone
[own]                             # this site's own reviewers: role, and key files beside this file; see `own`
security = ["own-security.pem.pub"]
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from sealift.errors import LocalError
from sealift_common.blob import is_digest
from sealift_common.metadata.release_document import Release
from sealift_common.names import is_model_name

if TYPE_CHECKING:
    from sealift.policy.own import Own
    from sealift_common.parsing.strict_toml import StrictToml

FILE_NAME = "policy.toml"
# Beside it: what this site's own reviewers signed; see `own`.
DIRECTORY = "reviews"
SCHEMA = "sealift.policy/1"
MAX_ENTRIES = 1000


class Excepted(NamedTuple):
    """A version of which missing approvals are no obstacle: its manifest, why, and until when (UTC) for installing."""

    digest: str
    reason: str
    until: datetime


class Policy(NamedTuple):
    """A parsed policy.

    Attributes:
        digest: `sha256:<hex>` of its bytes.
        roles: that must approve every version.
        models: pattern of names to further roles.
        max_age: how old an approval may be that counts for installing; None for any age.
        exceptions: by manifest digest.
        own_keys: role of this site's own reviewers to the names of their key files.
        own: what these say; None where the policy names none, or nobody read them yet.
    """

    digest: str
    roles: tuple[str, ...]
    models: Mapping[str, tuple[str, ...]]
    max_age: timedelta | None
    exceptions: Mapping[str, Excepted]
    own_keys: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    own: "Own | None" = None

    @property
    def demands(self) -> bool:
        """Whether there is a policy at all, or a role that somebody named on the command line."""
        return bool(self.digest or self.roles)

    def roles_for(self, name: str) -> tuple[str, ...]:
        """Return the roles that must approve a model, each once: own ones too, unless only other models name them."""
        more = [role for pattern, roles in self.models.items() if fnmatchcase(name, pattern) for role in roles]
        named = {role for roles in self.models.values() for role in roles}
        own = [role for role in self.own_keys if role not in named]
        return tuple(dict.fromkeys((*self.roles, *more, *own)))

    def tightened(self, roles: tuple[str, ...]) -> "Policy":
        """Return the same with further roles for every version."""
        return self._replace(roles=tuple(dict.fromkeys((*self.roles, *roles))))


NONE = Policy("", (), {}, None, {})


def in_force(policy: Policy, release: Release) -> bool:
    """Return whether anybody demands approvals: a policy, the command line, or root."""
    return policy.demands or bool(release.reviewers and release.reviewers.require)


def parse_policy(data: bytes, name: str = FILE_NAME) -> Policy:
    """Parse a policy.

    Args:
        name: how messages name the file.

    Raises:
        LocalError: it is not of its form; the message names the line where that is known.
    """
    # An instance without a policy, as most are, does not import what reads TOML.
    from sealift_common.parsing.strict_toml import StrictToml, decoded

    toml = StrictToml(decoded(data, f"policy {name!r}", LocalError), name=name, what="policy", error=LocalError)
    schema = toml.document.get("schema")
    if schema is None:
        raise toml.error("schema", f"it has no 'schema'; write schema = {SCHEMA!r} as its first line")
    if schema != SCHEMA:
        raise toml.error("schema", f"'schema' is {schema!r:.80}; this Sealift knows {SCHEMA!r}, install a newer one")
    toml.check_keys(toml.document, ("schema", "require", "except", "own"))
    require = toml.table("require")
    toml.check_keys(require, ("roles", "max_age_days", "models"), "require")
    days = require.get("max_age_days")
    if days is not None and (type(days) is not int or not 0 < days <= 36_500):
        raise toml.error(
            "max_age_days", f"'max_age_days' is {days!r:.40}; expected a number of days from 1 on", "require"
        )
    models = require.get("models", {})
    if isinstance(models, dict) and len(models) > MAX_ENTRIES:
        raise toml.error(
            "models", f"'models' has {len(models):,} patterns; expected at most {MAX_ENTRIES:,}", "require"
        )
    if not isinstance(models, dict):
        raise toml.error("models", "'models' is not a table; write [require.models.\"NAME\"]", "require")
    more = {}
    for pattern, table in models.items():
        where = f"require.models.{pattern}"
        if not isinstance(table, dict):
            raise toml.error(pattern, f'{pattern!r:.120} is not a table; write [require.models."{pattern:.80}"]')
        toml.check_keys(table, ("roles",), where)
        more[pattern] = _roles(toml, table, where)
    exceptions: dict[str, Excepted] = {}
    for one in (_exception(toml, entry) for entry in toml.tables("except")):
        if one.digest in exceptions:
            raise toml.error("digest", f"{one.digest} stands in two exceptions; keep the one that holds", "except")
        exceptions[one.digest] = one
    return Policy(
        digest="sha256:" + hashlib.sha256(data).hexdigest(),
        roles=_roles(toml, require, "require"),
        models=more,
        max_age=None if days is None else timedelta(days=days),
        exceptions=exceptions,
        own_keys=_own_keys(toml),
    )


def _own_keys(toml: "StrictToml") -> dict[str, tuple[str, ...]]:
    from sealift.policy.own import is_key_name
    from sealift_common.review.reviewers import MAX_ROLES

    table = toml.table("own")
    for role, names in table.items():
        if not is_model_name(role) or len(table) > MAX_ROLES:
            raise toml.error(role, f"{role!r:.120} is not a name for reviewers; expected for example 'security'", "own")
        if not isinstance(names, list) or not 0 < len(names) <= MAX_ENTRIES or not all(map(is_key_name, names)):
            raise toml.error(
                role,
                f"{role!r} is {names!r:.120}; expected names of key files beside the policy, such as "
                f"['{role}.pem.pub']",
                "own",
            )
    return {role: tuple(dict.fromkeys(names)) for role, names in table.items()}


def _roles(toml: "StrictToml", table: Mapping[str, Any], section: str) -> tuple[str, ...]:
    roles = table.get("roles", [])
    if not isinstance(roles, list) or not all(isinstance(role, str) and is_model_name(role) for role in roles):
        raise toml.error("roles", f"'roles' is {roles!r:.120}; expected a list such as ['security', 'legal']", section)
    return tuple(dict.fromkeys(roles))


def _exception(toml: "StrictToml", entry: Mapping[str, Any]) -> Excepted:
    toml.check_keys(entry, ("digest", "reason", "until"), "except")
    digest, reason, until = entry.get("digest"), entry.get("reason"), entry.get("until")
    if not isinstance(digest, str) or not is_digest(digest):
        raise toml.error(
            "digest", f"'digest' is {digest!r:.120}; expected 'sha256:' and 64 hexadecimal digits", "except"
        )
    if not isinstance(reason, str) or not reason.strip() or not reason.isprintable():
        raise toml.error("reason", f"'reason' is {reason!r:.80}; expected one line of text", "except")
    if not isinstance(until, date) or isinstance(until, datetime):
        raise toml.error("until", f"'until' is {until!r:.80}; expected a day such as 2027-03-01", "except")
    return Excepted(digest, reason, datetime.combine(until, time.max, UTC))
