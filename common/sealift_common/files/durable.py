"""Writes that survive a power cut: content reaches the disk before the name that makes it count.

Every writer, of key files, channels and stores, uses these and no others; so they live on the common floor.
The guarantee ends where the file system's does:
a rename is atomic, and durable once its directory is synced.
"""

import os
import shutil
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TypeVar

from sealift_common.files import scratch

_Item = TypeVar("_Item")
_EXCLUSIVE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
DIRECTORY_MODE = 0o755
FILE_MODE = 0o644
READ_ONLY_MODE = 0o444
# A disk writes in one go what several wait for: a thousand syncs in turn take three times as long.
_AT_ONCE = 16


def write_new(
    path: Path | str,
    chunks: Iterable[bytes],
    *,
    mode: int = FILE_MODE,
    directory: int | None = None,
    sync: bool = True,
) -> None:
    """Create `path`, which must not exist, and sync its content; its name is not yet durable.

    Args:
        directory: descriptor of the directory that `path` is relative to; None means as for `open`.
        sync: False for a file that does not outlive this process, or that the caller syncs.
    """
    descriptor = os.open(path, _EXCLUSIVE, mode & 0o600, dir_fd=directory)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            # The process's umask must not decide who can read a model.
            os.fchmod(descriptor, mode)
            for chunk in chunks:
                view = memoryview(chunk)
                while view:
                    view = view[file.write(view) :]
            if sync:
                os.fsync(descriptor)
    except BaseException:
        os.unlink(path, dir_fd=directory)
        raise


def write_file(path: Path, data: bytes, *, mode: int = FILE_MODE, unsynced: set[Path] | None = None) -> None:
    """Create or replace `path` in one step, durably; `unsynced` is as for `move`."""
    with scratch.blaming(path), scratch.beside(path, "new", mode) as made:
        made.file.write(data)
        made.file.flush()
        os.fsync(made.file.fileno())
        move(made.path, path, unsynced)


def append_line(path: Path, line: str, *, mode: int = FILE_MODE) -> None:
    """Append one line to `path`, durably; a crash leaves at most a line without its end."""
    created = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        if created:
            os.fchmod(descriptor, mode)
        os.write(descriptor, line.encode("utf-8") + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if created:
        sync_directory(path.parent)


def make_directory(path: Path, unsynced: set[Path] | None = None) -> None:
    """Create `path` and its parents as needed, readable by every user; `unsynced` is as for `move`."""
    if path.is_dir():
        return
    make_directory(path.parent, unsynced)
    path.mkdir(exist_ok=True)
    path.chmod(DIRECTORY_MODE)
    _sync_names({path.parent}, unsynced)


def move(source: Path, destination: Path, unsynced: set[Path] | None = None) -> None:
    """Rename, then sync both directories: the name is durable when this returns.

    Args:
        unsynced: where it is given, the directories are added to it instead, and no name is durable before the caller
            has handed all of them to `sync_directories`.
    """
    source.rename(destination)
    _sync_names({source.parent, destination.parent}, unsynced)


def _sync_names(directories: set[Path], unsynced: set[Path] | None) -> None:
    if unsynced is not None:
        unsynced |= directories
        return
    for directory in directories:
        sync_directory(directory)


def point(link: Path, target: str) -> None:
    """Make the symbolic link `link` point to `target` in one step, durably."""
    made = link.with_name(f".{link.name}.{os.getpid()}.new")
    made.unlink(missing_ok=True)
    made.symlink_to(target)
    move(made, link)


def sync_directory(path: Path) -> None:
    """Make the names in `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directories(paths: Iterable[Path]) -> None:
    """Make the names in all of these directories durable."""
    together(sync_directory, sorted(paths))


def together(work: Callable[[_Item], object], items: Collection[_Item]) -> None:
    """Do work that waits for the disk for all items, several at once.

    Raises:
        OSError: what the first that failed raised, when none is running any longer.
    """
    if len(items) <= 1:
        for item in items:
            work(item)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(_AT_ONCE, len(items)), "sealift-sync") as threads:
        for _ in threads.map(work, items):
            pass


def remove_tree(path: Path) -> None:
    """Remove a directory that nothing points to any longer; not durable, and need not be."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        for directory, _, _ in os.walk(path):
            Path(directory).chmod(0o700)
        shutil.rmtree(path)
