"""Say what of a channel is signed and by which keys, what is missing, and what to do next.

Verification of signatures is python-tuf's; this module only counts and names.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tuf.api.metadata import Metadata, VerificationResult

from sealift_common import fingerprint
from sealift_common.metadata.release_document import key_name
from sealift_keys.channel.directory import ROLES, Channel
from sealift_keys.channel.verification import inconsistency, metadata_by_role, verification

# When an expiry is near enough to mention it.
SOON = timedelta(days=30)


@dataclass(frozen=True)
class RoleStatus:
    """The signatures of one metadata file; `missing` counts those still needed, from `waiting_for`."""

    role: str
    version: int
    threshold: int
    signed_by: tuple[str, ...]
    waiting_for: tuple[str, ...]
    missing: int
    expires: datetime
    expired: bool
    # A new root answers to two sets of keys, its own and those of the root before it: both counts.
    demands: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the threshold is met; an expired role can be complete."""
        return self.missing == 0

    def line(self) -> str:
        """One line for people: `targets: 1 of 2 signatures; waiting for 'approver'`."""
        text = f"{self.role} {self.version}: {len(self.signed_by)} of {self.threshold} signatures"
        if self.signed_by:
            text += " (" + ", ".join(map(repr, self.signed_by)) + ")"
        if self.missing and self.demands:
            text = f"{self.role} {self.version}: {', '.join(self.demands)}"
        if self.missing:
            names = ", ".join(map(repr, self.waiting_for))
            more = f"{self.missing} of " if self.missing < len(self.waiting_for) else ""
            text += f"; waiting for {more}{names}"
        day = f"{self.expires:%Y-%m-%d}"
        return text + (f"; EXPIRED on {day}" if self.expired else f"; expires {day}")


@dataclass(frozen=True)
class ChannelStatus:
    """The report of `sealift-keys status`."""

    directory: str
    channel: str
    roles: tuple[RoleStatus, ...]
    released: int
    staged: int
    withdrawn: int
    # None until root has all its signatures: each signature changes the file.
    root_fingerprint: str | None
    # Empty, or why the files do not belong together (a release that was interrupted).
    inconsistent: str
    expiring: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether an instance could accept this metadata: all thresholds met, nothing expired or mixed."""
        return not self.problems()

    @property
    def release(self) -> int:
        """The number of the release that the channel holds now."""
        return next(role.version for role in self.roles if role.role == "targets")

    @property
    def waits(self) -> bool:
        """Whether that release lacks signatures, so that it cannot be packed yet."""
        return any(role.missing for role in self.roles if role.role != "root")

    def problems(self) -> list[str]:
        """Each thing that keeps the channel from being packed, in words."""
        found = [role.line() for role in self.roles if role.missing or role.expired]
        return [self.inconsistent, *found] if self.inconsistent else found

    def next_command(self) -> str:
        """The command that brings the channel on."""
        if self.inconsistent:
            return f"sealift-bundler release --channel {self.directory} --key FILE"
        for role in self.roles:
            if role.missing:
                return f"sealift-keys sign {self.directory} --key FILE (the key of {role.waiting_for[0]!r})"
        if self.roles[0].expired:
            return f"sealift-keys renew {self.directory} --role root --key FILE"
        if any(role.expired and role.role != "root" for role in self.roles):
            return f"sealift-bundler release --channel {self.directory} --refresh --key FILE"
        if self.staged:
            return f"sealift-bundler release --channel {self.directory} --key FILE"
        if not self.released:
            return f"sealift-bundler add RECIPE.toml --channel {self.directory}"
        return f"sealift-bundler pack --channel {self.directory} -o {self.channel}-{self.release}.tar"

    def to_dict(self) -> dict[str, Any]:
        """The document that `--json` prints."""
        roles = [
            {**asdict(role), "expires": f"{role.expires:%Y-%m-%dT%H:%M:%SZ}", "complete": role.complete}
            for role in self.roles
        ]
        return {**asdict(self), "roles": roles, "complete": self.complete, "next": self.next_command()}


def status(channel: Channel, now: datetime | None = None) -> ChannelStatus:
    """Compute the state of every role of `channel` at `now` (the system clock by default).

    Raises:
        ChannelError: metadata is missing or does not parse.

    """
    now = now or datetime.now(UTC)
    documents = metadata_by_role(channel)
    roles = tuple(_role_status(channel, role, documents[role], now) for role in ROLES)
    return ChannelStatus(
        directory=str(channel.directory),
        channel=channel.name,
        roles=roles,
        released=len(channel.release().models),
        staged=len(channel.staged()),
        withdrawn=len(channel.release().withdrawn),
        root_fingerprint=pinned_fingerprint(channel, roles[0]),
        inconsistent=inconsistency(channel),
        expiring=tuple(role.role for role in roles if not role.expired and role.expires - now < SOON),
    )


def pinned_fingerprint(channel: Channel, root: "RoleStatus") -> str | None:
    """The fingerprint to publish: of version 1, the file that instances pin; None until it is complete."""
    return fingerprint.of_bytes(channel.root_bytes(1)) if root.version > 1 or root.complete else None


def _role_status(channel: Channel, role: str, metadata: Metadata[Any], now: datetime) -> RoleStatus:
    results = verification(channel, role, metadata)
    signed = {keyid: key for result in results for keyid, key in result.signed.items()}
    lacking = [result for result in results if result.missing]
    waiting = {keyid: key for result in lacking for keyid, key in result.unsigned.items()}
    return RoleStatus(
        role=role,
        version=metadata.signed.version,
        threshold=max(result.threshold for result in results),
        signed_by=tuple(key_name(key) for key in signed.values()),
        waiting_for=tuple(key_name(key) for key in waiting.values()),
        missing=_missing(lacking),
        expires=metadata.signed.expires,
        expired=metadata.signed.is_expired(now),
        demands=_demands(metadata.signed.version, results) if len(results) > 1 else (),
    )


def _missing(lacking: list[VerificationResult]) -> int:
    """Count the signatures that are needed at least; one by a key of both roots counts for both."""
    if len(lacking) < 2:
        return sum(result.missing for result in lacking)
    one, other = lacking
    shared = len(one.unsigned.keys() & other.unsigned.keys())
    return one.missing + other.missing - min(shared, one.missing, other.missing)


def _demands(version: int, results: list[VerificationResult]) -> tuple[str, ...]:
    versions = (version, version - 1)
    return tuple(
        f"{len(result.signed)} of {result.threshold} signatures by the keys of root {number}"
        for number, result in zip(versions, results, strict=True)
    )
