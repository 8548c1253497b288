"""Bare systems for tests: a minimal Debian that has Python and no network, of this processor or of another.

In memory: dpkg syncs every file, which takes minutes on a disk.
"""

import platform
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.machine import emulation, mounts

# Debian testing is what the next release will be, and has the Python of Ubuntu 26.04.
PYTHONS = {"bookworm": "3.11", "trixie": "3.13", "testing": "3.14"}
_PROC = ("mount -t proc proc /proc",)
_SIZE = "size=1200m"
_CONTENTS = ("--variant=minbase", "--include=python3")


@dataclass(frozen=True)
class BareSystem:
    """Where its files are, what a kit for it is made for, how it is entered, and what is typed there first."""

    root: Path
    platform: str
    python: str
    enter: tuple[str, ...]
    prepare: tuple[str, ...]


def mirror() -> str:
    """Where this machine's apt fetches Debian from; no address of our own."""
    fields = "$(ORIGIN) $(COMPONENT) $(REPO_URI)"
    said = subprocess.run(
        ["apt-get", "indextargets", "--format", fields, "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for line in said.splitlines():
        origin, component, address = line.split()
        if (origin, component) == ("Debian", "main") and "security" not in address:
            return address
    pytest.fail("apt knows no Debian mirror, so debootstrap has none to take a bare system from")


@contextmanager
def debian(place: Path, suite: str, tool: Callable[[str], str], more: tuple[str, ...] = ()) -> Iterator[BareSystem]:
    """A bare system, with some packages more where a test wants them."""
    with mounts.tmpfs(place, _SIZE) as root:
        # The last one counts.
        contents = (*_CONTENTS, f"--include={','.join(['python3', *more])}") if more else _CONTENTS
        mounts.command(tool("debootstrap"), *contents, suite, root, mirror())
        # `--net`: a network of its own, in which there is no way out.
        enter = (tool("unshare"), "--net", "--mount", tool("chroot"), str(root))
        yield BareSystem(root, f"linux-{platform.machine()}", PYTHONS[suite], enter, _PROC)


@contextmanager
def emulated_debian(place: Path, suite: str, tool: Callable[[str], str]) -> Iterator[BareSystem]:
    """Of aarch64: unpacked by this processor, set up by programs that QEMU runs."""
    with mounts.tmpfs(place, _SIZE) as root, emulation.aarch64() as within:
        # It takes our word for being in a container, where nobody may make devices: they are there when we enter.
        container, debootstrap = ("env", "container=lxc"), tool("debootstrap")
        mounts.command(*container, debootstrap, "--arch=arm64", "--foreign", *_CONTENTS, suite, root, mirror())
        again = (f"DEBOOTSTRAP_DIR={root}/debootstrap", debootstrap, "--second-stage", "--second-stage-target", root)
        mounts.command(*within, *container, *again)
        prepare = (*_PROC, *emulation.describe_processor(root))
        yield BareSystem(root, "linux-aarch64", PYTHONS[suite], (*within, tool("chroot"), str(root)), prepare)
