"""A bundle that leaves out what its base has: every lie about the base ends in a refusal, and TUF still decides."""

import json
import os

import pytest
from support.hostile.differentials import FORM, WEIGHTS, differential, files, forge, weights
from support.release.channel_simulator import ChannelSimulator
from support.release.repack import read_members, write_members

from sealift.bundle.base import parse_base
from sealift.cli import cli
from sealift.errors import (
    CorruptError,
    MixError,
    NotInstalledError,
    RollbackError,
    UnsupportedVersionError,
    UsageError,
    WithdrawnError,
)
from sealift.limits import LIMITS
from sealift_bundler.cli import command as bundler
from sealift_common.oci import layout


def test_only_what_is_missing_travels(update, new, old, instance, tmp_path):
    members = read_members(update)
    base = parse_base(members[layout.BASE])
    assert (base.release, len(base.patches)) == (2, 1)
    full = new.pack(tmp_path / "full.tar")
    assert update.stat().st_size < full.stat().st_size / 2
    assert base.patches[0].content.size < 12_000
    assert json.loads(members[layout.INDEX])["annotations"][layout.BUNDLE_FORMAT] == "2"
    instance.install(old)
    report = instance.install(update)
    assert report.changed
    assert sorted(report.plan.active) == ["alpha", "beta", "gamma"]
    instance_files = instance.snapshot()
    # Byte for byte what a whole bundle would have made: nothing is left to do for it.
    assert not instance.install(full).changed
    assert instance.snapshot() == instance_files
    assert (instance.store_path / "models/alpha/1.1.0" / WEIGHTS).read_bytes()[-10_000:] == weights(3, 10_000)


def test_the_same_channel_gives_the_same_bytes(update, new, old, tmp_path):
    assert differential(new, 2, tmp_path / "again.tar").read_bytes() == update.read_bytes()
    assert differential(new, old, tmp_path / "of-file.tar").read_bytes() == update.read_bytes()


def test_a_reader_of_the_first_format_refuses(update, instance, refused, monkeypatch):
    monkeypatch.setattr(layout, "FORMATS", ("1",))
    with refused(UnsupportedVersionError, "format version '2'"):
        instance.install(update)


def test_without_the_base(update, instance, refused):
    with refused(NotInstalledError, "builds on sim release 2 .sha256:.*the store lacks .*install release 2 first"):
        instance.install(update)


def test_the_base_of_a_patch_is_missing(update, channel, old, new, instance, refused, tmp_path):
    other = ChannelSimulator(tmp_path / "other")
    instance.install(old)
    (instance.store_path / "manifests").joinpath(
        new.channel.released()[next(m for m in new.channel.released() if str(m) == "alpha 1.0.0")].hex + ".json"
    ).unlink()
    with refused(NotInstalledError, "the store lacks what 'model.onnx.data' of alpha 1.1.0 is a patch to"):
        instance.install(update)
    assert other.root_bytes != channel.root_bytes


def test_the_base_is_damaged_in_the_store(update, old, instance, refused):
    instance.install(old)
    path = instance.store_path / "models/alpha/1.0.0" / WEIGHTS
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(data)
    path.chmod(0o444)
    with refused(CorruptError, "'model.onnx.data' of alpha 1.0.0 was changed in the store"):
        instance.install(update)


def test_an_unchanged_model_that_is_damaged_is_mended_from_another_copy_or_not_at_all(update, old, instance, refused):
    """What a differential bundle leaves out cannot repair itself."""
    instance.install(old)
    path = instance.store_path / "models/beta/1.0.0" / WEIGHTS
    path.chmod(0o600)
    path.write_bytes(b"x" * path.stat().st_size)
    path.chmod(0o444)
    with refused(CorruptError, "of beta 1.0.0 was changed in the store"):
        instance.install(update)
    assert instance.install(old).plan.new[0].model.name == "beta"
    assert instance.install(update).changed


def test_a_whole_bundle_with_a_base_and_the_other_way_round(update, old, instance, refused, tmp_path):
    instance.install(old)
    for source, version in ((update, "1"), (old, "2")):
        members = read_members(source)
        index = json.loads(members[layout.INDEX])
        index["annotations"][layout.BUNDLE_FORMAT] = version
        members[layout.INDEX] = json.dumps(index, sort_keys=True, separators=(",", ":")).encode()
        with refused(FORM):
            instance.install(write_members(members, tmp_path / "bad.tar", fix_index=False))


def test_no_way_back_through_a_differential(new, update, old, instance, refused, tmp_path):
    """The metadata decides, whatever travels with it."""
    instance.install(old)
    instance.install(update)
    withdrawn = new.withdraw(next(m for m in new.channel.released() if str(m) == "alpha 1.1.0"))
    instance.install(differential(new, withdrawn - 1, tmp_path / "later.tar"))
    assert str(instance.store.active().models["alpha"]) == "alpha 1.0.0"
    with refused(RollbackError):
        instance.install(update)
    with refused(RollbackError):
        instance.install(old)
    with pytest.raises(WithdrawnError):
        instance.store.find("alpha", "1.1.0")


def test_a_bundle_stripped_of_a_model_is_refused_all_the_same(update, old, instance, refused, tmp_path):
    instance.install(old)

    def strip(base, members):
        index = json.loads(members[layout.INDEX])
        index["manifests"] = [
            d for d in index["manifests"] if not d["annotations"][layout.REF_NAME].startswith("gamma")
        ]
        members[layout.INDEX] = json.dumps(index).encode()
        return base

    with refused((MixError, *FORM)):
        instance.install(forge(update, tmp_path / "bad.tar", strip))


def test_a_withdrawn_version_serves_as_base(channel, old, instance, tmp_path):
    instance.install(old)
    channel.withdraw(next(m for m in channel.channel.released() if m.name == "alpha"))
    channel.add("alpha", "1.0.1", files("alpha", "1.0.1", weights(1)[:290_000] + weights(6, 10_000)))
    channel.release()
    update = differential(channel, 2, tmp_path / "update.tar")
    assert len(parse_base(read_members(update)[layout.BASE]).patches) == 1
    assert instance.install(update).changed


def test_no_patch_where_it_is_not_smaller(channel, old, tmp_path, monkeypatch):
    channel.add("alpha", "2.0.0", files("alpha", "2.0.0", weights(9)))
    channel.add("beta", "2.0.0", files("beta", "2.0.0", weights(2)[:-1]))
    channel.release()
    base = parse_base(read_members(differential(channel, 2, tmp_path / "a.tar"))[layout.BASE])
    assert [patch.blob for patch in base.patches] == [layout.sha256(weights(2)[:-1])]
    monkeypatch.setattr("sealift_bundler.packing.differential.LIMITS", type(LIMITS)(patched_file_size_bytes=200_000))
    base = parse_base(read_members(differential(channel, 2, tmp_path / "b.tar"))[layout.BASE])
    assert base.patches == ()


def test_compressed_files_are_patched_as_what_they_expand_to(channel, instance, tmp_path):
    text = "".join(f"{number * 7919 % 1000003} " for number in range(60_000)).encode()
    channel.add("alpha", "1.0.0", files("alpha", "1.0.0", text))
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path / "old.tar"))
    channel.add("alpha", "1.1.0", files("alpha", "1.1.0", b"new header " + text))
    # Two models of the same bytes, one patch.
    channel.add("delta", "1.1.0", files("delta", "1.1.0", b"new header " + text))
    channel.release()
    update = differential(channel, 2, tmp_path / "update.tar")
    base = parse_base(read_members(update)[layout.BASE])
    # delta has no predecessor of its own, so the blob that both share travels.
    assert base.patches == ()
    channel.add("delta", "1.2.0", files("delta", "1.2.0", b"another"))
    channel.release()
    update = differential(channel, 2, tmp_path / "next.tar")
    (patch,) = parse_base(read_members(update)[layout.BASE]).patches
    assert patch.content.size < 2_000
    assert instance.install(update).changed
    assert (instance.store_path / "models/alpha/1.1.0" / WEIGHTS).read_bytes() == b"new header " + text


def test_the_story_on_the_command_line(new, old, instance, monkeypatch, call, tmp_path):
    instance.export(monkeypatch)
    packing = ("pack", "--channel", new.directory, "-o", tmp_path, "--since")
    status, out, _ = call(bundler, *packing, 2, "--json")
    document = json.loads(out)
    assert (status, document["path"]) == (0, str(tmp_path / "sim-3-since-2.tar"))
    assert (document["base"]["release"], document["base"]["patches"]) == (2, 1)
    assert document["payload_size"] < document["base"]["full_payload_size"] / 2
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
    update = tmp_path / "sim-3-since-2.tar"
    status, out, _ = call(bundler, *packing, old)
    assert status == 0
    assert "only for instances that have release 2" in out
    for base in ("7", "0"):
        status, _, err = call(bundler, *packing, base)
        assert (status, "has no release" in err) == (UsageError.exit_code, True)
    status, _, err = call(cli, "verify", update)
    assert status == NotInstalledError.exit_code
    assert "builds on sim release 2" in err
    assert call(cli, "install", old)[0] == 0
    assert call(cli, "verify", update)[0] == 0
    status, out, _ = call(cli, "inspect", update)
    assert status == 0
    assert "builds on  release 2" in out
    status, out, _ = call(cli, "diff", old, update, "--json")
    assert (status, json.loads(out)["changed"][0]["same_interface"]) == (0, True)
    status, _, err = call(bundler, *packing, 2, "--part-size", "20kB")
    assert status == 0
    update.unlink()
    assert call(cli, "install", *tmp_path.glob("*.part-*"))[0] == 0
    # A bundle of another channel is not a base.
    other = ChannelSimulator(tmp_path / "other")
    other.add("alpha", "1.0.0")
    other.release()
    status, _, err = call(bundler, *packing, other.pack(tmp_path / "other.tar"))
    assert status == MixError.exit_code


def test_a_differential_bundle_cannot_repair(update, old, instance, refused):
    from datetime import UTC, datetime

    from sealift.install.repair import repair

    instance.install(old)
    damaged = list(instance.store.all_versions())
    with refused(UsageError, "builds on release 2 and cannot repair; give a whole bundle"):
        repair(str(update), instance.store, damaged, now=datetime.now(UTC))
