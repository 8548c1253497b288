"""New versions of targets, snapshot and timestamp that say the same and are good for longer.

A new version of targets needs a new snapshot, and that a new timestamp; never the other way round. So
a new timestamp costs one signature of the build machine, and no approver is bothered.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Timestamp

from sealift_common.clock import next_release_time
from sealift_common.errors import ChannelError
from sealift_common.metadata.release_document import targets_of
from sealift_keys.ceremony.plan import lifetime_days
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.status import status

_ORDER = ("targets", "snapshot", "timestamp")


def with_dependents(roles: Collection[str]) -> tuple[str, ...]:
    """Return the roles that need a new version when `roles` get one; root is nobody's dependent."""
    changed = [role for role in _ORDER if role in roles]
    return _ORDER[_ORDER.index(changed[0]) :] if changed else ()


def renewed(
    channel: Channel, root: Root, roles: Collection[str], now: datetime, days: int | None = None
) -> list[Metadata[Any]]:
    """Make unsigned new versions of `roles` and their dependents, in the order of writing.

    Args:
        root: says how long a version is good.
        days: how long these versions are good, instead of what root says.

    Raises:
        ChannelError: metadata is missing, or a release was interrupted.

    """
    made: list[Metadata[Any]] = []
    remade = with_dependents(roles)
    if not remade:
        return made
    refuse_interrupted(channel)

    def expires(role: str) -> datetime:
        return now + timedelta(days=days if days is not None and role in roles else lifetime_days(root, role))

    targets = channel.targets().signed
    snapshot = channel.snapshot().signed
    timestamp = channel.timestamp().signed
    if "targets" in remade:
        release = channel.release()
        again = release._replace(number=release.number + 1, released=next_release_time(release.released))
        targets = targets_of(again, expires("targets"))
        made.append(Metadata(targets))
    if "snapshot" in remade:
        listed = {"targets.json": MetaFile(targets.version)}
        snapshot = Snapshot(version=snapshot.version + 1, expires=expires("snapshot"), meta=listed)
        made.append(Metadata(snapshot))
    new_timestamp = Timestamp(
        version=timestamp.version + 1, expires=expires("timestamp"), snapshot_meta=MetaFile(snapshot.version)
    )
    return [*made, Metadata(new_timestamp)]


def refuse_interrupted(channel: Channel) -> None:
    """Stop before a ceremony builds on half a release.

    Raises:
        ChannelError: targets, snapshot and timestamp are not of one release.

    """
    why = status(channel).inconsistent
    if why:
        raise ChannelError(f"{why}; finish it first: sealift-bundler release --channel {channel.directory} --key FILE")
