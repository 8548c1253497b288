"""A channel takes nothing back, whichever keys sign: release time, withdrawals, digests, its name.

And the way back from a thief: a root that leaves nothing good of what the old keys signed.
"""

import json
from datetime import timedelta

import pytest
from securesystemslib.signer import CryptoSigner
from support.release.channel_simulator import ChannelSimulator, renamed, toy_files

from sealift.errors import ExpiredError, MalformedError, MixError, RollbackError, RootError, WithdrawnError
from sealift.trust.metadata import parse
from sealift_bundler.release.modelpack import Descriptor, write_model
from sealift_common.names import ModelVersion

pytestmark = pytest.mark.usefixtures("no_replay")

FAR = 2_000_000_000


@pytest.fixture
def first(channel, instance, tmp_path):
    """Release 2 lists `toy` 1.0.0, which release 3 withdraws; release 3 is installed. Returns release 2's targets."""
    model = channel.add("toy", "1.0.0")
    channel.release()
    listing = channel.channel.targets().signed
    channel.add("toy", "1.1.0")
    channel.release()
    channel.withdraw(model)
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path / "first.tar"))
    return listing


def resign(channel, change):
    """Write one more release of all three roles with the channel's own keys, as a thief of all of them would."""

    def targets(signed):
        signed.version += 1
        change(signed)

    def snapshot(signed):
        signed.version += 1
        signed.meta["targets.json"].version = channel.channel.targets().signed.version

    def timestamp(signed):
        signed.version += 1
        signed.snapshot_meta.version = channel.channel.snapshot().signed.version

    channel.change("targets", targets)
    channel.change("snapshot", snapshot)
    channel.change("timestamp", timestamp)


def released(channel, text):
    return lambda signed: signed.unrecognized_fields["sealift"].update(released=text)


def withdraw_nothing(signed):
    signed.unrecognized_fields["sealift"]["withdrawn"] = []


def other_bytes(channel):
    """Return a change that lists other bytes as `toy` 1.1.0."""
    model = ModelVersion.parse("toy", "1.1.0")
    content = {**renamed(toy_files(1), "toy", "1.1.0"), "CARD.md": b"# other\n"}
    reference = write_model(channel.channel.blobs_dir, model, content, Descriptor(title="x", licenses=["MIT"]))

    def change(signed):
        target = signed.targets[model.target_path]
        target.length, target.hashes = reference.size, {"sha256": reference.hex}

    return change


def replace_targets_keys(channel):
    """Write a root with other targets keys, as the remedy for a stolen threshold of them."""
    old, new = channel.keys["targets"], [CryptoSigner.generate_ecdsa()]

    def change(root):
        for signer in old:
            root.revoke_key(signer.public_key.keyid, "targets")
        for signer in new:
            root.add_key(signer.public_key, "targets")

    channel.next_root(change)
    channel.keys["targets"] = new


def test_the_release_time_goes_back(first, channel, instance, refused, tmp_path):
    resign(channel, released(channel, "2020-01-01T00:00:00Z"))
    with refused(RollbackError, "was made on 2020-01-01.*this instance has accepted"):
        instance.install(channel.pack_anything(tmp_path / "x.tar"))


def test_the_number_goes_back_in_one_second(first, channel, instance, refused, tmp_path):
    """All snapshot keys are new, so the targets floor is void; the release time is the same."""
    before = channel.channel.targets().signed
    old = channel.keys["snapshot"]
    channel.keys["snapshot"] = [CryptoSigner.generate_ecdsa()]

    def change(root):
        root.revoke_key(old[0].public_key.keyid, "snapshot")
        root.add_key(channel.keys["snapshot"][0].public_key, "snapshot")

    channel.next_root(change)

    def older(signed):
        signed.version = before.version - 1
        del signed.targets["models/toy/1.1.0"]

    resign(channel, older)
    with refused(RollbackError, f"release {before.version - 1} does not list toy 1.1.0.*of the same second"):
        instance.install(channel.pack_anything(tmp_path / "x.tar"))


def test_a_withdrawal_is_dropped(first, channel, instance, refused, tmp_path):
    resign(channel, withdraw_nothing)
    with refused(RollbackError, "does not say that toy 1.0.0 is withdrawn"):
        instance.install(channel.pack_anything(tmp_path / "x.tar"))


def test_a_withdrawn_version_is_listed_again(first, channel, instance, refused, tmp_path):
    resign(channel, lambda signed: signed.targets.update(first.targets))
    with refused(WithdrawnError, r"lists toy 1\.0\.0, and says that it was withdrawn"):
        instance.install(channel.pack_anything(tmp_path / "x.tar"))


def test_a_first_release_lists_what_it_withdraws(channel, instance, refused, tmp_path):
    model = channel.add("toy", "1.0.0")
    channel.release()
    entry = {"model": "toy", "version": "1.0.0", "reason": "wrong", "at": "2026-01-01T00:00:00Z"}
    resign(channel, lambda signed: signed.unrecognized_fields["sealift"].update(withdrawn=[entry]))
    instance.pin(channel.root_bytes)
    with refused(WithdrawnError, str(model)):
        instance.install(channel.pack_anything(tmp_path / "x.tar"))


def test_a_version_has_other_bytes(first, channel, instance, refused, tmp_path):
    resign(channel, other_bytes(channel))
    with refused(MixError, "a released version never changes"):
        instance.install(channel.pack_anything(tmp_path / "x.tar"))


def test_new_targets_keys_start_afresh_and_the_history_says_so(first, channel, instance, tmp_path):
    def everything(signed):
        other_bytes(channel)(signed)
        released(channel, "2020-01-01T00:00:00Z")(signed)
        withdraw_nothing(signed)

    replace_targets_keys(channel)
    resign(channel, everything)
    report = instance.install(channel.pack_anything(tmp_path / "x.tar"))
    assert len(report.taken_back) == 3
    line = json.loads((instance.store_path / "history.jsonl").read_text().splitlines()[-1])
    assert line["taken_back"] == list(report.taken_back)


def test_new_targets_keys_still_list_nothing_withdrawn(first, channel, instance, refused, tmp_path):
    replace_targets_keys(channel)
    resign(channel, lambda signed: signed.targets.update(first.targets))
    with refused(WithdrawnError):
        instance.install(channel.pack_anything(tmp_path / "x.tar"))


@pytest.mark.parametrize("keep", [1, 2])
def test_some_old_targets_keys_bind(keep, instance, refused, tmp_path):
    """With threshold 2, one key that stays can verify nothing old, and two can."""
    channel = ChannelSimulator(tmp_path / "channel", thresholds={"targets": 2}, keys_per_role={"targets": 3})
    channel.add()
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path / "first.tar"))
    kept, gone = channel.keys["targets"][:keep], channel.keys["targets"][keep:]
    channel.keys["targets"] = gone
    replace_targets_keys(channel)
    channel.keys["targets"] += kept
    resign(channel, released(channel, "2020-01-01T00:00:00Z"))
    bundle = channel.pack_anything(tmp_path / "x.tar")
    if keep == 1:
        assert instance.install(bundle).taken_back
    else:
        with refused(RollbackError):
            instance.install(bundle)


def test_a_thiefs_far_version_and_far_time_end_with_the_targets_keys(first, channel, instance, refused, tmp_path):
    genuine = channel.channel.targets().signed
    mark = (genuine.version, genuine.expires)
    far = channel.now + timedelta(days=9000)

    def thief(signed):
        signed.version, signed.expires = FAR, far
        released(channel, f"{far - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}")(signed)

    resign(channel, thief)
    channel.change("snapshot", lambda signed: setattr(signed, "version", FAR))
    channel.change(
        "timestamp",
        lambda signed: (setattr(signed, "version", FAR), setattr(signed.snapshot_meta, "version", FAR)),
    )
    for role in ("snapshot", "timestamp"):
        channel.change(role, lambda signed: setattr(signed, "expires", far))
    instance.install(channel.pack_anything(tmp_path / "thief.tar"))

    def honest(signed):
        signed.version, signed.expires = mark
        released(channel, f"{channel.now:%Y-%m-%dT%H:%M:%SZ}")(signed)

    resign(channel, honest)
    with refused((RollbackError, ExpiredError)):
        instance.install(channel.pack_anything(tmp_path / "too-early.tar"))
    for role in ("snapshot", "timestamp"):
        old = channel.keys[role]
        new = [CryptoSigner.generate_ecdsa()]

        def change(root, role=role, old=old, new=new):
            root.revoke_key(old[0].public_key.keyid, role)
            root.add_key(new[0].public_key, role)

        channel.next_root(change)
        channel.keys[role] = new
    replace_targets_keys(channel)
    for role in ("timestamp", "snapshot", "targets"):
        channel.change(role, lambda signed: setattr(signed, "expires", channel.now + timedelta(days=90)))
    for role, number in (("snapshot", 9), ("timestamp", 9)):
        channel.change(role, lambda signed, number=number: setattr(signed, "version", number))
    channel.change(
        "snapshot",
        lambda signed: setattr(signed.meta["targets.json"], "version", channel.channel.targets().signed.version),
    )
    channel.change("timestamp", lambda signed: setattr(signed.snapshot_meta, "version", 9))
    report = instance.install(channel.pack_anything(tmp_path / "honest.tar"))
    assert report.taken_back
    floor = instance.store.trust_state().read_floor()
    assert floor.targets == mark[0]
    assert floor.time < far - timedelta(days=100)


def test_a_root_renames_the_channel(first, channel, instance, refused, tmp_path):
    channel.next_root(lambda root: root.unrecognized_fields["sealift"].update(channel="other"))
    channel.release()
    with refused(RootError, "calls the channel 'other'; expected 'sim'"):
        instance.install(channel.pack_anything(tmp_path / "x.tar"))


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_one_number_is_signed_twice(role, first, channel, instance, refused, tmp_path):
    channel.change(role, lambda signed: setattr(signed, "expires", signed.expires + timedelta(days=1)))
    with refused(MixError, f"{role} of the bundle.*somebody signed that number twice.*ask the channel's owners"):
        instance.install(channel.pack_anything(tmp_path / "x.tar"))


@pytest.mark.parametrize(
    ("role", "change"),
    [
        ("root", lambda signed: signed["roles"]["targets"].update(threshold=True)),
        ("root", lambda signed: signed.update(version=True)),
        ("timestamp", lambda signed: signed["meta"]["snapshot.json"].update(version=True)),
        ("snapshot", lambda signed: signed["meta"]["targets.json"].update(version=True)),
        ("targets", lambda signed: signed.update(version=True)),
        ("targets", lambda signed: next(iter(signed["targets"].values())).update(length=True)),
    ],
)
def test_true_is_no_number(role, change, first, channel, instance, refused, tmp_path):
    name = "1.root.json" if role == "root" else f"{role}.json"
    path = channel.channel.tuf_dir / name
    document = json.loads(path.read_bytes())
    change(document["signed"])
    data = json.dumps(document).encode()
    with pytest.raises(MalformedError, match=r"has true or false as .*expected a number"):
        parse(data, role)
    template = channel.pack(tmp_path / "good.tar")
    path.write_bytes(data)
    with refused(MalformedError, "has true or false as .*expected a number"):
        instance.install(channel.raw_bundle(template, tmp_path / "x.tar"))
