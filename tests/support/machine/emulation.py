"""Another processor for tests: QEMU runs programs for aarch64, in namespaces of their own.

The kernel learns of it from the binfmt_misc of a user namespace. So the rest of this machine runs nothing by it, and
it ends with the namespace, as do the programs: when the pipe to the first of them closes, whatever became of us.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.machine import mounts

_QEMU = "qemu-aarch64-static"
# An ELF file: 64 bits, little-endian, a program or a shared object, for machine 183. Neither the system that it
# names nor the lowest bit of its type, which tells the two apart, matters.
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
_BINFMT = "/proc/sys/fs/binfmt_misc"
# Old and plain: a program that asks for more than every aarch64 has stops here. It is also the faster: what QEMU would
# give instead signs pointers, in software.
_PROCESSOR = "cortex-a72"
_CPUINFO = """processor\t: 0
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3
"""


@contextmanager
def aarch64() -> Iterator[tuple[str, ...]]:
    """Give the words before a command that runs where such programs run. No network; root; mounts of its own."""
    qemu, nsenter, unshare = map(shutil.which, (_QEMU, "nsenter", "unshare"))
    if not (qemu and nsenter and unshare):
        pytest.fail(f"{_QEMU}, nsenter and unshare are not all installed; run `.ci/debian-packages kits` as root")
    keeper = subprocess.Popen(
        [unshare, "--user", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", "echo; read -r end"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert keeper.stdout
        if not keeper.stdout.readline():
            pytest.fail("no user namespace can be made here, so no emulator can be given to programs in it")
        here = f"/proc/{keeper.pid}"
        for ids in ("uid_map", "gid_map"):
            # All that Debian's packages give files to, as the same numbers outside.
            with open(f"{here}/{ids}", "w") as file:
                file.write("0 0 65536\n")
        inner = ("--user", "--mount", "--net", f"--pid={here}/ns/pid_for_children", "--setuid=0", "--setgid=0")
        enter = (nsenter, f"--target={keeper.pid}", *inner)
        _register(enter, qemu)
        yield (*enter, "env", f"QEMU_CPU={_PROCESSOR}")
    finally:
        keeper.communicate()


def describe_processor(root: Path) -> tuple[str, ...]:
    """Write what a kernel says of the emulated processor; return the command that puts it in place, below `root`.

    QEMU passes through what the real one says of another processor, and ONNX Runtime crashes on the contradiction.
    """
    processors = root / "sys" / "devices" / "system" / "cpu"
    processors.mkdir(parents=True)
    for name in ("possible", "present"):
        (processors / name).write_text("0\n")
    (root / "run" / "cpuinfo").write_text(_CPUINFO)
    return ("mount --bind /run/cpuinfo /proc/cpuinfo",)


def _register(enter: tuple[str, ...], qemu: str) -> None:
    mount = [*enter, "mount", "-t", "binfmt_misc", "none", _BINFMT]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.fail(f"no binfmt_misc in a user namespace, which Linux 6.7 and newer can give: {mounted.stderr.strip()}")
    # F: opened now, so that it is found from within any root.
    line = f":aarch64:M::{_MAGIC}:{_MASK}:{qemu}:F"
    mounts.command(*enter, "sh", "-c", f'printf %s "$1" > {_BINFMT}/register', "sh", line)
