"""Rejections and withdrawals that this instance has seen: they count whatever later targets list.

    trust/3/objections.json = {"schema": "sealift.objections/1", "statements": [<DSSE envelope>]}

There is no such file where nobody ever objected. The floor records its digest. Each statement is signed, so that nobody
who writes the store can invent one; a reviewer's key that root revoked takes its statements with it. Pure.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sealift import plain_file
from sealift.errors import CorruptError, LimitError, MalformedError
from sealift.limits import LIMITS
from sealift_common.metadata.release_document import Release
from sealift_common.parsing import strict_json

FILE_NAME = "objections.json"
SCHEMA = "sealift.objections/1"

Envelopes = tuple[Mapping[str, Any], ...]


def remember(before: Envelopes, release: Release) -> Envelopes:
    """Return what is to be remembered once `release` is accepted: the last word of each key, where it objects.

    Args:
        before: what was remembered so far.

    Raises:
        LimitError: it is more than any channel needs.
    """
    if release.reviewers is None:
        return before
    from sealift_common.review.judgement import objecting

    found = objecting([*before, *release.reviews], release.reviewers)
    if len(to_bytes(found)) > LIMITS.targets_size_bytes:
        raise LimitError(
            f"release {release.number} would leave more than {LIMITS.targets_size_bytes:,} bytes of rejections to "
            "remember; ask the channel's owners which reviewer made them, and for a root that revokes that key"
        )
    return found


def to_bytes(envelopes: Envelopes) -> bytes:
    """Serialize for `objections.json`; empty where there are none, and no file is needed."""
    if not envelopes:
        return b""
    document = {"schema": SCHEMA, "statements": list(envelopes)}
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def from_bytes(data: bytes) -> Envelopes:
    """Parse `objections.json`.

    Raises:
        CorruptError: it is not what we wrote; nothing may be accepted without it.
    """
    if not data:
        return ()
    try:
        document = strict_json.parse(data, FILE_NAME, max_size_bytes=LIMITS.targets_size_bytes)
        statements = document["statements"]
        if document["schema"] != SCHEMA or not isinstance(statements, list):
            raise ValueError(document["schema"])
        if not all(isinstance(one, dict) for one in statements):
            raise ValueError("a statement is not an object")
        return tuple(statements)
    except (MalformedError, LimitError, KeyError, TypeError, ValueError) as error:
        raise CorruptError(
            f"the record of rejections seen, {FILE_NAME!r}, is damaged: {error}; restore the store from a backup"
        ) from None


def read(directory: Path) -> bytes:
    """Return the bytes in a state's directory; none where nobody ever objected.

    Raises:
        CorruptError: they cannot be read.
    """
    try:
        return plain_file.read(directory / FILE_NAME, LIMITS.targets_size_bytes)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise CorruptError(
            f"the record of rejections seen, {FILE_NAME!r}, cannot be read: {error.strerror}; restore the store from a "
            "backup"
        ) from error


def write(directory: Path, envelopes: Envelopes) -> str:
    """Write them into a private directory, and return what the floor records of them; without any, there is no file."""
    data = to_bytes(envelopes)
    path = directory / FILE_NAME
    path.unlink(missing_ok=True)
    if data:
        path.write_bytes(data)
    return digest(data)


def digest(data: bytes) -> str:
    """Return what the floor records of these bytes; empty where there are none."""
    return "sha256:" + hashlib.sha256(data).hexdigest() if data else ""
