"""Check signed targets on every load: pinned root, the roots that follow it, targets. Nothing else.

Expiry is not looked at: it blocks installing, never loading. Snapshot and timestamp are the
installer's business: they say what is newest, and a loader only asks what is allowed. Pure.
"""

from collections.abc import Callable
from typing import Any

from tuf.api.metadata import Metadata, Root, Targets
from tuf.api.serialization import DeserializationError

from sealift.errors import CorruptError, RootError
from sealift.limits import LIMITS
from sealift.trust.verdict import signature_refusal


def verify_targets(
    pinned_root: bytes, next_root: Callable[[int], bytes | None], targets: bytes
) -> tuple[Root, Targets]:
    """Follow the roots from the pinned one, then check `targets` against the last.

    Args:
        next_root: returns the bytes of a root version, or None past the end of the chain.

    Raises:
        CorruptError: a file is not the metadata it should be.
        RootError, SignatureError, ThresholdError, UntrustedKeyError: a link of the chain does not hold.
    """
    root = _parse(pinned_root, Root, "the pinned root").signed
    while (data := next_root(root.version + 1)) is not None:
        new = _parse(data, Root, f"root version {root.version + 1}")
        if new.signed.version != root.version + 1:
            raise RootError(f"root version {root.version + 1} of the store calls itself version {new.signed.version}")
        for signer in (root, new.signed):
            _require(signer, "root", new)
        root = new.signed
        if root.version > LIMITS.root_rotations * 4:
            raise RootError("the chain of roots in the store does not end")
    found = _parse(targets, Targets, "targets")
    _require(root, "targets", found)
    return root, found.signed


def _require(signer: Root, role: str, metadata: Metadata[Any]) -> None:
    payload = metadata.signed_bytes
    if not signer.get_verification_result(role, payload, metadata.signatures):
        raise signature_refusal(role, signer, metadata, payload)


def _parse(data: bytes, kind: type[Any], what: str) -> Metadata[Any]:
    try:
        metadata: Metadata[Any] = Metadata.from_bytes(data)
    except (DeserializationError, ValueError, RecursionError) as error:
        raise CorruptError(
            f"{what} is damaged: {str(error.__cause__ or error)[:200]}; restore the store from a backup"
        ) from None
    if not isinstance(metadata.signed, kind):
        raise CorruptError(f"{what} holds {metadata.signed.type!r} metadata; restore the store from a backup")
    return metadata
