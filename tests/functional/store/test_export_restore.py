"""`sealift export` and `sealift restore`: the whole store in one file and back, also while it is in use."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tarfile
from datetime import UTC, datetime

import numpy as np
import pytest
from support.hostile.damage import content_of, restored_from

from sealift.backup.export import export
from sealift.cli import cli
from sealift.errors import CorruptError, LockedError, NoSpaceError, NotInstalledError
from sealift.store.contents import history
from sealift.store.guard.lock import locked
from sealift_common.console import run

pytestmark = pytest.mark.slow


SEALIFT = [sys.executable, "-c", "from sealift.cli import main; main()"]


def test_there_and_back(used, fresh, tmp_path):
    backup = tmp_path / "store.tar"
    report = export(used.store, str(backup))
    assert report.size == backup.stat().st_size
    assert report.digest == f"sha256:{hashlib.sha256(backup.read_bytes()).hexdigest()}"
    assert oct(backup.stat().st_mode & 0o777) == "0o600"
    restored = restored_from(backup, fresh)
    assert restored.digest == report.digest
    assert content_of(fresh) == content_of(used)
    assert fresh.store.trust_state().read_floor() == used.store.trust_state().read_floor()
    assert fresh.store.active()._replace(trust=0) == used.store.active()._replace(trust=0)
    rows = np.zeros((3, 4), np.float32)
    assert (fresh.store.load("alpha").predict(rows) == used.store.load("alpha").predict(rows)).all()
    actions = [entry["action"] for entry in history.read(fresh.store.layout.history)]
    assert actions == ["install", "install", "restore"]
    assert history.read(used.store.layout.history)[-1]["digest"] == report.digest


def test_a_restored_store_goes_on_as_the_old_one(used, fresh, channel, tmp_path):
    old = channel.pack(tmp_path)
    export(used.store, str(tmp_path / "store.tar"))
    restored_from(tmp_path / "store.tar", fresh)
    assert fresh.install(old).changed is False
    channel.add("alpha", "1.2.0")
    channel.release()
    assert fresh.install(channel.pack(tmp_path)).generation == 3
    from sealift.store.upkeep.rollback import rollback

    assert rollback(fresh.store, None, 1, datetime.now(UTC)).models["alpha"].version.text == "1.0.0"
    assert fresh.store.load("alpha").version == "1.0.0"


def test_the_same_store_gives_the_same_bytes_that_stock_tar_reads(used, tmp_path, require_tool):
    first, second = tmp_path / "1.tar", tmp_path / "2.tar"
    before = used.store.layout.history.read_bytes()
    export(used.store, str(first))
    used.store.layout.history.write_bytes(before)
    export(used.store, str(second))
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as tar:
        names = tar.getnames()
        assert all(member.isfile() for member in tar.getmembers())
    assert names[0] == "store.json"
    assert "models/alpha/1.1.0/model.onnx" in names
    listed = subprocess.run([require_tool("tar"), "tf", first], capture_output=True, text=True, check=True)
    assert listed.stdout.split() == names


def test_long_names_are_kept(channel, instance, fresh, tmp_path):
    channel.add("n" * 100, "1.0.0-" + "v" * 90)
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path))
    export(instance.store, str(tmp_path / "store.tar"))
    restored_from(tmp_path / "store.tar", fresh)
    assert content_of(fresh) == content_of(instance)


def test_what_was_withdrawn_stays_out(used, fresh, channel, tmp_path):
    alpha = next(model for model in channel.channel.released() if str(model) == "alpha 1.0.0")
    channel.withdraw(alpha)
    used.install(channel.pack(tmp_path))
    export(used.store, str(tmp_path / "store.tar"))
    restored_from(tmp_path / "store.tar", fresh)
    assert [str(model) for model in fresh.store.all_versions()] == ["alpha 1.1.0", "beta 0.1.0"]
    assert fresh.store.load("alpha").version == "1.1.0"


def test_through_a_pipe(used, fresh, tmp_path):
    command = f'"{sys.executable}" -c "{SEALIFT[2]}"'
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} export - | {command} restore - --store {fresh.store_path}"],
        env=used.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "exported release 3" in done.stderr
    assert "active alpha 1.1.0" in done.stdout
    assert fresh.store.load("alpha").version == "1.1.0"


def test_a_reader_that_leaves_is_an_error_here(used):
    command = f'"{sys.executable}" -c "{SEALIFT[2]}"'
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} export - | true"],
        env=used.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "stopped before its end" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "export" not in used.store.layout.history.read_text()


def test_the_commands_say_what_they_did(used, fresh, tmp_path, capsys):
    backup = tmp_path / "store.tar"
    places = ["--store", str(used.store_path), "--trust", str(used.trust_path)]
    assert run(cli, "sealift", ["export", str(backup), "--json", *places]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["release"], document["generation"], document["generations"]) == (3, 2, [1, 2])
    assert run(cli, "sealift", ["export", str(backup), *places]) == 0
    assert "exported release 3 of channel sim, 3 model versions, 2 generations" in capsys.readouterr().out
    places = ["--store", str(fresh.store_path), "--trust", str(fresh.trust_path)]
    assert run(cli, "sealift", ["restore", str(backup), "--json", *places]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["models"] == {"alpha": "1.1.0", "beta": "0.1.0"}
    assert document["replaced"] is None
    assert run(cli, "sealift", ["restore", str(backup), *places]) == 2
    assert "--replace" in capsys.readouterr().err
    assert run(cli, "sealift", ["history", *places[:2]]) == 0
    assert "restore   release 3  generation 2" in capsys.readouterr().out


def test_nothing_to_export(instance, channel, tmp_path):
    instance.pin(channel.root_bytes)
    with pytest.raises(NotInstalledError):
        export(instance.store, str(tmp_path / "store.tar"))
    assert not (tmp_path / "store.tar").exists()


@pytest.mark.parametrize("where", [".", "store/x.tar", "fifo"])
def test_a_target_that_cannot_be(where, used):
    os.mkfifo(used.directory / "fifo")
    before = used.snapshot()
    target = used.directory / where
    assert run(cli, "sealift", ["export", str(target), "--store", str(used.store_path)]) == 2
    assert used.snapshot() == before


def test_an_export_waits_for_nobody_and_installs_wait_for_it(used, tmp_path):
    with locked(used.store.layout.lock), pytest.raises(LockedError):
        export(used.store, str(tmp_path / "store.tar"))
    inside = []

    def start(_total):
        with pytest.raises(LockedError), locked(used.store.layout.lock):
            pass
        return lambda _count: inside.append(used.store.load("beta").version)

    export(used.store, str(tmp_path / "store.tar"), start=start)
    assert set(inside) == {"0.1.0"}


@pytest.mark.parametrize("file", ["model.onnx", "model.json"])
@pytest.mark.parametrize("damage", ["bit", "shorter", "longer", "gone", "link"])
def test_a_damaged_store_is_not_exported_and_leaves_nothing(file, damage, used, tmp_path):
    path = used.store_path / "models/alpha/1.0.0" / file
    good = path.read_bytes()
    path.unlink()
    changed = {"bit": bytes([good[0] ^ 1]) + good[1:], "shorter": good[:-1], "longer": good + b"x"}
    if damage in changed:
        path.write_bytes(changed[damage])
    elif damage == "link":
        (tmp_path / "elsewhere").write_bytes(good)
        path.symlink_to(tmp_path / "elsewhere")
    out = tmp_path / "out"
    out.mkdir()
    yesterday = b"store.json".ljust(257, b"\0") + b"ustar, the backup of yesterday"
    (out / "store.tar").write_bytes(yesterday)
    before = used.snapshot()
    with pytest.raises(CorruptError, match="install its bundle again"):
        export(used.store, str(out / "store.tar"))
    assert used.snapshot() == before
    assert os.listdir(out) == ["store.tar"]
    assert (out / "store.tar").read_bytes() == yesterday


def test_a_killed_export_is_cleaned_up_by_the_next(used, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    process = os.fork()
    if process == 0:
        try:
            export(used.store, str(out / "store.tar"), start=lambda _: lambda _: os.kill(os.getpid(), signal.SIGKILL))
        finally:
            os._exit(3)
    os.waitpid(process, 0)
    assert len(os.listdir(out)) == 1
    export(used.store, str(out / "store.tar"))
    assert os.listdir(out) == ["store.tar"]


def test_no_space(used, fresh, tmp_path, monkeypatch):
    export(used.store, str(tmp_path / "store.tar"))
    monkeypatch.setattr("sealift.backup.writing.shutil.disk_usage", lambda _: _Full())
    with pytest.raises(NoSpaceError, match="1,000 are free"):
        export(used.store, str(tmp_path / "again.tar"))
    assert not (tmp_path / "again.tar").exists()
    monkeypatch.undo()
    monkeypatch.setattr("sealift.backup.restore.free_bytes", lambda _: 1000)
    with pytest.raises(NoSpaceError, match="1,000 are free"):
        restored_from(tmp_path / "store.tar", fresh)
    assert os.listdir(fresh.store_path) == ["lock"]


class _Full:
    free = 1000


def test_a_real_full_disk_leaves_no_output(used, tmp_path, require_tool):
    mount = tmp_path / "small"
    mount.mkdir()
    script = (
        f"mount -t tmpfs -o size=64k tmpfs {mount} && "
        f'"{sys.executable}" -c "import shutil; shutil.disk_usage = lambda _: type(\'U\', (), dict(free=10**12)); {SEALIFT[2]}"'
        f" export {mount}/store.tar; status=$?; ls -A {mount}; exit $status"
    )
    done = subprocess.run(
        [require_tool("unshare"), "-m", "bash", "-c", script],
        env=used.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 34, done.stderr
    assert f"the file system of {str(mount)!r} is full (No space left on device)" in done.stderr
    assert done.stdout == ""
