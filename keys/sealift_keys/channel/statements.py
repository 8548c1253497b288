"""The statements of reviewers that lie in a channel, each in a file of its own.

    reviews/<SHA-256 of the file>.dsse.json

They come from people with copies of the channel, so that nothing here is believed: who reads one checks its signature
against root.
"""

import hashlib
import os
import re
from collections.abc import Collection
from pathlib import Path

from sealift_common.errors import ChannelError, Error
from sealift_common.files import durable
from sealift_common.files.secret_file import read_regular
from sealift_common.parsing import strict_json
from sealift_common.review.dsse import Envelope, canonical, parse_envelope
from sealift_common.review.statement import Subject, parse_statement

DIRECTORY = "reviews"
# Three roles for each of as many versions as targets can hold.
MAX_FILES = 20_000
# The largest batch, in base64, with sixteen signatures.
MAX_SIZE_BYTES = 1024 * 1024

_FILE = re.compile(r"[0-9a-f]{64}\.dsse\.json", re.ASCII)


def statements(channel_directory: Path) -> dict[str, Envelope]:
    """Read every statement: file name to envelope, in the order of names.

    Raises:
        ChannelError: there are too many, one is damaged, or something else stands in the place of their folder.
    """
    directory = channel_directory / DIRECTORY
    if os.path.lexists(directory) and not directory.is_dir():
        # Not the same as a channel without reviews: a rejection may have been in it.
        raise ChannelError(f"{str(directory)!r} is not a folder; restore it, or remove what stands there")
    names = sorted(filter(_FILE.fullmatch, os.listdir(directory))) if directory.is_dir() else []
    if len(names) > MAX_FILES:
        raise ChannelError(f"{str(directory)!r} holds {len(names):,} statements; expected at most {MAX_FILES:,}")
    return {name: _read(directory / name) for name in names}


def keep_statement(channel_directory: Path, envelope: Envelope) -> Path:
    """Write a statement, unless it is there already, and return its path."""
    data = canonical(envelope)
    path = channel_directory / DIRECTORY / f"{hashlib.sha256(data).hexdigest()}.dsse.json"
    durable.make_directory(path.parent)
    if not path.exists():
        durable.write_file(path, data)
    return path


def forget_statements(channel_directory: Path, listed: Collection[Subject]) -> None:
    """Remove the files of statements whose subjects a release lists: it holds those that count.

    The others stay: a version that was rejected before its release, and is added once more, is still rejected.
    """
    for name, envelope in statements(channel_directory).items():
        if set(parse_statement(envelope.payload, name).subjects) <= set(listed):
            (channel_directory / DIRECTORY / name).unlink()


def _read(path: Path) -> Envelope:
    try:
        data, _ = read_regular(path, MAX_SIZE_BYTES + 1)
        envelope = parse_envelope(strict_json.parse(data, path.name, max_size_bytes=MAX_SIZE_BYTES), repr(path.name))
        parse_statement(envelope.payload, repr(path.name))
    except (Error, OSError) as error:
        raise ChannelError(f"statement {str(path)!r} is damaged: {error}; remove it, and review again") from error
    if hashlib.sha256(data).hexdigest() != path.name[:64]:
        raise ChannelError(f"statement {str(path)!r} is not what its name says; remove it, and review again")
    return envelope
