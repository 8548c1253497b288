"""Lies about who signed what, and when: each is refused by class, with the store unchanged."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from support.release.channel_simulator import ChannelSimulator

from sealift.errors import (
    CorruptError,
    ExpiredError,
    MalformedError,
    MixError,
    NoTrustError,
    RollbackError,
    RootError,
    SignatureError,
    ThresholdError,
    UnsafeMemberError,
    UntrustedKeyError,
    WithdrawnError,
)
from sealift_bundler.errors import GateError

pytestmark = pytest.mark.usefixtures("no_replay")


@pytest.fixture
def first(channel, instance, tmp_path):
    """An instance that has installed release 2 of the channel."""
    channel.add("toy", "1.0.0")
    channel.release()
    bundle = channel.pack(tmp_path / "first.tar")
    instance.pin(channel.root_bytes)
    instance.install(bundle)
    return bundle


def test_no_root_is_pinned(channel, instance, refused, tmp_path):
    channel.release()
    with refused(NoTrustError, "trust init"):
        instance.install(channel.pack(tmp_path / "x.tar"))


def test_another_channel(first, instance, refused, tmp_path):
    stranger = ChannelSimulator(tmp_path / "stranger", name="stranger")
    stranger.add()
    stranger.release()
    with refused(RootError, "'stranger'.*'sim'"):
        instance.install(stranger.pack(tmp_path / "stranger.tar"))


def test_another_channel_of_the_same_name(first, instance, refused, tmp_path):
    stranger = ChannelSimulator(tmp_path / "stranger", name="sim")
    stranger.add()
    stranger.release()
    with refused(RootError):
        instance.install(stranger.pack(tmp_path / "stranger.tar"))


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_unsigned(role, first, channel, instance, refused, tmp_path):
    channel.release()
    channel.change(role, lambda _: None, signers=[])
    with refused(SignatureError, f"{role} is not signed"):
        instance.install(channel.pack_anything(tmp_path / "x.tar"))


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_signed_by_another_roles_key(role, first, channel, instance, refused, tmp_path):
    channel.release()
    channel.change(role, lambda _: None, signers=channel.keys["root"])
    with refused(UntrustedKeyError, role):
        instance.install(channel.pack_anything(tmp_path / "x.tar"))


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_changed_after_signing(role, first, channel, instance, refused, tmp_path):
    channel.release()
    file = channel.channel.tuf_dir / f"{role}.json"
    document = json.loads(file.read_bytes())
    document["signed"]["expires"] = "2099-01-01T00:00:00Z"
    file.write_text(json.dumps(document))
    with refused(SignatureError, "does not fit its content"):
        instance.install(channel.pack_anything(tmp_path / "x.tar"))


def test_below_threshold(instance, refused, tmp_path):
    channel = ChannelSimulator(tmp_path / "channel", thresholds={"targets": 2})
    channel.add()
    half = [signer for signer in channel.signers if signer is not channel.keys["targets"][1]]
    channel.release(half)
    instance.pin(channel.root_bytes)
    with refused(ThresholdError, "1 of 2 signatures.*missing: targets-2"):
        instance.install(channel.pack_anything(tmp_path / "x.tar"))
    with pytest.raises(GateError, match=r"1 of 2 signatures.*waiting for 'targets-2'"):
        channel.pack(tmp_path / "y.tar")
    assert not (tmp_path / "y.tar").exists()


def test_unsigned_channel_is_not_packed(channel, tmp_path):
    channel.add()
    channel.release([])
    with pytest.raises(GateError, match="targets 2: 0 of 1 signatures"):
        channel.pack(tmp_path / "x.tar")


def test_older_bundle_after_a_newer_one(first, channel, instance, refused, tmp_path):
    channel.add("toy", "1.1.0")
    channel.release()
    instance.install(channel.pack(tmp_path / "second.tar"))
    with refused(RollbackError, "already accepted"):
        instance.install(first)


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_one_old_file_in_a_newer_bundle(role, first, channel, instance, refused, tmp_path):
    old = (channel.channel.tuf_dir / f"{role}.json").read_bytes()
    channel.release()
    instance.install(channel.pack(tmp_path / "second.tar"))
    channel.release()
    (channel.channel.tuf_dir / f"{role}.json").write_bytes(old)
    with refused((RollbackError, MixError)):
        instance.install(channel.pack_anything(tmp_path / "x.tar"))


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
def test_expired(role, instance, refused, tmp_path):
    channel = ChannelSimulator(tmp_path / "channel")
    channel.add()
    channel.release()
    channel.expire(role)
    instance.pin(channel.root_bytes)
    with refused(ExpiredError, f"{role} expired on"):
        instance.install(channel.pack_anything(tmp_path / "x.tar"))


def test_a_clock_at_1970_does_not_revive_an_expired_bundle(first, channel, instance, refused, tmp_path):
    later = channel.now + timedelta(days=400)
    channel.now = later
    channel.release()
    instance.install(channel.pack_anything(tmp_path / "second.tar"), now=later)
    channel.release()
    channel.change("timestamp", lambda signed: setattr(signed, "expires", later - timedelta(days=1)))
    with refused(ExpiredError, "timestamp expired"):
        instance.install(channel.pack_anything(tmp_path / "x.tar"), now=datetime(1970, 1, 1, tzinfo=UTC))


def test_expiry_can_be_overridden_and_is_noted(instance, tmp_path):
    channel = ChannelSimulator(tmp_path / "channel")
    channel.add()
    channel.release()
    channel.expire("timestamp")
    instance.pin(channel.root_bytes)
    report = instance.install(channel.pack_anything(tmp_path / "x.tar"), accept_expired="the courier was ill")
    assert report.generation == 1
    assert '"accepted_expired": "the courier was ill"' in (instance.store_path / "history.jsonl").read_text()


def test_an_override_relaxes_nothing_else(first, channel, instance, refused, tmp_path):
    channel.release()
    instance.install(channel.pack(tmp_path / "second.tar"))
    with refused(RollbackError):
        instance.install(first, accept_expired="because")


def test_a_clock_ahead_does_not_lock_the_instance_out(first, channel, instance, refused, tmp_path):
    channel.release()
    newer = channel.pack(tmp_path / "second.tar")
    with refused(ExpiredError):
        instance.install(newer, now=channel.now + timedelta(days=3650))
    instance.install(newer)


@pytest.mark.parametrize(
    "path", ["../../x", "/etc/passwd", "models/toy", "models/Toy/1.0.0", "models/toy/latest", "models/t\0y/1.0.0"]
)
def test_target_path_outside_the_rule(path, first, channel, instance, refused, tmp_path):
    channel.release()

    def move(signed):
        signed.targets[path] = signed.targets.pop("models/toy/1.0.0")

    bundle = channel.pack(tmp_path / "x.tar")
    channel.change("targets", move)
    repacked = _with_targets(bundle, (channel.channel.tuf_dir / "targets.json").read_bytes(), tmp_path)
    with refused(UnsafeMemberError, "target path|model name|SemVer"):
        instance.install(repacked)


def test_a_bundle_stripped_of_the_newest_version(first, channel, instance, refused, tmp_path):
    old = ChannelSimulator.pack_anything
    older = channel.add("toy", "1.0.1")
    channel.release()
    channel.add("toy", "1.1.0")
    channel.release()

    def strip(directory, output):
        return old(channel, output, include=(older,))

    bundle = strip(channel.directory, tmp_path / "x.tar")
    stripped = _without_model(bundle, "toy:1.1.0", channel, tmp_path)
    with refused(MixError, r"toy 1\.1\.0, which is neither in the bundle nor"):
        instance.install(stripped)


def test_a_withdrawn_version_is_not_loaded_or_activated_again(first, channel, instance, refused, tmp_path):
    instance.store.load("toy")
    model = channel.add("toy", "1.1.0")
    channel.release()
    instance.install(channel.pack(tmp_path / "second.tar"))
    assert instance.store.load("toy").version == "1.1.0"
    channel.withdraw(model, "it leaks names")
    instance.install(channel.pack_anything(tmp_path / "third.tar"))
    assert instance.store.load("toy").version == "1.0.0"
    with refused(WithdrawnError, "it leaks names"):
        instance.store.load("toy", "1.1.0")
    from sealift.store.upkeep.rollback import rollback

    with refused(WithdrawnError, "it leaks names"):
        rollback(instance.store, None, 2, channel.now)


def test_a_model_that_the_channel_never_signed(first, channel, instance, refused, tmp_path):
    bundle = channel.pack(tmp_path / "x.tar")
    data = bundle.read_bytes()
    digest = next(
        iter(json.loads((channel.channel.tuf_dir / "targets.json").read_bytes())["signed"]["targets"].values())
    )
    signed = digest["hashes"]["sha256"].encode()
    forged = (b"0" if signed[:1] != b"0" else b"1") + signed[1:]
    start = data.index(b'"manifests":')
    place = data.index(signed, start)
    changed = tmp_path / "changed.tar"
    changed.write_bytes(data[:place] + forged + data[place + 64 :])
    with refused(UntrustedKeyError, "did not sign"):
        instance.install(changed)


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"garbage", b'{"signed":{},"signatures":[]}'], ids=["empty", "cut", "garbage", "hollow"]
)
@pytest.mark.parametrize(
    "name", ["timestamp.json", "snapshot.json", "targets.json", "floor.json", "root_history/1.root.json"]
)
def test_garbage_in_the_trust_state_is_not_a_fresh_start(name, damage, first, channel, instance, refused):
    (instance.store_path / "trust/1" / name).write_bytes(damage)
    with refused(CorruptError):
        instance.install(first)


@pytest.mark.parametrize("name", ["timestamp.json", "snapshot.json", "targets.json", "floor.json"])
def test_a_deleted_trust_file_is_not_a_fresh_start(name, first, instance, refused):
    (instance.store_path / "trust/1" / name).unlink()
    with refused(CorruptError):
        instance.install(first)


def test_a_deleted_trust_state_is_not_a_fresh_start(first, instance, refused):
    import shutil

    shutil.rmtree(instance.store_path / "trust")
    with refused(CorruptError, "missing although models were installed"):
        instance.install(first)


def _with_targets(bundle, targets, tmp_path):
    """Rewrite a bundle with other targets metadata, index and all."""
    from support.release.repack import read_members, write_members

    members = read_members(bundle)
    members["tuf/targets.json"] = targets
    return write_members(members, tmp_path / "repacked.tar")


def _without_model(bundle, reference, channel, tmp_path):
    from support.release.repack import read_members, write_members

    members = read_members(bundle)
    index = json.loads(members["index.json"])
    gone = [d for d in index["manifests"] if d["annotations"]["org.opencontainers.image.ref.name"] == reference]
    index["manifests"] = [d for d in index["manifests"] if d not in gone]
    members["index.json"] = json.dumps(index, sort_keys=True, separators=(",", ":")).encode()
    manifests = {d["digest"].removeprefix("sha256:") for d in gone}
    for digest in manifests:
        manifest = json.loads(members[f"blobs/sha256/{digest}"])
        del members[f"blobs/sha256/{digest}"]
        kept = [
            m
            for d in index["manifests"]
            for m in [json.loads(members["blobs/sha256/" + d["digest"].removeprefix("sha256:")])]
        ]
        needed = {layer["digest"] for m in kept for layer in [*m["layers"], m["config"]]}
        for layer in [*manifest["layers"], manifest["config"]]:
            if layer["digest"] not in needed:
                members.pop("blobs/sha256/" + layer["digest"].removeprefix("sha256:"), None)
    return write_members(members, tmp_path / "stripped.tar")


def test_a_release_from_the_future_does_not_lock_the_instance_out(first, channel, instance, refused, tmp_path):
    def claim(signed):
        signed.unrecognized_fields["sealift"]["released"] = "2100-01-01T00:00:00Z"

    channel.release()
    bundle = channel.pack(tmp_path / "x.tar")
    channel.change("targets", claim)
    with refused(MalformedError, "released on 2100-01-01, after they expire"):
        instance.install(_with_targets(bundle, (channel.channel.tuf_dir / "targets.json").read_bytes(), tmp_path))


def test_a_withdrawal_is_told_once(first, channel, instance, tmp_path):
    model = channel.add("toy", "1.1.0")
    channel.release()
    instance.install(channel.pack(tmp_path / "second.tar"))
    channel.withdraw(model, "it leaks names")
    told = instance.install(channel.pack_anything(tmp_path / "third.tar")).plan.withdrawn
    assert [(str(gone), withdrawal.reason) for gone, withdrawal in told] == [("toy 1.1.0", "it leaks names")]
    channel.release()
    assert instance.install(channel.pack_anything(tmp_path / "fourth.tar")).plan.withdrawn == ()


@pytest.mark.parametrize("role", ["snapshot", "targets"])
@pytest.mark.parametrize("lie", ["garbage", "unsigned", "other"])
def test_other_files_under_a_timestamp_that_was_accepted_before(role, lie, first, channel, instance, refused, tmp_path):
    """python-tuf keeps the local files where the timestamp's version is known, and never looks at the bundle's."""
    from support.release.repack import read_members, write_members

    members = read_members(first)
    document = json.loads(members[f"tuf/{role}.json"])
    if lie == "unsigned":
        document["signatures"] = []
    else:
        document["signed"]["expires"] = "2099-01-01T00:00:00Z"
    members[f"tuf/{role}.json"] = b"{}" if lie == "garbage" else json.dumps(document).encode()
    changed = write_members(members, tmp_path / "changed.tar")
    with refused((MixError, SignatureError, MalformedError)):
        instance.install(changed)
