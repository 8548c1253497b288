"""Containers without an engine: a root of their own that cannot be written, only the volumes given, no network, no rights.

Stands for what Docker and a kubelet make of deploy/docker and deploy/helm, so that their commands really run. The
programs come from this machine; images are neither built nor pulled.
"""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.machine import this_python

ROOT = Path(__file__).parents[3]
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
_PLACE = "/mnt"
_LIBRARIES = "/opt/libraries"


@dataclass(frozen=True)
class Volume:
    """A directory or file of this machine, and where a container has it."""

    source: Path
    target: str
    read_only: bool


@dataclass
class Stage:
    """One image of the Dockerfile: its settings, those of the stage that it is built from included."""

    environment: dict[str, str]
    copies: list[tuple[str, str]]
    runs: list[str]
    user: str = "0:0"
    entrypoint: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


def instructions(dockerfile: Path = DOCKERFILE) -> list[tuple[str, str]]:
    """The instructions in their order; the file uses neither continuation lines nor here-documents."""
    lines = [line for line in dockerfile.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def stages(dockerfile: Path = DOCKERFILE) -> dict[str, Stage]:
    import json

    found: dict[str, Stage] = {}
    stage = Stage({}, [], [])
    for name, value in instructions(dockerfile):
        if name == "FROM":
            base, _, title = value.partition(" AS ")
            parent = found.get(base, Stage({}, [], []))
            found[title] = stage = Stage(
                dict(parent.environment),
                list(parent.copies),
                list(parent.runs),
                parent.user,
                parent.entrypoint,
                parent.arguments,
            )
        elif name == "ENV":
            key, _, text = value.partition("=")
            stage.environment[key] = text
        elif name == "COPY":
            source, target = value.rsplit(" ", 1)
            stage.copies.append((source, target))
        elif name == "RUN":
            stage.runs.append(value)
        elif name == "USER":
            stage.user = value
        elif name == "ENTRYPOINT":
            stage.entrypoint = tuple(json.loads(value))
        elif name == "CMD":
            stage.arguments = tuple(json.loads(value))
        else:
            assert name in {"ARG", "EXPOSE"}, f"the test does not know {name}"
    return found


def start(
    command: Sequence[str],
    volumes: Sequence[Volume],
    *,
    user: str,
    environment: Mapping[str, str],
    files: Mapping[str, Path] | None = None,
    network: bool = False,
    temporary: bool = False,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[str]:
    """Start a command as a container does; the process is the command itself.

    Args:
        user: `uid:gid`, in numbers.
        files: what the image holds as well as the programs: path in the container to file of this machine.
        temporary: whether there is a `/tmp`, in memory.
    """
    if os.geteuid() != 0:
        pytest.fail("only root can make a container's root, so this test cannot say anything; run it as root")
    script = [*_root(files or {}), *_volumes(volumes)]
    if temporary:
        script += [f"mkdir {_PLACE}/tmp", f"mount -t tmpfs -o mode=1777 tmpfs {_PLACE}/tmp"]  # noqa: S108
    script.append(f"mount -o remount,ro {_PLACE}")
    uid, _, gid = user.partition(":")
    drop = [f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
    given = [f"{name}={value}" for name, value in environment.items()]
    words = ["chroot", _PLACE, "/usr/bin/setpriv", *drop, "--inh-caps=-all", "/usr/bin/env", "-i", *given, *command]
    script.append(f"exec {shlex.join(words)}")
    # A network namespace of its own, in which not even the loopback is up.
    namespaces = ["unshare", "--mount", *([] if network else ["--net"])]
    return subprocess.Popen(
        [*namespaces, "sh", "-ceu", "\n".join(script)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(
    command: Sequence[str], volumes: Sequence[Volume], *, user: str, environment: Mapping[str, str], **more: object
) -> subprocess.CompletedProcess[str]:
    process = start(command, volumes, user=user, environment=environment, **more)  # type: ignore[arg-type]
    output, errors = process.communicate(timeout=300)
    return subprocess.CompletedProcess(list(command), process.returncode, output, errors)


def _root(files: Mapping[str, Path]) -> list[str]:
    """Lines of shell that make a root with the programs of this machine, and Sealift where the image has it."""
    lines = [f"mount -t tmpfs -o mode=755 tmpfs {_PLACE}", f"mkdir {_PLACE}/etc {_PLACE}/dev {_PLACE}/proc"]
    # The store's default places have a directory in the image.
    lines += [f"mkdir -p {_PLACE}/var/opt/gitlab/sealift {_PLACE}/etc/gitlab/sealift"]
    lines += [f"mount --bind /proc {_PLACE}/proc", f"cp /etc/ld.so.cache {_PLACE}/etc/"]
    lines += [f"echo root:x:0:0::/:/bin/sh > {_PLACE}/etc/passwd"]
    for name in ("null", "zero", "urandom"):
        lines += [f"touch {_PLACE}/dev/{name}", f"mount --bind /dev/{name} {_PLACE}/dev/{name}"]
    # Pairs: Debian's own Python lies in /usr too.
    for source, target in [("/usr", "/usr"), *this_python.mounts(_LIBRARIES).items()]:
        lines += [f"mkdir -p {_PLACE}{target}", *_bind(source, target, read_only=True)]
    for name in ("bin", "sbin", "lib", "lib64"):
        if Path("/", name).is_symlink():
            lines.append(f"ln -s {os.readlink(Path('/', name))} {_PLACE}/{name}")
    lines.append(f"mkdir -p {_PLACE}/opt/sealift/bin")
    given = [f"{name}={value}" for name, value in this_python.environment(_LIBRARIES).items()]
    for name, arguments in (("python", ""), ("sealift", "-c 'from sealift.cli import main; main()'")):
        text = f'#!/bin/sh\nexec env {shlex.join(given)} {this_python.program(_LIBRARIES)} {arguments} "$@"'
        lines.append(f"printf '%s\\n' {shlex.quote(text)} > {_PLACE}/opt/sealift/bin/{name}")
    lines.append(f"chmod 755 {_PLACE}/opt/sealift/bin/*")
    for target, source in files.items():
        lines.append(f"install -D -m 644 {shlex.quote(str(source))} {_PLACE}{target}")
    return lines


def _volumes(volumes: Sequence[Volume]) -> list[str]:
    lines = []
    for volume in volumes:
        lines.append(
            f"mkdir -p {_PLACE}{volume.target}" if volume.source.is_dir() else f"touch {_PLACE}{volume.target}"
        )
        lines += _bind(str(volume.source), volume.target, read_only=volume.read_only)
    return lines


def _bind(source: str, target: str, *, read_only: bool) -> list[str]:
    place = shlex.quote(f"{_PLACE}{target}")
    mounted = f"mount --bind {shlex.quote(source)} {place}"
    return [mounted, f"mount -o remount,bind,ro {place}"] if read_only else [mounted]
