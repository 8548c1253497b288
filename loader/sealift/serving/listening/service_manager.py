"""What systemd and a service say to each other: sockets that it passes on, readiness, and signs of life.

Source: sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3).
"""

import os
import socket
from collections.abc import MutableMapping

from sealift.errors import LocalError

_FIRST = 3


def passed_sockets(environment: MutableMapping[str, str] = os.environ) -> list[socket.socket]:
    """Take the listening sockets that systemd passed to this process; the variables are removed, as it wants.

    Raises:
        LocalError: one of them is not a listening stream socket.
    """
    ours = environment.pop("LISTEN_PID", "") == str(os.getpid())
    count = environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if not (ours and count.isdigit()):
        return []
    found = []
    for number in range(_FIRST, _FIRST + int(count)):
        os.set_inheritable(number, False)
        try:
            one = socket.socket(fileno=number)
            listens = one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except OSError as error:
            raise LocalError(f"descriptor {number} of LISTEN_FDS is not a socket: {error.strerror}") from error
        if one.type != socket.SOCK_STREAM or not listens:
            raise LocalError(f"descriptor {number} of LISTEN_FDS does not listen for streams; use ListenStream=")
        found.append(one)
    return found


class ServiceManager:
    """The way to tell systemd; silent where there is none."""

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        usec = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        # Twice as often as it asks for.
        self._alive_every_s = int(usec) / 2e6 if usec.isdigit() and ours else None
        self._alive_at = 0.0

    def ready(self, status: str) -> None:
        """Say that requests are answered."""
        self._tell(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        """Say that no more requests are taken."""
        self._tell("STOPPING=1")

    def alive(self, now: float) -> None:
        """Say so, where it is time to.

        Args:
            now: seconds of a monotonic clock.
        """
        if self._alive_every_s is not None and now >= self._alive_at:
            self._alive_at = now + self._alive_every_s
            self._tell("WATCHDOG=1")

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as told:
            try:
                told.sendto(message.encode(), self._address)
            except OSError:
                # Nobody listens any more; that ends nobody's answers.
                return
