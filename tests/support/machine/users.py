"""Other users for a test, without touching the machine: numbers without accounts, in a mount namespace of its own.

Neither the interpreter nor pytest's directories need be readable by others, so what they need is mounted where
it is: below `/mnt`, which nobody outside of the namespace sees, and which ends with it.
"""

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.machine import own_machine, this_python

PLACE = "/mnt"


class Users:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._python = this_python.program(PLACE)
        self._environment = {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            **this_python.environment(PLACE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SEALIFT_STORE": f"{PLACE}/var/store",
            "SEALIFT_TRUST": f"{PLACE}/etc",
        }

    @property
    def place(self) -> Path:
        """`/mnt` of the namespace, as this process can reach it."""
        return Path(f"/proc/{self._process.pid}/root{PLACE}")

    def python(self, uid: int, code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = ["nsenter", "-m", "-t", str(self._process.pid), "setpriv"]
        command += [f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs"]
        return subprocess.run(
            [*command, self._python, "-P", "-c", code, *arguments],
            env={**self._environment, **environment},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )

    def sealift(self, uid: int, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.python(uid, "from sealift.cli import main; main()", *arguments, **environment)

    def within(self, *command: str) -> "subprocess.Popen[str]":
        """Start a command as root in the namespace."""
        return subprocess.Popen(["nsenter", "-m", "-t", str(self._process.pid), *command], cwd="/", text=True)

    def mount_read_only(self, name: str) -> None:
        """Make a folder of `place` one that nobody can write, root neither."""
        path = f"{PLACE}/{name}"
        for words in (["--bind", path, path], ["-o", "remount,bind,ro", path]):
            subprocess.run(["nsenter", "-m", "-t", str(self._process.pid), "mount", *words], check=True)

    def snapshot(self) -> dict[str, tuple[int, int, int, str]]:
        """Name to owner, group, mode and content of everything but the interpreter; the lock's content aside."""
        found = {}
        for base, directories, files in os.walk(self.place):
            if Path(base) == self.place:
                directories[:] = [name for name in directories if name in {"var", "etc"}]
            for name in [*directories, *files]:
                path = Path(base, name)
                status = path.lstat()
                content = os.readlink(path) if path.is_symlink() else path.read_bytes().hex() if path.is_file() else ""
                found[str(path.relative_to(self.place))] = (
                    status.st_uid,
                    status.st_gid,
                    status.st_mode,
                    "" if name == "lock" else content,
                )
        return found


@contextmanager
def users() -> Iterator[Users]:
    if os.geteuid() != 0:
        pytest.fail("only root can be two other users, so this test cannot say anything; run it as root")
    script = ["set -e", f"mount -t tmpfs -o mode=755 tmpfs {PLACE}"]
    for source, target in this_python.mounts(PLACE).items():
        script.append(f"mkdir {target}; mount --bind {shlex.quote(source)} {target}")
    script.append(own_machine.HIDE)
    # Lives as long as its standard input.
    script.append("echo ready; exec cat")
    process = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", "\n".join(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            _, error = process.communicate()
            pytest.fail(f"no mount namespace here, so this test cannot say anything: {error}")
        try:
            yield Users(process)
        finally:
            process.stdin.close()
