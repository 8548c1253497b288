"""Our record of what this instance has already seen: versions and time never go back below it.

python-tuf's Updater treats unreadable local metadata as absent and starts afresh, and with it goes
rollback protection. So we keep our own record next to it and fail closed when the two disagree. Pure.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from sealift.errors import CorruptError, MalformedError, RollbackError
from sealift_common.blob import is_digest
from sealift_common.parsing import strict_json

if TYPE_CHECKING:
    from tuf.api.metadata import Root

SCHEMA = "sealift.floor/1"
ROLES = ("timestamp", "snapshot", "targets")


class Floor(NamedTuple):
    """What was accepted so far.

    Attributes:
        root, timestamp, snapshot, targets: the highest versions; 0: never seen.
        time: the latest time known to have passed (UTC).
        objections: digest of the rejections that were seen; empty where there are none. See `trust.objections`.
    """

    root: int
    timestamp: int
    snapshot: int
    targets: int
    time: datetime
    objections: str = ""

    def to_bytes(self) -> bytes:
        """Serialize for `floor.json`."""
        document = {"schema": SCHEMA, **self._asdict(), "time": self.time.isoformat()}
        if not self.objections:
            # Sealift 0.1.0 writes none; it passes one over.
            del document["objections"]
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
            objections = document.get("objections", "")
            if objections != "" and not is_digest(objections):
                raise ValueError(objections)
            return cls(**versions, time=time.astimezone(UTC), objections=objections)
        except (MalformedError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise CorruptError(
                f"the record of versions seen, 'floor.json', is damaged: {error}; restore the store from a backup"
            ) from None


def check(floor: Floor, versions: Mapping[str, int], earlier: Sequence["Root"], new: "Root") -> None:
    """Refuse `versions` (role to version) below `floor`.

    Args:
        earlier: the verified chain of roots that was trusted when the floor was recorded, oldest first.
        new: the root that is trusted now.

    Raises:
        RollbackError: a version is older than one already accepted.
    """
    low = [role for role in ROLES if versions[role] < getattr(floor, role)]
    if not low:
        return
    void = voided(earlier, new)
    for role in low:
        if role not in void:
            raise RollbackError(
                f"{role} is version {versions[role]}; this instance has already accepted version "
                f"{getattr(floor, role)}: the bundle is older than what is installed, fetch a newer one"
            )


def voided(earlier: Sequence["Root"], new: "Root") -> frozenset[str]:
    """Return the roles whose floor no longer counts under `new`.

    This is the way back from a thief who signed version 2147483647 (TUF specification 1.0.34, 5.3.11), and must not
    be a way back for anybody else. Two things make a floor void: a thief may have raised it, and nothing that is old
    becomes acceptable by it.

    - timestamp, snapshot: a key of the role is gone. Its holder could fast-forward them, and an old one
      of either still has to lead to targets that are not below their floor.
    - targets: what earlier keys of snapshot, or of targets, signed can no longer verify, so that no old release can.
    """
    from sealift_common.metadata.succession import keys_of, replaced

    void = {role for role in ("timestamp", "snapshot") if keys_of(earlier[-1], role) - keys_of(new, role)}
    if replaced("snapshot", earlier, new) or replaced("targets", earlier, new):
        void.add("targets")
    return frozenset(void)
