"""One rule for every file that holds a secret: keys, passphrases, PINs, logins to registries.

1. It is a regular file; a pipe or a device could make us wait.
2. It belongs to this user or to root.
3. Nobody else can read it. Where root owns it and this user is not root, root may grant it to a group of this user's.
   On a read-only mount, as of a Kubernetes Secret, a file that root owns may have any mode: it cannot be changed there.
4. Nobody else can write the folder that holds it, nor one that holds a link to it. A sticky folder is safe, and so
   are a read-only mount, the group of root, and the group that has its user's own name.
"""

import errno
import os
import pwd
import stat
from pathlib import Path

from sealift_common import advice
from sealift_common.errors import KeyFileError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_regular(path: Path, most_bytes: int) -> tuple[bytes, os.stat_result]:
    """Return the first bytes of a regular file and its status, without waiting for a pipe or a device.

    Raises:
        OSError: it is something else, or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device, not a regular file", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(most_bytes), status
    finally:
        os.close(descriptor)


def require_private(path: Path, status: os.stat_result, what: str = "", *, instead: str = "") -> None:
    """Check owner and mode of a file that was opened, and the folders that hold it.

    Args:
        path: where it was found.
        status: of the open file.
        what: what kind of file it is, for the message.
        instead: another way to hand the secret over, for the message.

    Raises:
        KeyFileError: somebody else could read or replace it.
        OSError: a folder cannot be looked at.
    """
    require_private_mode(path, status, what, instead=instead)
    require_private_folder(path, what, instead=instead)


def require_private_folder(path: Path, what: str = "", *, instead: str = "") -> None:
    """Check the folders that hold a file, or that will; see `require_private`."""
    name = f"{what} {str(path)!r}".lstrip()
    for folder in {path.absolute().parent: None, Path(os.path.realpath(path)).parent: None}:
        found = folder.stat()
        if _others_write(found) and not os.statvfs(folder).f_flag & os.ST_RDONLY:
            raise KeyFileError(
                f"{name} lies in {str(folder)!r}, which others may write; {advice.close_to_others(folder)}"
                f", or move the file to a folder of your own{instead}"
            )


def require_private_mode(path: Path, status: os.stat_result, what: str = "", *, instead: str = "") -> None:
    """Check owner and mode alone, for a file whose folder is not known; see `require_private`."""
    name, me, mode = f"{what} {str(path)!r}".lstrip(), os.geteuid(), stat.S_IMODE(status.st_mode)
    if status.st_uid not in {0, me}:
        raise KeyFileError(
            f"{name} belongs to uid {status.st_uid}, and this is uid {me}; expected this user or root: "
            f"make a copy of your own with mode 0600{instead}"
        )
    if mode & _OTHERS and not _granted_by_root(path, status):
        raise KeyFileError(f"{name} has mode {mode:04o}, others may read it; {advice.close_secret(path)}{instead}")


def _granted_by_root(path: Path, status: os.stat_result) -> bool:
    if status.st_uid != 0:
        return False
    group_only = not status.st_mode & (stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP)
    if os.geteuid() != 0 and group_only and status.st_gid in {os.getegid(), *os.getgroups()}:
        return True
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _others_write(status: os.stat_result) -> bool:
    if status.st_mode & stat.S_ISVTX:
        return False
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and status.st_gid != 0 and not _own_group(status.st_gid, status.st_uid)


def _own_group(gid: int, uid: int) -> bool:
    """Return whether a group is that of one user alone, as many systems make one for every user."""
    try:
        import grp

        account, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    return account.pw_gid == gid and group.gr_name == account.pw_name and not set(group.gr_mem) - {account.pw_name}
