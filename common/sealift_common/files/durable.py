"""Writes that survive a power cut: content reaches the disk before the name that makes it count.

Every writer, of key files, channels and stores, uses these and no others; so they live on the common floor.
The guarantee ends where the file system's does:
a rename is atomic, and durable once its directory is synced.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sealift_common.files import scratch

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_EXCLUSIVE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
DIRECTORY_MODE = 0o755
FILE_MODE = 0o644
READ_ONLY_MODE = 0o444
# A disk writes in one go what several wait for: a thousand syncs in turn take three times as long.
_AT_ONCE = 16
# Open at the same time; most processes may have 1,024.
_MOST_OPEN = 128


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


def write_file(path: Path, data: bytes, *, mode: int = FILE_MODE) -> None:
    """Create or replace `path` in one step, durably."""
    with scratch.blaming(path), scratch.beside(path, "new", mode) as made:
        made.file.write(data)
        made.file.flush()
        os.fsync(made.file.fileno())
        move(made.path, path)


def write_files(files: Sequence[tuple[Path, bytes]], unsynced: set[Path], *, mode: int = FILE_MODE) -> None:
    """Create or replace many small files, each in one step, durably; `unsynced` is as for `move`.

    Only the waiting for the disk is shared among threads: all else that these do, they would wait for each other with.
    """
    for start in range(0, len(files), _MOST_OPEN):
        with ExitStack() as stack:
            made = []
            for path, data in files[start : start + _MOST_OPEN]:
                with scratch.blaming(path):
                    new = stack.enter_context(scratch.beside(path, "new", mode))
                    new.file.write(data)
                    new.file.flush()
                made.append((path, new))
            with scratch.blaming(made[0][0]):
                _sync([new.file.fileno() for _, new in made])
            for path, new in made:
                with scratch.blaming(path):
                    move(new.path, path, unsynced)


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
    descriptor = os.open(path, _DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directories(paths: Iterable[Path]) -> None:
    """Make the names in all of these directories durable."""
    with syncing() as waiting:
        for path in sorted(paths):
            waiting.add(os.open(path, _DIRECTORY))


class Syncing:
    """Open files and directories that wait for the disk, which are then synced several at once, and closed."""

    def __init__(self) -> None:
        self._open: list[int] = []

    def add(self, descriptor: int) -> None:
        """Take over a descriptor; sync all that wait where they are many.

        Raises:
            OSError: one of them could not be synced.
        """
        self._open.append(descriptor)
        if len(self._open) >= _MOST_OPEN:
            self.finish()

    def finish(self) -> None:
        """Sync and close all that wait.

        Raises:
            OSError: as `add`.
        """
        try:
            _sync(self._open)
        finally:
            self.close()

    def close(self) -> None:
        """Close all that wait."""
        while self._open:
            os.close(self._open.pop())


@contextmanager
def syncing() -> Iterator[Syncing]:
    """Sync what the block adds before it ends; where it fails, only close it."""
    waiting = Syncing()
    try:
        yield waiting
        waiting.finish()
    finally:
        waiting.close()


def _sync(descriptors: Sequence[int]) -> None:
    """Sync all, several at once.

    Raises:
        OSError: what the first that failed raised, when none is running any longer.
    """
    if len(descriptors) <= 1:
        for descriptor in descriptors:
            os.fsync(descriptor)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(_AT_ONCE, len(descriptors)), "sealift-sync") as threads:
        for _ in threads.map(os.fsync, descriptors):
            pass


def remove_tree(path: Path) -> None:
    """Remove a directory that nothing points to any longer; not durable, and need not be."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        for directory, _, _ in os.walk(path):
            Path(directory).chmod(0o700)
        shutil.rmtree(path)
