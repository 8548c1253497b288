"""Where a command writes, somebody else may have put a link or a pipe: refused in one line, and nothing is followed."""

import os
import signal
import socket
import stat
import sys
from contextlib import contextmanager
from dataclasses import dataclass

import click
import pytest
from support.machine import mounts

from sealift.cli import cli as loader
from sealift_bundler.cli import command as bundler
from sealift_common.console import run
from sealift_keys.cli import command as keys
from sealift_pipeline.cli import command as pipeline

GROUPS = {"sealift": loader, "sealift-keys": keys, "sealift-bundler": bundler, "sealift-pipeline": pipeline}


HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Place:
    """One place that a command writes to.

    Attributes:
        command: its words; OUT is the folder with the obstacle in it, and the rest are files of `world`.
        name: of the file in OUT.
        parameter: that names it, of the command.
        status: of the refusal.
        into: whether a folder of that name is where to write, and no obstacle.
    """

    command: str
    name: str
    parameter: str
    status: int = 2
    into: bool = False


PLACES = [
    Place("sealift predict toy --input ROWS --output OUT/x", "x", "output"),
    Place("sealift status --metrics OUT/x", "x", "metrics"),
    Place("sealift list --html OUT/x", "x", "html"),
    Place("sealift doctor --report OUT/x", "x", "report"),
    Place("sealift export OUT/x", "x", "target"),
    Place("sealift export --modelcar OUT/x", "x", "target"),
    Place("sealift review toy --html OUT/x", "x", "html"),
    Place("sealift review toy --attestations OUT/x", "x", "folder", into=True),
    Place("sealift-bundler convert MODEL --samples SAMPLES -o FREE --report OUT/x", "x", "report"),
    Place("sealift-bundler convert MODEL --samples SAMPLES -o OUT/x", "x", "output"),
    Place("sealift-bundler add RECIPE --channel CHANNEL --report OUT/x", "x", "report"),
    Place("sealift-bundler recipe new MODEL --samples SAMPLES -o OUT/x", "x", "output"),
    Place("sealift-bundler recipe new MODEL --samples SAMPLES -o OUT/r.toml", "CARD.md", "output"),
    Place("sealift-bundler recipe new MODEL --samples SAMPLES --report OUT/x -o FREE", "x", "report"),
    Place("sealift-bundler init OUT/x --name c --key KEY", "x", "directory", 55),
    Place("sealift-bundler review new m -o OUT/x", "x", "output"),
    Place("sealift-bundler preview --channel CHANNEL --html OUT/x", "x", "html"),
    Place("sealift-bundler dossier CHANNEL -o OUT/x", "x", "output", into=True),
    Place("sealift-bundler dossier CHANNEL toy:1.0.0 -o OUT", "toy@1.0.0.html", "output"),
    Place("sealift-bundler dossier CHANNEL -o OUT", "index.html", "output"),
    Place("sealift-bundler pack --channel CHANNEL -o OUT/x", "x", "output", into=True),
    Place("sealift-bundler pack --channel CHANNEL -o OUT", "sim-2.tar", "output"),
    Place("sealift-bundler pack --channel CHANNEL -o OUT/x --part-size 16kB", "x.part-001-of-002", "output"),
    Place("sealift-bundler pack --channel CHANNEL -o OUT/x --since BUNDLE", "x", "output", into=True),
    Place("sealift-bundler split BUNDLE --part-size 16kB -o OUT", "sim-2.tar.part-001-of-002", "output"),
    Place(f"sealift-bundler kit --platform linux-x86_64 --python {HERE} -o OUT/x", "x", "output", into=True),
    Place(f"sealift-bundler kit --platform linux-x86_64 --python {HERE} --sign KEY -o OUT/x", "x.sig", "output"),
    Place(f"sealift-bundler kit --platform linux-x86_64 --python {HERE} --sign KEY -o OUT/x", "x.pub", "output"),
    Place("sealift-keys new OUT/x", "x", "file", 53),
    Place("sealift-keys new OUT/x", "x.pub", "file", 53),
    Place("sealift-keys passphrase OUT/x --new-passphrase-file KEY", "x", "file", 53),
    Place("sealift-keys import hsm:1 OUT/x", "x", "file", 53),
    Place("sealift-keys init OUT/x --name c --key KEY", "x", "directory", 55),
    Place("sealift-pipeline init OUT/x", "x", "directory"),
    Place("sealift-pipeline snapshot issue -o OUT/x", "x", "output"),
]


# Paths that are read, and folders of Sealift's own: a store, a trust folder, a channel, a drop folder.
OTHERS = {
    *("root", "store_path", "trust_path", "bundle", "base", "before", "after", "ca_file", "tmpdir", "folder"),
    *("drop_folder", "backup", "source", "passphrase_files", "pkcs11_module", "keys"),
    *("root_keys", "targets_keys", "snapshot_keys", "timestamp_keys", "directory", "other"),
    *("add", "replacement", "model", "samples", "recipe", "model_key"),
    *("root_file", "wheels", "sign_key", "holdout", "key", "policy"),
    *("snapshot_file", "project_file", "run_file", "new_file", "recipes", "approvers"),
    "token_file",
    # Where a server listens; obstacles there are those of test_serving_sockets.
    "socket_path",
}


def commands(group, name):
    context = click.Context(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


def test_every_parameter_that_names_a_file_is_known_here():
    written = {(place.command.split(" ")[0], place.command.split(" ")[1], place.parameter) for place in PLACES}
    found = set()
    for group in GROUPS.items():
        for name, command in commands(group[1], group[0]):
            for parameter in command.params:
                if isinstance(parameter.type, click.Path | click.File):
                    known = (*name.split(" ")[:2], parameter.name)
                    found.add(known)
                    assert known in written or parameter.name in OTHERS, f"{name} {parameter.opts}: does it write?"
    assert written <= found


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """What the commands need in addition to the place to write to."""
    from support.release.channel_simulator import ChannelSimulator
    from support.release.instance import Instance

    base = tmp_path_factory.mktemp("world")
    channel = ChannelSimulator(base / "channel", name="sim")
    channel.add("toy", "1.0.0")
    channel.release()
    bundle = channel.pack(base / "sim-2.tar")
    instance = Instance(base / "instance")
    instance.pin(channel.root_bytes)
    instance.install(bundle)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEALIFT_PASSPHRASE", "correct horse")
        assert run(keys, "sealift-keys", ["new", str(base / "key")]) == 0
    (base / "rows.txt").write_text("a b\n")
    (base / "model.onnx").write_bytes(b"never opened")
    (base / "samples.csv").write_text("a\n1\n")
    (base / "recipe.toml").write_text(
        'name = "m"\nversion = "1.0.0"\nsource = "model.onnx"\nsamples = "samples.csv"\nlicenses = ["MIT"]\n'
    )
    return {
        "environment": {**instance.environment, "SEALIFT_PASSPHRASE": "correct horse"},
        "CHANNEL": channel.directory,
        "BUNDLE": bundle,
        "KEY": base / "key",
        "ROWS": base / "rows.txt",
        "RECIPE": base / "recipe.toml",
        "MODEL": base / "model.onnx",
        "SAMPLES": base / "samples.csv",
    }


def link(path, victim):
    path.symlink_to(victim)


def dangling(path, victim):
    path.symlink_to(victim.with_name("made-by-the-command"))


def pipe(path, _victim):
    os.mkfifo(path, 0o666)


def folder(path, _victim):
    path.mkdir()
    (path / "in it").touch()


def unix_socket(path, _victim):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def block_device(path, _victim):
    os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(7, 250))


OBSTACLES = [link, dangling, pipe, folder, unix_socket, block_device]


@contextmanager
def in_time():
    """Fail instead of waiting forever at a pipe."""

    def late(*_):
        raise TimeoutError("the command waits")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(120)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def seen(path):
    """Everything in a folder, as it is."""
    return {
        str(one.relative_to(path)): (one.lstat().st_ino, one.lstat().st_mode, one.lstat().st_mtime_ns)
        for one in path.rglob("*")
    }


@pytest.mark.parametrize(
    ("place", "obstacle"),
    [(place, obstacle) for place in PLACES for obstacle in OBSTACLES if not (place.into and obstacle is folder)],
    ids=lambda value: f"{value.command.split(' --')[0]} {value.name}" if isinstance(value, Place) else value.__name__,
)
def test_what_is_no_file_is_refused_and_left_as_it_is(place, obstacle, world, tmp_path, monkeypatch, capsys):
    for name, value in world["environment"].items():
        monkeypatch.setenv(name, str(value))
    out, victim = tmp_path / "out", tmp_path / "victim"
    out.mkdir(mode=0o777)
    out.chmod(0o1777)
    victim.write_text("precious")
    obstacle(out / place.name, victim)
    before, words = seen(tmp_path), place.command.replace("OUT", str(out)).replace("FREE", str(tmp_path / "free"))
    for name in ("CHANNEL", "BUNDLE", "KEY", "ROWS", "RECIPE", "MODEL", "SAMPLES"):
        words = words.replace(name, str(world[name]))
    program, *arguments = words.split(" ")
    with in_time():
        status = run(GROUPS[program], program, arguments)
    said = capsys.readouterr()
    assert (status, said.out) == (place.status, ""), said
    (line,) = said.err.splitlines()
    assert place.name in line
    assert victim.read_text() == "precious"
    assert seen(tmp_path) == before


# What a slip of the keyboard names: neither is replaced where pages and archives are written, and a key nowhere.
PRIVATE_KEY = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"


VICTIMS = {"a private key": PRIVATE_KEY, "a recipe": 'name = "m"\n'}


# Rows, metrics, signatures and snapshots have no beginning to know them by.
# A card that is there stays, and the new one has another name.
CARD = next(place for place in PLACES if place.name == "CARD.md")


ANY_KIND = {"predict", "status", "snapshot", "x.sig", "x.pub"}


def replaces_any(place):
    return bool(ANY_KIND & {place.command.split(" ")[1], place.name})


@pytest.mark.parametrize(
    ("place", "victim"),
    [
        (place, victim)
        for place in PLACES
        if place is not CARD
        for victim in VICTIMS
        if victim != "a recipe" or not replaces_any(place)
    ],
    ids=lambda value: f"{value.command.split(' --')[0]} {value.name}" if isinstance(value, Place) else value,
)
def test_a_file_of_another_kind_is_not_replaced(place, victim, world, tmp_path, monkeypatch, capsys):
    for name, value in world["environment"].items():
        monkeypatch.setenv(name, str(value))
    out = tmp_path / "out"
    out.mkdir()
    (out / place.name).write_text(VICTIMS[victim])
    (out / place.name).chmod(0o600)
    before, words = seen(tmp_path), place.command.replace("OUT", str(out)).replace("FREE", str(tmp_path / "free"))
    for name in ("CHANNEL", "BUNDLE", "KEY", "ROWS", "RECIPE", "MODEL", "SAMPLES"):
        words = words.replace(name, str(world[name]))
    program, *arguments = words.split(" ")
    with in_time():
        status = run(GROUPS[program], program, arguments)
    said = capsys.readouterr()
    assert status in (2, 53, 55), said
    assert said.out == ""
    assert place.name in said.err.splitlines()[-1]
    assert (out / place.name).read_text() == VICTIMS[victim]
    assert seen(tmp_path) == before


def test_a_full_disk_leaves_what_was_there(tmp_path, world, monkeypatch, capsys):
    for name, value in world["environment"].items():
        monkeypatch.setenv(name, str(value))
    with mounts.tmpfs(tmp_path / "disk", "size=16k") as disk:
        before = b"store.json".ljust(257, b"\0") + b"ustar, the export of yesterday"
        (disk / "x").write_bytes(before)
        (disk / "fill").write_bytes(b"\0" * 12288)
        for words in (["status", "--metrics", str(disk / "x")], ["export", str(disk / "x")]):
            status = run(loader, "sealift", words)
            (line,) = capsys.readouterr().err.splitlines()
            assert status in (3, 34)
            assert "No space left" in line or "make room" in line
            assert ((disk / "x").read_bytes(), sorted(os.listdir(disk))) == (before, ["fill", "x"])
