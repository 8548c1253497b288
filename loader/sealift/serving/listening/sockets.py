"""Listening sockets of our own: a Unix socket with its rights, and TCP where somebody asks for it."""

import errno
import grp
import ipaddress
import os
import socket
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sealift.errors import LocalError, UnsafeStoreError, UsageError
from sealift.places import unsafe_parents

DEFAULT_SOCKET = Path("/run/sealift/serve.sock")
MODE = 0o660
_BACKLOG = 1024
# sockaddr_un has room for 108 bytes with the zero at its end.
_LONGEST = 107


class UnixSocket:
    """A listening socket with its file.

    Args:
        path: where clients find it, with mode 0660; what a killed server left there is replaced.
        group: whose members may connect; None means this process's own group.

    Raises:
        LocalError: another server listens there, something else is there, or the folder cannot be written.
        UnsafeStoreError: somebody else could put another socket in its place.
        UsageError: no such group.
    """

    def __init__(self, path: Path, group: str | None) -> None:
        self.path = path.absolute()
        number = _group(group)
        problems = unsafe_parents(self.path, {os.geteuid()})
        if problems:
            raise UnsafeStoreError(f"the socket {str(path)!r} is not safe there: {'; '.join(problems)}")
        _require_free(self.path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._status = self._listen(number)
        except OSError as error:
            self.socket.close()
            raise LocalError(
                f"cannot listen at {str(path)!r}: {error.strerror}; check its folder's owner and mode"
            ) from error
        except BaseException:
            self.socket.close()
            raise

    def _listen(self, group: int | None) -> os.stat_result:
        # Bound under another name, it is in its place at once, with its rights; no client meets it half made.
        with tempfile.TemporaryDirectory(prefix=".sealift-", dir=self.path.parent) as folder:
            new = Path(folder) / "s"
            if max(len(os.fsencode(new)), len(os.fsencode(self.path))) > _LONGEST:
                raise LocalError(f"the path {str(self.path)!r} is too long for a socket; expected 80 bytes at most")
            self.socket.bind(str(new))
            if group is not None:
                os.chown(new, -1, group)
            new.chmod(MODE)
            self.socket.listen(_BACKLOG)
            status = os.lstat(new)
            new.rename(self.path)
        return status

    def remove(self) -> None:
        """Remove its file, unless another server has put its own there."""
        with suppress(OSError):
            if os.path.samestat(os.lstat(self.path), self._status):
                self.path.unlink()


def tcp_socket(address: str, *, anywhere: bool) -> socket.socket:
    """Listen at `HOST:PORT`, HOST being a number; port 0 takes a free one.

    Raises:
        UsageError: no such address, or not one of this machine's own alone.
        LocalError: it is in use.
    """
    host, _, port = address.rpartition(":")
    try:
        number = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise UsageError(f"--tcp is {address[:80]!r}; expected an address and a port, such as 127.0.0.1:8000") from None
    if not port.isdigit() or int(port) > 65535:
        raise UsageError(f"--tcp is {address[:80]!r}; expected a port from 0 to 65535 after the colon")
    if not number.is_loopback and not anywhere:
        raise UsageError(
            f"--tcp is {address[:80]!r}, which other machines reach, and there are no passwords and no encryption; "
            "use 127.0.0.1, or add --tcp-any in a container whose network is closed"
        )
    family = socket.AF_INET6 if number.version == 6 else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((str(number), int(port)))
        made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        raise LocalError(f"cannot listen at {address[:80]!r}: {error.strerror}") from error
    return made


def require_local(passed: Iterable[socket.socket], *, anywhere: bool) -> None:
    """Check the addresses of sockets that systemd passed, by the rule of `tcp_socket`.

    Raises:
        UsageError: other machines reach one of them.
    """
    for one in passed:
        if one.family in (socket.AF_INET, socket.AF_INET6) and not anywhere:
            host = str(one.getsockname()[0]).partition("%")[0]
            if not ipaddress.ip_address(host).is_loopback:
                raise UsageError(
                    f"systemd's socket listens at {address_of(one)}, which other machines reach, and there are no "
                    "passwords and no encryption; let ListenStream= name a path or 127.0.0.1, or add --tcp-any in a "
                    "container whose network is closed"
                )


def _group(name: str | None) -> int | None:
    if name is None:
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise UsageError(f"--group is {name[:80]!r}; expected a group of this machine") from None


def _require_free(path: Path) -> None:
    try:
        status = os.lstat(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return
        raise LocalError(f"cannot look at {str(path)!r}: {error.strerror}") from error
    if not stat.S_ISSOCK(status.st_mode):
        raise LocalError(f"{str(path)!r} is not a socket; remove what stands there, or name another place")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        refusal = probe.connect_ex(str(path))
    if refusal != errno.ECONNREFUSED:
        raise LocalError(f"another server listens at {str(path)!r}; stop it, or name another socket")


def address_of(one: socket.socket) -> str:
    """Name the address of a socket for people."""
    name = one.getsockname()
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else str(name)
