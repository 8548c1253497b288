"""The pinned root: the one file that an admin compares by eye, kept apart from the store.

Who can write the store must not be able to replace it, so it lives in a directory of its own.
"""

from pathlib import Path

from tuf.api.metadata import Metadata, Root
from tuf.api.serialization import DeserializationError

from sealift.errors import AlreadyPinnedError, LimitError, MalformedError, NoTrustError, RootError
from sealift.limits import LIMITS
from sealift.trust.release import channel_of
from sealift.trust.verdict import signature_refusal
from sealift_keys import durable

FILE_NAME = "root.json"


def parse_root(data: bytes) -> Root:
    """Parse a root and check that it is signed by its own keys and names a channel.

    Raises:
        LimitError, MalformedError: not the root of a Sealift channel.
        RootError: signed by fewer of its keys than it demands.
    """
    if len(data) > LIMITS.root_size_bytes:
        raise LimitError(f"the root has {len(data):,} bytes; expected at most {LIMITS.root_size_bytes:,}")
    try:
        metadata = Metadata[Root].from_bytes(data)
    except (DeserializationError, ValueError, RecursionError) as error:
        raise MalformedError(f"the root is not TUF metadata: {str(error.__cause__ or error)[:200]}") from None
    if not isinstance(metadata.signed, Root):
        raise MalformedError(f"expected root metadata, got {metadata.signed.type!r}; give the channel's 1.root.json")
    if not metadata.signed.get_verification_result(Root.type, metadata.signed_bytes, metadata.signatures):
        why = signature_refusal("root", metadata.signed, metadata, metadata.signed_bytes)
        raise RootError(f"this root is not fit to be pinned: {why}")
    channel_of(metadata.signed)
    return metadata.signed


def read(directory: Path) -> bytes:
    """Return the pinned root's bytes.

    Raises:
        NoTrustError: nothing is pinned.
    """
    try:
        return (directory / FILE_NAME).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise NoTrustError(
            f"no channel is trusted on this instance: {str(directory / FILE_NAME)!r} does not exist; "
            "run `sealift trust init ROOT.json` first"
        ) from None


def pin(directory: Path, data: bytes) -> Root:
    """Pin `data` as the root that everything must descend from.

    Raises:
        AlreadyPinnedError: another root is pinned; the same one again is no error.
        MalformedError, RootError, LimitError: not the root of a channel.
    """
    root = parse_root(data)
    path = directory / FILE_NAME
    if path.exists():
        if path.read_bytes() == data:
            return root
        raise AlreadyPinnedError(
            f"another root is pinned in {str(path)!r}; to trust a different channel, remove that file yourself "
            "and use a new store"
        )
    durable.make_directory(directory)
    durable.write_file(path, data)
    return root
