"""The drop folder: which files in it are completely copied bundles, and where each goes afterwards.

Whoever may write in the folder is not trusted: a link is never followed, a file is opened once and everything is read
from that descriptor, and `done` and `refused` belong to the watcher alone. Polled, not notified: inotify says nothing
of what another machine writes over NFS or SMB.
"""

import json
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sealift import __version__, strict_json
from sealift.bundle import layout
from sealift.bundle.archive import Archive, open_regular
from sealift.bundle.reader import read_head
from sealift.bundle.tarformat import BLOCK, END, parse_header
from sealift.errors import Error, UnsafeMemberError, UnsafeStoreError
from sealift.limits import LIMITS, MIB
from sealift.trust import metadata
from sealift_keys import durable
from sealift_keys.clock import rfc3339
from sealift_keys.console import error_document

DONE = "done"
REFUSED = "refused"
_SUFFIX = ".tar"
_REASON = ".reason.json"
_TIME = "%Y-%m-%dT%H:%M:%SZ"

# Device and inode, size, and both times: what a copy changes while it goes on.
Signature = tuple[int, int, int, int, int]


@dataclass(frozen=True)
class Refusal:
    """What a `.reason.json` says."""

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
            UnsafeStoreError: somebody else could rename or replace what Sealift puts there.
            OSError: the folder does not exist or cannot be used.
        """
        self._require_safe(self.path, self.path.stat(), shared=True)
        for name in (DONE, REFUSED):
            durable.make_directory(self.path / name)
            self._require_safe(self.path / name, (self.path / name).lstat(), shared=False)

    def bundles(self) -> dict[str, Signature]:
        """Return the files that may be bundles, by name; `.tar`, and not hidden as a copy in progress is."""
        found = {}
        with os.scandir(self.path) as entries:
            for entry in entries:
                if is_bundle_name(entry.name) and not entry.is_dir(follow_symlinks=False):
                    try:
                        found[entry.name] = signature_of(entry.stat(follow_symlinks=False))
                    except FileNotFoundError:
                        continue
                if len(found) == LIMITS.drop_folder_files:
                    break
        return found

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
        """Move a bundle to `folder`, with the reason beside it, and return its new name there.

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
        try:
            waiting = self.bundles()
        except OSError:
            return FolderState(readable=False, waiting=0, oldest=None, done=0, refused=0, last_refusal=None)
        refused = sorted(_names(self.path / REFUSED))
        reasons = [_read_reason(self.path / REFUSED / name) for name in refused if name.endswith(_REASON)]
        return FolderState(
            readable=True,
            waiting=len(waiting),
            oldest=datetime.fromtimestamp(min(found[3] for found in waiting.values()) / 1e9, UTC) if waiting else None,
            done=len(_names(self.path / DONE)),
            refused=sum(not name.endswith(_REASON) for name in refused),
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
    """Tell whether a file of this name is looked at; room is left for the ending of its reason."""
    return name.endswith(_SUFFIX) and not name.startswith(".") and len(os.fsencode(name)) <= LIMITS.drop_name_bytes


def signature_of(found: os.stat_result) -> Signature:
    """Return what changes while a file is being copied."""
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def unfinished(descriptor: int) -> str | None:
    """Say how a tar is cut short; None when it ends as it should, or when more bytes would not mend it.

    Goes from header to header and reads no content. Verifies nothing: installing does.
    """
    size = os.fstat(descriptor).st_size
    offset = 0
    for _ in range(LIMITS.walked_members):
        block = os.pread(descriptor, BLOCK, offset)
        if block == bytes(len(block)):
            if size - offset == len(END) and offset and os.pread(descriptor, len(END), offset) == END:
                return None
            if size - offset > len(END) and not _zero_from(descriptor, offset):
                return None
            return f"only {offset:,} bytes of it are there"
        beginning = layout.OCI_LAYOUT.encode("ascii")[: len(block)]
        if offset == 0 and not block.startswith(beginning):
            return None
        if len(block) < BLOCK:
            return f"it ends inside a tar header after {offset:,} bytes"
        try:
            member = parse_header(block, f"at byte {offset}")
        except Error:
            whole = offset + BLOCK >= size or not _zero_from(descriptor, offset + BLOCK)
            return None if whole else f"only {offset:,} bytes of it are there"
        offset += BLOCK + member.size + member.padding
        if offset > size:
            return f"it ends inside {member.name!r}, {offset - size:,} bytes too early"
    return None


def claimed_number(descriptor: int) -> int | None:
    """Return the release that a bundle says it is, unverified and good for ordering alone; None: it does not say."""
    try:
        with open_regular(reopened(descriptor)) as file:
            head = read_head(Archive(file))
        number: int = metadata.parse(head.metadata["targets.json"], "targets").signed.version
    except (Error, OSError):
        return None
    return number


def reopened(descriptor: int) -> str:
    """Return a path that leads to the open file itself, whatever its name leads to by now."""
    return f"/proc/self/fd/{descriptor}"


def _zero_from(descriptor: int, offset: int) -> bool:
    """Tell whether only zeros follow: some programs make a file as long as it will be, then fill it."""
    while chunk := os.pread(descriptor, MIB, offset):
        if chunk != bytes(len(chunk)):
            return False
        offset += len(chunk)
    return True


def _reason(name: str, error: Error, now: datetime) -> bytes:
    document = {
        **error_document(error),
        "file": printable(name),
        "sealift": __version__,
        "time": rfc3339(now),
    }
    return json.dumps(document, indent=2, sort_keys=True).encode("ascii") + b"\n"


def printable(name: str) -> str:
    """Return a file's name as text that every JSON reader takes, also where it is no UTF-8."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _read_reason(path: Path) -> Refusal | None:
    try:
        with path.open("rb") as file:
            data = file.read(LIMITS.reason_size_bytes + 1)
        found = strict_json.parse(data, path.name, max_size_bytes=LIMITS.reason_size_bytes)
        time = datetime.strptime(found["time"], _TIME).replace(tzinfo=UTC)
        return Refusal(str(found["code"]), int(found["exit_code"]), time)
    except (OSError, Error, KeyError, TypeError, ValueError, OverflowError):
        return None


def _names(path: Path) -> list[str]:
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
