"""File systems for tests: small, full, read-only, with a quota. Needs root, and says so instead of skipping."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def command(*words: object) -> None:
    if os.geteuid() != 0:
        pytest.fail(f"only root can run `{words[0]}`, so this test cannot say anything; run the tests as root")
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    # debootstrap says on stdout what went wrong.
    assert done.returncode == 0, f"{words}: {done.stderr}{done.stdout[-1000:]}"


@contextmanager
def tmpfs(target: Path, options: str) -> Iterator[Path]:
    target.mkdir(parents=True, exist_ok=True)
    command("mount", "-t", "tmpfs", "-o", f"mode=755,{options}", "sealift-test", target)
    try:
        yield target
    finally:
        command("umount", "--lazy", target)


def remount(target: Path, options: str) -> None:
    command("mount", "-o", f"remount,{options}", target)


@contextmanager
def image(file: Path, target: Path, megabytes: int, make: list[str]) -> Iterator[Path]:
    """Mount a new file system in a file; `make` is the command that formats it."""
    with file.open("wb") as out:
        out.truncate(megabytes * 1024 * 1024)
    command(*make, file)
    target.mkdir(parents=True, exist_ok=True)
    command("mount", "-o", "loop", file, target)
    try:
        yield target
    finally:
        command("umount", "--lazy", target)
