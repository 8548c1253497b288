"""The script of a kit next to another one, on a full disk, and killed at any moment: the old Sealift serves, or the new.

The kits here are real but for the Sealift in them, a stand-in of one module: what is tried is the script.
"""

import fcntl
import hashlib
import os
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import count
from pathlib import Path

import pytest
from support.depth import DEPTH
from support.hostile.strangers import holding
from support.kits.stand_in import PYTHON, make_kit
from support.machine import mounts

pytestmark = pytest.mark.slow

SCRIPT = [sys.executable, "-I", "install.py"]
OLD, NEW = "1.0.0", "1.1.0"
MOMENTS = 3 * DEPTH
# strace counts each of them apart.
CHANGING = "?rename,?renameat,?renameat2", "?symlink,?symlinkat", "?unlink,?unlinkat"


@pytest.fixture(scope="module")
def kits(tmp_path_factory, pip) -> tuple[Path, Path]:
    """An older kit and a newer one, unpacked."""
    base = tmp_path_factory.mktemp("kits")
    return make_kit(base / "old", OLD, pip), make_kit(base / "new", NEW, pip)


class Machine:
    """A prefix with the links that lead to it, and what each run did to them."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.prefix = base / "opt"
        self.words = ["--prefix", str(self.prefix), "--bin", str(base / "bin"), "--man", str(base / "man")]

    def run(self, kit: Path, *words: str, within: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        command = [*within, *SCRIPT, *(words or self.words)]
        return subprocess.run(command, cwd=kit, capture_output=True, text=True, check=False)

    def start(self, kit: Path, **environment: str) -> "subprocess.Popen[str]":
        command = [*SCRIPT, *self.words]
        piped = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=kit, env={**os.environ, **environment}, stdout=piped, stderr=piped, text=True
        )

    def serves(self) -> str:
        """The version that the linked command says; it always says one."""
        done = subprocess.run([self.base / "bin" / "sealift", "--version"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.removeprefix("sealift ").strip()

    def previous(self) -> str:
        return (self.prefix / "previous" / "share" / "man" / "man1" / "sealift.1").read_text()

    def wait_for_lock(self) -> None:
        """Until what a killed script had started is gone as well."""
        descriptor = os.open(self.prefix / ".lock", os.O_RDWR)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.close(descriptor)

    def is_clean(self) -> bool:
        """Nothing is here but two whole environments and the links."""
        names = {path.name for path in self.prefix.iterdir()}
        environments = list((self.prefix / "environments").iterdir())
        links = {path.name for path in (self.base / "bin").iterdir()} | {
            path.name for path in (self.base / "man" / "man1").iterdir()
        }
        return (
            names == {".lock", "environments", "current", "previous"}
            and len(environments) == 2
            and all((environment / "kit.json").is_file() for environment in environments)
            and links == {"sealift", "sealift-keys", "sealift.1", "sealift-keys.1"}
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory, kits) -> tuple[Machine, Path]:
    """A machine on which the older kit was installed, and a copy of its files; an environment works in one place only."""
    base = tmp_path_factory.mktemp("machine")
    made = Machine(base / "machine")
    made.base.mkdir()
    done = made.run(kits[0])
    assert done.returncode == 0, done.stderr
    assert made.serves() == OLD
    shutil.copytree(made.base, base / "kept", symlinks=True)
    return made, base / "kept"


@pytest.fixture
def machine(installed) -> Machine:
    """One on which the older kit is installed."""
    made, kept = installed
    shutil.rmtree(made.base)
    shutil.copytree(kept, made.base, symlinks=True)
    return made


@pytest.fixture
def anew(machine, tmp_path):
    """Give the machine back as it was when this was first asked for."""
    kept = tmp_path / "kept"

    def restore() -> None:
        if kept.exists():
            shutil.rmtree(machine.base)
            shutil.copytree(kept, machine.base, symlinks=True)
        else:
            shutil.copytree(machine.base, kept, symlinks=True)

    return restore


# --- two at once --------------------------------------------------------------------------------


@pytest.fixture
def pipe(tmp_path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_a_second_script_is_refused_while_the_first_works_and_hurts_it_not(machine, kits, pipe):
    with machine.start(kits[1], SEALIFT_STORE=str(pipe)) as first:
        # Opens once the new Sealift is being tried: the first one is in the middle.
        with pipe.open("w"):
            for words in ([], ["--prefix", str(machine.prefix), "--roll-back"]):
                second = machine.run(kits[1], *words)
                assert (second.returncode, second.stdout) == (32, "")
                assert second.stderr == (
                    f"install.py: another install.py is at work in {str(machine.prefix)!r}; wait for it [locked]\n"
                )
            assert machine.serves() == OLD
        assert first.wait(60) == 0, first.stderr.read()
    assert (machine.serves(), machine.previous()) == (NEW, OLD)
    assert machine.is_clean()


def test_what_a_killed_script_started_ends_with_it_and_lets_the_next_one_in(machine, kits, pipe):
    with machine.start(kits[1], SEALIFT_STORE=str(pipe)) as first, pipe.open("w") as writing:
        first.kill()
        first.wait(60)
        # The child waits at the pipe forever, unless the kernel ends it; then nobody reads there.
        waiting = select.poll()
        waiting.register(writing, 0)
        assert waiting.poll(30_000) == [(writing.fileno(), select.POLLERR)]
        machine.wait_for_lock()
    assert machine.serves() == OLD
    assert machine.run(kits[1]).returncode == 0
    assert (machine.serves(), machine.previous()) == (NEW, OLD)
    assert machine.is_clean()


def test_a_local_user_cannot_keep_the_script_away(machine, kits):
    """By holding what everybody may open."""
    with holding(machine.prefix):
        assert machine.run(kits[1]).returncode == 0
    assert machine.serves() == NEW
    assert (machine.prefix / ".lock").stat().st_mode & 0o7777 == 0o600


# --- killed -------------------------------------------------------------------------------------


def test_killed_at_random_moments_of_an_upgrade(machine, anew, kits, capsys):
    anew()
    started = time.monotonic()
    assert machine.run(kits[1]).returncode == 0
    whole = time.monotonic() - started
    rng, found = random.Random(20261125), Counter[str]()
    for _ in range(MOMENTS):
        anew()
        with machine.start(kits[1]) as first:
            time.sleep(rng.uniform(0, whole))
            first.send_signal(signal.SIGKILL)
            first.wait(60)
        machine.wait_for_lock()
        found[machine.serves()] += 1
        again = machine.run(kits[1])
        assert again.returncode == 0, again.stderr
        assert (machine.serves(), machine.previous()) == (NEW, OLD)
        assert machine.is_clean()
    assert set(found) <= {OLD, NEW}
    with capsys.disabled():
        print(f"\nkilled at {MOMENTS} random moments of {whole:.1f} s: serving afterwards {dict(found)}")


def kill_before_each_change(machine, anew, kit, words, require_tool):
    """Yield after each kill; strace ends the script at its first, second, ... change of a name."""
    for calls in CHANGING:
        for number in count(1):
            anew()
            strace = (
                require_tool("strace"),
                "-qq",
                "-o",
                os.devnull,
                "-e",
                f"inject={calls}:signal=KILL:when={number}",
            )
            done = machine.run(kit, *words, within=strace)
            if done.returncode == 0:
                break
            assert done.returncode == -signal.SIGKILL, done.stderr
            yield calls, number


def test_killed_before_each_change_of_a_name_while_switching(machine, anew, kits, require_tool):
    # The new environment is there and whole, so that what is left is to switch and to link.
    assert machine.run(kits[1]).returncode == 0
    assert machine.run(kits[1], "--prefix", str(machine.prefix), "--roll-back").returncode == 0
    (machine.prefix / "previous").unlink()
    shutil.rmtree(machine.base / "man")
    anew()
    seen = []
    for _ in kill_before_each_change(machine, anew, kits[1], machine.words, require_tool):
        seen.append(machine.serves())
        again = machine.run(kits[1])
        assert again.returncode == 0, again.stderr
        assert (machine.serves(), machine.previous()) == (NEW, OLD)
        assert machine.is_clean()
    # The two links of the switch, before and after; two of manual pages, which were not there.
    assert len(seen) == 8
    assert set(seen) == {OLD, NEW}


def test_killed_before_each_change_of_a_name_while_rolling_back(machine, anew, kits, require_tool):
    assert machine.run(kits[1]).returncode == 0
    anew()
    words = ["--prefix", str(machine.prefix), "--roll-back"]
    seen = []
    for _ in kill_before_each_change(machine, anew, kits[1], words, require_tool):
        seen.append(machine.serves())
        for served, before in ((OLD, NEW), (NEW, OLD)):
            again = machine.run(kits[1], *words)
            assert again.returncode == 0, again.stderr
            assert (machine.serves(), machine.previous()) == (served, before)
        assert machine.is_clean()
    assert len(seen) == 4
    assert set(seen) == {OLD, NEW}


# --- a full disk --------------------------------------------------------------------------------


def refused_for_room(done: subprocess.CompletedProcess[str], machine: Machine) -> str:
    assert done.returncode == 34, done.stderr
    assert re.fullmatch(r"(installing \d+ packages \.\.\.\n)?", done.stdout)
    (line,) = done.stderr.splitlines()
    assert line.startswith("install.py: ")
    assert f"on the file system of {str(machine.prefix)!r}" in line
    assert line.endswith("[no-space]")
    return line


def test_too_little_room_is_said_before_anything_is_written(tmp_path, pip):
    large = make_kit(tmp_path / "large", NEW, pip, unpacked_bytes=20_000_000)
    with mounts.tmpfs(tmp_path / "small", "size=20m") as disk:
        machine = Machine(disk)
        line = refused_for_room(machine.run(large), machine)
        # What it unpacks to, and the wheels that are copied before.
        wheels = sum(path.stat().st_size for path in (large / "wheels").iterdir())
        assert f"it needs {28_000_000 + wheels:,} bytes, and " in line
        # The lock that keeps another install.py away is all that there is.
        assert [path.name for path in disk.rglob("*") if not path.is_dir()] == [".lock"]
        mounts.remount(disk, "size=100m")
        assert machine.run(large).returncode == 0
        assert machine.serves() == NEW


@pytest.mark.parametrize("limit", ["size={bytes}", "nr_inodes={files}"])
def test_a_disk_that_fills_up_leaves_the_old_one_and_the_same_command_finishes(tmp_path, kits, limit):
    with mounts.tmpfs(tmp_path / "disk", "size=100m") as disk:
        machine = Machine(disk)
        assert machine.run(kits[0]).returncode == 0
        before = {path.name for path in disk.rglob("*")}
        status = os.statvfs(disk)
        used_bytes, used = (status.f_blocks - status.f_bavail) * status.f_frsize, status.f_files - status.f_favail
        for share in (0.02, 0.4, 0.8):
            room = {"bytes": int(used_bytes * (1 + share)), "files": int(used * (1 + share))}
            mounts.remount(disk, limit.format(**room))
            refused_for_room(machine.run(kits[1]), machine)
            assert machine.serves() == OLD
            assert {path.name for path in disk.rglob("*")} - before <= {".previous.new"}
        mounts.remount(disk, "size=100m,nr_inodes=100000")
        assert machine.run(kits[1]).returncode == 0
        assert (machine.serves(), machine.previous()) == (NEW, OLD)
        assert machine.is_clean()


def test_what_a_killed_run_left_does_not_take_the_room_of_the_next(tmp_path, kits, pip):
    new = make_kit(tmp_path / "large", NEW, pip, unpacked_bytes=20_000_000)
    with mounts.tmpfs(tmp_path / "disk", "size=60m") as disk:
        machine = Machine(disk)
        assert machine.run(kits[0]).returncode == 0
        digest = hashlib.sha256((new / "SHA256SUMS").read_bytes()).hexdigest()
        half = machine.prefix / "environments" / f"{NEW}-{PYTHON}-{digest[:12]}"
        half.mkdir()
        (half / "wheel").write_bytes(b"\0" * 25_000_000)
        assert machine.run(new).returncode == 0
        assert machine.is_clean()
