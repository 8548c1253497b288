"""A Debian that has booted: systemd as process 1 of a container, so that units are started and not only read.

systemd-nspawn makes the container: a network of its own without a way out, and a file system in memory. It is not
registered with a systemd of this machine, which need not run one. Where the control groups are those of version 1,
the container may not write the ones of memory, so `MemoryMax` is read there and not enforced.
"""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.machine.bare_system import BareSystem

_PATIENCE_S = 90
_ENVIRONMENT = ("HOME=/root", "LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")


@dataclass(frozen=True)
class BootedSystem:
    """Where its files are, and how it is entered."""

    root: Path
    enter: tuple[str, ...]

    def run(self, command: str, status: int | None = 0, seconds: float = _PATIENCE_S) -> str:
        """Type a command; gives what it said, and fails on another status, unless that is None."""
        done = subprocess.run(
            [*self.enter, "bash", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=seconds,
        )
        assert status is None or done.returncode == status, f"$ {command}\n{done.stdout}\nstatus {done.returncode}"
        return done.stdout.strip()


@contextmanager
def booted(bare: BareSystem, tool: Callable[[str], str]) -> Iterator[BootedSystem]:
    nspawn, nsenter, log = tool("systemd-nspawn"), tool("nsenter"), bare.root.parent / "nspawn.log"
    with log.open("wb") as said:
        command = [nspawn, "--quiet", "--directory", bare.root, "--boot", "--private-network", "--console=pipe"]
        command += ["--register=no", "--keep-unit"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            init = _child_of(process, log)
            enter = (nsenter, "--target", init, "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd")
            system = BootedSystem(bare.root, (*enter, "env", "--ignore-environment", *_ENVIRONMENT))
            _wait_until_it_runs(system, log)
            yield system
        finally:
            # Halts what runs in it; a second one would not wait.
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _remove_groups()


def _remove_groups() -> None:
    """Remove the empty control groups that systemd-nspawn leaves, the inner ones first."""
    for name in ("payload", "supervisor"):
        for top in Path("/sys/fs/cgroup").glob(f"*/{name}"):
            for group in sorted((top, *(one for one in top.rglob("*") if one.is_dir())), reverse=True):
                with suppress(OSError):
                    group.rmdir()


def _child_of(process: "subprocess.Popen[bytes]", log: Path) -> str:
    children, ends = Path(f"/proc/{process.pid}/task/{process.pid}/children"), time.monotonic() + _PATIENCE_S
    while time.monotonic() < ends and process.poll() is None:
        for child in children.read_text().split():
            if Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                return child
        time.sleep(0.1)
    pytest.fail(f"systemd-nspawn boots nothing here, so this cannot say anything: {log.read_text()[-1000:]}")


def _wait_until_it_runs(system: BootedSystem, log: Path) -> None:
    state, ends = "", time.monotonic() + _PATIENCE_S
    while time.monotonic() < ends:
        state = system.run("systemctl is-system-running --wait", status=None)
        if state == "running":
            return
        if state == "degraded":
            break
        time.sleep(0.2)
    failed = system.run("systemctl --failed --no-pager", status=None)
    pytest.fail(f"the system did not come up: {state}\n{failed}\n{log.read_text()[-1000:]}")
