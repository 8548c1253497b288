"""`sealift restore` over a store that is there: newer replaces older, and old or new serves wherever it is cut off."""

import os
from datetime import timedelta

import pytest
from support.depth import DEPTH
from support.hostile.damage import content_of, restored_from
from support.release.instance import Instance
from support.release.self_test_stub import Passes

from sealift.backup.export import export
from sealift.errors import RollbackError, UsageError
from sealift.store.contents import history
from sealift_common.files import durable

pytestmark = pytest.mark.slow


def test_replace(used, fresh, channel, tmp_path):
    """A newer backup replaces an older store; what it does not hold leaves, and both histories stay."""
    fresh.install(channel.pack(tmp_path, include=()))
    assert list(map(str, fresh.store.all_versions())) == ["alpha 1.1.0", "beta 0.1.0"]
    export(used.store, str(tmp_path / "store.tar"))
    with pytest.raises(UsageError):
        restored_from(tmp_path / "store.tar", fresh)
    report = restored_from(tmp_path / "store.tar", fresh, replace=True)
    assert report.replaced == 1
    # Number 1 was taken by another generation: numbers are never used twice.
    assert report.active.number == 3
    assert fresh.store.active().models == used.store.active().models
    assert sorted(os.listdir(fresh.store_path / "generations")) == ["2", "3"]
    assert len(history.read(fresh.store.layout.history)) == 4
    fresh.store.load("alpha", "1.0.0")


def test_replace_repairs_a_damaged_store(used, tmp_path):
    export(used.store, str(tmp_path / "store.tar"))
    good = content_of(used)
    path = used.store_path / "models/alpha/1.1.0/model.onnx"
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    (used.store_path / "current").unlink()
    (used.store_path / "current").symlink_to("nowhere")
    report = restored_from(tmp_path / "store.tar", used, replace=True)
    assert report.active.number == 2
    assert content_of(used) == good
    assert not (used.store_path / "staging").exists()


def test_an_older_backup_never_replaces_a_newer_store(used, channel, tmp_path, refused):
    backup = tmp_path / "store.tar"
    export(used.store, str(backup))
    channel.add("alpha", "1.2.0")
    channel.release()
    used.install(channel.pack(tmp_path))
    with refused(RollbackError, "older than the store"):
        restored_from(backup, used, replace=True)
    # Also where the link to what is active is gone: only the trust state counts.
    (used.store_path / "current").unlink()
    with refused(RollbackError, "older than the store"):
        restored_from(backup, used)


def test_the_floor_of_time_is_never_lowered(used, tmp_path):
    export(used.store, str(tmp_path / "store.tar"))
    state = used.store.trust_state()
    later = state.read_floor().time + timedelta(hours=5)
    path = state.current / "floor.json"
    path.write_bytes(
        path.read_bytes().replace(state.read_floor().time.isoformat().encode(), later.isoformat().encode())
    )
    assert restored_from(tmp_path / "store.tar", used, replace=True).floor_time == later
    assert used.store.trust_state().read_floor().time == later


class PowerCut(BaseException):
    """Not an Exception, so that nothing in the code can handle it."""


@pytest.mark.parametrize("replace", [False, True], ids=["empty", "replace"])
def test_cut_off_at_every_durable_step(replace, channel, instance, tmp_path, monkeypatch):
    """Old or new serves, never a mixture; the same command finishes the job."""
    backup = tmp_path / "store.tar"
    instance.pin(channel.root_bytes)
    channel.add("alpha", "1.0.0")
    channel.release()
    bundle = channel.pack(tmp_path) if replace else None
    instance.install(channel.pack(tmp_path))
    if replace:
        channel.add("alpha", "1.1.0")
        channel.release()
        instance.install(channel.pack(tmp_path))
    active = instance.store.active()
    export(instance.store, str(backup))
    cuts = 0
    # Every third step, or with DEPTH=2 every one.
    for allowed in range(0, 200, 3 if DEPTH == 1 else 1):
        machine = Instance(tmp_path / f"machine-{allowed}")
        machine.pin(channel.root_bytes)
        if bundle:
            with monkeypatch.context() as quick:
                quick.setattr("sealift.install.steps.SelfTestProcess", Passes)
                machine.install(bundle)
        with monkeypatch.context() as cut:
            _cut_after(cut, allowed)
            # A dead process cleans nothing up.
            cut.setattr(durable, "remove_tree", lambda _path: None)
            try:
                restored_from(backup, machine, replace=replace)
                finished = True
            except PowerCut:
                finished = False
                cuts += 1
        if replace:
            assert machine.store.load("alpha").version in {"1.0.0", "1.1.0"}
        restored_from(backup, machine, replace=replace or (machine.store_path / "current").is_symlink())
        assert machine.store.active().models == active.models
        assert machine.store.load("alpha", "1.0.0").version == "1.0.0"
        assert not (machine.store_path / "staging").exists()
        if finished:
            break
    assert cuts > 6


def _cut_after(monkeypatch, allowed):
    count = [0]
    for name in ("write_new", "move", "point", "append_line", "make_directory", "sync_directory"):
        original = getattr(durable, name)

        def step(*args, _original=original, **kwargs):
            count[0] += 1
            if count[0] > allowed:
                raise PowerCut
            return _original(*args, **kwargs)

        monkeypatch.setattr(durable, name, step)
