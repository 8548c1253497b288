"""Debian's PostgreSQL on a socket in a folder of its own, without a network, for as long as a test wants it."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_BIN = Path("/usr/lib/postgresql")
_ACCOUNT = "nobody"
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


def _program(name: str) -> str:
    """Debian keeps the programs of each version apart; fail, never skip, where there is none."""
    found = sorted(_BIN.glob(f"*/bin/{name}"))
    if not found:
        pytest.fail(f"{name} is not installed, so this cannot say anything; run .ci/debian-packages tune as root")
    return str(found[-1])


@contextmanager
def postgresql_server(folder: Path) -> Iterator[str]:
    """Give the address of an empty database; the server is stopped by its process id.

    Args:
        folder: new, below folders that everybody may enter; its path is short, because a socket's has to be.
    """
    folder.mkdir(mode=0o755)
    data, said = folder / "data", folder / "said"
    who = {}
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        account = pwd.getpwnam(_ACCOUNT)
        os.chown(folder, account.pw_uid, account.pw_gid)
        who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    made = subprocess.run(
        [_program("initdb"), "-D", data, "-U", "sealift", "--auth=trust", "--no-sync", "-E", "UTF8"],
        env=_ENVIRONMENT,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        **who,
    )
    assert made.returncode == 0, made.stderr
    command = [_program("postgres"), "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
    with said.open("wb") as output:
        server = subprocess.Popen(command, env=_ENVIRONMENT, cwd=folder, stdout=output, stderr=output, **who)
    try:
        for _ in range(500):
            assert server.poll() is None, said.read_text()
            if (folder / ".s.PGSQL.5432").exists() and "ready to accept" in said.read_text():
                break
            time.sleep(0.05)
        yield f"postgresql+psycopg://sealift@/postgres?host={folder}"
    finally:
        # A fast shutdown: clients that are still there are disconnected.
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(data, ignore_errors=True)
