"""Install Sealift from the kit that this script lies in, or go back to the Sealift before it.

It needs Python as the distribution has it, and no network. Each kit gets a virtual environment of its own:

    PREFIX/environments/<version>-<python>-<kit>    one for every kit that was installed
    PREFIX/current -> environments/<...>            switched by one rename, after the new one was tried
    PREFIX/previous -> environments/<...>           what --roll-back returns to

Killed at any moment, the old Sealift serves, or the new one; the same command again finishes the job.

This file checks the kit: first its list, then that nothing else lies there, then every file. Only then does it run
anything that came with the kit; `environments.py` does the rest.

A kit may meet a Python that is too old for it. Both files keep to what Python 3.7 understands, to say so in one line.
"""

import sys

if __name__ == "__main__" and not sys.flags.isolated:
    # Otherwise Python would look for modules next to this script, before anything there was checked.
    sys.stderr.write("install.py: run it as `python3 -I install.py`, so that nothing next to it is imported [usage]\n")
    sys.exit(2)

try:
    import argparse
    import errno
    import grp
    import hashlib
    import json
    import os
    import platform
    import pwd
    import re
    import stat
    import types
    from pathlib import Path
    from typing import TYPE_CHECKING
except ImportError as error:
    sys.stderr.write(
        f"install.py: this Python is not complete: {error}; install all of it, "
        "on Debian with apt-get install python3 [local]\n"
    )
    sys.exit(3)

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
PREFIX = "/opt/sealift"
SCHEMA = "sealift.kit/1"
LIST, ABOUT, SECOND = "SHA256SUMS", "kit.json", "environments.py"
CHUNK_BYTES = 1024 * 1024
# A kit has some hundred files, and its largest wheel some twenty megabytes.
MAX_FILES, MAX_LIST_BYTES, MAX_ABOUT_BYTES = 5000, 1024 * 1024, 64 * 1024
MAX_FILE_BYTES, MAX_KIT_BYTES = 1024**3, 4 * 1024**3
LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9_][A-Za-z0-9._+!-]{0,199}(?:/[A-Za-z0-9_][A-Za-z0-9._+!-]{0,199}){0,7})")
# What kit.json says, each with what it may be.
FIELDS = {
    "version": re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,63}"),
    "machine": re.compile(r"[0-9A-Za-z_]{1,32}"),
    "pip": re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,127}\.whl"),
}
PYTHON, PYTHON_NAME = re.compile(r"cp[0-9]{2,4}"), re.compile(r"[0-9A-Za-z. ]{1,32}")
MAX_UNPACKED_BYTES = 2**40


class RefusalError(Exception):
    """A refusal, in one line; `status` and `code` are those of Sealift's own table."""

    def __init__(self, message: str, status: int, code: str) -> None:
        super().__init__(f"{message} [{code}]")
        self.status = status


def incompatible(message: str) -> RefusalError:
    """Say that this kit cannot run here."""
    return RefusalError(message, 40, "incompatible")


def local(message: str) -> RefusalError:
    """Say that this machine stands in the way."""
    return RefusalError(message, 3, "local")


def malformed(message: str) -> RefusalError:
    """Say that this is not a whole kit and nothing but a kit."""
    return RefusalError(
        f"{message}; do not use this kit, unpack it again in a new folder or fetch it again", 10, "malformed"
    )


def step(text: str) -> None:
    """Tell a person who watches what takes its time."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{text} ...\n")


class Kit:
    """The kit in a folder: its list, and what may be read of it. `check` comes before everything else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        require_guarded(folder)
        try:
            listed = b"".join(chunks(folder / LIST, MAX_LIST_BYTES))
        except FileNotFoundError:
            raise local(f"there is no kit in {str(folder)!r}; run install.py in the unpacked folder of a kit") from None
        self.identity = hashlib.sha256(listed).hexdigest()
        self.digests = parse_list(listed)
        self.sizes: dict[str, int] = {}
        self.version = self.machine = self.pip = ""
        self.glibc: list[int] = []
        self.pythons: dict[str, str] = {}
        self.unpacked_bytes = 0

    def check(self) -> None:
        """Compare what lies in the folder with the list, then every file with its digest; read kit.json last."""
        require_exactly(self.folder, set(self.digests))
        total = 0
        for name in self.digests:
            self.sizes[name] = sum(len(chunk) for chunk in self.chunks(name))
            total += self.sizes[name]
            if total > MAX_KIT_BYTES:
                raise malformed(f"the files of this kit have more than {MAX_KIT_BYTES:,} bytes")
        self._describe(parse_about(self.read(ABOUT)))

    def _describe(self, about: "dict[str, object]") -> None:
        vars(self).update(about)
        self.pip = f"wheels/{self.pip}"
        for name in [self.pip] + [f"requirements/{python}.txt" for python in self.pythons]:
            if name not in self.digests:
                raise malformed(f"{LIST!r} of this kit lists no {name!r}")

    def chunks(self, name: str) -> "Iterator[bytes]":
        """Yield the content of a listed file; the last step compares its digest."""
        hasher = hashlib.sha256()
        try:
            for chunk in chunks(self.folder / name, MAX_FILE_BYTES):
                hasher.update(chunk)
                yield chunk
        except FileNotFoundError:
            raise malformed(f"{name!r} of this kit is missing") from None
        if hasher.hexdigest() != self.digests[name]:
            raise RefusalError(
                f"{name!r} of this kit is damaged or was changed: expected sha256:{self.digests[name]}, "
                f"got sha256:{hasher.hexdigest()}; do not use this kit, fetch it again",
                26,
                "digest",
            )

    def read(self, name: str) -> bytes:
        """Return the content of a small listed file, whose digest matches."""
        return b"".join(self.chunks(name))

    def copy(self, name: str, target: Path) -> None:
        """Write a listed file to `target`; the copy is what its digest is compared with."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            for chunk in self.chunks(name):
                file.write(chunk)


def require_guarded(folder: Path) -> None:
    """Refuse a kit that somebody else can change between a look at it and its use."""
    owner = folder.stat().st_uid
    if owner not in (0, os.geteuid()) and str(owner) != os.environ.get("SUDO_UID"):
        raise local(f"the kit in {str(folder)!r} belongs to uid {owner}; unpack it as the user who installs it")
    for place in (folder, *folder.parents):
        status = place.stat()
        shared = status.st_mode & stat.S_IWGRP and not own_group(status)
        sticky = status.st_mode & stat.S_ISVTX or os.statvfs(str(place)).f_flag & os.ST_RDONLY
        if (shared or status.st_mode & stat.S_IWOTH) and not sticky:
            raise local(
                f"{str(place)!r} is writable by others, who could change the kit; unpack it where only you can write"
            )


def own_group(status: "os.stat_result") -> bool:
    """Return whether a folder's group is that of root, or that of its owner alone, as many systems make one."""
    if status.st_gid == 0:
        return True
    try:
        account, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    return account.pw_gid == status.st_gid and account.pw_name == group.gr_name


def chunks(path: Path, most: int) -> "Iterator[bytes]":
    """Yield the content of a regular file of at most `most` bytes; never through a link, and never waiting."""
    try:
        descriptor = os.open(str(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise malformed(f"{path.name!r} of this kit is not a regular file") from None
        raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise malformed(f"{path.name!r} of this kit is not a regular file")
        # A size is claimed for free, so it is judged before anything is read; what was read counts, too.
        size = status.st_size
        while size <= most:
            chunk = os.read(descriptor, CHUNK_BYTES)
            if not chunk:
                return
            yield chunk
            size = max(size, os.lseek(descriptor, 0, os.SEEK_CUR))
        raise malformed(f"{path.name!r} of this kit has more than {most:,} bytes")
    finally:
        os.close(descriptor)


def parse_list(listed: bytes) -> "dict[str, str]":
    """Return name to digest of each file of the kit."""
    text = listed.decode("ascii", "replace")
    lines = text.split("\n")
    digests: dict[str, str] = {}
    for number, line in enumerate(lines[:-1], 1):
        match = LINE.fullmatch(line)
        if match is None or match.group(2) in digests or match.group(2) == LIST:
            raise malformed(
                f"line {number} of {LIST!r} is damaged: {line[:100]!r}; expected a SHA-256 and one new name"
            )
        digests[match.group(2)] = match.group(1)
    if lines[-1] or len(digests) > MAX_FILES:
        raise malformed(f"{LIST!r} has no end of line at its end, or more than {MAX_FILES:,} lines")
    for name in ("install.py", SECOND, ABOUT):
        if name not in digests:
            raise malformed(f"{LIST!r} of this kit lists no {name!r}")
    return digests


def require_exactly(folder: Path, listed: "set[str]") -> None:
    """Refuse a folder in which anything else lies than the list and regular files that it names."""
    folders = {""}
    for name in listed:
        parts = name.split("/")[:-1]
        folders.update("/".join(parts[: count + 1]) for count in range(len(parts)))
    missing = set(listed)
    # A folder comes after the one that holds it, which says that it is one.
    for inside in sorted(folders):
        try:
            entries = os.scandir(str(folder / inside))
        except (FileNotFoundError, NotADirectoryError):
            continue
        with entries:
            for entry in entries:
                name = f"{inside}/{entry.name}" if inside else entry.name
                if entry.is_file(follow_symlinks=False) and (name in missing or name == LIST):
                    missing.discard(name)
                elif name not in folders or not entry.is_dir(follow_symlinks=False):
                    raise malformed(
                        f"{name[:200]!r} in the folder of this kit is not a regular file that {LIST!r} lists"
                    )
    if missing:
        raise malformed(f"{min(missing)!r} of this kit is missing")


def parse_about(data: bytes) -> "dict[str, object]":
    """Return what kit.json says, every value of it checked."""
    if len(data) > MAX_ABOUT_BYTES:
        raise malformed(f"{ABOUT!r} has more than {MAX_ABOUT_BYTES:,} bytes")
    try:
        about = json.loads(data.decode("utf-8"), object_pairs_hook=without_repeats, parse_constant=float_refused)
    except (ValueError, RecursionError) as error:
        raise malformed(f"{ABOUT!r} is not JSON as it should be: {' '.join(str(error).split())[:100]!r}") from None
    if not isinstance(about, dict) or about.pop("schema", None) != SCHEMA:
        raise incompatible(f"this kit is not of the form {SCHEMA!r}; use the install.py that came with it")
    expected = {*FIELDS, "glibc", "pythons", "unpacked_bytes"}
    if set(about) != expected:
        odd = min(set(about) ^ expected)
        raise malformed(f"{ABOUT!r} {'has an unknown' if odd in about else 'lacks the'} field {odd[:100]!r}")
    glibc, pythons, unpacked = about["glibc"], about["pythons"], about["unpacked_bytes"]
    good = {name: bool(isinstance(about[name], str) and FIELDS[name].fullmatch(about[name])) for name in FIELDS}
    good["glibc"] = isinstance(glibc, list) and len(glibc) == 2 and all(type(n) is int and 0 <= n < 1000 for n in glibc)
    good["pythons"] = (
        isinstance(pythons, dict)
        and 0 < len(pythons) <= 20
        and all(
            PYTHON.fullmatch(key) and isinstance(value, str) and PYTHON_NAME.fullmatch(value)
            for key, value in pythons.items()
        )
    )
    good["unpacked_bytes"] = type(unpacked) is int and 0 <= unpacked <= MAX_UNPACKED_BYTES
    for name in sorted(good):
        if not good[name]:
            raise malformed(f"{ABOUT!r} has an impossible value of {name!r}: {str(about[name])[:100]!r}")
    return about


def without_repeats(pairs: "list[tuple[str, object]]") -> "dict[str, object]":
    """Return an object of JSON, in which a name may stand once only."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def float_refused(text: str) -> float:
    """Refuse NaN and infinities, which Python reads and JSON does not know."""
    raise ValueError(f"it holds {text}")


def check_machine(kit: Kit) -> str:
    """Return the name of this Python in the kit, such as `cp311`, if the kit has wheels that run here."""
    name = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    wanted = " or ".join(kit.pythons.values())
    if name not in kit.pythons or platform.python_implementation() != "CPython":
        here = f"{platform.python_implementation()} {platform.python_version()} ({sys.executable})"
        raise incompatible(f"this kit is for Python {wanted}, and this is {here}; run it with that, or ask for its kit")
    if platform.machine() != kit.machine:
        raise incompatible(f"this kit is for {kit.machine}, and this machine is {platform.machine()}")
    library, _, version = glibc().partition(" ")
    if [int(part) for part in version.split(".")[:2]] < kit.glibc:
        wanted = ".".join(map(str, kit.glibc))
        raise incompatible(f"this kit needs glibc {wanted} or newer, and this machine has {library} {version}")
    return name


def glibc() -> str:
    """Return name and version of the C library, such as `glibc 2.36`; another library counts as version 0."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or "no-glibc 0"
    except (ValueError, OSError):
        return "no-glibc 0"


def second(source: bytes) -> "types.ModuleType":
    """Run `environments.py` from the bytes that were checked; it imports from this module."""
    sys.modules["sealift_bundler.kit.install"] = sys.modules[__name__]
    module = types.ModuleType("environments")
    exec(compile(source, SECOND, "exec"), vars(module))  # noqa: S102 - its digest matched, or root installed it
    return module


def require_outside(folder: Path, prefix: Path, arguments: "argparse.Namespace") -> None:
    """Refuse to write into the kit, which would then hold what its list does not name."""
    kit = Path(os.path.realpath(str(folder)))
    given = (("--prefix", str(prefix)), ("--bin", arguments.bin), ("--man", arguments.man))
    for option, place in (*given, ("--completion", arguments.completion)):
        real = Path(os.path.realpath(str(place))) if place else None
        if real is not None and kit in (real, *real.parents):
            raise local(
                f"{option} {str(real)!r} lies in the folder of the kit, and would spoil it; "
                f"give a folder outside of it, such as {PREFIX}"
            )


def main(folder: Path, words: "list[str]") -> int:
    """Read the command line; one line on standard error says what went wrong."""
    parser = argparse.ArgumentParser(prog="install.py", description="Install Sealift from this kit, without a network.")
    parser.add_argument("--prefix", metavar="DIR", help=f"where to install [{PREFIX}; with --roll-back, where this is]")
    parser.add_argument("--bin", metavar="DIR", help="link the commands into this folder, such as /usr/local/bin")
    parser.add_argument("--man", metavar="DIR", help="link the manual pages, such as /usr/local/share/man")
    parser.add_argument(
        "--completion", metavar="DIR", help="link what bash completes: /usr/local/share/bash-completion/completions"
    )
    parser.add_argument("--roll-back", action="store_true", help="make the previous Sealift the current one again")
    arguments = parser.parse_args(words)
    # Every user of the machine runs what root installs.
    os.umask(0o022)
    # As it lies in an environment: PREFIX/environments/NAME/install.py.
    own = folder.parent.parent if arguments.roll_back and folder.parent.name == "environments" else Path(PREFIX)
    prefix = Path(arguments.prefix).absolute() if arguments.prefix else own
    try:
        if arguments.roll_back:
            second((folder / SECOND).read_bytes()).roll_back(prefix)
        else:
            step("checking the kit")
            kit = Kit(folder)
            kit.check()
            python = check_machine(kit)
            require_outside(folder, prefix, arguments)
            second(kit.read(SECOND)).install(kit, python, prefix, arguments)
    except RefusalError as refusal:
        sys.stderr.write(f"install.py: {refusal}\n")
        return refusal.status
    except OSError as error:
        place = f" {str(error.filename)!r}" if error.filename else ""
        reason = " ".join(str(error.strerror or error).split())[:400]
        hint = "; run it as root, or give --prefix" if error.errno in (errno.EACCES, errno.EPERM) else ""
        sys.stderr.write(f"install.py: cannot use{place}: {reason}{hint} [local]\n")
        return 3
    except KeyboardInterrupt:
        sys.stderr.write("install.py: interrupted; the same command again finishes the job\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(HERE, sys.argv[1:]))
