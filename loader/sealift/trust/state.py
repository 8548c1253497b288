"""The client state on disk: numbered directories, the one that counts named by a link.

    trust/current -> 3
    trust/3/root_history/1.root.json …  timestamp.json  snapshot.json  targets.json  floor.json  objections.json

A new state is written whole next to the old one. A generation names the state that it was made with, so that one
rename, of the store's `current`, switches both; `trust/current` follows. The higher of the two numbers counts.
python-tuf leaves its files at mode 0600 behind a symbolic link; here everyone may read, so that a loader need not
be root.
"""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from sealift import plain_file
from sealift.errors import CorruptError
from sealift.limits import LIMITS
from sealift.trust import objections
from sealift_common.files import durable
from sealift_common.names import is_directory_number
from sealift_common.oci.layout import TUF_ROLES

if TYPE_CHECKING:
    from sealift.trust.floor import Floor

ROOT_HISTORY = "root_history"  # python-tuf's own name for the roots it has followed
_CURRENT = "current"
_FLOOR = "floor.json"
_DOCUMENTS = (*(f"{role}.json" for role in TUF_ROLES), objections.FILE_NAME)


class TrustState:
    """The store's `trust/` directory.

    Args:
        directory: may not exist yet.
        at_least: the state that the active generation was made with; 0 where none is active.
        used: something was installed once, so a missing state is damage and not a beginning.

    Attributes:
        number: the state that counts; 0 where there is none yet.
        current: its directory, or None.
    """

    def __init__(self, directory: Path, *, at_least: int, used: bool) -> None:
        self._directory = directory
        self._linked = _linked_number(directory / _CURRENT)
        # The link of the first install may still be on its way; later ones only lag behind.
        if self._linked == 0 and used and _numbers(directory)[-1:] != [at_least]:
            raise CorruptError(
                f"the trust state {str(directory / _CURRENT)!r} is missing although models were installed; "
                "restore the store from a backup"
            )
        # Resolved once: a reader stays with one state while an installer switches to the next.
        self.number = max(self._linked, at_least)
        self.current = directory / str(self.number) if self.number else None

    def read_floor(self) -> "Floor | None":
        """Return what was seen before, or None for an instance that never accepted anything.

        Raises:
            CorruptError: the record is missing or damaged.
        """
        # What is loaded needs no floor: it says what may be installed.
        from sealift.trust.floor import Floor

        return None if self.current is None else Floor.from_bytes(self._read(_FLOOR))

    def read_targets(self) -> bytes:
        """Return the accepted targets metadata, still to be verified by the caller."""
        return self._read("targets.json")

    def read_objections(self) -> bytes:
        """Return the rejections that were seen, for `trust.objections` to parse."""
        return b"" if self.current is None else objections.read(self.current)

    def read_root(self, version: int) -> bytes | None:
        """Return an accepted root by version, or None past the newest."""
        if self.current is None:
            return None
        try:
            return plain_file.read(self.current / ROOT_HISTORY / f"{version}.root.json", LIMITS.root_size_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _damaged(f"root {version} cannot be read: {error.strerror}") from None

    def copy_to(self, scratch: Path) -> None:
        """Copy the metadata into an empty directory in which python-tuf may write.

        Raises:
            CorruptError: the roots are missing, or something other than a file is in a file's place.
        """
        if self.current is None:
            return
        (scratch / ROOT_HISTORY).mkdir()
        try:
            names = [f"{ROOT_HISTORY}/{name}" for name in sorted(os.listdir(self.current / ROOT_HISTORY))]
            for name in [*names, *_DOCUMENTS]:
                # A role that is missing is for `local_state` to judge.
                if os.path.lexists(self.current / name):
                    data = plain_file.read(self.current / name, LIMITS.targets_size_bytes)
                    (scratch / name).write_bytes(data)
        except OSError as error:
            path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else None
            if path is not None and Path(path).is_relative_to(self.current):
                raise _damaged(f"{path!r} cannot be read: {error.strerror}") from None
            raise

    def write(self, scratch: Path, floor: "Floor", undo: ExitStack) -> None:
        """Write what python-tuf left in `scratch` as the next state; it counts once a generation or the link names it.

        Args:
            floor: what has been seen once this state counts.
            undo: what takes the state back where an error follows.
        """
        number = max(_numbers(self._directory), default=0) + 1
        new = self._directory / f".{number}.new"
        undo.callback(self._forget, self.number, number)
        durable.remove_tree(new)
        durable.make_directory(new / ROOT_HISTORY)
        for source in sorted((scratch / ROOT_HISTORY).iterdir()):
            durable.write_new(new / ROOT_HISTORY / source.name, [source.read_bytes()])
        for name in _DOCUMENTS:
            # Where nobody ever objected, there is no record of it.
            if name != objections.FILE_NAME or (scratch / name).exists():
                durable.write_new(new / name, [(scratch / name).read_bytes()])
        durable.write_new(new / _FLOOR, [floor.to_bytes()])
        durable.sync_directory(new / ROOT_HISTORY)
        durable.sync_directory(new)
        durable.move(new, self._directory / str(number))
        self.number = number
        self.current = self._directory / str(number)

    def _forget(self, before: int, number: int) -> None:
        self.number = before
        self.current = self._directory / str(before) if before else None
        for name in (f".{number}.new", str(number)):
            durable.remove_tree(self._directory / name)

    def settle(self) -> None:
        """Let the link name the state that counts, and remove what nobody can be reading any longer."""
        if self.number == 0:
            return
        if self._linked != self.number:
            durable.point(self._directory / _CURRENT, str(self.number))
            self._linked = self.number
        for number in _numbers(self._directory):
            # A loader may still be reading the state before this one; a later one was never made to count.
            if number != self.number and number != self.number - 1:
                durable.remove_tree(self._directory / str(number))

    def is_same(self, scratch: Path) -> bool:
        """Return whether `scratch` holds the metadata that already counts."""
        names = [*_DOCUMENTS, *(f"{ROOT_HISTORY}/{path.name}" for path in (scratch / ROOT_HISTORY).iterdir())]
        current = self.current
        return current is not None and all(_bytes(current / name) == _bytes(scratch / name) for name in names)

    def _read(self, name: str) -> bytes:
        if self.current is None:
            raise CorruptError("the store holds no trust state; install a bundle first")
        try:
            return plain_file.read(self.current / name, LIMITS.targets_size_bytes)
        except OSError as error:
            raise _damaged(f"it has no readable {name!r}: {error.strerror}") from None


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _damaged(what: str) -> CorruptError:
    return CorruptError(f"the trust state is damaged, {what}; restore the store from a backup")


def _linked_number(link: Path) -> int:
    try:
        target = os.readlink(link)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        raise CorruptError(f"{str(link)!r} is not the link that Sealift made ({error.strerror})") from None
    if not is_directory_number(target):
        raise CorruptError(
            f"{str(link)!r} points to {target[:120]!r}; expected a number; restore the store from a backup"
        )
    return int(target)


def _numbers(directory: Path) -> list[int]:
    if not directory.is_dir():
        return []
    return sorted(int(entry.name) for entry in directory.iterdir() if is_directory_number(entry.name))
