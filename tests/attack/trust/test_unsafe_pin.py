"""Somebody else may write the pinned root, or replace it: nothing that reads it goes on, and nothing is changed."""

import os
import shutil
import subprocess
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from support.machine.mounts import command as system
from support.release.self_test_stub import Passes

from sealift.backup.export import export
from sealift.backup.restore import restore
from sealift.cli import cli
from sealift.errors import UnsafeStoreError
from sealift.trust import pin
from sealift_common.console import run

STRANGER = 64321
EXIT_CODE = UnsafeStoreError.exit_code


@pytest.fixture
def bundles(channel, tmp_path):
    made = []
    for version in ("1.0.0", "1.1.0"):
        channel.add("toy", version)
        channel.release()
        made.append(channel.pack(tmp_path / f"{version}.tar"))
    return made


@pytest.fixture
def installed(instance, channel, bundles, monkeypatch):
    if os.geteuid() != 0:
        pytest.fail("only root can give files to another user, so this test cannot say anything; run it as root")
    monkeypatch.setattr("sealift.install.steps.SelfTestProcess", Passes)
    instance.pin(channel.root_bytes)
    instance.install(bundles[0])
    instance.export(monkeypatch)
    return instance


SPOILED = {
    "the file belongs to another user": lambda etc: os.chown(etc / "root.json", STRANGER, 0),
    "everybody may write the file": lambda etc: (etc / "root.json").chmod(0o666),
    "a group may write the file": lambda etc: (
        os.chown(etc / "root.json", 0, STRANGER),
        os.chmod(etc / "root.json", 0o664),
    ),
    "everybody may write the folder": lambda etc: etc.chmod(0o777),
    "a group may write the folder": lambda etc: (os.chown(etc, 0, STRANGER), etc.chmod(0o775)),
    "the folder belongs to another user": lambda etc: os.chown(etc, STRANGER, 0),
    "the folder above belongs to another user": lambda etc: os.chown(etc.parent, STRANGER, 0),
    "it is a link to another user's file": lambda etc: _link(etc / "root.json", STRANGER),
    "it is a link out of a folder that everybody may write": lambda etc: _link(etc / "root.json", 0),
}


def _link(path: Path, owner: int) -> None:
    other = path.parent.parent / "other"
    other.mkdir(mode=0o755)
    path.rename(other / "root.json")
    os.chown(other / "root.json", owner, 0)
    if owner == 0:
        other.chmod(0o777)
    path.symlink_to("../other/root.json")


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_a_load_and_an_install_are_refused(spoil, installed, bundles, refused):
    spoil(installed.trust_path)
    with refused(UnsafeStoreError, "cannot load 'toy', step 'trust': the pinned root is not safe"):
        installed.store.load("toy")
    with refused(UnsafeStoreError, "the pinned root is not safe"):
        installed.install(bundles[1])


COMMANDS = (
    "verify {bundle}",
    "verify --explain {bundle}",
    "install {bundle}",
    "install --dry-run {bundle}",
    "install --if-newer {bundle}",
    "rollback",
    "status",
    "list",
    "show toy",
    "path toy",
    "check",
    "check --repair {bundle}",
    "prune",
    "bench toy",
    "predict toy --input {input}",
    "export {out}",
    "restore --replace {backup}",
    "trust show",
    "trust init {root}",
    "push --as-image {bundle} oci://localhost:1/a/b",
    "doctor",
)


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_that_reads_it_is_refused(words, installed, channel, bundles, tmp_path, capsys):
    installed.install(bundles[1])
    export(installed.store, str(tmp_path / "backup.tar"))
    (tmp_path / "root.json").write_bytes(channel.root_bytes)
    (tmp_path / "rows.csv").write_text("a\n1\n")
    places = {
        "bundle": bundles[1],
        "backup": tmp_path / "backup.tar",
        "input": tmp_path / "rows.csv",
        "out": tmp_path / "out.tar",
        "root": tmp_path / "root.json",
    }
    os.chown(installed.trust_path, STRANGER, 0)
    before = installed.snapshot()
    assert run(cli, "sealift", words.format(**places).split()) == EXIT_CODE, capsys.readouterr()
    said = capsys.readouterr()
    assert f"belongs to uid {STRANGER}" in said.out + said.err
    assert installed.snapshot() == before
    assert not (tmp_path / "out.tar").exists()


def test_a_new_root_is_not_pinned_where_others_may_replace_it(instance, channel, refused):
    instance.trust_path.mkdir(parents=True)
    instance.trust_path.chmod(0o777)
    with refused(UnsafeStoreError, "no root can be pinned there: .*chmod go-w"):
        instance.pin(channel.root_bytes)


def test_a_restore_into_a_new_store_is_refused(installed, tmp_path, refused):
    export(installed.store, str(tmp_path / "backup.tar"))
    shutil.rmtree(installed.store_path)
    (installed.trust_path / "root.json").chmod(0o666)
    with refused(UnsafeStoreError, "the pinned root is not safe"):
        restore(BytesIO((tmp_path / "backup.tar").read_bytes()), installed.store)


def test_what_is_no_file_is_not_waited_for(installed, refused):
    (installed.trust_path / "root.json").unlink()
    os.mkfifo(installed.trust_path / "root.json")
    with refused(UnsafeStoreError, "is not a real file"):
        installed.store.load("toy")


def test_a_load_looks_once_at_each_folder_on_the_way(installed, monkeypatch):
    """Every load does this, so it costs a few looks: one for each folder, for the file, and for the store."""
    looks = []
    for name in ("lstat", "stat"):
        original = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *given, o=original, **more: looks.append(given[0]) or o(*given, **more))
    assert pin.unsafe(installed.trust_path, installed.store_path) == []
    assert len(looks) == len((installed.trust_path / "root.json").parts) + 2


# --- what is safe --------------------------------------------------------------------------------


@contextmanager
def config_map(etc: Path, *, read_only: bool):
    """Make of `etc` what Kubernetes mounts: mode 0777, and links that are switched when the object changes."""
    data = (etc / "root.json").read_bytes()
    system("mount", "-t", "tmpfs", "-o", "mode=1777", "sealift-test", etc)
    try:
        etc.chmod(0o777)
        folder = etc / "..2026_11_29_20_26_51.1"
        folder.mkdir()
        (folder / "root.json").write_bytes(data)
        folder.chmod(0o777)
        (etc / "..data").symlink_to(folder.name)
        (etc / "root.json").symlink_to("..data/root.json")
        if read_only:
            system("mount", "-o", "remount,ro", etc)
        yield
    finally:
        system("umount", "--lazy", etc)


def test_a_config_map_is_safe_because_it_is_mounted_read_only(installed, bundles):
    with config_map(installed.trust_path, read_only=True):
        assert pin.unsafe(installed.trust_path, installed.store_path) == []
        installed.store.load("toy")
        assert installed.install(bundles[1]).changed
    with config_map(installed.trust_path, read_only=False):
        problems = pin.unsafe(installed.trust_path, installed.store_path)
        assert len(problems) == 2
        assert all("is writable by group or others" in problem for problem in problems)


def test_a_read_only_mount_gives_nobody_what_belongs_to_a_stranger(installed):
    with config_map(installed.trust_path, read_only=False):
        os.chown(installed.trust_path / "..data/root.json", STRANGER, 0)
        system("mount", "-o", "remount,ro", installed.trust_path)
        (problem,) = pin.unsafe(installed.trust_path, installed.store_path)
        assert f"root.json' belongs to uid {STRANGER}; expected root (uid 0)" in problem


def test_the_group_root_is_root_and_an_acl_is_not(installed, require_tool):
    installed.trust_path.chmod(0o775)
    (installed.trust_path / "root.json").chmod(0o664)
    assert pin.unsafe(installed.trust_path, installed.store_path) == []
    subprocess.run([require_tool("setfacl"), "-m", f"u:{STRANGER}:rwx", installed.trust_path], check=True)
    assert len(pin.unsafe(installed.trust_path, installed.store_path)) == 1


def test_below_a_sticky_folder_it_is_safe(installed):
    installed.directory.chmod(0o1777)
    assert pin.unsafe(installed.trust_path, None) == []


def test_the_owner_of_the_store_may_own_it(installed):
    """Who decides what is installed decides what is trusted; `doctor` warns of it."""
    for path in [installed.directory, *installed.directory.rglob("*")]:
        os.chown(path, STRANGER, STRANGER, follow_symlinks=False)
    assert pin.unsafe(installed.trust_path, installed.store_path) == []
    assert len(pin.unsafe(installed.trust_path, None)) == 3
    installed.store.load("toy")
