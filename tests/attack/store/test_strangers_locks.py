"""A local user without rights holds locks on whatever can be opened: nothing waits, nothing stops, nobody is blamed."""

import fcntl
import gc
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from support.hostile.strangers import STRANGER, holding
from support.release.self_test_stub import Passes

from sealift.backup.export import export
from sealift.cli import cli
from sealift.errors import LockedError
from sealift.store.guard.lock import locked
from sealift.store.upkeep.prune import prune
from sealift.store.upkeep.rollback import rollback
from sealift_common.console import run

pytestmark = pytest.mark.slow

NOW = datetime.now(UTC)
VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "1.3.0")


@pytest.fixture
def instance(instance, channel, tmp_path, monkeypatch):
    """Four releases; the lock can be opened by everybody, as Sealift 0.1.0 left it."""
    monkeypatch.setattr("sealift.install.steps.SelfTestProcess", Passes)
    instance.pin(channel.root_bytes)
    for version in VERSIONS:
        channel.add("toy", version)
        channel.release()
        instance.install(channel.pack(tmp_path / f"{version}.tar"))
    instance.store.layout.lock.chmod(0o644)
    return instance


@pytest.fixture
def held(instance):
    """The same, while a stranger holds every file and directory that is open to all."""
    paths = [path for path in [instance.store_path, *instance.store_path.rglob("*")] if not path.is_symlink()]
    with ExitStack() as stack:
        for path in paths:
            if path.stat().st_mode & 0o004:
                stack.enter_context(holding(path))
        yield instance


def _models(instance):
    return sorted(path.name for path in instance.store_path.glob("models/toy/*"))


def test_every_change_goes_on_and_nothing_is_removed_that_is_held(held, channel, tmp_path):
    channel.add("toy", "2.0.0")
    channel.release()
    assert held.install(channel.pack(tmp_path / "2.tar")).changed
    assert str(rollback(held.store, None, None, NOW).models["toy"]) == "toy 1.3.0"
    export(held.store, str(tmp_path / "backup.tar"))
    report = prune(held.store, 1, NOW)
    assert [str(one.model) for one in report.in_use] == ["toy 1.0.0", "toy 1.1.0"]
    assert [one.name for one in report.removed if one.kind == "generation"] == ["1", "2"]
    assert _models(held) == ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "2.0.0"]
    assert held.store.layout.lock.stat().st_mode & 0o7777 == 0o600


def test_a_load_reads_everything_once_and_waits_for_nobody(held, monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    before = held.snapshot()
    assert held.store.load("toy").version == "1.3.0"
    assert held.store.load("toy", "1.0.0").version == "1.0.0"
    assert slept == [0.01] * 4
    assert held.snapshot() == before


@pytest.mark.parametrize("operation", [fcntl.LOCK_EX, fcntl.LOCK_SH], ids=["exclusive", "shared"])
def test_a_version_that_a_stranger_holds_goes_later_or_when_the_admin_says_so(operation, instance, monkeypatch, capsys):
    instance.export(monkeypatch)
    with holding(instance.store_path / "models/toy/1.0.0", operation) as process:
        assert run(cli, "sealift", ["prune", "--keep", "1"]) == 0
        out = capsys.readouterr().out
        assert f"kept toy 1.0.0: it is in use by process {process} of uid {STRANGER}" in out
        assert "--also-in-use removes such versions too" in out
        assert _models(instance) == ["1.0.0", "1.2.0", "1.3.0"]
        assert run(cli, "sealift", ["prune", "--keep", "1", "--also-in-use"]) == 0
        assert _models(instance) == ["1.2.0", "1.3.0"]
    assert run(cli, "sealift", ["check"]) == 0


def test_what_is_loaded_answers_although_its_version_was_removed(instance):
    model = instance.store.load("toy", "1.0.0")
    file = (instance.store_path / "models/toy/1.0.0/model.onnx").open("rb")
    assert [str(one.model) for one in prune(instance.store, 1, NOW).in_use] == ["toy 1.0.0"]
    prune(instance.store, 1, NOW, also_in_use=True)
    assert _models(instance) == ["1.2.0", "1.3.0"]
    assert len(model.predict([[1.0, 2.0, 3.0, 4.0]])) == 1
    assert file.read()
    file.close()
    del model
    gc.collect()


READER = """
import sealift
for _ in range(40):
    try:
        model = sealift.load("toy", "1.0.0")
    except sealift.errors.NotInstalledError:
        continue
    assert model.version == "1.0.0"
    assert len(model.predict([[1.0, 2.0, 3.0, 4.0]])) == 1
    del model
print("done")
"""


def test_versions_that_leave_and_come_back_are_loaded_whole_or_not_at_all(instance, tmp_path):
    """While a stranger keeps the readers from marking what they load."""
    readers = [
        subprocess.Popen([sys.executable, "-c", READER], env=instance.environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    directory, away = instance.store_path / "models/toy/1.0.0", tmp_path / "away"
    while any(reader.poll() is None for reader in readers):
        with holding(directory):
            directory.rename(away)
        away.rename(directory)
    assert [reader.communicate()[0] for reader in readers] == ["done\n"] * 2


def test_who_holds_the_lock_of_a_closed_store_is_named(instance):
    """Not who wrote a number into the file."""
    lock = instance.store.layout.lock
    with locked(lock):
        pass
    lock.write_text("1\n")
    with holding(lock, uid=os.geteuid()) as process, pytest.raises(LockedError, match=f"process {process} is"):
        prune(instance.store, 1, NOW)
