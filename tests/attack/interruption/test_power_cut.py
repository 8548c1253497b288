"""A power cut, or a kill, after every single call that an install makes: the old or the new generation loads, never
neither, and the same command finishes the job.
"""

import os
import shutil
import subprocess
import sys

import pytest
from support.depth import DEPTH
from support.hostile.power_cut import Disk, record
from support.release.self_test_stub import Passes

from sealift.errors import NotInstalledError

pytestmark = pytest.mark.slow

INSTALL = [sys.executable, "-c", "from sealift.cli import main; main()", "install"]
KINDS = ("killed", "power_cut", "names_only")


@pytest.fixture
def two_releases(channel, instance, tmp_path):
    """An instance with the first release, and the bundle of the second, which also withdraws a version."""
    channel.add("alpha", "1.0.0")
    gone = channel.add("beta", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path / "first.tar"))
    channel.add("alpha", "1.1.0")
    channel.add("beta", "1.1.0")
    channel.release()
    channel.withdraw(gone)
    return channel.pack(tmp_path / "second.tar")


def test_after_every_call(two_releases, instance, tmp_path, require_tool, monkeypatch, capsys):
    require_tool("strace")
    before = tmp_path / "before"
    shutil.copytree(instance.store_path, before, symlinks=True)
    calls = record([*INSTALL, str(two_releases)], instance.store_path, tmp_path, env=instance.environment)
    assert {"create", "write", "fsync", "rename", "mkdir", "symlink"} <= {call.name for call in calls}
    monkeypatch.setattr("sealift.install.steps.SelfTestProcess", Passes)
    disk = Disk(before)
    seen, tried, finished, old, new = set(), 0, 0, 0, 0
    for place in range(len(calls) + 1):
        for kind in KINDS:
            state = hash(disk.state(kind))
            if state in seen:
                continue
            seen.add(state)
            tried += 1
            shutil.rmtree(instance.store_path)
            getattr(disk, kind)(instance.store_path)
            where = f"{kind} after {place} calls, the last {calls[place - 1] if place else None}"
            versions = {name: instance.store.load(name).version for name in ("alpha", "beta")}
            assert set(versions.values()) in ({"1.0.0"}, {"1.1.0"}), where
            old += versions["alpha"] == "1.0.0"
            new += versions["alpha"] == "1.1.0"
            if DEPTH < 6 and tried % (6 // DEPTH):
                # What is left of every sixth disk is finished here, with DEPTH=2 of every third, with DEPTH=6 of every one.
                continue
            finished += 1
            instance.install(two_releases)
            assert {instance.store.load(name).version for name in ("alpha", "beta")} == {"1.1.0"}, where
            assert (
                sorted(
                    os.listdir(instance.store_path / "staging") if (instance.store_path / "staging").exists() else []
                )
                == []
            )
            assert instance.install(two_releases).changed is False
        if place < len(calls):
            disk.apply(calls[place])
    # The model of the disk is right: with every call applied it is what the install left.
    shutil.rmtree(instance.store_path)
    with capsys.disabled():
        print(
            f"\n{len(calls)} calls: {tried} different disks in {len(KINDS)} kinds of loss, {old} old and {new} new, {finished} finished"
        )
    assert old > 50
    assert new > 5


def test_the_first_install(channel, instance, tmp_path, require_tool, monkeypatch, capsys):
    """Before the switch nothing is installed, and says so; after it everything is; the same command finishes the job."""
    require_tool("strace")
    channel.add("alpha", "1.0.0")
    channel.release()
    bundle = channel.pack(tmp_path / "first.tar")
    instance.pin(channel.root_bytes)
    instance.store_path.mkdir()
    before = tmp_path / "before"
    before.mkdir()
    calls = record([*INSTALL, str(bundle)], instance.store_path, tmp_path, env=instance.environment)
    monkeypatch.setattr("sealift.install.steps.SelfTestProcess", Passes)
    disk, seen, loaded = Disk(before), set(), 0
    for call in calls:
        for kind in KINDS:
            if (state := hash(disk.state(kind))) in seen:
                continue
            seen.add(state)
            shutil.rmtree(instance.store_path)
            getattr(disk, kind)(instance.store_path)
            try:
                assert instance.store.load("alpha").version == "1.0.0"
                loaded += 1
            except NotInstalledError:
                pass
            if DEPTH < 6 and len(seen) % (6 // DEPTH):
                continue
            instance.install(bundle)
            assert instance.store.load("alpha").version == "1.0.0"
        disk.apply(call)
    with capsys.disabled():
        print(f"\nfirst install: {len(calls)} calls, {len(seen)} different disks, {loaded} with the models")
    assert 0 < loaded < len(seen)


def test_the_recorder_sees_a_missing_sync(tmp_path, require_tool):
    """An unsynced rename must cost something, or the test above proves nothing."""
    require_tool("strace")
    start = tmp_path / "disk"
    start.mkdir()
    (start / "a").write_text("old")
    before = tmp_path / "before"
    shutil.copytree(start, before)
    script = "import os; f = open('a.new', 'w'); f.write('new'); f.close(); os.rename('a.new', 'a')"
    calls = record([sys.executable, "-c", script], start, tmp_path, cwd=start)
    disk = Disk(before)
    for call in calls:
        disk.apply(call)
    for kind, content in (("killed", "new"), ("power_cut", "old"), ("names_only", "")):
        target = tmp_path / kind
        getattr(disk, kind)(target)
        assert (target / "a").read_text() == content
    subprocess.run(["sync", "-f", str(start)], check=False)
