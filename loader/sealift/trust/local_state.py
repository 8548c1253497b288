"""Fail closed when the local metadata is not the one that the floor records.

python-tuf takes local metadata that does not verify for absent and starts afresh; then an older
bundle would be as good as a new one.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tuf.api.metadata import Metadata, Root, Targets

from sealift import plain_file
from sealift.errors import CorruptError, Error
from sealift.limits import LIMITS
from sealift.trust import floor as floors
from sealift.trust import metadata, objections, threshold
from sealift.trust.chain import follow_roots
from sealift.trust.floor import Floor
from sealift.trust.objections import Envelopes
from sealift.trust.release import release_of
from sealift.trust.state import ROOT_HISTORY
from sealift_common.metadata.release_document import Release

_REMEDY = "it was changed outside Sealift, restore the store from a backup"


class Accepted(NamedTuple):
    """Metadata that this instance accepted last.

    Attributes:
        roots: the verified chain up to the root that was trusted then, oldest first.
        targets: None where none were ever accepted.
        objections: rejections that were seen, as `trust.objections` keeps them.
    """

    roots: tuple[Root, ...]
    targets: Targets | None
    objections: Envelopes = ()

    def release(self) -> Release | None:
        """Return the release that was accepted last, if any was.

        Raises:
            MalformedError, UnsafeMemberError, LimitError: the targets are not a Sealift release.
        """
        if self.targets is None:
            return None
        return release_of(self.roots[-1], self.targets)._replace(objections=self.objections)


def require(directory: Path, floor: Floor | None, pinned_root: bytes) -> Accepted | None:
    """Check the local metadata in `directory` and return what was accepted with it; None where nothing ever was.

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
    roots = _roots(directory / ROOT_HISTORY, floor.root, pinned_root)
    targets = None
    for role in floors.ROLES:
        recorded = getattr(floor, role)
        if recorded == 0 and role not in present:
            continue
        found = _read(directory / f"{role}.json", role)
        if found.signed.version != recorded:
            raise CorruptError(
                f"the trust state holds {role} version {found.signed.version}; "
                f"version {recorded} was recorded: {_REMEDY}"
            )
        if not any(threshold.is_met(root, role, found) for root in roots):
            raise CorruptError(f"the trust state's {role} metadata is not signed by this channel: {_REMEDY}")
        if role == Targets.type:
            targets = found.signed
    seen = objections.read(directory)
    if objections.digest(seen) != floor.objections:
        raise CorruptError(f"the trust state's {objections.FILE_NAME!r} is not the one that was recorded: {_REMEDY}")
    accepted = tuple(root for root in roots if root.version <= floor.root)
    return Accepted(accepted, targets, objections.from_bytes(seen))


def _roots(history: Path, recorded: int, pinned_root: bytes) -> list[Root]:
    """Return the local roots that follow from the pinned one; the recorded version is among them."""

    def next_root(version: int) -> bytes | None:
        try:
            return plain_file.read(history / f"{version}.root.json", LIMITS.root_size_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CorruptError(f"root {version} cannot be read: {error.strerror}: {_REMEDY}") from None

    old: Root = _read(history / f"{recorded}.root.json", "root").signed
    try:
        roots = follow_roots(pinned_root, next_root)
    except Error as error:
        raise CorruptError(f"the trust state's roots do not follow from the pinned one ({error}): {_REMEDY}") from None
    if roots[-1].version < recorded:
        raise CorruptError(f"the trust state's roots end at version {roots[-1].version}, not {recorded}: {_REMEDY}")
    if roots[0].version <= recorded:
        return roots
    # An admin pinned a newer root by hand. The old ones can then only be read, not followed; all of them are, since
    # each key that they list keeps a floor from being void.
    older = [root for version in range(1, recorded) if (root := _readable(next_root, version)) is not None]
    return [*older, old, *roots]


def _readable(next_root: Callable[[int], bytes | None], version: int) -> Root | None:
    data = next_root(version)
    return None if data is None else _parse(data, "root", f"root {version}").signed


def _read(path: Path, role: str) -> Metadata[Any]:
    try:
        data = plain_file.read(path, LIMITS.targets_size_bytes)
    except OSError as error:
        raise CorruptError(f"the trust state's {role} is missing or damaged ({error}): {_REMEDY}") from None
    return _parse(data, role, role)


def _parse(data: bytes, role: str, what: str) -> Metadata[Any]:
    try:
        return metadata.parse(data, role, f"the trust state's {what}")
    except Error as error:
        raise CorruptError(f"the trust state's {what} is missing or damaged ({error}): {_REMEDY}") from None
