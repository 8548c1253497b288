"""Verify a release once for the same bytes: every load reads and hashes all of them, and the first checks signatures.

What is remembered is named by the digests of everything that it was derived from: the pinned root, every root that
follows it, the absence of a further one, and the targets. One changed byte has another name, and is verified again.
"""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from sealift.trust.chain import verify_targets
from sealift.trust.release import release_of
from sealift_common.release_document import Release

# A process reads one store, or two; each install makes a new release.
_MOST = 8


class _Verified(NamedTuple):
    release: Release
    roots: tuple[tuple[int, str], ...]


_verified: dict[tuple[str, str], _Verified] = {}


def verified_release(pinned_root: bytes, next_root: Callable[[int], bytes | None], targets: bytes) -> Release:
    """Return what `targets` list, verified from the pinned root on; see `chain.verify_targets`.

    Raises:
        CorruptError, RootError, SignatureError, ThresholdError, UntrustedKeyError: the chain does not hold.
        MalformedError, UnsafeMemberError, LimitError: signed, and still not a Sealift release.
    """
    name = (_digest(pinned_root), _digest(targets))
    known = _verified.get(name)
    if known is not None and all(_digest(next_root(version)) == digest for version, digest in known.roots):
        return known.release
    roots = []

    def recorded(version: int) -> bytes | None:
        data = next_root(version)
        roots.append((version, _digest(data)))
        return data

    root, found = verify_targets(pinned_root, recorded, targets)
    release = release_of(root, found)
    # Without a lock, which a signal's handler or a forked worker might find taken forever.
    _verified[name] = _Verified(release, tuple(roots))
    for old in list(_verified)[:-_MOST]:
        _verified.pop(old, None)
    return release


def _digest(data: bytes | None) -> str:
    return "absent" if data is None else hashlib.sha256(data).hexdigest()
