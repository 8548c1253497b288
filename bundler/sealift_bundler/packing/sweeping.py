"""Blobs of a channel that no version names: left by `add` of other bytes, by `unstage`, and by runs that were cut off.

A version names its manifest, and that its config and files. What a release of the record (`history`) named stays, also
when it was withdrawn since: `pack --since` makes patches from it, and a dossier shows it.
"""

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from sealift_bundler.packing.blobs import read_manifest
from sealift_common.blob import Blob
from sealift_common.metadata.release_document import read_release
from sealift_common.names import ModelVersion
from sealift_keys.channel import history
from sealift_keys.channel.directory import Channel

_BLOB = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Unnamed(NamedTuple):
    """Blobs that nothing names: their digests, sorted, and their size in bytes together."""

    blobs: tuple[str, ...]
    size: int


def unnamed(channel: Channel) -> Unnamed:
    """Find the blobs that no version names.

    Raises:
        GateError: the manifest of a version is missing or damaged, so nobody knows what it names.
        ChannelError: metadata is damaged.
    """
    kept = set(_named(channel))
    found = {}
    for entry in os.scandir(channel.blobs_dir):
        if _BLOB.fullmatch(entry.name) and entry.name not in kept and entry.is_file(follow_symlinks=False):
            found[f"sha256:{entry.name}"] = entry.stat(follow_symlinks=False).st_size
    return Unnamed(tuple(sorted(found)), sum(found.values()))


def sweep(channel: Channel, *, dry_run: bool = False) -> Unnamed:
    """Remove them; returns what was, or would be, removed.

    Raises:
        GateError, ChannelError: as `unnamed`; or another process is changing the channel. Nothing was removed.
    """
    if dry_run:
        return unnamed(channel)
    with channel.locked():
        found = unnamed(channel)
        for digest in found.blobs:
            (channel.blobs_dir / digest.removeprefix("sha256:")).unlink()
    return found


def _named(channel: Channel) -> Iterator[str]:
    versions: dict[ModelVersion, set[Blob]] = {}
    for listed in (channel.released(), channel.staged(), *map(dict, _recorded(channel))):
        for model, blob in listed.items():
            versions.setdefault(model, set()).add(blob)
    current = {*channel.released().items(), *channel.staged().items()}
    for model, blobs in versions.items():
        for blob in blobs:
            if (model, blob) not in current and not (channel.blobs_dir / blob.hex).exists():
                continue  # somebody has taken an old, withdrawn version out of this copy of the channel
            manifest = read_manifest(channel.blobs_dir, model, blob)
            yield blob.hex
            yield manifest.config.hex
            yield from (file.blob.hex for file in manifest.files)


def _recorded(channel: Channel) -> Iterator[dict[ModelVersion, Blob]]:
    for record in history.releases(channel.directory):
        yield dict(read_release(channel.root(record.root_version).signed, record.metadata.signed).models)
