"""Decide whether signatures by a role's earlier keys can still verify under a new root. Pure."""

from collections.abc import Iterable

from tuf.api.metadata import Root

from sealift_common import fingerprint
from sealift_common.errors import KeyFileError


def keys_of(root: Root, role: str) -> frozenset[bytes]:
    """Return the material of every key that `root` lists for `role`, whatever ids it gives them.

    A key that does not parse is left out: it can verify nothing.
    """
    found = set()
    for keyid in root.roles[role].keyids:
        try:
            found.add(fingerprint.material(root.keys[keyid]))
        except (KeyFileError, KeyError):
            continue
    return frozenset(found)


def replaced(role: str, earlier: Iterable[Root], new: Root) -> bool:
    """Return whether `new` lists too few of all keys that the `earlier` roots gave `role` to meet its threshold.

    Then no document that those keys signed verifies under `new`. Every earlier root counts, not only the last: a key
    that left and came back makes its old signatures good again.
    """
    listed: set[bytes] = set()
    for root in earlier:
        listed |= keys_of(root, role)
    return len(listed & keys_of(new, role)) < new.roles[role].threshold
