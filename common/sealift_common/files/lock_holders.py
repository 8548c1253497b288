"""Holders of a lock on a file, by `/proc/locks`: of this machine, and of this container if it is one.

Best effort, for messages, and to tell strangers from processes of this user. Nobody is named who is not in that list.
"""

import os
from collections.abc import Collection
from pathlib import Path

_PROC = Path("/proc")


def of(descriptor: int) -> list[int]:
    """Return the processes that took a `flock` on the open file; some may have ended and left it to a child.

    Nobody where there is no `/proc`.
    """
    try:
        return _read(descriptor)
    except OSError:
        return []


def at(path: Path) -> list[int]:
    """Return those that have not ended, for a file or directory that need not be readable.

    Raises:
        OSError: there is no such file, or no `/proc`.
    """
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return alive(_read(descriptor))
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> list[int]:
    lines = (_PROC / "locks").read_text("ascii", "replace").splitlines()
    wanted = _name(descriptor)
    # Number, kind, ADVISORY, READ or WRITE, process, device and inode. One who waits has an arrow before the kind.
    fields = [line.split() for line in lines]
    return [
        int(row[4]) for row in fields if len(row) > 5 and row[1] == "FLOCK" and row[5] == wanted and int(row[4]) > 0
    ]


def alive(processes: Collection[int]) -> list[int]:
    """Return those that have not ended."""
    return [process for process in processes if _exists(process)]


def ours(processes: Collection[int], descriptor: int) -> list[int]:
    """Return those of this user that have the open file open too; a number may be another process's by now."""
    wanted = os.fstat(descriptor)
    return [process for process in processes if user_of(process) == os.geteuid() and _has_open(process, wanted)]


def user_of(process: int) -> int | None:
    """Return the user that a process belongs to; None where it changed that, has ended, or cannot be looked at."""
    try:
        status = (_PROC / str(process) / "status").read_text("ascii", "replace")
        (line,) = [line for line in status.splitlines() if line.startswith("Uid:")]
        real, effective = map(int, line.split()[1:3])
    except (OSError, ValueError):
        return None
    # A program with the setuid bit may have been started with a stranger's files open.
    return real if real == effective else None


def _name(descriptor: int) -> str:
    """Return device and inode as `/proc/locks` writes them; some file systems tell `stat` another device."""
    status = os.fstat(descriptor)
    major, minor = os.major(status.st_dev), os.minor(status.st_dev)
    details = (_PROC / "self/fdinfo" / str(descriptor)).read_text("ascii").split()
    mount = details[details.index("mnt_id:") + 1]
    for line in (_PROC / "self/mountinfo").read_text("utf-8", "surrogateescape").splitlines():
        fields = line.split()
        if fields[0] == mount:
            major, minor = map(int, fields[2].split(":"))
    return f"{major:02x}:{minor:02x}:{status.st_ino}"


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _has_open(process: int, wanted: os.stat_result) -> bool:
    folder = _PROC / str(process) / "fd"
    try:
        for name in os.listdir(folder):
            try:
                if os.path.samestat((folder / name).stat(), wanted):
                    return True
            except FileNotFoundError:
                continue
    except PermissionError:
        return True  # It is ours and hides that: rather wait for it than work at the same time.
    except OSError:
        return False  # It has ended.
    return False
