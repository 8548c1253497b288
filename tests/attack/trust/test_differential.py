"""A bundle that leaves out what its base has: every lie about the base ends in a refusal, and TUF still decides."""

import json
import os
import sys
import tarfile

import numpy as np
import pytest
from support.release.channel_simulator import ChannelSimulator, renamed, toy_files
from support.release.repack import read_members, write_members
from support.release.self_test_stub import Passes

from sealift.bundle.base import Base, Patch, parse_base
from sealift.cli import cli
from sealift.errors import (
    CorruptError,
    DigestError,
    LimitError,
    MalformedError,
    MixError,
    NotInstalledError,
    RollbackError,
    UnsafeMemberError,
    UnsupportedVersionError,
    UsageError,
    WithdrawnError,
)
from sealift.limits import LIMITS
from sealift_bundler.cli import command as bundler
from sealift_bundler.packing.differential import leave_out, since
from sealift_bundler.packing.whole import pack, prepare
from sealift_common.blob import Blob
from sealift_common.oci import layout

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FORM = (MalformedError, UnsafeMemberError, DigestError)
WEIGHTS = "model.onnx.data"


def weights(seed, size=300_000):
    return np.random.default_rng(seed).bytes(size)


def files(name, version, data):
    return {**renamed(toy_files(), name, version), WEIGHTS: data, "CARD.md": f"# {name} {version}\n".encode()}


def differential(channel, base, output):
    scratch = output.with_suffix(".patches")
    scratch.mkdir()
    prepared = prepare(channel.directory)
    return pack(leave_out(prepared, since(channel.directory, str(base), prepared.release), scratch), output).path


@pytest.fixture(autouse=True)
def _no_self_test(monkeypatch):
    monkeypatch.setattr("sealift.install.steps.SelfTestProcess", Passes)


@pytest.fixture
def old(channel, instance, tmp_path):
    """Release 2: `alpha` and `beta`, weights that do not compress."""
    channel.add("alpha", "1.0.0", files("alpha", "1.0.0", weights(1)))
    channel.add("beta", "1.0.0", files("beta", "1.0.0", weights(2)))
    channel.release()
    instance.pin(channel.root_bytes)
    return channel.pack(tmp_path / "old.tar")


@pytest.fixture
def new(channel, old):
    """Release 3: the end of alpha's weights is other, beta is as it was, gamma is new."""
    channel.add("alpha", "1.1.0", files("alpha", "1.1.0", weights(1)[:290_000] + weights(3, 10_000)))
    channel.add("gamma", "1.0.0", files("gamma", "1.0.0", weights(4)))
    channel.release()
    return channel


@pytest.fixture
def update(new, tmp_path):
    return differential(new, 2, tmp_path / "update.tar")


def forge(bundle, output, change):
    """Change `base.json`, and members as fits, with all digests of the index right."""
    members = read_members(bundle)
    base = parse_base(members[layout.BASE])
    made = change(base, members)
    members[layout.BASE] = made if isinstance(made, bytes) else made.to_bytes()
    order = [name for name in members if not name.startswith(layout.PATCHES)]
    patches = sorted((n for n in members if n.startswith(layout.PATCHES)), key=lambda n: (len(members[n]), n))
    with tarfile.open(bundle) as tar:
        mtime = int(tar.getmembers()[0].mtime)
    written = write_members({name: members[name] for name in [*order, *patches]}, output, mtime=mtime, fix_index=False)
    return _indexed(written, output, mtime)


def _indexed(bundle, output, mtime):
    members = read_members(bundle)
    index = json.loads(members[layout.INDEX])
    index["annotations"][layout.MEMBER_DIGEST + layout.BASE] = layout.sha256(members[layout.BASE])
    members[layout.INDEX] = json.dumps(index, sort_keys=True, separators=(",", ":")).encode()
    return write_members(members, output, mtime=mtime, fix_index=False)


def patch_with(base, members, data, old=None):
    """Put `data` in place of the one patch."""
    (patch,) = base.patches
    members[patch.member] = data
    made = Patch(patch.blob, Blob(layout.sha256(data), len(data)), old or patch.old)
    return Base(base.release, base.digest, base.absent, (made,))


def frame(data, prefix):
    compressor = zstd.ZstdCompressor(zstd_dict=zstd.ZstdDict(prefix, is_raw=True).as_prefix)
    return compressor.compress(data) + compressor.flush()


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


def test_a_patch_that_expands_too_much(update, old, instance, refused, tmp_path):
    instance.install(old)
    bomb = frame(weights(1) + bytes(5_000_000), weights(1))
    bad = forge(update, tmp_path / "bad.tar", lambda base, members: patch_with(base, members, bomb))
    with refused(DigestError, "expands beyond its signed length of 300,000 bytes"):
        instance.install(bad)


@pytest.mark.parametrize("kind", ["short", "other", "no frame", "two frames", "trailing", "cut", "empty frame"])
def test_a_patch_that_makes_something_else(kind, update, old, instance, refused, tmp_path):
    instance.install(old)
    right = weights(1)[:290_000] + weights(3, 10_000)
    good = frame(right, weights(1))
    data = {
        "short": frame(right[:-1], weights(1)),
        "other": frame(right[:-1] + b"x", weights(1)),
        "no frame": b"not a frame at all",
        "two frames": good + good,
        "trailing": good + b"x",
        "cut": good[:-2],
        "empty frame": frame(b"", weights(1)),
    }[kind]
    bad = forge(update, tmp_path / "bad.tar", lambda base, members: patch_with(base, members, data))
    with refused(DigestError):
        instance.install(bad)
    assert instance.install(
        forge(update, tmp_path / "good.tar", lambda base, members: patch_with(base, members, good))
    ).changed


def test_a_patch_that_wants_a_huge_window(update, old, instance, refused, tmp_path):
    instance.install(old)
    # Magic, a window descriptor of 2 GiB, and an empty last block.
    data = b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00"
    bad = forge(update, tmp_path / "bad.tar", lambda base, members: patch_with(base, members, data))
    with refused(LimitError, "window of"):
        instance.install(bad)


def test_a_patch_to_the_file_of_another_model(update, old, instance, refused, tmp_path):
    """`old` may name any file of the store; what comes of it is not what was signed."""
    instance.install(old)
    other = Blob(layout.sha256(weights(2)), 300_000)
    bad = forge(
        update,
        tmp_path / "bad.tar",
        lambda base, members: patch_with(base, members, members[base.patches[0].member], other),
    )
    with refused(DigestError):
        instance.install(bad)


def test_the_patch_of_another_model(new, old, instance, refused, tmp_path):
    instance.install(old)
    new.add("beta", "1.1.0", files("beta", "1.1.0", weights(2)[:280_000] + weights(5, 20_000)))
    new.release()
    update = differential(new, 2, tmp_path / "two.tar")

    def swap(base, members):
        one, other = base.patches
        members[one.member], members[other.member] = members[other.member], members[one.member]
        return Base(
            base.release,
            base.digest,
            base.absent,
            (Patch(one.blob, other.content, other.old), Patch(other.blob, one.content, one.old)),
        )

    with refused(DigestError):
        instance.install(forge(update, tmp_path / "bad.tar", swap))


def test_a_damaged_patch(update, old, instance, refused, tmp_path):
    instance.install(old)
    members = read_members(update)
    data = bytearray(update.read_bytes())
    patch = next(members[name] for name in members if name.startswith(layout.PATCHES))
    data[data.index(patch) + len(patch) // 2] ^= 1
    (tmp_path / "bad.tar").write_bytes(data)
    with refused(DigestError):
        instance.install(tmp_path / "bad.tar")


def drop_a_blob(base, members):
    """Claim that the base has a file of gamma, which it has not."""
    digest = layout.sha256(weights(4))
    del members[layout.blob_name(digest)]
    return Base(base.release, base.digest, base.absent | {digest}, base.patches)


def test_a_missing_blob_that_the_base_does_not_have(update, old, instance, refused, tmp_path):
    instance.install(old)
    with refused(NotInstalledError, "the store lacks 'model.onnx.data' of gamma 1.0.0"):
        instance.install(forge(update, tmp_path / "bad.tar", drop_a_blob))


def test_a_blob_that_is_not_there_and_not_left_out(update, old, instance, refused, tmp_path):
    instance.install(old)

    def drop(base, members):
        del members[layout.blob_name(layout.sha256(weights(4)))]
        return base

    with refused(FORM):
        instance.install(forge(update, tmp_path / "bad.tar", drop))


def _base(**changes):
    def change(base, _members):
        document = {**json.loads(base.to_bytes()), **changes}
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()

    return change


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (_base(schema="sealift.base/2"), UnsupportedVersionError),
        (_base(absent=["sha256:" + "0" * 64]), MalformedError),
        (_base(absent="x"), MalformedError),
        (_base(absent=[5]), MalformedError),
        (_base(release=0), MalformedError),
        (_base(release=True), MalformedError),
        (_base(digest="sha1:x"), MalformedError),
        (_base(patches=[{}]), MalformedError),
        (_base(patches=None), MalformedError),
        (_base(surprise=1), MalformedError),
        (lambda base, _: base.to_bytes() + b" ", MalformedError),
        (lambda base, _: b"[]", MalformedError),
        (lambda base, _: b"{}", UnsupportedVersionError),
        (lambda base, _: Base(base.release, base.digest, base.absent, base.patches * 2), FORM),
        (lambda base, _: Base(base.release, base.digest, base.absent | {base.patches[0].blob}, base.patches), FORM),
        (
            lambda base, members: patch_with(
                base, members, b"x", Blob("sha256:" + "0" * 64, LIMITS.patched_file_size_bytes + 1)
            ),
            LimitError,
        ),
        (lambda base, members: patch_with(base, members, b"x", Blob("sha256:" + "0" * 64, 7)), MalformedError),
    ],
)
def test_a_base_that_is_not_as_written(change, error, update, old, instance, refused, tmp_path):
    instance.install(old)
    with refused(error):
        instance.install(forge(update, tmp_path / "bad.tar", change))


def test_a_patch_for_a_document(update, old, instance, refused, tmp_path):
    instance.install(old)

    def change(base, members):
        digest = next(layout.sha256(data) for data in members.values() if data == b"# gamma 1.0.0\n")
        del members[layout.blob_name(digest)]
        old_file = Blob(layout.sha256(b"# beta 1.0.0\n"), 13)
        data = frame(b"# gamma 1.0.0\n", b"# beta 1.0.0\n")
        patch = Patch(digest, Blob(layout.sha256(data), len(data)), old_file)
        members[patch.member] = data
        return Base(base.release, base.digest, base.absent, (*base.patches, patch))

    with refused(MalformedError, "a patch for 'CARD.md' of gamma 1.0.0; expected none"):
        instance.install(forge(update, tmp_path / "bad.tar", change))


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
