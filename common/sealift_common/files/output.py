"""Write a file that a person named: a new one next to it, then a rename. One rule for every option and argument.

1. A regular file of that name is replaced, in one step and only by a whole one.
2. A symbolic link is refused, and so are a folder, a named pipe, a socket and a block device. In a folder that others
   can write, they could have put it there for us to write through, or to wait at. The folders that lead to the name
   may be links.
3. What the caller has opened is written to: `-` and `/dev/stdout`, `/dev/fd/N`, a shell's `>(…)`. So is a character
   device such as `/dev/null`. A file that is read back after it was written cannot be either of them.
4. A file that holds a private key is never replaced. Where a command writes one kind of file, such as a page or a
   bundle, it replaces only a file of that kind, or an empty one: a slip must not cost a recipe.
"""

import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from sealift_common.errors import UsageError
from sealift_common.files import scratch

_DESCRIPTOR = re.compile(r"(-|/dev/stdout)|(/dev/stderr)|/dev/fd/(\d{1,9})|/proc/self/fd/(\d{1,9})", re.ASCII)
_KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a device", stat.S_IFCHR: "a device"}
_BEGIN_BYTES = 65536
_PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY")


class Kind(NamedTuple):
    """A kind of file that a command replaces: its name with an article, and what its first bytes match."""

    what: str
    begins: re.Pattern[bytes]


def _tar_of(what: str, first: bytes) -> Kind:
    # The name of the first member comes first, the magic of the format after 257 bytes.
    return Kind(what, re.compile(rb"(?=" + first + rb")(?s:.{257})ustar"))


PAGE = Kind("a page of Sealift", re.compile(rb'<!doctype html>\n<html lang="en"><head>.{0,40}Content-Security-Policy'))
BUNDLE = _tar_of("a bundle", rb"oci-layout\0")
KIT = _tar_of("a kit", rb"sealift-kit-")
EXPORT = _tar_of("an export of a store", rb"(?:store\.json|oci-layout)\0")
SUPPORT_REPORT = _tar_of("a report of `sealift doctor`", rb"sealift-report/")


def require_place(path: Path, *, device: bool = False, kind: Kind | None = None) -> None:
    """Check that a file can be written or replaced at `path`, before the work for it begins.

    Args:
        path: what a person named; its folder must exist.
        device: whether what the caller has opened, or a character device, will do.
        kind: of the only files that are replaced, besides empty ones; None for any but a private key.

    Raises:
        UsageError: something stands there that is not a regular file, or is not replaced; or there is no such folder.
        OSError: it cannot be looked at.
    """
    if _DESCRIPTOR.fullmatch(str(path)):
        if device:
            return
        raise UsageError(f"cannot write {str(path)!r}: what is written is read back; give the name of a regular file")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UsageError(f"cannot write {str(path)!r}: folder {str(folder)!r} does not exist; make it first")
    with suppress(FileNotFoundError):
        status = path.lstat()
        _require_regular(path, status, device=device)
        if stat.S_ISREG(status.st_mode):
            _require_replaceable(path, kind)


@contextmanager
def replacing(path: Path, *, mode: int | None = None) -> Iterator[BinaryIO]:
    """Give a new file next to `path`, whose `name` is its path; it becomes `path`, durably, when the block ends well.

    Args:
        path: what a person named.
        mode: of the file; None means that of the file which it replaces, or as the umask says.

    Raises:
        UsageError: as `require_place`; nothing is written.
        OSError: it cannot be written.
    """
    require_place(path)
    scratch.sweep(path.absolute().parent)
    # Held, so that the folder cannot be exchanged for another one; O_PATH, because it need not be readable.
    folder = os.open(path.absolute().parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with scratch.blaming(path):
            name, descriptor = scratch.create(path.name, "part", folder)
        with scratch.blaming(path), open(path.with_name(name), "r+b", opener=lambda *_: descriptor) as file:
            try:
                scratch.set_mode(descriptor, mode if mode is not None else _mode_of(path.name, folder))
                yield file
                file.flush()
                os.fsync(descriptor)
                os.rename(name, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)
                raise
        _sync(folder)
    finally:
        os.close(folder)


@contextmanager
def writing(path: Path, *, mode: int | None = None) -> Iterator[BinaryIO]:
    """Give a file to write once, from its beginning to its end: as `replacing`, or what the caller has opened.

    Raises:
        UsageError, OSError: as `replacing`.
    """
    descriptor = _opened(path)
    if descriptor is None:
        with replacing(path, mode=mode) as file:
            yield file
        return
    with scratch.blaming(path), os.fdopen(descriptor, "wb") as file:
        yield file


def write(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Write `data` to `path`; see `writing`.

    Raises:
        UsageError, OSError: as `writing`.
    """
    with writing(path, mode=mode) as file:
        file.write(data)


def _require_regular(path: Path, status: os.stat_result, *, device: bool) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG or (device and kind == stat.S_IFCHR):
        return
    if kind == stat.S_IFLNK:
        raise UsageError(
            f"cannot write {str(path)!r}: it is a symbolic link to {os.readlink(path)!r}; "
            "name the file itself, or remove the link"
        )
    if kind == stat.S_IFDIR:
        raise UsageError(f"cannot write {str(path)!r}: it is a directory; give the name of a file")
    raise UsageError(
        f"cannot write {str(path)!r}: it is {_KINDS.get(kind, 'no file')}; give the name of a regular file"
    )


def _require_replaceable(path: Path, kind: Kind | None) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        begin = file.read(_BEGIN_BYTES)
    if _PRIVATE_KEY.search(begin):
        raise UsageError(f"{str(path)!r} is there already, and holds a private key; name another file")
    if begin and kind is not None and not kind.begins.match(begin):
        raise UsageError(f"{str(path)!r} is there already, and is not {kind.what}; name another file, or remove it")


def _mode_of(name: str, folder: int) -> int | None:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return status.st_mode & 0o777


def _opened(path: Path) -> int | None:
    """Return a descriptor for what is written to as it is, or None where a file is to be replaced."""
    match = _DESCRIPTOR.fullmatch(str(path))
    if match:
        sys.stdout.flush()
        return os.dup(1 if match[1] else 2 if match[2] else int(match[3] or match[4]))
    try:
        if not stat.S_ISCHR(path.lstat().st_mode):
            return None
    except FileNotFoundError:
        return None
    # Exchanged for a named pipe meanwhile, it would refuse and not wait.
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _require_regular(path, os.fstat(descriptor), device=True)
        os.set_blocking(descriptor, True)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _sync(folder: int) -> None:
    # A folder that we may write and not read cannot be synced.
    with suppress(PermissionError):
        descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
