"""The channel's own record of its releases: every version of targets, with the signatures it got.

    history/<N>-root-<R>.targets.json        release N, made while root R said who may sign

Instances never see it. It answers, years later, who signed what, and what the thief of a key could
have signed.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tuf.api.metadata import Metadata, Targets
from tuf.api.serialization import DeserializationError

from sealift_common.errors import ChannelError
from sealift_common.files import durable
from sealift_common.files.secret_file import read_regular

DIRECTORY = "history"
# As large as instances read targets, and a byte to see that a file is longer.
_MAX_SIZE_BYTES = 5_000_001
_FILE = re.compile(r"([1-9][0-9]*)-root-([1-9][0-9]*)\.targets\.json", re.ASCII)


@dataclass(frozen=True)
class Record:
    """One recorded release, and the version of root that it was made under."""

    number: int
    root_version: int
    metadata: Metadata[Targets]


def record(channel_directory: Path, number: int, root_version: int, data: bytes) -> None:
    """Keep release `number`; signatures that come later, also under a newer root, go into the same record."""
    directory = channel_directory / DIRECTORY
    durable.make_directory(directory)
    known = _recorded(directory)
    durable.write_file(directory / f"{number}-root-{known.get(number, root_version)}.targets.json", data)


def releases(channel_directory: Path) -> list[Record]:
    """Read every recorded release, oldest first.

    Raises:
        ChannelError: a record is damaged.

    """
    return list(newest_first(channel_directory))[::-1]


def newest_first(channel_directory: Path) -> Iterator[Record]:
    """Read recorded releases one after another, newest first.

    Raises:
        ChannelError: a record is damaged.

    """
    directory = channel_directory / DIRECTORY
    for number, root_version in sorted(_recorded(directory).items(), reverse=True):
        path = directory / f"{number}-root-{root_version}.targets.json"
        try:
            # Of a copy that somebody else made: no pipe is waited for, and nothing longer is read.
            data, _ = read_regular(path, _MAX_SIZE_BYTES)
            metadata = Metadata[Targets].from_bytes(data)
        except (DeserializationError, OSError) as error:
            raise ChannelError(f"the record {str(path)!r} is not TUF metadata; restore it from a backup") from error
        if not isinstance(metadata.signed, Targets) or metadata.signed.version != number:
            raise ChannelError(f"the record {str(path)!r} is not that of release {number}; restore it from a backup")
        yield Record(number, root_version, metadata)


def _recorded(directory: Path) -> dict[int, int]:
    """Release number to root version."""
    names = os.listdir(directory) if directory.is_dir() else []
    return {int(match[1]): int(match[2]) for match in map(_FILE.fullmatch, sorted(names)) if match}
