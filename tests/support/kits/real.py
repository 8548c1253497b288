"""Kits as people make them, for tests that look into one or install it."""

import hashlib
import os
import platform
import re
import subprocess
import sys
import tarfile
from pathlib import Path

from support.machine.unpacking import unpack_tar
from support.release.channel_simulator import ChannelSimulator

import sealift
from sealift_bundler.cli import command
from sealift_common.console import run

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PLATFORM, ELSEWHERE = (
    f"linux-{platform.machine()}",
    "linux-x86_64" if platform.machine() == "aarch64" else "linux-aarch64",
)
OTHER = "3.12" if HERE == "3.13" else "3.13"
SCRIPT = [sys.executable, "-I", "install.py"]


def kit(*arguments: object, status: int = 0) -> None:
    assert run(command, "sealift-bundler", ["kit", *map(str, arguments)]) == status


def write_downloaded(folder: Path) -> None:
    """Write a channel, its kit for this Python and processor with wheels that pip fetches, and what is in the kit."""
    channel = ChannelSimulator(folder / "channel", name="gitlab-models")
    kit("--platform", PLATFORM, "--python", HERE, "--channel", channel.directory, "-o", folder / "kit.tar")
    unpack(folder / "kit.tar", folder / "kit")


def write_for_another_machine(folder: Path) -> None:
    """Write a kit for another Python and processor, with both extras, unpacked."""
    kit("--platform", ELSEWHERE, "--python", OTHER, "--extra", "text", "--extra", "serve", "-o", folder)
    unpack(folder / f"sealift-kit-{sealift.__version__}-{ELSEWHERE}.tar", folder / "kit")


def unpack(path: Path, place: Path) -> Path:
    with tarfile.open(path) as archive:
        unpack_tar(archive, place)
    (folder,) = place.iterdir()
    return folder


def install(folder: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SCRIPT, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def refuses(done: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    assert done.returncode == status, done.stdout + done.stderr
    assert re.fullmatch(r"(installing \d+ packages \.\.\.\n)?", done.stdout)
    (line,) = done.stderr.splitlines()
    assert line.startswith("install.py: ")
    for word in words:
        assert word in line


def seal(folder: Path) -> None:
    """Write SHA256SUMS anew, as somebody can who makes a whole kit."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines))


def name_of(folder: Path) -> str:
    """The name of the environment that a kit makes."""
    listed = hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest()
    return f"{sealift.__version__}-cp{HERE.replace('.', '')}-{listed[:12]}"
