"""Fail closed when the local metadata is not the one that the floor records.

python-tuf takes local metadata that does not verify for absent and starts afresh; then an older
bundle would be as good as a new one.
"""

from pathlib import Path
from typing import Any

from securesystemslib.exceptions import StorageError
from tuf.api.metadata import Metadata, Root
from tuf.api.serialization import DeserializationError

from sealift.errors import CorruptError, Error
from sealift.trust import floor as floors
from sealift.trust import threshold
from sealift.trust.chain import follow_roots
from sealift.trust.floor import Floor
from sealift.trust.state import ROOT_HISTORY

_REMEDY = "it was changed outside Sealift, restore the store from a backup"


def require(directory: Path, floor: Floor | None, pinned_root: bytes) -> Root | None:
    """Check the local metadata in `directory` and return the root that was trusted with it.

    Args:
        floor: what was recorded; None only where nothing was ever accepted.
        pinned_root: the root's bytes from outside the store.

    Raises:
        CorruptError: a file is missing, damaged, of another version than recorded, or not signed as
            the recorded root demands.
    """
    present = [role for role in floors.ROLES if (directory / f"{role}.json").exists()]
    if floor is None:
        if present:
            raise CorruptError(f"the trust state has metadata but no record of versions seen: {_REMEDY}")
        return None
    root = _recorded_root(directory / ROOT_HISTORY, floor.root, pinned_root)
    for role in floors.ROLES:
        recorded = getattr(floor, role)
        if recorded == 0 and role not in present:
            continue
        metadata = _read(directory / f"{role}.json", role)
        if metadata.signed.version != recorded:
            raise CorruptError(
                f"the trust state holds {role} version {metadata.signed.version}; "
                f"version {recorded} was recorded: {_REMEDY}"
            )
        try:
            threshold.require(root, role, metadata)
        except Error as error:
            raise CorruptError(
                f"the trust state's {role} metadata is not the accepted one ({error}): {_REMEDY}"
            ) from None
    return root


def _recorded_root(history: Path, version: int, pinned_root: bytes) -> Root:
    def next_root(wanted: int) -> bytes | None:
        path = history / f"{wanted}.root.json"
        return path.read_bytes() if wanted <= version and path.exists() else None

    recorded: Root = _read(history / f"{version}.root.json", "root").signed
    pinned = Metadata[Root].from_bytes(pinned_root).signed
    if pinned.version > version:
        # An admin pinned a newer root by hand; the old one can only be read, not followed.
        return recorded
    try:
        root = follow_roots(pinned_root, next_root)
    except Error as error:
        raise CorruptError(f"the trust state's roots do not follow from the pinned one ({error}): {_REMEDY}") from None
    if root.version != version:
        raise CorruptError(
            f"the trust state has no root version {root.version + 1}; version {version} was recorded: {_REMEDY}"
        )
    return root


def _read(path: Path, role: str) -> Metadata[Any]:
    try:
        metadata: Metadata[Any] = Metadata.from_file(str(path))
        if metadata.signed.type != role:
            raise ValueError(f"it is of type {metadata.signed.type}")
    except (DeserializationError, StorageError, OSError, ValueError, RecursionError) as error:
        raise CorruptError(f"the trust state's {role} metadata is missing or damaged ({error}): {_REMEDY}") from None
    return metadata
