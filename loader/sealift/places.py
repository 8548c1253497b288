"""Who could replace what a path leads to? Every directory on the way counts, and every link.

Whoever may write a directory may rename what is in it, so a folder is no safer than its parents. Reads only.
"""

import errno
import os
import pwd
import stat
from collections.abc import Collection
from pathlib import Path

from sealift_keys import advice

# As many links as Linux follows before it gives up (ELOOP).
_MAX_LINKS = 40
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_ACL = "system.posix_acl_access"
_UID_MAP = Path("/proc/self/uid_map")
_OVERFLOW_UID = Path("/proc/sys/kernel/overflowuid")


def user(uid: int) -> str:
    """Name a user for people: `sealift (uid 998)`, or `uid 998` where no account has that number."""
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def walk(path: Path) -> tuple[list[Path], list[Path]]:
    """Follow `path` as the kernel does, as far as it exists.

    Returns:
        The directories passed, the last of them holding what the path names; and the links followed.

    Raises:
        OSError: a directory on the way cannot be entered, or the links go round in circles.
    """
    here = Path("/")
    passed, links = [here], []
    todo = [part for part in reversed((Path.cwd() / path).parts) if part != "/"]
    while todo:
        part = todo.pop()
        here = here.parent if part == ".." else here / part
        try:
            kind = here.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            break
        if stat.S_ISLNK(kind):
            links.append(here)
            if len(links) > _MAX_LINKS:
                raise OSError(f"{str(path)!r} leads through more than {_MAX_LINKS} links")
            target = Path(os.readlink(here))
            here = Path("/") if target.is_absolute() else here.parent
            todo.extend(part for part in reversed(target.parts) if part != "/")
        elif todo and here not in passed:
            passed.append(here)
    return passed, links


def unsafe_parents(path: Path, owners: Collection[int], groups: Collection[int] = ()) -> list[str]:
    """Return what is wrong with the directories and links that lead to `path`, one phrase each.

    Args:
        owners: the users who may own them; root always may.
        groups: those that may write the directories.
    """
    try:
        passed, links = walk(path)
        found = [(place, place.lstat()) for place in [*passed, *links]]
    except OSError as error:
        return [f"the way to {str(path)!r} cannot be checked: {error.strerror or error}"]
    problems = []
    outside = _owner_outside()
    for place, status in found:
        if status.st_uid not in {0, outside, *owners}:
            problems.append(
                f"{str(place)!r}, which leads to it, belongs to {user(status.st_uid)}; expected {_expected(owners)}: "
                "change the owner, or use another place"
            )
        # In a sticky directory, only the owner of an entry can replace it. A link's own mode means nothing.
        elif place in passed and not status.st_mode & stat.S_ISVTX and _strangers_write(place, status, groups):
            problems.append(
                f"{str(place)!r}, which leads to it, is writable by group or others; {advice.close_to_others(place)}"
            )
    return problems


def unsafe_file(path: Path, owners: Collection[int], groups: Collection[int] = ()) -> list[str]:
    """Return what lets anybody else change a file, or put another one in its place, one phrase each.

    Args:
        owners, groups: as for `unsafe_parents`.

    Raises:
        OSError: the file does not exist, or cannot be reached.
    """
    status = path.stat()
    problems = unsafe_parents(path, owners, groups)
    if not stat.S_ISREG(status.st_mode):
        problems.append(f"{str(path)!r} is not a real file; remove what stands there")
    if status.st_uid not in {0, *owners} and status.st_uid != _owner_outside():
        problems.append(
            f"{str(path)!r} belongs to {user(status.st_uid)}; expected {_expected(owners)}: "
            "compare its content with what you trust, then change its owner"
        )
    elif _strangers_write(path, status, groups):
        problems.append(f"{str(path)!r} is writable by group or others; {advice.close_to_others(path)}")
    return problems


def owners_on_the_way(path: Path) -> set[int]:
    """Return the users who own the file, or a directory or link that leads to it.

    Raises:
        OSError: the file does not exist, or cannot be reached.
    """
    passed, links = walk(path)
    return {path.stat().st_uid, *(place.lstat().st_uid for place in [*passed, *links])}


def _expected(owners: Collection[int]) -> str:
    return " or ".join(user(owner) for owner in sorted({0, *owners}))


def _strangers_write(place: Path, status: os.stat_result, groups: Collection[int]) -> bool:
    if not others_write(status) or (status.st_gid in groups and _only_group_writes(place, status)):
        return False
    # Kubernetes makes the folders of a ConfigMap with mode 0777, and mounts them so that nobody can write.
    return not os.statvfs(place).f_flag & os.ST_RDONLY


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


def _only_group_writes(place: Path, status: os.stat_result) -> bool:
    if status.st_mode & stat.S_IWOTH:
        return False
    try:
        return _ACL not in os.listxattr(place)
    except OSError as error:
        return error.errno == errno.ENOTSUP
