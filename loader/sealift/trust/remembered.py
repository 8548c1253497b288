"""Verify a release once for the same bytes: every load reads and compares all of them, and the first checks signatures.

What is remembered is kept with everything that it was derived from: the pinned root, every root that follows it, the
absence of a further one, the targets, and the rejections that were seen. One changed byte, and it is verified again.
"""

from collections.abc import Callable
from typing import NamedTuple

from sealift.trust.chain import verify_targets
from sealift.trust.objections import from_bytes
from sealift.trust.release import release_of
from sealift_common.metadata.release_document import Release

# A process reads one store, or two; each install makes a new release.
_MOST = 8


class _Given(NamedTuple):
    pinned_root: bytes
    targets: bytes
    objections: bytes


class _Verified(NamedTuple):
    given: _Given
    roots: tuple[tuple[int, bytes | None], ...]
    release: Release


_verified: list[_Verified] = []


def verified_release(
    pinned_root: bytes, next_root: Callable[[int], bytes | None], targets: bytes, objections: bytes = b""
) -> Release:
    """Return what `targets` list, verified from the pinned root on; see `chain.verify_targets`.

    Args:
        objections: that were seen, as `trust.objections` keeps them.

    Raises:
        CorruptError, RootError, SignatureError, ThresholdError, UntrustedKeyError: the chain does not hold.
        MalformedError, UnsafeMemberError, LimitError: signed, and still not a Sealift release.
    """
    given = _Given(pinned_root, targets, objections)
    # To compare a megabyte takes a twentieth of hashing it, and a process holds two or three of them.
    for known in _verified:
        if known.given == given and all(next_root(version) == data for version, data in known.roots):
            return known.release
    roots = []

    def recorded(version: int) -> bytes | None:
        data = next_root(version)
        roots.append((version, data))
        return data

    root, found = verify_targets(pinned_root, recorded, targets)
    release = release_of(root, found)._replace(objections=from_bytes(objections))
    # Without a lock, which a signal's handler or a forked worker might find taken forever.
    _verified.append(_Verified(given, tuple(roots), release))
    del _verified[:-_MOST]
    return release
