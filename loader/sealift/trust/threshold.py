"""Count signers by key, not by key id: one key listed under two ids is one signer. Pure.

python-tuf counts ids. TUF specification 1.0.34, 4.2.1, leaves it to the client to see that two ids may
name the same key.
"""

from typing import Any

from tuf.api.metadata import Metadata, Root

from sealift_common.fingerprint import material


def signers(signer: Root, role: str, metadata: Metadata[Any], signed_bytes: bytes | None = None) -> int:
    """Return how many different keys of `role` have validly signed `metadata`, by the rules of `signer`.

    Args:
        signed_bytes: what `metadata.parse_signed` returned with it, to save making it again.
    """
    signed_bytes = metadata.signed_bytes if signed_bytes is None else signed_bytes
    result = signer.get_verification_result(role, signed_bytes, metadata.signatures)
    return len({material(key) for key in result.signed.values()})


def is_met(signer: Root, role: str, metadata: Metadata[Any]) -> bool:
    """Return whether enough different keys of `role` have signed `metadata`, by the rules of `signer`."""
    return signers(signer, role, metadata) >= signer.get_delegated_role(role).threshold


def require(signer: Root, role: str, metadata: Metadata[Any], signed_bytes: bytes | None = None) -> None:
    """Check that enough different keys have signed.

    Args:
        signed_bytes: as for `signers`.

    Raises:
        SignatureError, ThresholdError, UntrustedKeyError: they have not; the message says which are missing.
    """
    if signers(signer, role, metadata, signed_bytes) < signer.get_delegated_role(role).threshold:
        # Words for people: only a refusal needs them.
        from sealift.trust.verdict import signature_refusal

        raise signature_refusal(role, signer, metadata, metadata.signed_bytes)
