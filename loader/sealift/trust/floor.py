"""What this instance has already seen, kept by us: versions and time never go back below it.

python-tuf's Updater treats unreadable local metadata as absent and starts afresh, and with it goes
rollback protection. So we keep our own record beside it and fail closed when the two disagree. Pure.
"""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from sealift import strict_json
from sealift.errors import CorruptError, MalformedError, RollbackError

if TYPE_CHECKING:
    from tuf.api.metadata import Root

SCHEMA = "sealift.floor/1"
ROLES = ("timestamp", "snapshot", "targets")
# Replacing these roles' keys in a new root voids the floor of the role: the documented way back
# from an attacker who signed version 2147483647 (TUF specification 1.0.34, 5.3.11).
_VOIDED_BY = {"timestamp": ("timestamp",), "snapshot": ("timestamp", "snapshot"), "targets": ("snapshot", "targets")}


class Floor(NamedTuple):
    """Highest versions accepted so far (0: never seen), and the latest time known to have passed (UTC)."""

    root: int
    timestamp: int
    snapshot: int
    targets: int
    time: datetime

    def to_bytes(self) -> bytes:
        """Serialize for `floor.json`."""
        document = {"schema": SCHEMA, **self._asdict(), "time": self.time.isoformat()}
        return json.dumps(document, sort_keys=True).encode("ascii")

    @classmethod
    def from_bytes(cls, data: bytes) -> "Floor":
        """Parse `floor.json`.

        Raises:
            CorruptError: it is not what we wrote; nothing may be accepted without it.
        """
        try:
            document = strict_json.parse(data, "floor.json", max_size_bytes=4096)
            if document["schema"] != SCHEMA:
                raise ValueError(document["schema"])
            versions = {role: document[role] for role in ("root", *ROLES)}
            if not all(type(version) is int and version >= 0 for version in versions.values()):
                raise ValueError(versions)
            time = datetime.fromisoformat(document["time"])
            if time.utcoffset() is None:
                raise ValueError(document["time"])
            return cls(**versions, time=time.astimezone(UTC))
        except (MalformedError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise CorruptError(
                f"the record of versions seen, 'floor.json', is damaged: {error}; restore the store from a backup"
            ) from None


def check(floor: Floor, versions: dict[str, int], floor_root: "Root", new_root: "Root") -> None:
    """Refuse `versions` (role to version) below `floor`.

    Args:
        floor_root: the root that was trusted when the floor was recorded.
        new_root: the root that is trusted now.

    Raises:
        RollbackError: a version is older than one already accepted.
    """
    for role in ROLES:
        voided = any(_keys(floor_root, name) != _keys(new_root, name) for name in _VOIDED_BY[role])
        seen = getattr(floor, role)
        if versions[role] < seen and not voided:
            raise RollbackError(
                f"{role} is version {versions[role]}; this instance has already accepted version {seen}: "
                "the bundle is older than what is installed, fetch a newer one"
            )


def _keys(root: "Root", role: str) -> frozenset[str]:
    return frozenset(root.roles[role].keyids)
