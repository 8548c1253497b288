"""Install Sealift from the kit that this script lies in, or go back to the Sealift before it.

It needs Python as the distribution has it, and no network. Each kit gets a virtual environment of its own:

    PREFIX/environments/<version>-<python>-<kit>    one for every kit that was installed
    PREFIX/current -> environments/<...>            switched by one rename, after the new one was tried
    PREFIX/previous -> environments/<...>           what --roll-back returns to

Killed at any moment, the old Sealift serves, or the new one; the same command again finishes the job.

A kit may meet a Python that is too old for it. This file keeps to what Python 3.7 understands, to say so in one line.
"""

import sys

try:
    import argparse
    import ctypes
    import errno
    import fcntl
    import functools
    import hashlib
    import json
    import os
    import platform
    import shutil
    import signal
    import subprocess
    import venv
    from contextlib import contextmanager
    from pathlib import Path
except ImportError as error:
    sys.exit(f"install.py: this Python is not complete: {error}; install all of it (Debian: apt-get install python3)")

KIT = Path(__file__).resolve().parent
COMMANDS = ("sealift", "sealift-keys")
PAGES = ("sealift.1", "sealift-keys.1")
SCHEMA = "sealift.kit/1"
CHUNK_BYTES = 1024 * 1024
# Compiled modules take about as much as their source, and the file system rounds up.
ROOM_FACTOR = 1.4
NO_ROOM = (f"[Errno {errno.ENOSPC}]", f"[Errno {errno.EDQUOT}]")
PR_SET_PDEATHSIG = 1
# What becomes `previous` once `current` is switched.
UPGRADING, ROLLING_BACK = ".previous.new", ".rolled-back.new"
# The lock of the prefix, which what this script starts holds as well: a child may outlive a killed script by a moment.
HELD: "list[int]" = []
LIBC = ctypes.CDLL(None)


class RefusalError(Exception):
    """What stands in the way, in one line; `status` and `code` are those of Sealift's own table."""

    def __init__(self, message: str, status: int, code: str) -> None:
        super().__init__(f"{message} [{code}]")
        self.status = status


def incompatible(message: str) -> RefusalError:
    """Say that this kit cannot run here."""
    return RefusalError(message, 40, "incompatible")


def local(message: str) -> RefusalError:
    """Say that this machine stands in the way."""
    return RefusalError(message, 3, "local")


def no_room(prefix: Path, message: str) -> RefusalError:
    """Say that a file system is full."""
    return RefusalError(
        f"{message} on the file system of {str(prefix)!r}; make room and run this again", 34, "no-space"
    )


def step(text: str) -> None:
    """Tell a person who watches what takes its time."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{text} ...\n")


def read_kit() -> "dict[str, object]":
    """Read what this kit is for."""
    try:
        kit = json.loads((KIT / "kit.json").read_text("utf-8"))
    except (OSError, ValueError):
        raise local(f"there is no kit in {str(KIT)!r}; run install.py in the unpacked folder of a kit") from None
    if not isinstance(kit, dict) or kit.get("schema") != SCHEMA:
        raise incompatible(f"this kit is not of the form {SCHEMA!r}; use the install.py that came with it")
    return kit


def check_machine(kit: "dict[str, object]") -> str:
    """Return the name of this Python in the kit, such as `cp311`, if the kit has wheels that run here."""
    pythons = kit["pythons"]
    assert isinstance(pythons, dict)  # noqa: S101 - for the type checker; the digests of the kit vouch for it
    name = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    wanted = " or ".join(pythons.values())
    if name not in pythons or platform.python_implementation() != "CPython":
        here = f"{platform.python_implementation()} {platform.python_version()} ({sys.executable})"
        raise incompatible(f"this kit is for Python {wanted}, and this is {here}; run it with that, or ask for its kit")
    if platform.machine() != kit["machine"]:
        raise incompatible(f"this kit is for {kit['machine']}, and this machine is {platform.machine()}")
    needed = kit["glibc"]
    assert isinstance(needed, list)  # noqa: S101 - as above
    library, _, version = glibc().partition(" ")
    if [int(part) for part in version.split(".")[:2]] < needed:
        wanted = ".".join(map(str, needed))
        raise incompatible(f"this kit needs glibc {wanted} or newer, and this machine has {library} {version}")
    return name


def glibc() -> str:
    """Return name and version of the C library, such as `glibc 2.36`; another library counts as version 0."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or "no-glibc 0"
    except (ValueError, OSError):
        return "no-glibc 0"


def check_files() -> str:
    """Compare every file of the kit with SHA256SUMS; return the digest of that list."""
    listed = (KIT / "SHA256SUMS").read_bytes()
    for line in listed.decode("ascii").splitlines():
        expected, _, name = line.partition("  ")
        try:
            found = digest(KIT / name)
        except FileNotFoundError:
            raise RefusalError(f"{name!r} of this kit is missing; unpack the kit again", 10, "malformed") from None
        if found != expected:
            raise RefusalError(
                f"{name!r} of this kit is damaged or was changed: expected sha256:{expected}, got sha256:{found}; "
                "do not use this kit, fetch it again",
                26,
                "digest",
            )
    return hashlib.sha256(listed).hexdigest()


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(CHUNK_BYTES), b""):
            hasher.update(chunk)
    return hasher.hexdigest()


def check_room(prefix: Path, kit: "dict[str, object]") -> None:
    """Refuse before anything is written when the new environment will not fit."""
    needed = int(float(str(kit["unpacked_bytes"])) * ROOM_FACTOR)
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
        links.update({man1 / name: current / "share" / "man" / "man1" / name for name in PAGES})
    for link, target in links.items():
        if os.path.lexists(str(link)) and not (link.is_symlink() and os.readlink(str(link)) == str(target)):
            raise local(
                f"{str(link)!r} is there and is not the link to {str(target)!r}; move it away, or choose another place"
            )
    return links


def build(environment: Path, python: str, kit: "dict[str, object]") -> None:
    """Make the environment from the kit's wheels; kit.json goes in last and says that it is whole."""
    step(f"making {environment}")
    venv.EnvBuilder(symlinks=True, with_pip=False).create(str(environment))
    step("installing the wheels")
    # pip runs from its own wheel: Debian keeps the one that venv would install in another package.
    command = [str(environment / "bin" / "python"), "-I", str(KIT / "wheels" / str(kit["pip"]) / "pip"), "--isolated"]
    command += ["--disable-pip-version-check", "--no-cache-dir", "install", "--quiet", "--no-index", "--no-deps"]
    command += ["--require-hashes", "--only-binary", ":all:", "--no-warn-script-location", "--root-user-action=ignore"]
    command += ["--find-links", str(KIT / "wheels"), "-r", str(KIT / "requirements" / f"{python}.txt")]
    done = run(command)
    if done.returncode != 0:
        if says_full(done.stderr):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise incompatible(f"pip cannot install the wheels: {' '.join(done.stderr.split())[-400:]}")
    share = environment / "share"
    shutil.copytree(str(KIT / "man"), str(share / "man"))
    shutil.copytree(str(KIT / "docs"), str(share / "doc" / "sealift"))
    shutil.copy(str(KIT / "install.py"), str(environment / "install.py"))
    # Whole on the disk before it says so.
    os.sync()
    shutil.copy(str(KIT / "kit.json"), str(environment / "kit.json.new"))
    os.replace(str(environment / "kit.json.new"), str(environment / "kit.json"))
    os.sync()


def build_whole(prefix: Path, environment: Path, python: str, kit: "dict[str, object]") -> None:
    """Make the environment, or leave nothing of it: what a killed run left takes the room that this one needs."""
    if environment.exists():
        shutil.rmtree(str(environment))
    check_room(prefix, kit)
    try:
        build(environment, python, kit)
    except BaseException as error:
        shutil.rmtree(str(environment), ignore_errors=True)
        if says_full(error):
            raise no_room(prefix, "there is no room left") from None
        raise


def says_full(error: object) -> bool:
    """Tell a full disk by the text of an error; pip has nothing else, and neither has `copytree`."""
    return any(mark in str(error) for mark in NO_ROOM)


def run(command: "list[str]") -> "subprocess.CompletedProcess[str]":
    """Run a command that no setting of pip or Python from outside reaches, and that ends when this script does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV"))}
    kept.update({"PIP_CONFIG_FILE": os.devnull, "LC_ALL": "C.UTF-8"})
    # The kernel ends the child when this script is killed: pip must not go on beside the next run.
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
    """Finish or take back the switch of a killed run; tell whether this finished a roll back."""
    finished = False
    for mark in (UPGRADING, ROLLING_BACK):
        if (prefix / mark).is_symlink():
            if target_of(prefix / mark) in (None, target_of(prefix / "current")):
                (prefix / mark).unlink()
            else:
                take(prefix / mark, prefix / "previous")
                finished = mark == ROLLING_BACK
    return finished


def install(prefix: Path, arguments: argparse.Namespace) -> None:
    """Check, build beside what is there, try, switch, link."""
    kit = read_kit()
    python = check_machine(kit)
    step("checking the kit")
    identity = check_files()
    links = wanted_links(prefix, arguments)
    environment = prefix / "environments" / f"{kit['version']}-{python}-{identity[:12]}"
    with locked(prefix):
        if not (environment / "kit.json").exists():
            build_whole(prefix, environment, python, kit)
        try_out(environment, target_of(prefix / "current"), str(kit["version"]))
        switch(prefix, environment, UPGRADING)
        for link, target in links.items():
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                point(link, str(target))
    sys.stdout.write(f"Sealift {kit['version']} for Python {platform.python_version()} is current in {prefix}\n")
    for link in links:
        sys.stdout.write(f"linked {link}\n")
    previous = target_of(prefix / "previous")
    if previous is not None and previous != environment:
        sys.stdout.write(f"previous: {previous.name}; to go back: python3 -I {prefix}/current/install.py --roll-back\n")


def roll_back(prefix: Path) -> None:
    """Make the previous environment the current one again, if it still runs."""
    with locked(prefix) as finished:
        previous = target_of(prefix / ("current" if finished else "previous"))
        if previous is None:
            raise local(f"there is no earlier Sealift in {str(prefix)!r} to go back to")
        if run([str(previous / "bin" / "sealift"), "--version"]).returncode != 0:
            raise incompatible(f"the Sealift in {str(previous)!r} does not start any more, so nothing was switched")
        switch(prefix, previous, ROLLING_BACK)
    sys.stdout.write(f"{previous.name} is current in {prefix}\n")


@contextmanager
def locked(prefix: Path):  # type: ignore[no-untyped-def] # noqa: ANN201 - its type has no name in an old Python
    """Keep another install.py away from `prefix`; the lock ends with the process."""
    (prefix / "environments").mkdir(parents=True, exist_ok=True)
    descriptor = os.open(str(prefix), os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise RefusalError(f"another install.py is at work in {str(prefix)!r}; wait for it", 32, "locked") from None
    HELD.append(descriptor)
    try:
        yield settle(prefix)
    finally:
        HELD.remove(descriptor)
        os.close(descriptor)


def main() -> int:
    """Read the command line; one line on standard error says what went wrong."""
    parser = argparse.ArgumentParser(prog="install.py", description="Install Sealift from this kit, without a network.")
    parser.add_argument("--prefix", default="/opt/sealift", metavar="DIR", help="where to install [%(default)s]")
    parser.add_argument("--bin", metavar="DIR", help="link the commands into this folder, such as /usr/local/bin")
    parser.add_argument("--man", metavar="DIR", help="link the manual pages, such as /usr/local/share/man")
    parser.add_argument("--roll-back", action="store_true", help="make the previous Sealift the current one again")
    arguments = parser.parse_args()
    # Every user of the machine runs what root installs.
    os.umask(0o022)
    try:
        prefix = Path(arguments.prefix).absolute()
        if arguments.roll_back:
            roll_back(prefix)
        else:
            install(prefix, arguments)
    except RefusalError as refusal:
        sys.stderr.write(f"install.py: {refusal}\n")
        return refusal.status
    except OSError as error:
        if says_full(error):
            sys.stderr.write(f"install.py: {no_room(Path(arguments.prefix).absolute(), 'there is no room left')}\n")
            return 34
        place = f" {str(error.filename)!r}" if error.filename else ""
        reason = " ".join(str(error.strerror or error).split())[:400]
        sys.stderr.write(f"install.py: cannot use{place}: {reason} [local]\n")
        return 3
    except KeyboardInterrupt:
        sys.stderr.write("install.py: interrupted; the same command again finishes the job\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
