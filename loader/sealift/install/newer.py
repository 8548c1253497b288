"""Decide whether a bundle is installed already, from its head and the trust state, for a job that asks every hour.

Compares bytes and verifies nothing: whatever differs goes to a real install, which does.
"""

from collections.abc import Sequence
from pathlib import Path

from sealift import plain_file
from sealift.bundle.reader import read_head
from sealift.errors import NotInstalledError
from sealift.inspection.opening import open_bundle
from sealift.limits import LIMITS
from sealift.registry.access import DEFAULT_ACCESS, Access
from sealift.store import Store
from sealift.trust.floor import ROLES
from sealift.trust.state import ROOT_HISTORY

_NAMES = tuple(f"{role}.json" for role in ROLES)


def installed_release(bundle: str | Sequence[str], store: Store, access: Access = DEFAULT_ACCESS) -> int | None:
    """Return the number of the release that `bundle` makes if it was installed here completely, otherwise None.

    A rollback since then changes nothing about that; whether files of the store were damaged is not looked at.

    Raises:
        MalformedError, UnsafeMemberError, LimitError, UnsupportedVersionError, DigestError: the head cannot be read.
        NoTrustError, CorruptError: the store cannot say what was accepted.
    """
    with open_bundle(bundle, access=access) as source:
        head = read_head(source)
    try:
        number = store.release().number
    except NotInstalledError:
        return None
    # Trust and models are switched by one rename, so metadata that counts belongs to an install that was finished.
    current = store.trust_state().current
    newest_root = [name for name in head.metadata if name not in _NAMES][-1]
    same = (
        current is not None
        and all(_is_same(current / name, head.metadata[name]) for name in _NAMES)
        # A root that takes a key away may come with the release that is here.
        and _is_same(current / ROOT_HISTORY / newest_root, head.metadata[newest_root])
    )
    return number if same else None


def _is_same(path: Path, data: bytes) -> bool:
    try:
        return plain_file.read(path, LIMITS.targets_size_bytes) == data
    except FileNotFoundError:
        return False
