"""Turn bytes into one role's TUF metadata, or refuse: our one parser in addition to python-tuf's client. Pure."""

from typing import Any

from tuf.api.metadata import Metadata
from tuf.api.serialization import SerializationError

from sealift.errors import LimitError, MalformedError
from sealift.limits import LIMITS
from sealift_common.metadata.tuf_numbers import boolean_number
from sealift_common.parsing import strict_json


def parse(data: bytes, role: str, what: str = "") -> Metadata[Any]:
    """Parse metadata that must be of `role`; see `parse_signed`."""
    return parse_signed(data, role, what)[0]


def parse_signed(data: bytes, role: str, what: str = "") -> tuple[Metadata[Any], bytes]:
    """Parse metadata that must be of `role`; nothing about its signatures is checked.

    Returns:
        The metadata, and the bytes that its signatures are over: making them takes longer than the rest.

    Args:
        what: how errors name it; the role's name by default.

    Raises:
        LimitError: larger or deeper than the limits, or a root of more keys.
        MalformedError: not strict JSON, not metadata of this role, or of values that have no canonical
            form, so that no signature could ever cover them.
    """
    what = what or role
    document = strict_json.parse(data, what)
    require_numbers(document, what)
    try:
        metadata: Metadata[Any] = Metadata.from_dict(document)
        kind = metadata.signed.type
        # A float, for example, parses and then cannot be canonicalised.
        signed_bytes = metadata.signed_bytes
    except (SerializationError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedError(f"{what} is not TUF metadata: {_reason(error)}") from None
    if kind == "root" and len(metadata.signed.keys) > LIMITS.root_keys:
        raise LimitError(f"{what} has {len(metadata.signed.keys):,} keys; expected at most {LIMITS.root_keys}")
    if not all(isinstance(keyid, str) for keyid in metadata.signatures):
        raise MalformedError(f"{what} is not TUF metadata: a signature names its key by something other than text")
    if kind != role:
        raise MalformedError(f"{what} holds {kind!r} metadata; expected {role!r}")
    return metadata, signed_bytes


def require_numbers(document: Any, what: str) -> None:
    """Check that parsed metadata has numbers where TUF has numbers.

    Raises:
        MalformedError: a version, threshold, length or lifetime is a boolean.
    """
    name = boolean_number(document)
    if name is not None:
        raise MalformedError(f"{what} has true or false as {name!r}; expected a number: it is not TUF metadata")


def _reason(error: BaseException) -> str:
    return " ".join(str(error.__cause__ or error).split())[:200]
