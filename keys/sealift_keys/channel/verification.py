"""The metadata that counts in a channel now, whose signatures it has, and whether its files belong together.

Verification of signatures is python-tuf's.
"""

from typing import Any

from tuf.api.metadata import Metadata, VerificationResult

from sealift_common.errors import ChannelError
from sealift_keys.channel.directory import Channel


def metadata_by_role(channel: Channel) -> dict[str, Metadata[Any]]:
    """The current metadata of each role, the newest root first."""
    return {
        "root": channel.root(),
        "targets": channel.targets(),
        "snapshot": channel.snapshot(),
        "timestamp": channel.timestamp(),
    }


def verification(channel: Channel, role: str, metadata: Metadata[Any]) -> list[VerificationResult]:
    """Return python-tuf's verdict on the signatures; a new root answers to the root before it as well."""
    root = channel.root().signed
    if role != "root":
        return [root.get_verification_result(role, metadata.signed_bytes, metadata.signatures)]
    previous = channel.root(root.version - 1).signed if root.version > 1 else None
    both = root.get_root_verification_result(previous, metadata.signed_bytes, metadata.signatures)
    return [both.second] if previous is None else [both.second, both.first]


def inconsistency(channel: Channel) -> str:
    """Return why the three release files are not of one release; empty when they are."""
    targets, snapshot, timestamp = channel.targets().signed, channel.snapshot().signed, channel.timestamp().signed
    listed = snapshot.meta.get("targets.json")
    if listed is None:
        raise ChannelError(f"{channel.tuf_dir / 'snapshot.json'} does not list targets.json; restore it")
    if listed.version != targets.version:
        return f"a release was interrupted: snapshot lists targets {listed.version}, the file is {targets.version}"
    if timestamp.snapshot_meta.version != snapshot.version:
        return (
            f"a release was interrupted: timestamp lists snapshot {timestamp.snapshot_meta.version}, "
            f"the file is {snapshot.version}"
        )
    return ""
