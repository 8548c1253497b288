"""A store that somebody prepared or damaged: refused by class or repaired, never a traceback, never a write elsewhere."""

import json
from datetime import UTC, datetime

import pytest
from support.release.repack import read_members, write_members

from sealift.errors import CorruptError, DigestError, MalformedError, MixError, UnsafeStoreError, WithdrawnError
from sealift.store.contents import history
from sealift.store.upkeep.rollback import rollback
from sealift_common.console import run

pytestmark = pytest.mark.usefixtures("no_replay")


@pytest.fixture
def bundle(channel, instance, tmp_path):
    channel.add("toy", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    return channel.pack(tmp_path / "good.tar")


@pytest.mark.parametrize("folder", ["models", "manifests", "generations", "trust", "staging", "models/toy"])
def test_a_folder_of_the_store_is_a_link(folder, bundle, instance, tmp_path):
    outside = tmp_path / "outside"
    (outside / "1.0.0").mkdir(parents=True)
    (outside / "1.0.0" / "victim.txt").write_text("mine")
    link = instance.store_path / folder
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    with pytest.raises((UnsafeStoreError, CorruptError)):
        instance.install(bundle)
    assert [path.name for path in outside.rglob("*")] == ["1.0.0", "victim.txt"]


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_a_store_that_others_may_write(mode, bundle, instance, refused):
    instance.store_path.mkdir(parents=True)
    instance.store_path.chmod(mode)
    (instance.store_path / "lock").touch(mode=0o644)
    with refused(UnsafeStoreError, "writable by group or others"):
        instance.install(bundle)


@pytest.mark.parametrize("damage", ["generations/²", "generations/0", "generations/-1", "nowhere", "/etc"])
def test_current_points_elsewhere(damage, bundle, instance, refused):
    instance.install(bundle)
    current = instance.store_path / "current"
    current.unlink()
    current.symlink_to(damage)
    with refused(CorruptError):
        instance.store.load("toy")
    with refused(CorruptError):
        instance.install(bundle)


def test_odd_names_in_the_store_are_left_alone(bundle, instance):
    instance.install(bundle)
    for name in ("generations/²", "trust/x", "models/lost+found", "models/toy/tmp", "models/.hidden"):
        (instance.store_path / name).mkdir()
    assert instance.install(bundle).changed is False
    assert instance.store.load("toy").version == "1.0.0"


@pytest.mark.parametrize("note", ["{}", "[]", '{"release":1e999,"created":""}', "\xff", ""])
def test_a_damaged_generation_note(note, bundle, instance, refused):
    instance.install(bundle)
    (instance.store_path / "generations/1/.generation.json").write_text(note, "latin-1")
    with refused(CorruptError):
        instance.store.load("toy")


def test_root_history_removed(bundle, instance, refused):
    instance.install(bundle)
    (instance.store_path / "trust/1/root_history/1.root.json").unlink()
    with refused(CorruptError):
        instance.install(bundle)


@pytest.mark.parametrize("data", [b"", b"garbage", b'{"signed":{"a":1.5},"signatures":[]}', b"{}"])
def test_a_damaged_pinned_root(data, bundle, instance, refused):
    (instance.trust_path / "root.json").write_bytes(data)
    with refused((MalformedError, CorruptError)):
        instance.install(bundle)


def test_every_bit_of_every_installed_file_counts(bundle, channel, instance):
    """Flip one bit in each file of the model and of the trust state: loading refuses, or nothing used it."""
    instance.install(bundle)
    for path in [*(instance.store_path / "models").rglob("*.*"), *(instance.store_path / "manifests").iterdir()]:
        if path.is_dir():
            continue
        good = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(bytes([good[0] ^ 1]) + good[1:])
        with pytest.raises(CorruptError):
            instance.store.load("toy")
        path.write_bytes(good)
    instance.store.load("toy")


def test_the_history_survives_odd_text(bundle, instance):
    instance.install(bundle, accept_expired="night\u2028shift \udcff")
    with (instance.store_path / "history.jsonl").open("a") as file:
        file.write('{"action": "install"}\nnot json\n')
    entries = history.read(instance.store_path / "history.jsonl")
    assert [entry["action"] for entry in entries] == ["install"]


def test_two_zstd_frames_where_one_was_signed():
    import hashlib
    import sys

    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    from sealift_common.blob import Blob
    from sealift_common.oci.compression import expand

    plain = b"x" * 1000
    signed = Blob("sha256:" + hashlib.sha256(plain).hexdigest(), len(plain))
    frames = [zstd.compress(plain), zstd.compress(b"")]
    for chunks in (frames, [b"".join(frames)]):
        with pytest.raises(DigestError, match="more follows"):
            list(expand(chunks, signed, "'model.onnx' of toy 1.0.0"))


def test_a_bundle_without_any_model(bundle, instance, refused, tmp_path, monkeypatch):
    members = {name: data for name, data in read_members(bundle).items() if not name.startswith("blobs/")}
    index = json.loads(members["index.json"]) | {"manifests": []}
    members["index.json"] = json.dumps(index, sort_keys=True, separators=(",", ":")).encode()
    stripped = write_members(members, tmp_path / "stripped.tar")
    with refused(MixError, "stripped"):
        instance.install(stripped)
    from sealift.cli import cli

    instance.export(monkeypatch)
    assert run(cli, "sealift", ["verify", str(stripped)]) == MixError.exit_code


def test_text_of_a_bundle_cannot_forge_lines_on_the_terminal(channel, instance, tmp_path, capsys):
    from sealift.cli import cli
    from sealift_bundler.release.modelpack import Descriptor, write_model
    from sealift_bundler.release.staging import stage
    from sealift_common.names import ModelVersion

    model = ModelVersion.parse("toy", "1.0.0")
    title = "nice\naccepted: everything\x1b]0;x\x07"
    stage(
        channel.channel,
        model,
        write_model(channel.channel.blobs_dir, model, {"model.onnx": b"x"}, Descriptor(title=title)),
    )
    channel.release()
    assert run(cli, "sealift", ["inspect", str(channel.pack_anything(tmp_path / "x.tar"))]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert not any(line.startswith("accepted") for line in out.splitlines())


def test_trust_and_models_are_switched_by_one_rename(bundle, channel, instance, tmp_path, monkeypatch):
    """The active version was withdrawn, its successor is on disk, and the process dies before or after `current` moves."""
    from sealift.store.contents import generations
    from sealift.trust.state import TrustState

    instance.install(bundle)
    channel.add("toy", "1.1.0")
    channel.release()
    channel.withdraw(next(iter(channel.channel.released())), "it was wrong")
    newer = channel.pack_anything(tmp_path / "next.tar")

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(generations, "activate", die)
        with pytest.raises(KeyboardInterrupt):
            instance.install(newer)
    assert instance.store.load("toy").version == "1.0.0"
    with monkeypatch.context() as patch:
        patch.setattr(TrustState, "settle", lambda state: die() if state.number > 1 else None)
        with pytest.raises(KeyboardInterrupt):
            instance.install(newer)
    assert instance.store.load("toy").version == "1.1.0"
    with pytest.raises(WithdrawnError):
        instance.store.load("toy", "1.0.0")
    # What was trusted stays trusted, also when the link was never moved and an earlier generation is wanted.
    with pytest.raises(WithdrawnError):
        rollback(instance.store, None, 1, datetime.now(UTC))
    assert instance.install(newer).changed is False
    assert instance.store.load("toy").version == "1.1.0"
