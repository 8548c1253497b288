"""Make an environment from a kit that was checked, try it, switch to it, or go back to the one before it.

install.py runs this file, once its digest matched, and hands over what both need.
"""

import argparse
import ctypes
import errno
import fcntl
import functools
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import venv
from contextlib import contextmanager
from pathlib import Path

from sealift_bundler.kit.install import Kit, RefusalError, incompatible, local, step

COMMANDS = ("sealift", "sealift-keys")
PAGES = ("sealift.1", "sealift-keys.1")
# Where folders of the kit go in an environment.
PLACES = {
    "completion": "share/sealift/completion",
    "deploy": "share/sealift/deploy",
    "docs": "share/doc/sealift",
    "man": "share/man",
}
# What an environment keeps of the kit, for rolling back without it.
KEPT = ("install.py", "environments.py")
# Compiled modules take about as much as their source, and the file system rounds up.
ROOM_FACTOR = 1.4
NO_ROOM = (f"[Errno {errno.ENOSPC}]", f"[Errno {errno.EDQUOT}]")
PR_SET_PDEATHSIG = 1
# What becomes `previous` once `current` is switched.
UPGRADING, ROLLING_BACK = ".previous.new", ".rolled-back.new"
# The lock of the prefix, which what this script starts holds as well: a child may outlive a killed script by a moment.
HELD: "list[int]" = []
LIBC = ctypes.CDLL(None)
# What it starts sees of the environment: where things are, and no secret, no setting of pip or Python.
PASSED = (
    *("PATH", "HOME", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "SEALIFT_STORE", "SEALIFT_TRUST"),
    *("OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_FORCE_FIPS_MODE"),
)


def no_room(prefix: Path, message: str) -> RefusalError:
    """Say that a file system is full."""
    return RefusalError(
        f"{message} on the file system of {str(prefix)!r}; make room and run this again", 34, "no-space"
    )


def check_room(prefix: Path, kit: Kit, wheels: "list[str]") -> None:
    """Refuse before anything is written when the new environment will not fit, with the wheels it is made from."""
    needed = int(kit.unpacked_bytes * ROOM_FACTOR) + sum(kit.sizes[name] for name in wheels)
    free = shutil.disk_usage(str(prefix)).free
    if free < needed:
        raise no_room(prefix, f"it needs {needed:,} bytes, and {free:,} are free")


def wanted_links(prefix: Path, arguments: argparse.Namespace) -> "dict[Path, Path]":
    """Return each link to make and what it leads to; refuse to replace what somebody else put there."""
    current, links = prefix / "current", {}
    if arguments.bin:
        links.update({Path(arguments.bin).absolute() / name: current / "bin" / name for name in COMMANDS})
    if arguments.man:
        man1 = Path(arguments.man).absolute() / "man1"
        links.update({man1 / name: current / PLACES["man"] / "man1" / name for name in PAGES})
    if arguments.completion:
        there, folder = Path(arguments.completion).absolute(), current / PLACES["completion"] / "bash"
        links.update({there / name: folder / name for name in COMMANDS})
    for link, target in links.items():
        if os.path.lexists(str(link)) and not (link.is_symlink() and os.readlink(str(link)) == str(target)):
            raise local(
                f"{str(link)!r} is there and is not the link to {str(target)!r}; move it away, or choose another place"
            )
    return links


def wheels_for(kit: Kit, python: str) -> "list[str]":
    """Return the wheels that the requirements of this Python name by their hashes, and pip's own."""
    wanted = set(
        re.findall(r"sha256:([0-9a-f]{64})", kit.read(f"requirements/{python}.txt").decode("ascii", "replace"))
    )
    return [
        name for name in kit.digests if name == kit.pip or (name.startswith("wheels/") and kit.digests[name] in wanted)
    ]


def build(environment: Path, python: str, kit: Kit, wheels: "list[str]") -> None:
    """Make the environment from the kit's wheels; kit.json goes in last and says that it is whole."""
    step(f"making {environment}")
    venv.EnvBuilder(symlinks=True, with_pip=False).create(str(environment))
    # Copies that were hashed while they were made: what lies in the kit's folder is not looked at again.
    copies = environment / "kit"
    for name in [*wheels, f"requirements/{python}.txt"]:
        kit.copy(name, copies / name)
    # Told to everybody, not only on a terminal: nothing else is said for most of a minute.
    sys.stdout.write(f"installing {len(wheels)} packages ...\n")
    sys.stdout.flush()
    # pip runs from its own wheel: Debian keeps the one that venv would install in another package.
    command = [str(environment / "bin" / "python"), "-I", str(copies / kit.pip / "pip"), "--isolated"]
    command += ["--disable-pip-version-check", "--no-cache-dir", "install", "--quiet", "--no-index", "--no-deps"]
    command += ["--require-hashes", "--only-binary", ":all:", "--no-warn-script-location", "--root-user-action=ignore"]
    command += ["--find-links", str(copies / "wheels"), "-r", str(copies / "requirements" / f"{python}.txt")]
    done = run(command)
    if done.returncode != 0:
        if says_full(done.stderr):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise incompatible(f"pip cannot install the wheels: {' '.join(done.stderr.split())[-400:]}")
    shutil.rmtree(str(copies))
    for name in kit.digests:
        top, _, rest = name.partition("/")
        if name in KEPT:
            kit.copy(name, environment / name)
        elif top in PLACES:
            kit.copy(name, environment / PLACES[top] / rest)
    # Whole on the disk before it says so.
    os.sync()
    kit.copy("kit.json", environment / "kit.json.new")
    os.replace(str(environment / "kit.json.new"), str(environment / "kit.json"))
    os.sync()


def build_whole(prefix: Path, environment: Path, python: str, kit: Kit) -> None:
    """Make the environment, or leave nothing of it: what a killed run left takes the room that this one needs."""
    if environment.exists():
        shutil.rmtree(str(environment))
    wheels = wheels_for(kit, python)
    check_room(prefix, kit, wheels)
    try:
        build(environment, python, kit, wheels)
    except BaseException as error:
        shutil.rmtree(str(environment), ignore_errors=True)
        if says_full(error):
            raise no_room(prefix, "there is no room left") from None
        raise


def says_full(error: object) -> bool:
    """Recognize a full disk by the text of an error; pip has nothing else, and neither has `copytree`."""
    return any(mark in str(error) for mark in NO_ROOM)


def run(command: "list[str]") -> "subprocess.CompletedProcess[str]":
    """Run a command that no setting of pip or Python from outside reaches, and that ends when this script does."""
    kept = {name: os.environ[name] for name in PASSED if name in os.environ}
    kept.update({"PIP_CONFIG_FILE": os.devnull, "LC_ALL": "C.UTF-8"})
    # The kernel ends the child when this script is killed: pip must not go on during the next run.
    ends = functools.partial(LIBC.prctl, PR_SET_PDEATHSIG, signal.SIGKILL)
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    return subprocess.run(
        command, stdin=null, stdout=pipe, stderr=pipe, check=False, text=True, env=kept, pass_fds=HELD, preexec_fn=ends
    )


def problems(environment: Path) -> "dict[tuple[str, str], str] | None":
    """Ask the doctor of an environment; None when there is none that answers. Keys are group and subject."""
    try:
        findings = json.loads(run([str(environment / "bin" / "sealift"), "doctor", "--json"]).stdout)["findings"]
        return {(f["group"], f["about"]): f"{f['about']}: {f['seen']}" for f in findings if f["level"] == "problem"}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def try_out(environment: Path, before: "Path | None", version: str) -> None:
    """Refuse an environment that does not run here, or finds a problem that the one in use does not."""
    step("trying it")
    said = run([str(environment / "bin" / "sealift"), "--version"])
    if said.stdout.strip() != f"sealift {version}":
        heard = " ".join((said.stdout + said.stderr).split())[-300:]
        raise incompatible(f"the new Sealift does not start, so nothing was switched: {heard!r}")
    found = problems(environment)
    if found is None:
        raise incompatible("`sealift doctor` of the new Sealift does not answer, so nothing was switched")
    known = problems(before) if before else None
    # A store that was in trouble before must not keep a newer Sealift away.
    grave = [text for key, text in found.items() if (key not in known if known is not None else key[0] != "store")]
    if grave:
        raise incompatible(f"the new Sealift has problems here, so nothing was switched: {'; '.join(grave)}")


def target_of(link: Path) -> "Path | None":
    """Return the environment that a link leads to, or None."""
    if not link.is_symlink():
        return None
    target = link.parent / os.readlink(str(link))
    return target if target.is_dir() else None


def point(link: Path, target: str) -> None:
    """Make `link` lead to `target` in one step, durably."""
    scratch = link.parent / f".{link.name}.new"
    prepare(scratch, target)
    take(scratch, link)


def prepare(scratch: Path, target: str) -> None:
    """Make a link under another name; one that a killed run left goes first."""
    if scratch.is_symlink():
        scratch.unlink()
    os.symlink(target, str(scratch))


def take(scratch: Path, link: Path) -> None:
    """Give a prepared link its name."""
    os.replace(str(scratch), str(link))
    descriptor = os.open(str(link.parent), os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def switch(prefix: Path, environment: Path, mark: str) -> None:
    """Make `environment` the current one, and what was current the previous one, which `settle` may have to finish."""
    before = target_of(prefix / "current")
    if before == environment:
        return
    if before is not None:
        prepare(prefix / mark, f"environments/{before.name}")
    point(prefix / "current", f"environments/{environment.name}")
    if before is not None:
        take(prefix / mark, prefix / "previous")


def settle(prefix: Path) -> bool:
    """Finish or take back the switch of a killed run; return whether this finished a roll back."""
    finished = False
    for mark in (UPGRADING, ROLLING_BACK):
        if (prefix / mark).is_symlink():
            if target_of(prefix / mark) in (None, target_of(prefix / "current")):
                (prefix / mark).unlink()
            else:
                take(prefix / mark, prefix / "previous")
                finished = mark == ROLLING_BACK
    return finished


def install(kit: Kit, python: str, prefix: Path, arguments: argparse.Namespace) -> None:
    """Build next to what is there, try, switch, link."""
    links = wanted_links(prefix, arguments)
    environment = prefix / "environments" / f"{kit.version}-{python}-{kit.identity[:12]}"
    with locked(prefix):
        if not (environment / "kit.json").exists():
            build_whole(prefix, environment, python, kit)
        try_out(environment, target_of(prefix / "current"), kit.version)
        switch(prefix, environment, UPGRADING)
        for link, target in links.items():
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                point(link, str(target))
    sys.stdout.write(f"Sealift {kit.version} for Python {platform.python_version()} is current in {prefix}\n")
    if not arguments.bin:
        sys.stdout.write(f"run it as {prefix}/current/bin/{COMMANDS[0]}\n")
    for link in links:
        sys.stdout.write(f"linked {link}\n")
    previous = target_of(prefix / "previous")
    if previous is not None and previous != environment:
        sys.stdout.write(f"previous: {previous.name}; to go back: python3 -I {prefix}/current/install.py --roll-back\n")


def roll_back(prefix: Path) -> None:
    """Make the previous environment the current one again, if it still runs."""
    if not (prefix / "current").is_symlink():
        # Before anything is made there.
        raise local(f"there is no earlier Sealift in {str(prefix)!r} to go back to; --prefix says where it is")
    with locked(prefix) as finished:
        previous = target_of(prefix / ("current" if finished else "previous"))
        if previous is None:
            raise local(f"there is no earlier Sealift in {str(prefix)!r} to go back to")
        if run([str(previous / "bin" / "sealift"), "--version"]).returncode != 0:
            raise incompatible(f"the Sealift in {str(previous)!r} no longer starts, so nothing was switched")
        switch(prefix, previous, ROLLING_BACK)
    sys.stdout.write(f"{previous.name} is current in {prefix}\n")


def take_lock(prefix: Path) -> None:
    """Lock what `locked` opened; the lock ends with this process and its children."""
    try:
        fcntl.flock(HELD[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RefusalError(f"another install.py is at work in {str(prefix)!r}; wait for it", 32, "locked") from None
    except OSError as error:
        raise local(f"the file system of {str(prefix)!r} has no locks ({error.strerror}); choose another") from None
    os.fchmod(HELD[-1], 0o600)


@contextmanager
def locked(prefix: Path):  # type: ignore[no-untyped-def] # noqa: ANN201 - its type has no name in an old Python
    """Keep another install.py away from `prefix`, by a file that no other user can open. A full disk is one line."""
    try:
        (prefix / "environments").mkdir(parents=True, exist_ok=True)
        HELD.append(os.open(str(prefix / ".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
        try:
            take_lock(prefix)
            yield settle(prefix)
        finally:
            os.close(HELD.pop())
    except OSError as error:
        if says_full(error):
            raise no_room(prefix, "there is no room left") from None
        raise
