"""A backup that somebody made or changed: refused by class, nothing of the store touched, nothing left behind."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from support.backups import MODEL, dumped, members_of, packed, with_files
from support.release.channel_simulator import ChannelSimulator
from support.release.instance import Instance

from sealift.backup.export import export
from sealift.backup.restore import restore
from sealift.errors import (
    CorruptError,
    DigestError,
    MixError,
    NoTrustError,
    RollbackError,
    RootError,
    SignatureError,
    UntrustedKeyError,
    WithdrawnError,
)

pytestmark = pytest.mark.usefixtures("no_replay")


def test_the_good_one_is_restored(good, instance):
    restore(io.BytesIO(packed(with_files(good))), instance.store, replace=True)
    assert instance.store.load("toy").version == "1.0.0"


def test_without_a_pinned_root(good, instance, refused):
    (instance.trust_path / "root.json").unlink()
    with refused(NoTrustError):
        restore(io.BytesIO(packed(good)), instance.store, replace=True)


def test_a_backup_of_another_channel(good, channel, instance, tmp_path, attempt):
    other = ChannelSimulator(tmp_path / "stranger")
    other.add("toy", "1.0.0")
    other.release()
    stranger = Instance(tmp_path / "other")
    stranger.pin(other.root_bytes)
    stranger.install(other.pack(tmp_path / "stranger.tar"))
    export(stranger.store, str(tmp_path / "stranger-store.tar"))
    attempt((SignatureError, UntrustedKeyError, RootError), (tmp_path / "stranger-store.tar").read_bytes())


def test_another_first_root(good, tmp_path, attempt):
    stranger = ChannelSimulator(tmp_path / "stranger").root_bytes
    attempt(RootError, packed(with_files(good, **{"trust/root_history/1.root.json": stranger})), "is not the root")


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_metadata_that_was_changed(role, good, attempt):
    changed = json.loads(good[f"trust/{role}.json"])
    changed["signed"]["expires"] = "2099-01-01T00:00:00Z"
    attempt(SignatureError, packed(with_files(good, **{f"trust/{role}.json": json.dumps(changed).encode()})))


def test_older_metadata_under_a_newer_record(good, channel, instance, tmp_path, attempt):
    """A withdrawn version would come back: old targets, signed, among new timestamp and snapshot."""
    old = good["trust/targets.json"]
    channel.add("toy", "1.1.0")
    channel.release()
    instance.install(channel.pack(tmp_path))
    export(instance.store, str(tmp_path / "new.tar"))
    new = members_of(tmp_path / "new.tar")
    attempt(MixError, packed(with_files(new, **{"trust/targets.json": old})), "mixed from several")


def test_old_metadata_under_an_old_record(good, channel, instance, tmp_path, refused):
    channel.add("toy", "1.1.0")
    channel.release()
    instance.install(channel.pack(tmp_path))
    with refused(RollbackError):
        restore(io.BytesIO(packed(good)), instance.store, replace=True)


@pytest.mark.parametrize("change", [{"targets": 99}, {"targets": 1}, {"root": 7}, {"timestamp": 0}])
def test_a_record_that_the_metadata_does_not_bear_out(change, good, attempt):
    floor = json.loads(good["trust/floor.json"]) | change
    attempt(MixError, packed(with_files(good, **{"trust/floor.json": dumped(floor)})))


def test_a_time_that_would_lock_the_instance_out(good, attempt):
    floor = json.loads(good["trust/floor.json"]) | {"time": (datetime.now(UTC) + timedelta(days=9999)).isoformat()}
    attempt(MixError, packed(with_files(good, **{"trust/floor.json": dumped(floor)})), "correct the clock")


@pytest.mark.parametrize("path", [MODEL, "models/toy/1.0.0/model.json", "models/toy/1.0.0/CARD.md"])
def test_a_file_that_was_changed(path, good, attempt):
    changed = good[path][:-1] + bytes([good[path][-1] ^ 1])
    attempt(DigestError, packed({**good, path: changed}), "damaged or was changed")


def test_a_file_that_was_changed_with_the_list(good, attempt):
    attempt(DigestError, packed(with_files(good, **{MODEL: b"another model"})), "were signed")


def test_a_manifest_that_was_changed_with_the_list(good, attempt):
    name = next(name for name in good if name.startswith("manifests/"))
    attempt(DigestError, packed(with_files(good, **{name: good[name] + b" "})), "no usable manifest")


def test_a_version_that_the_channel_does_not_list(good, attempt):
    renamed = {name.replace("/1.0.0/", "/9.0.0/"): data for name, data in good.items()}
    document = json.loads(good["store.json"].replace(b"/1.0.0/", b"/9.0.0/"))
    attempt(WithdrawnError, packed(with_files(renamed, document)))


def test_a_damaged_trust_state_is_not_replaced_blindly(good, instance, refused):
    """Nobody can say what the store has seen; the admin has to move it away."""
    (instance.store_path / "trust/1/floor.json").write_bytes(b"{}")
    with refused(CorruptError):
        restore(io.BytesIO(packed(good)), instance.store, replace=True)
    (instance.store_path / "trust/1/floor.json").write_bytes(good["trust/floor.json"])
    (instance.store_path / "trust/1/targets.json").write_bytes(b"{}")
    with refused(CorruptError, "move the store away yourself"):
        restore(io.BytesIO(packed(good)), instance.store, replace=True)


def test_a_history_cannot_act_on_a_terminal(good, instance, capsys):
    from sealift.cli import cli
    from sealift_common.console import run

    line = json.dumps({"time": "t", "action": "install", "user": "\x1b[2J\x1b]0;x\x07"}).encode() + b"\n"
    restore(io.BytesIO(packed(with_files(good, **{"history.jsonl": line}))), instance.store, replace=True)
    assert run(cli, "sealift", ["history", "--store", str(instance.store_path)]) == 0
    assert "\x1b" not in capsys.readouterr().out
