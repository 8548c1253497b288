"""Say why python-tuf refused: which role, which link, expected and got, in one of our classes.

python-tuf decides; nothing here can turn a refusal into an acceptance. It only reads the same
bytes again, in the same order, to find the first link that does not hold. Pure.
"""

from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from securesystemslib.exceptions import UnverifiedSignatureError
from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, Root
from tuf.api.serialization import DeserializationError, SerializationError

from sealift.errors import (
    DigestError,
    Error,
    ExpiredError,
    LimitError,
    MalformedError,
    MixError,
    RollbackError,
    RootError,
    SignatureError,
    ThresholdError,
    UntrustedKeyError,
)
from sealift.trust.metadata import parse
from sealift_common.fingerprint import material
from sealift_common.metadata.release_document import key_name

_MOST_NAMED = 3


class Attempt(NamedTuple):
    """Check that was running when python-tuf refused.

    Attributes:
        role: `root`, `timestamp`, `snapshot` or `targets`.
        data: the role's bytes, or None when the bundle does not hold them.
        root: the newest trusted root, which says who may sign.
        accepted: version of `role` that this instance has accepted before, or 0.
        time: the reference time.
        earlier: the metadata that was trusted so far, by role, in the order in which it is checked.
    """

    role: str
    data: bytes | None
    root: Root
    accepted: int
    time: datetime
    earlier: tuple[tuple[str, Any], ...] = ()


def refusal(error: Exception, attempt: Attempt) -> Error:
    """Turn python-tuf's `error` into ours."""
    role = attempt.role
    if isinstance(error, DownloadHTTPError):
        return MalformedError(
            f"the bundle has no {role!r} metadata; it was not packed by Sealift, or parts are missing"
        )
    if isinstance(error, DownloadLengthMismatchError):
        return LimitError(f"{role} is larger than the limit or the signed length: {error}")
    if isinstance(error, DownloadError):
        return MalformedError(f"{role} cannot be read: {error}")
    if isinstance(error, LengthOrHashMismatchError):
        return DigestError(f"{role} does not have the digest that was signed for it: {error}")
    if isinstance(error, ExpiredMetadataError):
        return _expired(attempt)
    if isinstance(error, BadVersionNumberError):
        return _version(error, attempt)
    if isinstance(error, UnsignedMetadataError):
        return _unsigned(attempt)
    if isinstance(error, DeserializationError | SerializationError):
        return MalformedError(f"{role} is not TUF metadata: {_cause(error)}")
    if isinstance(error, RepositoryError):
        return MixError(f"{role} was refused: {error}")
    return MalformedError(f"{role} is not TUF metadata: {_cause(error)}")


def signature_refusal(role: str, signer: Root, metadata: Metadata[Any], payload: bytes) -> Error:
    """Say which signatures of `metadata` are missing or wrong, by the rules of `signer`."""
    delegation = signer.get_delegated_role(role)
    valid, wrong, missing = [], [], []
    seen: set[bytes] = set()
    for keyid in sorted(delegation.keyids):
        key = signer.keys.get(keyid)
        if key is None:
            continue
        signature = metadata.signatures.get(keyid)
        if signature is None or not signature.signature:
            missing.append(key_name(key))
            continue
        try:
            key.verify_signature(signature, payload)
        except UnverifiedSignatureError:
            wrong.append(key_name(key))
            continue
        valid.append(key_name(key))
        seen.add(material(key))
    expected = f"expected {delegation.threshold} of: {', '.join(valid + wrong + missing) or 'no key at all'}"
    if wrong:
        return SignatureError(f"{role}: the signature of {', '.join(wrong)} does not fit its content; {expected}")
    strangers = sorted(set(metadata.signatures) - set(delegation.keyids))
    if not valid and strangers:
        named = ", ".join(keyid[:12] for keyid in strangers[:_MOST_NAMED])
        if len(strangers) > _MOST_NAMED:
            named += f" and {len(strangers) - _MOST_NAMED:,} more"
        return UntrustedKeyError(f"{role} is signed by {named}, which may not sign it, or may no longer; {expected}")
    if not valid:
        return SignatureError(f"{role} is not signed; {expected}")
    if len(seen) < len(valid):
        return ThresholdError(
            f"{role} needs {delegation.threshold} signers and has {len(seen)}: "
            f"{', '.join(valid)} are the same key under different ids"
        )
    return ThresholdError(
        f"{role} has {len(valid)} of {delegation.threshold} signatures ({', '.join(valid)}); "
        f"missing: {', '.join(missing)}"
    )


def _unsigned(attempt: Attempt) -> Error:
    try:
        metadata = parse(attempt.data or b"", attempt.role)
    except Error as error:
        return error
    payload = metadata.signed_bytes
    if attempt.role != Root.type:
        return signature_refusal(attempt.role, attempt.root, metadata, payload)
    version = attempt.root.version
    if not attempt.root.get_verification_result(Root.type, payload, metadata.signatures):
        found = signature_refusal(Root.type, attempt.root, metadata, payload)
        return type(found)(f"root version {version + 1}, by the keys of version {version}: {found}")
    found = signature_refusal(Root.type, metadata.signed, metadata, payload)
    return type(found)(f"root version {version + 1}, by its own keys: {found}")


def _expired(attempt: Attempt) -> Error:
    # What was trusted before may be what has expired: it is looked at again when the next role is asked for.
    candidates: list[Any] = [("root", attempt.root), *attempt.earlier]
    if attempt.data is not None:
        with suppress(Error):
            candidates.append((attempt.role, parse(attempt.data, attempt.role).signed))
    for role, signed in candidates:
        if signed.is_expired(attempt.time):
            return ExpiredError(
                f"{role} expired on {signed.expires:%Y-%m-%d %H:%M} UTC; it is {attempt.time:%Y-%m-%d %H:%M} UTC here: "
                "fetch a newer bundle, or correct the clock"
            )
    return ExpiredError(f"{attempt.role} has expired; fetch a newer bundle, or correct the clock")


def _version(error: Exception, attempt: Attempt) -> Error:
    if attempt.role == Root.type:
        return RootError(f"the chain of roots is broken after version {attempt.root.version}: {error}")
    found = 0
    if attempt.data is not None:
        with suppress(Error):
            found = parse(attempt.data, attempt.role).signed.version
    if found and found < attempt.accepted:
        return RollbackError(
            f"{attempt.role} is version {found}; this instance has already accepted version {attempt.accepted}: "
            "the bundle is older than what is installed, fetch a newer one"
        )
    return MixError(f"{attempt.role} does not belong to the same release as the rest: {error}")


def _cause(error: BaseException) -> str:
    return str(error.__cause__ or error)[:200]
