"""Find who could replace what a path leads to. Every directory on the way counts, and every link.

Anyone who may write a directory may rename what is in it, so a folder is not safer than its parents. Reads only.
"""

import errno
import os
import pwd
import stat
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

# As many links as Linux follows before it gives up (ELOOP).
_MAX_LINKS = 40
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_ACL = "system.posix_acl_access"
_UID_MAP = Path("/proc/self/uid_map")
_OVERFLOW_UID = Path("/proc/sys/kernel/overflowuid")


class Place(NamedTuple):
    """A directory, link or file, and what was seen there."""

    path: str
    status: os.stat_result


def user(uid: int) -> str:
    """Name a user for people: `sealift (uid 998)`, or `uid 998` where no account has that number."""
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def walk(path: str | os.PathLike[str]) -> tuple[list[Place], list[Place]]:
    """Follow `path` as the kernel does, as far as it exists.

    Returns:
        The directories passed, the last of them holding what the path names; and the links followed.

    Raises:
        OSError: a directory on the way cannot be entered, or the links go round in circles.
    """
    # Text and not `Path`, which takes longer than all the rest: every load of a model comes here.
    here = "/"
    passed, links = {here: os.lstat(here)}, []
    todo = _parts(os.path.join(os.getcwd(), path) if not os.path.isabs(path) else os.fspath(path))
    while todo:
        part = todo.pop()
        here = os.path.dirname(here) if part == ".." else f"{here.rstrip('/')}/{part}"
        try:
            status = os.lstat(here)
        except (FileNotFoundError, NotADirectoryError):
            break
        if stat.S_ISLNK(status.st_mode):
            links.append(Place(here, status))
            if len(links) > _MAX_LINKS:
                raise OSError(f"{str(path)!r} leads through more than {_MAX_LINKS} links")
            target = os.readlink(here)
            here = "/" if target.startswith("/") else os.path.dirname(here)
            todo += _parts(target)
        elif todo:
            passed.setdefault(here, status)
    return [Place(place, status) for place, status in passed.items()], links


def _parts(path: str) -> list[str]:
    """Return the names in a path, the last one first."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def unsafe_parents(path: Path, owners: Collection[int], groups: Collection[int] = ()) -> list[str]:
    """Return what is wrong with the directories and links that lead to `path`, one phrase each.

    Args:
        owners: the users who may own them; root always may.
        groups: those that may write the directories.
    """
    try:
        passed, links = walk(path)
    except OSError as error:
        return [f"the way to {str(path)!r} cannot be checked: {error.strerror or error}"]
    problems = []
    for place in [*passed, *links]:
        mode = place.status.st_mode
        if _is_strangers(place.status, owners):
            problems.append(
                f"{place.path!r}, which leads to it, belongs to {user(place.status.st_uid)}; "
                f"expected {_expected(owners)}: change the owner, or use another place"
            )
        # In a sticky directory, only the owner of an entry can replace it. A link's own mode means nothing.
        elif stat.S_ISDIR(mode) and not mode & stat.S_ISVTX and _strangers_write(place, groups):
            problems.append(
                f"{place.path!r}, which leads to it, is writable by group or others; {_close_to_others(place.path)}"
            )
    return problems


def _close_to_others(path: str | os.PathLike[str]) -> str:
    # Words for people: only a refusal needs them.
    from sealift_common import advice

    return advice.close_to_others(path)


def unsafe_file(path: Path, owners: Collection[int], groups: Collection[int] = ()) -> list[str]:
    """Return what lets anybody else change a file, or put another one in its place, one phrase each.

    Args:
        owners, groups: as for `unsafe_parents`.

    Raises:
        OSError: the file does not exist, or cannot be reached.
    """
    file = Place(os.fspath(path), os.stat(path))
    problems = unsafe_parents(path, owners, groups)
    if not stat.S_ISREG(file.status.st_mode):
        problems.append(f"{file.path!r} is not a real file; remove what stands there")
    if _is_strangers(file.status, owners):
        problems.append(
            f"{file.path!r} belongs to {user(file.status.st_uid)}; expected {_expected(owners)}: "
            "compare its content with what you trust, then change its owner"
        )
    elif _strangers_write(file, groups):
        problems.append(f"{file.path!r} is writable by group or others; {_close_to_others(path)}")
    return problems


def owners_on_the_way(path: Path) -> set[int]:
    """Return the users who own the file, or a directory or link that leads to it.

    Raises:
        OSError: the file does not exist, or cannot be reached.
    """
    passed, links = walk(path)
    return {os.stat(path).st_uid, *(place.status.st_uid for place in [*passed, *links])}


def _expected(owners: Collection[int]) -> str:
    return " or ".join(user(owner) for owner in sorted({0, *owners}))


def _is_strangers(status: os.stat_result, owners: Collection[int]) -> bool:
    return status.st_uid not in {0, *owners} and status.st_uid != _owner_outside()


def _strangers_write(place: Place, groups: Collection[int]) -> bool:
    status = place.status
    if not others_write(status) or (status.st_gid in groups and _only_group_writes(place.path, status)):
        return False
    # Kubernetes makes the folders of a ConfigMap with mode 0777, and mounts them so that nobody can write.
    return not os.statvfs(place.path).f_flag & os.ST_RDONLY


def _owner_outside() -> int | None:
    """Return the number under which the machine's own root appears in a user namespace without it, or None.

    In such a container `/` belongs to nobody that it knows; who that is cannot be told apart from here.
    """
    try:
        first, outer, count = map(int, _UID_MAP.read_text("ascii").split()[:3])
        everybody = (first, outer) == (0, 0) and count >= 2**32 - 1
        return None if everybody else int(_OVERFLOW_UID.read_text("ascii"))
    except (OSError, ValueError):
        return None


def others_write(status: os.stat_result) -> bool:
    """Return whether group or others may write; with an ACL, the group's bits are its mask."""
    return bool(status.st_mode & _OTHERS_WRITE)


def _only_group_writes(place: str, status: os.stat_result) -> bool:
    if status.st_mode & stat.S_IWOTH:
        return False
    try:
        return _ACL not in os.listxattr(place)
    except OSError as error:
        return error.errno == errno.ENOTSUP


def person() -> str:
    """Return who is at work here, by name and number."""
    # The person behind sudo is who an auditor asks for.
    try:
        import getpass

        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        name = "unknown"
    return f"{name} (uid {os.getuid()})"
