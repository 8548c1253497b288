"""Check signed targets on every load: pinned root, the roots that follow it, targets. Nothing else.

Expiry is not looked at: it blocks installing, never loading. Snapshot and timestamp are the
installer's business: they say what is newest, and a loader only asks what is allowed. Pure.
"""

from collections.abc import Callable, Sequence
from typing import Any

from tuf.api.metadata import Metadata, Root, Targets

from sealift.errors import CorruptError, Error, MalformedError, RootError
from sealift.limits import LIMITS
from sealift.trust import metadata, threshold
from sealift_common.metadata.release_document import channel_of
from sealift_common.metadata.succession import keys_of

# A store that follows many bundles sees more rotations than one refresh may bring.
_LAST_ROOT = 4 * LIMITS.root_rotations


def follow_roots(pinned_root: bytes, next_root: Callable[[int], bytes | None]) -> list[Root]:
    """Follow the roots from the pinned one to the last, and return all of them.

    Args:
        next_root: returns the bytes of a root version, or None past the end of the chain.

    Raises:
        CorruptError: a file is not a root.
        RootError, SignatureError, ThresholdError, UntrustedKeyError: a link of the chain does not hold.
    """
    root: Root = _parse(pinned_root, "root", "the pinned root")[0].signed
    chain = [root]
    while (data := next_root(root.version + 1)) is not None:
        if root.version > _LAST_ROOT:
            raise RootError(f"the chain of roots does not end after version {_LAST_ROOT}")
        new, signed_bytes = _parse(data, "root", f"root version {root.version + 1}")
        if new.signed.version != root.version + 1:
            raise RootError(f"root version {root.version + 1} of the store calls itself version {new.signed.version}")
        for signer in (root, new.signed):
            threshold.require(signer, "root", new, signed_bytes)
        root = new.signed
        chain.append(root)
    return chain


def verify_targets(
    pinned_root: bytes, next_root: Callable[[int], bytes | None], targets: bytes
) -> tuple[Root, Targets]:
    """Follow the roots from the pinned one, then check `targets` against the last.

    Raises:
        CorruptError: a file is not the metadata it should be.
        RootError, SignatureError, ThresholdError, UntrustedKeyError: a link of the chain does not hold.
    """
    root = follow_roots(pinned_root, next_root)[-1]
    found, signed_bytes = _parse(targets, "targets", "targets")
    threshold.require(root, "targets", found, signed_bytes)
    return root, found.signed


def require_one_name(roots: Sequence[Root]) -> None:
    """Check that every root of a chain names the channel as the first does.

    Raises:
        RootError: a root renames the channel.
        MalformedError: a root does not name it.
    """
    pinned = channel_of(roots[0])
    for root in roots[1:]:
        name = channel_of(root)
        if name != pinned:
            raise RootError(
                f"root version {root.version} calls the channel {name!r}; expected {pinned!r}, as in the pinned root: "
                "a channel keeps its name, ask its owners who signed this root"
            )


def _parse(data: bytes, role: str, what: str) -> tuple[Metadata[Any], bytes]:
    try:
        return metadata.parse_signed(data, role, what)
    except Error as error:
        raise CorruptError(f"{error}; restore the store from a backup") from None


def require_separate_reviewers(roots: Sequence[Root]) -> None:
    """Check that no reviewer of the newest root signs metadata, or did: those who release approve nothing.

    Raises:
        MalformedError: a key of reviewers holds a role of TUF in one of the roots.
    """
    from sealift_common.review.reviewers import read_reviewers

    reviewers = read_reviewers(roots[-1])
    if reviewers is None:
        return
    materials = {one.material: role.name for role in reviewers.roles.values() for one in role.reviewers}
    for root in roots:
        for role in root.roles:
            for material in keys_of(root, role) & materials.keys():
                raise MalformedError(
                    f"root {root.version} lets a key sign {role!r} that reviews for {materials[material]!r}; "
                    "reviewers need keys of their own"
                )
