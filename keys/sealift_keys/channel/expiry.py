"""Expiry dates of a channel's metadata, for cron: nothing to do, or how urgent."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sealift_common.clock import rfc3339
from sealift_common.errors import Error, ExpiringError, ExpiringSoonError, LapsingError
from sealift_common.wording import counted
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.verification import metadata_by_role

# Days left at which the report becomes a warning, a louder one, and an alarm.
WARN_DAYS = (90, 30, 7)


@dataclass(frozen=True)
class RoleExpiry:
    """One role: when it expires, and the warning reached: 90, 30, 7, 0 (it has expired), or None; all in days."""

    role: str
    version: int
    expires: datetime
    days_left: int
    warning: int | None

    def line(self) -> str:
        """One line for people."""
        day = f"{self.expires:%Y-%m-%d}"
        if self.warning == 0:
            return f"{self.role} {self.version} EXPIRED on {day}"
        return f"{self.role} {self.version} expires on {day}, in {counted(self.days_left, 'day')}"


@dataclass(frozen=True)
class ExpiryReport:
    """All four roles, the nearest expiry first."""

    directory: str
    channel: str
    roles: tuple[RoleExpiry, ...]

    @property
    def warning(self) -> int | None:
        """The most urgent warning of any role: 0 (expired), 7, 30, 90, or None."""
        return min((role.warning for role in self.roles if role.warning is not None), default=None)

    def next_command(self) -> str:
        """The command that renews what is due; empty when nothing is."""
        due = [role.role for role in self.roles if role.warning is not None]
        options = " ".join(f"--role {role}" for role in due)
        return f"sealift-keys renew {self.directory} {options} --key FILE" if due else ""

    def error(self) -> Error | None:
        """The error whose exit status tells how urgent it is, or None."""
        if self.warning is None:
            return None
        due = "; ".join(role.line() for role in self.roles if role.warning == self.warning)
        kind = {90: ExpiringError, 30: ExpiringSoonError}.get(self.warning, LapsingError)
        return kind(f"channel {self.channel!r}: {due}; run: {self.next_command()}")

    def to_dict(self) -> dict[str, Any]:
        """The document that `--json` prints."""
        roles = [
            {
                "days_left": role.days_left,
                "expires": rfc3339(role.expires),
                "role": role.role,
                "version": role.version,
                "warning": role.warning,
            }
            for role in self.roles
        ]
        return {"channel": self.channel, "next": self.next_command(), "roles": roles, "warning": self.warning}


def expiry(channel: Channel, now: datetime | None = None) -> ExpiryReport:
    """Compute the report at `now` (the system clock by default).

    Raises:
        ChannelError: metadata is missing or does not parse.

    """
    now = now or datetime.now(UTC)
    roles = []
    for role, metadata in metadata_by_role(channel).items():
        left = metadata.signed.expires - now
        reached = [days for days in WARN_DAYS if left < timedelta(days=days)]
        warning = 0 if metadata.signed.is_expired(now) else min(reached, default=None)
        roles.append(RoleExpiry(role, metadata.signed.version, metadata.signed.expires, left.days, warning))
    return ExpiryReport(
        str(channel.directory), channel.name, tuple(sorted(roles, key=lambda one: (one.expires, one.role)))
    )
