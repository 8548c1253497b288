"""The drop folder: which files in it may be bundles, and where each goes afterwards.

Nobody who may write in the folder is trusted: a link is never followed, a file is opened once and everything is
read from that descriptor, and `done` and `refused` belong to the watcher alone. Polled, not notified: inotify says
nothing of what another machine writes over NFS or SMB.
"""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import heappop, heappush
from pathlib import Path

from sealift import __version__, plain_file
from sealift.drop_folder.turns import Signature, signature_of
from sealift.errors import Error, LocalError, UnsafeMemberError, UnsafeStoreError
from sealift.limits import LIMITS
from sealift_common import advice
from sealift_common.clock import rfc3339
from sealift_common.console import error_document
from sealift_common.files import durable
from sealift_common.parsing import strict_json

DONE = "done"
REFUSED = "refused"
_OPEN_FILES = Path("/proc/self/fd")
_SUFFIX = ".tar"
_REASON = ".reason.json"
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Refusal:
    """Contents of a `.reason.json`."""

    code: str
    exit_code: int
    time: datetime


@dataclass(frozen=True)
class FolderState:
    """A drop folder for a monitoring system: numbers of files, the oldest that waits, the last refusal."""

    readable: bool
    waiting: int
    oldest: datetime | None
    done: int
    refused: int
    last_refusal: Refusal | None


@dataclass(frozen=True)
class DropFolder:
    """The folder at `path`."""

    path: Path

    def prepare(self) -> None:
        """Check that the folder is safe to work in, and make `done` and `refused`.

        Raises:
            LocalError: there is no `/proc`.
            UnsafeStoreError: somebody else could rename or replace what Sealift puts there.
            OSError: the folder does not exist or cannot be used.
        """
        self._require_safe(self.path, self.path.stat(), shared=True)
        if not _OPEN_FILES.is_dir():
            raise LocalError(f"{str(_OPEN_FILES)!r} is not there, by which bundles are opened; {advice.proc()}")
        for name in (DONE, REFUSED):
            durable.make_directory(self.path / name)
            self._require_safe(self.path / name, (self.path / name).lstat(), shared=False)

    def files(self) -> Iterator[tuple[str, Signature]]:
        """Yield every file that may be a bundle; `.tar`, and not hidden as a copy in progress is."""
        with os.scandir(self.path) as entries:
            for entry in entries:
                if is_bundle_name(entry.name) and not entry.is_dir(follow_symlinks=False):
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    yield entry.name, signature_of(found)

    def open(self, name: str) -> int:
        """Open a bundle once and for all.

        Raises:
            UnsafeMemberError: it is a link, a device or a pipe.
            OSError: it is gone, or cannot be read.
        """
        path = self.path / name
        if not stat.S_ISREG(path.lstat().st_mode):
            raise UnsafeMemberError(f"{name!r} is not a regular file; put the bundle itself into the folder")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise UnsafeMemberError(f"{name!r} is not a regular file; put the bundle itself into the folder")
        return descriptor

    def file_away(self, name: str, folder: str, reason: Error | None, now: datetime) -> str | None:
        """Move a bundle to `folder`, with the reason next to it, and return its new name there.

        Nothing is overwritten: a second `sim-3.tar` becomes `sim-3.tar.2`. None when the file is gone already.
        """
        number = 0
        while True:
            number += 1
            place = self.path / folder / (name if number == 1 else f"{name}.{number}")
            beside = place.with_name(place.name + _REASON)
            if beside.exists():
                continue
            try:
                # Reserves the name: only the watcher writes here, but there may be two.
                durable.write_new(place, [])
            except FileExistsError:
                continue
            try:
                if reason is not None:
                    durable.write_new(beside, [_reason(name, reason, now)])
                durable.move(self.path / name, place)
            except BaseException as error:
                if place.lstat().st_size == 0:
                    place.unlink()
                    beside.unlink(missing_ok=True)
                if isinstance(error, FileNotFoundError):
                    return None
                raise
            return place.name

    def state(self) -> FolderState:
        """Count what is there; a reason that cannot be read counts as a file all the same."""
        waiting, oldest = 0, None
        try:
            for _, signature in self.files():
                waiting += 1
                oldest = signature.modified_ns if oldest is None else min(oldest, signature.modified_ns)
        except OSError:
            return FolderState(readable=False, waiting=0, oldest=None, done=0, refused=0, last_refusal=None)
        refused, newest = _refused(self.path / REFUSED)
        reasons = [_read_reason(path) for path in newest]
        return FolderState(
            readable=True,
            waiting=waiting,
            oldest=None if oldest is None else datetime.fromtimestamp(oldest / 1e9, UTC),
            done=_count(self.path / DONE),
            refused=refused,
            last_refusal=max((reason for reason in reasons if reason), key=lambda one: one.time, default=None),
        )

    @staticmethod
    def _require_safe(path: Path, found: os.stat_result, *, shared: bool) -> None:
        if not stat.S_ISDIR(found.st_mode):
            raise UnsafeStoreError(f"{str(path)!r} is not a real directory; remove what stands there")
        if found.st_uid not in (os.geteuid(), 0):
            raise UnsafeStoreError(
                f"{str(path)!r} belongs to uid {found.st_uid}; expected uid {os.geteuid()} or root: change the owner"
            )
        if not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return
        if not shared:
            raise UnsafeStoreError(f"{str(path)!r} is writable by group or others; run `chmod go-w` on it")
        if not found.st_mode & stat.S_ISVTX:
            raise UnsafeStoreError(
                f"{str(path)!r} is writable by group or others without the sticky bit, so they could replace "
                "`done` and `refused`; run `chmod +t` on it"
            )


def is_bundle_name(name: str) -> bool:
    """Return whether a file of this name is looked at; room is left for the ending of its reason."""
    return name.endswith(_SUFFIX) and not name.startswith(".") and len(os.fsencode(name)) <= LIMITS.drop_name_bytes


def reopened(descriptor: int) -> str:
    """Return a path that leads to the open file itself, whatever its name leads to by now."""
    return str(_OPEN_FILES / str(descriptor))


def _reason(name: str, error: Error, now: datetime) -> bytes:
    document = {
        **error_document(error),
        "file": printable(name),
        "sealift": __version__,
        "time": rfc3339(now),
    }
    return json.dumps(document, indent=2, sort_keys=True).encode("ascii") + b"\n"


def printable(name: str) -> str:
    """Return a file's name as text that every JSON reader takes, also where it is not UTF-8."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _read_reason(path: Path) -> Refusal | None:
    try:
        found = strict_json.parse(plain_file.read(path, LIMITS.reason_size_bytes), path.name)
        time = datetime.strptime(found["time"], _TIME).replace(tzinfo=UTC)
        return Refusal(str(found["code"]), int(found["exit_code"]), time)
    except (OSError, Error, KeyError, TypeError, ValueError, OverflowError):
        return None


def _count(path: Path) -> int:
    return sum(1 for _ in _entries(path))


def _refused(path: Path) -> tuple[int, list[Path]]:
    """Count the refused files, and find the newest reasons: the watcher alone writes there, and sets no times."""
    count = 0
    reasons: list[tuple[int, str]] = []
    for entry in _entries(path):
        if not entry.name.endswith(_REASON):
            count += 1
            continue
        with suppress(FileNotFoundError):
            item = (entry.stat(follow_symlinks=False).st_mtime_ns, entry.path)
            heappush(reasons, item)
            if len(reasons) > LIMITS.reasons_read:
                heappop(reasons)
    return count, [Path(path) for _, path in reasons]


def _entries(path: Path) -> Iterator[os.DirEntry[str]]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(path) as entries:
        yield from entries
