"""Lies about keys: revoked, doubled, forged or missing ones, and roots that do not follow from the pinned one."""

import json
import shutil

import pytest
from securesystemslib.signer import CryptoSigner, Signature
from support.release.channel_simulator import ChannelSimulator
from tuf.api.metadata import Metadata, Root

from sealift.errors import (
    CorruptError,
    MalformedError,
    MixError,
    RollbackError,
    RootError,
    SignatureError,
    ThresholdError,
    UntrustedKeyError,
)
from sealift.limits import LIMITS

pytestmark = pytest.mark.usefixtures("no_replay")


@pytest.fixture
def first(channel, instance, tmp_path):
    channel.add("toy", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    bundle = channel.pack(tmp_path / "first.tar")
    instance.install(bundle)
    return bundle


def test_a_revoked_key(first, channel, instance, refused, tmp_path):
    thief = channel.keys["targets"][0]
    new = CryptoSigner.generate_ecdsa()

    def revoke(root):
        root.revoke_key(thief.public_key.keyid, "targets")
        root.add_key(new.public_key, "targets")

    channel.next_root(revoke)
    channel.add("toy", "6.6.6")
    channel.release([*channel.keys["snapshot"], *channel.keys["timestamp"]])
    channel.change("targets", lambda _: None, signers=[thief])
    with refused(UntrustedKeyError, "targets"):
        instance.install(channel.pack_anything(tmp_path / "stolen.tar"))
    channel.change("targets", lambda _: None, signers=[new])
    assert instance.install(channel.pack_anything(tmp_path / "good.tar")).generation == 2


def test_a_revoked_key_after_which_the_old_bundle_is_refused(first, channel, instance, refused, tmp_path):
    old = channel.keys["targets"][0]
    new = CryptoSigner.generate_ecdsa()

    def revoke(root):
        root.revoke_key(old.public_key.keyid, "targets")
        root.add_key(new.public_key, "targets")

    channel.next_root(revoke)
    channel.release([*channel.keys["snapshot"], *channel.keys["timestamp"]])
    channel.change("targets", lambda _: None, signers=[new])
    instance.install(channel.pack_anything(tmp_path / "second.tar"))
    with refused(RollbackError):
        instance.install(first)


def test_the_same_key_under_two_ids_counts_once(instance, refused, tmp_path):
    channel = ChannelSimulator(tmp_path / "channel", thresholds={"targets": 2})
    key = channel.keys["targets"][0]

    def double(root):
        other = root.keys[channel.keys["targets"][1].public_key.keyid]
        # The second id now names the first key.
        other.keyval = dict(key.public_key.keyval)

    channel.change("root", double)
    instance.pin(channel.root_bytes)
    channel.add()
    channel.release([*channel.keys["snapshot"], *channel.keys["timestamp"], key])
    file = channel.channel.tuf_dir / "targets.json"
    metadata = Metadata.from_bytes(file.read_bytes())
    twin = channel.keys["targets"][1].public_key.keyid
    metadata.signatures[twin] = Signature(twin, metadata.signatures[key.public_key.keyid].signature)
    file.write_bytes(metadata.to_bytes())
    with refused(ThresholdError, "the same key under different ids"):
        instance.install(channel.pack_anything(tmp_path / "x.tar"))


def test_threshold_zero(first, channel, instance, refused, tmp_path):
    channel.next_root(lambda root: None)
    file = channel.channel.tuf_dir / "2.root.json"
    document = json.loads(file.read_bytes())
    document["signed"]["roles"]["targets"]["threshold"] = 0
    file.write_text(json.dumps(document))
    with refused(MalformedError, "not TUF metadata"):
        instance.install(channel.raw_bundle(first, tmp_path / "x.tar"))


def test_altered_payload_type(first, channel, instance, refused, tmp_path):
    channel.release()
    file = channel.channel.tuf_dir / "snapshot.json"
    document = json.loads(file.read_bytes())
    document["signed"]["_type"] = "timestamp"
    file.write_text(json.dumps(document))
    with refused((MalformedError, SignatureError, MixError)):
        instance.install(channel.raw_bundle(first, tmp_path / "x.tar"))


@pytest.mark.parametrize(
    ("role", "other"), [("timestamp", "snapshot"), ("targets", "timestamp"), ("snapshot", "targets")]
)
def test_one_roles_file_in_the_place_of_another(role, other, first, channel, instance, refused, tmp_path):
    channel.release()
    shutil.copyfile(channel.channel.tuf_dir / f"{other}.json", channel.channel.tuf_dir / f"{role}.json")
    with refused((MalformedError, MixError, SignatureError)):
        instance.install(channel.raw_bundle(first, tmp_path / "x.tar"))


def test_a_root_chain_with_a_gap(first, channel, instance, refused, tmp_path):
    channel.next_root(lambda root: None)
    channel.next_root(lambda root: None)
    tuf = channel.channel.tuf_dir
    (tuf / "3.root.json").rename(tuf / "2.root.json")
    with refused(RootError, "chain of roots is broken after version 1"):
        instance.install(channel.raw_bundle(first, tmp_path / "x.tar"))


def test_a_forged_root(first, channel, instance, refused, tmp_path):
    thief = CryptoSigner.generate_ecdsa()

    def take_over(root):
        for role in root.roles.values():
            role.keyids = [thief.public_key.keyid]
        root.keys[thief.public_key.keyid] = thief.public_key

    channel.next_root(take_over, [thief])
    with refused(UntrustedKeyError, "root version 2, by the keys of version 1"):
        instance.install(channel.raw_bundle(first, tmp_path / "x.tar"))


def test_a_new_root_that_its_own_keys_did_not_sign(first, channel, instance, refused, tmp_path):
    new = CryptoSigner.generate_ecdsa()

    def replace(root):
        root.revoke_key(channel.keys["root"][0].public_key.keyid, "root")
        root.add_key(new.public_key, "root")

    channel.next_root(replace, channel.keys["root"])
    with refused(UntrustedKeyError, "root version 2, by its own keys"):
        instance.install(channel.raw_bundle(first, tmp_path / "x.tar"))


def test_a_role_removed_from_the_snapshot(first, channel, instance, refused, tmp_path):
    channel.release()
    channel.change("snapshot", lambda signed: signed.meta.pop("targets.json"))
    with refused((MixError, MalformedError)):
        instance.install(channel.raw_bundle(first, tmp_path / "x.tar"))


def test_fast_forwarded_versions_and_the_way_back(first, channel, instance, refused, tmp_path):
    """A thief signs version 2,000,000,000; new keys for timestamp and snapshot in a new root void the floors."""
    far = 2_000_000_000

    def forward(signed):
        signed.version = far

    channel.release()
    channel.change("targets", forward)
    channel.change("snapshot", lambda signed: (forward(signed), setattr(signed.meta["targets.json"], "version", far)))
    channel.change("timestamp", lambda signed: (forward(signed), setattr(signed.snapshot_meta, "version", far)))
    instance.install(channel.pack_anything(tmp_path / "forwarded.tar"))
    channel.change("targets", lambda signed: setattr(signed, "version", 3))
    channel.change("snapshot", lambda s: (setattr(s, "version", 3), setattr(s.meta["targets.json"], "version", 3)))
    channel.change("timestamp", lambda s: (setattr(s, "version", 3), setattr(s.snapshot_meta, "version", 3)))
    with refused(RollbackError):
        instance.install(channel.pack_anything(tmp_path / "back.tar"))

    replaced = {role: channel.keys[role][0].public_key.keyid for role in ("timestamp", "snapshot")}
    for role in replaced:
        channel.keys[role] = [CryptoSigner.generate_ecdsa()]

    def rotate(root):
        for role, keyid in replaced.items():
            root.revoke_key(keyid, role)
            root.add_key(channel.keys[role][0].public_key, role)

    channel.next_root(rotate)
    for role in replaced:
        channel.change(role, lambda _: None)
    report = instance.install(channel.pack_anything(tmp_path / "recovered.tar"))
    assert report.plan.release == 3
    # Its timestamp key is gone, and so is its way in.
    with refused((RollbackError, UntrustedKeyError)):
        instance.install(first)


def test_trust_state_of_another_channel(first, instance, refused, tmp_path):
    stranger = ChannelSimulator(tmp_path / "stranger", name="stranger")
    stranger.add()
    stranger.release()
    other = type(instance)(tmp_path / "other")
    other.pin(stranger.root_bytes)
    other.install(stranger.pack(tmp_path / "stranger.tar"))
    shutil.rmtree(instance.store_path / "trust")
    shutil.copytree(other.store_path / "trust", instance.store_path / "trust", symlinks=True)
    with refused((CorruptError, RollbackError, SignatureError, UntrustedKeyError, RootError, MixError)):
        instance.install(first)
    with refused((CorruptError, SignatureError, UntrustedKeyError, RootError)):
        instance.store.load("toy")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"signatures":[],"signed":{},"signed":{"_type":"timestamp"}}', "twice"),
        (b'{"signatures":[],"signed":{"version":NaN}}', "NaN"),
        (b"[" * 8_000 + b"]" * 8_000, "nests deeper"),
        (b"{" * 16_000, "nests deeper"),
        (b'"' + b"x" * LIMITS.timestamp_size_bytes + b'"', "expected at most"),
        (b"null", "not TUF metadata"),
        (b"{}", "not TUF metadata"),
        (b'{"signatures":{},"signed":[]}', "not TUF metadata"),
        (b"\xff\xfe", "UTF-8"),
    ],
    ids=["duplicate-key", "nan", "deep", "unclosed", "too-large", "null", "empty", "wrong-types", "utf-16"],
)
def test_hostile_json(data, words, first, channel, instance, refused, tmp_path):
    from sealift.errors import LimitError

    channel.release()
    (channel.channel.tuf_dir / "timestamp.json").write_bytes(data)
    with refused((MalformedError, LimitError), words):
        instance.install(channel.raw_bundle(first, tmp_path / "x.tar"))


def test_metadata_of_100_mb_is_not_read(first, channel, instance, refused, tmp_path):
    import resource

    from sealift.errors import LimitError

    with (channel.channel.tuf_dir / "targets.json").open("wb") as file:
        file.truncate(100_000_000)
    bundle = channel.raw_bundle(first, tmp_path / "x.tar")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with refused(LimitError, "'tuf/targets.json' has 100,000,000 bytes"):
        instance.install(bundle)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_loading_checks_the_chain_again(first, channel, instance, refused):
    """Who can write the store, and not the pinned root, cannot make a forged model loadable."""
    thief = CryptoSigner.generate_ecdsa()
    file = instance.store_path / "trust/1/targets.json"
    metadata = Metadata.from_bytes(file.read_bytes())
    metadata.signed.targets["models/toy/1.0.0"].length += 1
    metadata.signatures.clear()
    metadata.sign(thief)
    file.write_bytes(metadata.to_bytes())
    with refused(UntrustedKeyError):
        instance.store.load("toy")
    root = Metadata[Root].from_bytes(channel.root_bytes)
    root.signed.version = 2
    root.signed.roles["targets"].keyids = [thief.public_key.keyid]
    root.signed.keys[thief.public_key.keyid] = thief.public_key
    root.signatures.clear()
    root.sign(thief)
    (instance.store_path / "trust/1/root_history/2.root.json").write_bytes(root.to_bytes())
    with refused(UntrustedKeyError, "root"):
        instance.store.load("toy")
