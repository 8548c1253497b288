"""What people get wrong, one line each: what they gave, the exit status, what the message says, and what it tells to do.

Each is tried, and leaves everything as it was.
"""

import codecs
import os
import pickle
import socket
import tarfile
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from support.release.channel_simulator import ChannelSimulator
from support.release.instance import Instance
from support.release.self_test_stub import Passes

from sealift.cli import cli as sealift
from sealift.testing import ToyModel
from sealift_bundler.cli import command as bundler
from sealift_common.console import run
from sealift_keys.cli import command as keys
from sealift_keys.keyfiles import pbes2

GROUPS = {"sealift": sealift, "sealift-bundler": bundler, "sealift-keys": keys}
TRIAGE = ToyModel(columns={"title": "str", "comments": "int"}, classes=("bug", "wish"), answers={"Crash": "bug"})
RECIPE = 'name = "m"\nversion = "1.0.0"\nsource = "{source}"\nsamples = "rows.csv"\nlicenses = ["MIT"]\n'


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A channel with two releases, an instance that has the newer one, and files of every kind."""
    base = tmp_path_factory.mktemp("world")
    channel = ChannelSimulator(base / "channel", thresholds={"targets": 2})
    bundles = []
    for version in ("1.0.0", "1.1.0"):
        channel.add("triage", version, ToyModel(**{**vars(TRIAGE), "version": version}).files("triage"))
        channel.release()
        bundles.append(channel.pack(base))
    other = ChannelSimulator(base / "other", name="other")
    other.add("triage", "9.0.0")
    other.release()
    other.pack(base / "other-bundle.tar")
    instance = Instance(base / "instance")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sealift.install.steps.SelfTestProcess", Passes)
        patch.setattr(pbes2, "ROUNDS", 2048)
        patch.setenv("SEALIFT_SYSLOG", "none")
        patch.setenv("SEALIFT_PASSPHRASE", "correct horse")
        instance.pin(channel.root_bytes)
        instance.install(bundles[1])
        instance.export(patch)
        assert run(sealift, "sealift", ["export", str(base / "backup.tar")]) == 0
        assert run(keys, "sealift-keys", ["new", str(base / "key.pem")]) == 0
        assert run(keys, "sealift-keys", ["new", str(base / "stranger.pem")]) == 0
        assert (
            run(keys, "sealift-keys", ["init", str(base / "own"), "--name", "own", "--key", str(base / "key.pem")]) == 0
        )
        packed = ["pack", "--channel", str(channel.directory), "-o", str(base / "p.tar"), "--part-size", "20kB"]
        assert run(bundler, "sealift-bundler", packed) == 0
    with tarfile.open(base / "kit.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        tar.add(bundles[0], "sealift-kit-0.1.0-linux-x86_64/1.root.json")
    (base / "1.root.json").write_bytes(channel.root_bytes)
    (base / "model.pkl").write_bytes(pickle.dumps({"a": 1}))
    (base / "lfs.onnx").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")
    (base / "page.tar").write_text("<!DOCTYPE html><html><title>Sign in</title></html>")
    (base / "rows.csv").write_text("title,comments\nCrash,1\n")
    (base / "typo.csv").write_text("titel,comments\nCrash,1\n")
    (base / "latin.csv").write_bytes("title,comments\nAbsturz für alle,1\n".encode("latin-1"))
    (base / "utf16.csv").write_bytes(codecs.BOM_UTF16_LE + "title,comments\nCrash,1\n".encode("utf-16-le"))
    (base / "text.csv").write_text("title,comments\nCrash,many\n")
    (base / "typo.toml").write_text(RECIPE.format(source="model.pkl") + 'licences = ["MIT"]\n')
    (base / "absent.toml").write_text(RECIPE.format(source="absent.joblib"))
    (base / "pickle.toml").write_text(RECIPE.format(source="model.pkl"))
    (base / "policy.toml").write_text('schema = "sealift.policy/1"\nrequire_roles = true\n')
    (base / "folder").mkdir()
    unsigned = ChannelSimulator(base / "unsigned", thresholds={"targets": 2})
    unsigned.add("triage", "1.0.0")
    unsigned.release([*unsigned.keys["targets"][:1], *unsigned.keys["snapshot"], *unsigned.keys["timestamp"]])
    return base


def years(count):
    """Move the clock."""

    def move(patch):
        class Moved(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.now(tz) + timedelta(days=365 * count)

        for module in ("sealift.install.steps", "sealift.cli.store.install"):
            patch.setattr(f"{module}.datetime", Moved, raising=False)

    return move


def another_user(patch):
    patch.setattr(os, "geteuid", lambda: 64002)


def full_disk(patch):
    patch.setattr("sealift.install.preflight.free_bytes", lambda *_: 1000)


def no_name_server(patch):
    def unknown(*_args, **_named):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    patch.setattr(socket, "getaddrinfo", unknown)


def no_network(patch):
    def unreachable(*_args, **_named):
        raise ConnectionRefusedError(111, "Connection refused")

    patch.setattr(socket.socket, "connect", unreachable)


def short_passphrase(patch):
    patch.setenv("SEALIFT_PASSPHRASE", "hunter2")


def wrong_passphrase(patch):
    patch.setenv("SEALIFT_PASSPHRASE", "battery staple")


def nothing(_patch):
    pass


class Wrong(NamedTuple):
    what: str
    command: str
    status: int
    says: str
    do: str
    around: Callable[[pytest.MonkeyPatch], object] = nothing


WRONG = [
    # The wrong file of the right family.
    Wrong("a kit for a bundle", "sealift install kit.tar", 10, "it is a kit", "run its install.py"),
    Wrong("a root for a bundle", "sealift install 1.root.json", 10, "the root of a channel", "sealift trust init FILE"),
    Wrong("a backup for a bundle", "sealift verify backup.tar", 10, "a backup of a store", "sealift restore FILE"),
    Wrong("one part alone", "sealift install p.tar.part-01-of-PARTS", 10, "part", "missing"),
    Wrong("a pickle for a bundle", "sealift install model.pkl", 10, "a pickle", "`sealift-bundler` makes a bundle"),
    Wrong("a login page for a bundle", "sealift inspect page.tar", 10, "a web page", "fetch it again"),
    Wrong("a bundle for a root", "sealift trust init BUNDLE", 10, "it is a bundle", "give the channel's 1.root.json"),
    Wrong("a bundle for a backup", "sealift restore --replace BUNDLE", 10, "it is a bundle", "sealift install FILE"),
    Wrong(
        "a pointer of Git LFS for a model",
        "sealift-bundler convert lfs.onnx --samples rows.csv -o free",
        56,
        "Git LFS",
        "git lfs pull",
    ),
    Wrong("a public key to sign", "sealift-keys sign own --key key.pem.pub", 53, "is a public key", "without '.pub'"),
    # The wrong folder.
    Wrong("a folder without parts", "sealift install folder", 2, "is a directory", "give the bundle's .tar file"),
    Wrong("a store that is mistyped", "sealift list --store folder/stroe", 31, "does not exist", "check --store"),
    Wrong(
        "a folder that is not a channel",
        "sealift-bundler release --channel folder",
        55,
        "is not a channel",
        "check the path, or make one with: sealift-bundler init",
    ),
    Wrong(
        "an output folder that is not there",
        "sealift predict triage --input rows.csv --output no/x",
        2,
        "does not exist",
        "make it first",
    ),
    # The wrong order.
    Wrong(
        "an install before the root is pinned",
        "sealift install BUNDLE --trust folder/etc",
        30,
        "no channel is trusted on this instance",
        "sealift trust init",
    ),
    Wrong("a list before an install", "sealift list --store folder", 31, "is empty", "sealift install BUNDLE"),
    Wrong("a rollback with nothing before", "sealift rollback", 31, "no earlier generation", "is active"),
    Wrong("an older bundle", "sealift install OLDER", 25, "older than what is installed", "fetch a newer one"),
    Wrong(
        "a pack before all have signed",
        "sealift-bundler pack --channel unsigned -o .",
        54,
        "waiting for",
        "run: sealift-keys sign",
    ),
    Wrong(
        "a release of nothing",
        "sealift-bundler release --channel own",
        55,
        "nothing is staged",
        "sealift-bundler add first",
    ),
    # The wrong user, owner or key.
    Wrong(
        "another user's store", "sealift install BUNDLE", 36, "only its owner changes a store", "sudo -u", another_user
    ),
    Wrong(
        "a key of nobody here",
        "sealift-keys sign own --key stranger.pem",
        53,
        "belongs to no role",
        "its keys are 'key'",
    ),
    Wrong("another channel's bundle", "sealift install OTHER", 20, "root", "sealift trust show"),
    Wrong(
        "a wrong passphrase",
        "sealift-keys sign own --key key.pem",
        53,
        "the passphrase is wrong",
        "or the file is damaged",
        wrong_passphrase,
    ),
    Wrong(
        "a short passphrase",
        "sealift-keys new short.pem",
        53,
        "has 7 characters",
        "expected 12 or more",
        short_passphrase,
    ),
    # A typo.
    Wrong("a command", "sealift instal BUNDLE", 2, "no such command 'instal'", "did you mean 'install'?"),
    Wrong("an option", "sealift list --jsno", 2, "--jsno", "--json"),
    Wrong("a model", "sealift show triag", 31, "no model 'triag'", "active: triage"),
    Wrong("a bare version", "sealift show triage --version 1", 2, "version '1' is not whole", "write '>=1.0.0,<2.0.0'"),
    Wrong(
        "a key of a recipe",
        "sealift-bundler add typo.toml --channel own",
        52,
        "unknown key 'licences'",
        "did you mean 'licenses'?",
    ),
    Wrong("a file", "sealift install sim-4.tar", 3, "sim-4.tar", "check the path"),
    Wrong(
        "the source of a recipe", "sealift-bundler add absent.toml --channel own", 52, "absent.joblib", "does not exist"
    ),
    Wrong("a scheme", "sealift install http://registry/models", 2, "is not an address that Sealift knows", "oci://"),
    Wrong("a column", "sealift predict triage --input typo.csv", 41, "column 'title' is missing", "'titel'"),
    Wrong("a key of a policy", "sealift policy check policy.toml", 3, "require_roles", "policy.toml"),
    # Encodings and values.
    Wrong("Latin-1", "sealift predict triage --input latin.csv", 41, "UTF-8", "latin.csv"),
    Wrong("UTF-16", "sealift predict triage --input utf16.csv", 41, "UTF-8", "utf16.csv"),
    Wrong("text in a column of numbers", "sealift predict triage --input text.csv", 41, "column 'comments'", "'many'"),
    # The machine.
    Wrong("a clock that is years ahead", "sealift install BUNDLE", 24, "expired", "correct the clock", years(4)),
    Wrong("no space", "sealift install BUNDLE --store fresh", 34, "1,000 are free", "free", full_disk),
    Wrong("no rights", "sealift install BUNDLE --store /proc/self/store", 3, "/proc/self", "may not create it"),
    Wrong(
        "no name server",
        "sealift install oci://registry.corp/models",
        3,
        "knows no such host",
        "check the address and the network",
        no_name_server,
    ),
    Wrong(
        "no network",
        "sealift install oci://192.0.2.1/models",
        3,
        "connection refused",
        "check the address and the network",
        no_network,
    ),
    Wrong("another Python", "sealift-bundler kit --platform linux-x86_64 --python 3.9 -o .", 2, "3.9", "3.11"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.what)
def test_a_wrong_input_has_one_line_a_status_and_a_remedy(wrong, world, call, monkeypatch, tmp_path):
    monkeypatch.chdir(world)
    Instance(world / "instance").export(monkeypatch)
    monkeypatch.setenv("SEALIFT_PASSPHRASE", "correct horse")
    for name in ("SEALIFT_CHANNEL", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    words = {"BUNDLE": "sim-3.tar", "OLDER": "sim-2.tar", "OTHER": "other-bundle.tar"}
    words["PARTS"] = next(world.glob("p.tar.part-01-of-*")).name.rpartition("-")[2]
    program, *arguments = wrong.command.split(" ")
    for name, value in words.items():
        arguments = [argument.replace(name, value) for argument in arguments]
    before = seen(world)
    wrong.around(monkeypatch)
    status, out, err = call(GROUPS[program], *arguments)
    monkeypatch.undo()
    (line,) = err.splitlines()
    assert (status, out) == (wrong.status, ""), line
    assert line.startswith(f"{program}: ")
    assert wrong.says in line
    assert wrong.do in line
    assert "Traceback" not in err
    assert seen(world) == before


def seen(folder):
    """Everything that counts in the folder; an empty store and its lock may be there after a first refusal."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
        if path.name not in ("lock", ".lock", "fresh") and not path.is_symlink()
    }
