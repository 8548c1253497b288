"""Scratch: files and folders on the way to their real name, which must not outlive the process that writes them.

A killed process cleans nothing up, so the next one does. Whether a writer is alive is known by a lock that it holds on
what it writes (flock): the kernel drops it with the process, and it means the same in every container of a machine,
which a process id does not. A name says in which boot of which machine it was made. What another machine may be writing
on a shared file system, whose locks may not reach here, is left alone until nobody changed it for a day.
"""

import errno
import fcntl
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_UNKNOWN_BOOT = "0" * 8
# Compiled where somebody sweeps: a process that only reads must not pay for it.
_FILE = r"(?s:\..+)\.([0-9a-f]{8})-[0-9a-f]{8}\.(new|part)"
_FOLDER = r"\.?sealift-[a-z]+\.([0-9a-f]{8})-[0-9a-f]{8}"
_EXCLUSIVE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What keeps a new file out of a folder.
_FOLDERS_FAULT = (errno.EACCES, errno.EPERM, errno.EROFS)
_ELSEWHERE_S = 24 * 3600.0


class ScratchFile(NamedTuple):
    """A new file: its path, and the file itself, open for reading and writing."""

    path: Path
    file: BinaryIO


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Let an error of the operating system name the file that a person named, and not the scratch file beside it.

    A full disk has no name at all, and gets that of the file.
    """
    try:
        yield
    except OSError as error:
        name = os.path.basename(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes | Path) else ""
        if re.fullmatch(_FILE, name) is None and (error.filename is not None or error.errno not in _FULL):
            raise
        error.filename, error.filename2 = str(path), None
        if error.errno in _FOLDERS_FAULT:
            error.strerror = f"{error.strerror} in its folder {str(path.absolute().parent)!r}"
        raise


@contextmanager
def beside(path: Path, ending: str, mode: int | None = None) -> Iterator[ScratchFile]:
    """Make a file in the folder of `path`, removed at the end unless the block flushes it and moves it to its name.

    Args:
        ending: `new` for what is written at once, `part` for what takes a while.
        mode: its permission bits; None leaves them to the process's umask.
    """
    name, descriptor = create(path.name, ending, path.parent)
    scratch = path.with_name(name)
    try:
        set_mode(descriptor, mode)
        file = os.fdopen(descriptor, "r+b", closefd=False)
        try:
            yield ScratchFile(scratch, file)
        finally:
            # What was not flushed is not wanted, and a full disk must not take the place of the error that ended us.
            with suppress(OSError):
                file.close()
    finally:
        scratch.unlink(missing_ok=True)
        os.close(descriptor)


@contextmanager
def folder(name: str, parent: Path | None = None) -> Iterator[Path]:
    """Make a folder for this user alone, removed at the end; first remove what killed processes left next to it.

    Args:
        name: begins with `sealift-` or `.sealift-`.
        parent: None means where the system has such.
    """
    parent = Path(tempfile.gettempdir()) if parent is None else parent
    sweep(parent)
    while True:
        path = parent / f"{name}.{_token()}"
        path.mkdir(mode=0o700)
        # Until we hold it, a sweep may take it for what a killed process left.
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _OPEN)
            if hold(descriptor):
                break
            os.close(descriptor)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def sweep(directory: Path) -> None:
    """Remove what killed processes of this user left in `directory`: only names of ours, and nothing that is in use."""
    # Tidying up is not a reason to fail.
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            if match := re.fullmatch(_FOLDER if is_folder else _FILE, entry.name):
                with suppress(OSError):
                    _remove_left(Path(entry.path), match[1], is_folder=is_folder)


def _remove_left(path: Path, boot: str, *, is_folder: bool) -> None:
    found = path.lstat()
    if found.st_uid != os.geteuid() or not (is_folder or stat.S_ISREG(found.st_mode)):
        return
    here = boot == _boot() != _UNKNOWN_BOOT
    if not here and time.time() - max(found.st_mtime, found.st_ctime) < _ELSEWHERE_S:
        return
    # Over NFS, only a file that is open for writing can be locked.
    descriptor = os.open(path, _OPEN | (os.O_RDONLY | os.O_DIRECTORY if is_folder else os.O_RDWR))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), path.lstat()):
            return
        if is_folder:
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    finally:
        os.close(descriptor)


def create(name: str, ending: str, folder: Path | int) -> tuple[str, int]:
    """Make a file that is to become `name`, for this user alone; return a name that `sweep` knows, and its descriptor.

    Args:
        folder: where, as a path or an open descriptor. The descriptor that is returned holds the lock.
    """
    # What is added must fit the 255 bytes of a name.
    stem = os.fsdecode(os.fsencode(name)[:200])
    while True:
        scratch = f".{stem}.{_token()}.{ending}"
        descriptor = (
            os.open(folder / scratch, _EXCLUSIVE, 0o600)
            if isinstance(folder, Path)
            else os.open(scratch, _EXCLUSIVE, 0o600, dir_fd=folder)
        )
        if hold(descriptor):
            return scratch, descriptor
        os.close(descriptor)


def set_mode(descriptor: int, mode: int | None) -> None:
    """Give a new file its permission bits; None leaves them to the process's umask.

    Only once it is locked: nobody else could open it before.
    """
    if mode is not None:
        os.fchmod(descriptor, mode)
        return
    # A stick with FAT has its own idea of modes.
    with suppress(PermissionError):
        os.fchmod(descriptor, 0o666 & ~_umask())


def hold(descriptor: int) -> bool:
    """Lock what was just made, and nobody else may open; return False if a sweep was faster, and it is gone."""
    # A file system without locks: then nobody can lock it, and nobody removes it.
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return os.fstat(descriptor).st_nlink > 0


def _token() -> str:
    return f"{_boot()}-{os.urandom(4).hex()}"


def _boot() -> str:
    try:
        return _BOOT_ID.read_bytes()[:8].decode()
    except OSError:
        return _UNKNOWN_BOOT


def _umask() -> int:
    # There is no way to ask without setting it; for that moment, the strictest.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
