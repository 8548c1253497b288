"""Advice about owners, modes and places: a command on a machine; in a container also what its runtime has to be told.

The command comes first in a container, too: people work in containers by hand, and a mark of Docker or Podman says
nothing of how the folder got there. Nobody can run `sudo` in a pod, and a mode that `chmod` gives there may be gone
with the next start, so the other remedy follows. It never is a volume that is read-only: most who ask have to write.
"""

import os
import pwd
from pathlib import Path
from shlex import quote

_DOCKER, _PODMAN = Path("/.dockerenv"), Path("/run/.containerenv")


def in_container() -> bool:
    """Return whether this process runs in a pod, or in a container of Docker or Podman."""
    return "KUBERNETES_SERVICE_HOST" in os.environ or _DOCKER.is_file() or _PODMAN.is_file()


def _either(command: str, setting: str) -> str:
    return f"{command}, or, for this container, {setting}" if in_container() else command


def account(uid: int) -> str:
    """Return the name of a user as a command takes it, or its number where no account has that."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def run_as(uid: int) -> str:
    """Say how to run the same command as another user."""
    return _either(
        f"run the same command with `{sudo(uid)}` in front",
        f"start it as that user: `runAsUser: {uid}` in its securityContext, or `--user {uid}`",
    )


def sudo(uid: int) -> str:
    """Return what stands in front of a command that is to run as this user."""
    name = account(uid)
    return f"sudo -u '#{uid}'" if name == str(uid) else f"sudo -u {name}"


def close_to_others(path: str | os.PathLike[str]) -> str:
    """Say how to keep others from writing a file or folder."""
    return _either(
        f"run `chmod go-w {quote(str(path))}`", "use a folder of the volume that only its owner writes (`subPath`)"
    )


def give(path: Path, uid: int) -> str:
    """Say how to give a file or folder, and all that is in it, to a user."""
    return _either(
        f"run `chown -R {uid} {quote(str(path))}` as root",
        f"fill the volume as uid {uid} (`runAsUser` of what writes it)",
    )


def make(path: Path, uid: int) -> str:
    """Say how to make a folder that a user can write."""
    return _either(
        f"run once as root: `install -d -m 755 -o {account(uid)} {quote(str(path))}`",
        f"mount a volume there that uid {uid} can write: `fsGroup` in the pod's securityContext, "
        "or `storeVolume` of the chart",
    )


def temporary_folder() -> str:
    """Say how to come by a folder for temporary files."""
    if in_container():
        return "mount an `emptyDir` (`--tmpfs /tmp`) at /tmp, or set TMPDIR to a folder that this user can write"
    return "set TMPDIR to a folder that this user can write, or free some space there"


def file_system_with_locks() -> str:
    """Say where to keep what needs locks."""
    if in_container():
        return "use a volume whose file system has them"
    return (
        "use a local file system, or mount this one with locks (NFS: without `nolock`, with its lock service running)"
    )


def proc() -> str:
    """Say how to come by /proc."""
    if in_container():
        return "let the container's runtime mount it, as Docker, Podman and Kubernetes do"
    return "run as root: `mount -t proc proc /proc`"


def close_secret(path: Path) -> str:
    """Say how to keep others from reading a file that holds a secret."""
    return _either(f"run: chmod 600 {quote(str(path))}", "mount it with `defaultMode: 0400`")
