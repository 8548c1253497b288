"""The pinned root: the one file that an admin compares by eye, kept apart from the store.

A user who can write the store must not be able to replace it, so it lives in a directory of its own.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path

from tuf.api.metadata import Root

from sealift import plain_file
from sealift.errors import (
    AlreadyPinnedError,
    Error,
    LimitError,
    MalformedError,
    NoTrustError,
    RootError,
    UnsafeStoreError,
    UsageError,
)
from sealift.limits import LIMITS
from sealift.places import unsafe_file, unsafe_parents
from sealift.trust import metadata, threshold
from sealift_common.files import durable
from sealift_common.metadata.release_document import channel_of

FILE_NAME = "root.json"
# Every `gitlab-ctl reconfigure` gives /etc/gitlab the mode 0775 and the group root.
_GROUPS = (0,)


def parse_root(data: bytes) -> Root:
    """Parse a root and check that it is signed by its own keys and names a channel.

    Raises:
        LimitError, MalformedError: not the root of a Sealift channel.
        RootError: signed by fewer of its keys than it demands.
    """
    if len(data) > LIMITS.root_size_bytes:
        raise LimitError(f"the root has {len(data):,} bytes; expected at most {LIMITS.root_size_bytes:,}")
    try:
        parsed = metadata.parse(data, "root", "the root")
    except MalformedError as error:
        from sealift_common.wrong_file import kind_of

        kind = kind_of(data[:4096], "root")
        if kind is not None and kind.startswith("the root of a channel"):
            raise MalformedError(f"this root is damaged or cut short: {error}; copy it again") from None
        if kind is not None:
            raise MalformedError(f"this is not a root: it is {kind}; give the channel's 1.root.json") from None
        raise MalformedError(f"{error}; give the channel's 1.root.json") from None
    try:
        threshold.require(parsed.signed, "root", parsed)
    except Error as error:
        raise RootError(f"this root is not fit to be pinned: {error}") from None
    channel_of(parsed.signed)
    root: Root = parsed.signed
    return root


def read_given(path: Path) -> bytes:
    """Return the bytes of a root that somebody names.

    Raises:
        LimitError, UsageError: it is too large for a root, or no plain file.
        OSError: it cannot be read.
    """
    try:
        return plain_file.read(path, LIMITS.root_size_bytes, follow=True)
    except OSError as error:
        if error.errno == errno.EFBIG:
            kind = _kind_of_file(path) or error.strerror
            raise LimitError(f"{str(path)!r} is not a root: {kind}; give the channel's 1.root.json") from None
        if error.errno == errno.EINVAL:
            raise UsageError(f"{str(path)!r} is not a plain file; give the channel's 1.root.json") from None
        raise


def _kind_of_file(path: Path) -> str | None:
    # Words for a file that is no root: only a refusal needs them.
    from sealift_common.files.secret_file import read_regular
    from sealift_common.wrong_file import kind_of

    try:
        begin, _ = read_regular(path, 4096)
    except OSError:
        return None
    kind = kind_of(begin, "root")
    return None if kind is None else f"it is {kind}"


def read(directory: Path, store: Path | None) -> bytes:
    """Return the pinned root's bytes, if nobody can have replaced them who may not.

    Args:
        store: the store that is to be trusted by it; None where there is none yet.

    Raises:
        NoTrustError: nothing is pinned.
        UnsafeStoreError: as `unsafe` says.
        OSError: it cannot be read, is not a plain file, or too large for a root.
    """
    try:
        problems = unsafe(directory, store)
        if problems:
            raise UnsafeStoreError(f"the pinned root is not safe: {'; '.join(problems)}")
        return plain_file.read(directory / FILE_NAME, LIMITS.root_size_bytes, follow=True)
    except (FileNotFoundError, NotADirectoryError):
        raise NoTrustError(
            f"no channel is trusted on this instance: {str(directory / FILE_NAME)!r} does not exist; "
            "run `sealift trust init ROOT.json` first, or name its folder by SEALIFT_TRUST (trust=)"
        ) from None


def unsafe(directory: Path, store: Path | None) -> list[str]:
    """Return what lets others change the pinned root, one phrase each.

    It belongs to root, to this user, or to the store's owner, who decides what is installed; so does everything that
    leads to it.

    Raises:
        OSError: it does not exist, or cannot be reached.
    """
    return unsafe_file(directory / FILE_NAME, _owners(store), _GROUPS)


def unsafe_beside(path: Path, store: Path | None) -> list[str]:
    """Return what lets others change a file that an admin keeps beside the pinned root, by the same rule as `unsafe`.

    Raises:
        OSError: it does not exist, or cannot be reached.
    """
    return unsafe_file(path, _owners(store), _GROUPS)


def unsafe_folder_beside(path: Path, store: Path | None) -> list[str]:
    """Return what lets others put files into a folder that an admin keeps beside the pinned root, or take them out."""
    return unsafe_parents(path / "any", _owners(store), _GROUPS)


def _owners(store: Path | None) -> set[int]:
    owners = {os.geteuid()}
    with suppress(OSError):
        if store is not None:
            owners.add(os.stat(store).st_uid)
    return owners


def pin(directory: Path, data: bytes, store: Path | None = None) -> Root:
    """Pin `data` as the root that everything must descend from.

    Args:
        store: as for `read`.

    Raises:
        AlreadyPinnedError: another root is pinned; the same one again is not an error.
        MalformedError, RootError, LimitError: not the root of a channel.
        UnsafeStoreError: others can write the directory, or replace it.
    """
    root = parse_root(data)
    path = directory / FILE_NAME
    problems = unsafe_parents(path, _owners(store), _GROUPS)
    if problems:
        raise UnsafeStoreError(f"no root can be pinned there: {'; '.join(problems)}")
    if path.exists():
        here = read(directory, store)
        pinned = metadata.parse(here, "root", "the pinned root")
        if pinned.signed_bytes == metadata.parse(data, "root").signed_bytes:
            return root
        from sealift_common.fingerprint import grouped, of_bytes

        raise AlreadyPinnedError(
            f"another root is pinned in {str(path)!r}: this root is {grouped(of_bytes(data))}, "
            f"pinned is {grouped(of_bytes(here))}; to trust a different channel, remove that file yourself "
            "and use a new store"
        )
    missing = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    try:
        durable.make_directory(directory)
        durable.write_file(path, data)
    except BaseException:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise
    return root
