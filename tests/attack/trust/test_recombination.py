"""Bundles that an attacker composes of files that the channel published, and of what stolen keys can sign.

Known lives first, then random ones; `make recombine` runs forty times as many.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from recombination.run import run
from securesystemslib.signer import CryptoSigner
from support.depth import DEPTH
from support.release.channel_simulator import ChannelSimulator
from support.release.repack import read_members, write_members

from sealift.errors import RollbackError, WithdrawnError
from sealift.trust import continuity, floor
from sealift_bundler.release.staging import withdraw
from sealift_common.oci import layout

LIVES, COMPOSITIONS = 12 * DEPTH, 240 * DEPTH
FAR = 2_000_000_000
MACHINE = ("timestamp", "snapshot")
A, B = 0, 1


@pytest.fixture
def channel(tmp_path):
    """A channel of two machines, A and B; one of them is enough for timestamp and snapshot."""
    return ChannelSimulator(tmp_path / "channel", keys_per_role=dict.fromkeys(MACHINE, 2))


def signers(channel: ChannelSimulator, machine: int) -> list[CryptoSigner]:
    return [*channel.keys["targets"], *(channel.keys[role][machine] for role in MACHINE)]


def change_keys(
    channel: ChannelSimulator, *, out: dict[str, Sequence[CryptoSigner]], into: dict[str, Sequence[CryptoSigner]]
) -> None:
    """Write a root without the keys of `out` and with those of `into`; from then on the channel signs by it."""

    def change(root):
        for role, keys in out.items():
            for key in keys:
                root.revoke_key(key.public_key.keyid, role)
        for role, keys in into.items():
            for key in keys:
                root.add_key(key.public_key, role)

    channel.next_root(change)
    for role in {*out, *into}:
        channel.keys[role] = [key for key in channel.keys[role] if key not in out.get(role, ())] + [*into.get(role, ())]


def under_newest_root(channel: ChannelSimulator, old, output):
    """Take an old bundle, and add the roots that came after it: it needs no key."""
    members = read_members(old)
    tuf = channel.channel.tuf_dir
    roots = {layout.root_name(n): (tuf / f"{n}.root.json").read_bytes() for n in channel.channel.root_versions()}
    first = {name: members.pop(name) for name in (layout.OCI_LAYOUT, layout.INDEX)}
    return write_members(
        {**first, **roots, **{name: data for name, data in members.items() if name not in roots}}, output
    )


@contextmanager
def thief(channel: ChannelSimulator) -> Iterator[None]:
    """What is signed inside the block does not stay with the channel."""
    kept = channel.directory / "kept"
    shutil.copytree(channel.channel.tuf_dir, kept)
    try:
        yield
    finally:
        shutil.rmtree(channel.channel.tuf_dir)
        kept.rename(channel.channel.tuf_dir)


def fast_forward(channel: ChannelSimulator, *, with_targets: bool) -> None:
    """Sign huge versions with the keys of machine B, and with those of targets."""

    def far(signed):
        signed.version = FAR

    def far_snapshot(signed):
        signed.version = FAR
        if with_targets:
            signed.meta["targets.json"].version = FAR

    def far_timestamp(signed):
        signed.version = signed.snapshot_meta.version = FAR

    if with_targets:
        channel.change("targets", far)
    channel.change("snapshot", far_snapshot, [channel.keys["snapshot"][B]])
    channel.change("timestamp", far_timestamp, [channel.keys["timestamp"][B]])


def test_an_old_bundle_under_the_root_that_revoked_a_key(channel, instance, refused, tmp_path):
    """Machine A made release 2, whose model was withdrawn, and B release 4; B is revoked. A's old files are good still."""
    model = channel.add("toy", "1.0.0")
    channel.release(signers(channel, A))
    old = channel.pack(tmp_path / "2.tar")
    instance.pin(channel.root_bytes)
    instance.install(old)
    channel.add("toy", "1.1.0")
    withdraw(channel.channel, model, "it leaks", signers(channel, A), now=channel.now)
    channel.release(signers(channel, B))
    instance.install(channel.pack(tmp_path / "4.tar"))
    assert instance.store.release().number == 4
    change_keys(channel, out={role: [channel.keys[role][B]] for role in MACHINE}, into={})
    with refused(RollbackError):
        instance.install(under_newest_root(channel, old, tmp_path / "mixed.tar"))
    with pytest.raises(WithdrawnError):
        instance.store.load("toy", "1.0.0")
    channel.release()
    instance.install(channel.pack(tmp_path / "5.tar"))
    assert instance.store.release().number == 5


def test_a_revocation_after_a_fast_forward(channel, instance, tmp_path):
    """A thief of machine B drove timestamp and snapshot up; B is revoked, and A goes on where the channel was."""
    channel.add()
    channel.release()
    instance.pin(channel.root_bytes)
    with thief(channel):
        fast_forward(channel, with_targets=False)
        instance.install(channel.pack_anything(tmp_path / "far.tar"))
    assert instance.store.trust_state().read_floor().timestamp == FAR
    change_keys(channel, out={role: [channel.keys[role][B]] for role in MACHINE}, into={})
    channel.release()
    instance.install(channel.pack(tmp_path / "next.tar"))
    assert instance.store.release().number == 3
    assert instance.store.trust_state().read_floor().timestamp < FAR


def test_new_targets_keys_after_a_fast_forward_of_targets(channel, instance, refused, tmp_path):
    """A thief who could sign targets as well made release 2,000,000,000; other keys of targets are the way back."""
    channel.add()
    channel.release()
    instance.pin(channel.root_bytes)
    with thief(channel):
        fast_forward(channel, with_targets=True)
        instance.install(channel.pack_anything(tmp_path / "far.tar"))
    assert instance.store.release().number == FAR
    change_keys(channel, out={role: [channel.keys[role][B]] for role in MACHINE}, into={})
    channel.release()
    with refused(RollbackError, "targets"):
        instance.install(channel.pack(tmp_path / "not-yet.tar"))
    change_keys(channel, out={"targets": channel.keys["targets"]}, into={"targets": [CryptoSigner.generate_ecdsa()]})
    channel.release()
    instance.install(channel.pack(tmp_path / "next.tar"))
    assert instance.store.release().number == 4


@pytest.mark.parametrize("roles", [MACHINE, (*MACHINE, "targets")], ids=["machine", "all"])
def test_a_key_that_comes_back_does_not_bring_back_what_it_signed(roles, instance, refused, tmp_path):
    channel = ChannelSimulator(tmp_path / "channel")
    channel.add()
    channel.release()
    old = channel.pack(tmp_path / "old.tar")
    instance.pin(channel.root_bytes)
    instance.install(old)
    first = {role: channel.keys[role] for role in roles}
    second = {role: [CryptoSigner.generate_ecdsa()] for role in roles}
    change_keys(channel, out=first, into=second)
    channel.release()
    instance.install(channel.pack(tmp_path / "second.tar"))
    change_keys(channel, out=second, into=first)
    # The root before this one gives the roles to other keys altogether; it is not the only one that counts.
    with refused(RollbackError):
        instance.install(under_newest_root(channel, old, tmp_path / "mixed.tar"))
    channel.release()
    instance.install(channel.pack(tmp_path / "third.tar"))
    assert instance.store.release().number == 4


@pytest.mark.slow
def test_random_lives():
    result = run(range(LIVES))
    assert not result.violations, "\n\n".join(map(str, result.violations))
    assert (result.lives, result.outcomes.total()) == (LIVES, COMPOSITIONS)
    # An attacker who is never let in, or always refused for the same reason, shows little.
    assert result.outcomes["accepted"] > COMPOSITIONS // 20, result
    assert result.outcomes["RollbackError"] > COMPOSITIONS // 5, result


def any_key_changed(earlier, new):
    """Release 0.1.0: the keys of the role, or of one that leads to it, are not the same."""
    leads = {"timestamp": MACHINE[:1], "snapshot": MACHINE, "targets": ("snapshot", "targets")}
    return {role for role in leads if any(_ids(earlier[-1], one) != _ids(new, one) for one in leads[role])}


def own_keys_replaced(earlier, new):
    """The role's own keys are all gone."""
    return {role for role in floor.ROLES if not _ids(earlier[-1], role) & _ids(new, role)}


def _ids(root, role):
    return set(root.roles[role].keyids)


@pytest.mark.slow
def test_random_lives_find_the_floors_that_any_revocation_voids(monkeypatch):
    """The same lives, with what 0.1.0 checked: files of the channel, put together anew, bring an older release back."""
    monkeypatch.setattr(floor, "voided", any_key_changed)
    monkeypatch.setattr(continuity, "require", lambda *_, **__: ())

    def found(violation):
        what, *_, composition, _run_alone = str(violation).splitlines()
        return "the release went back from" in what and "COMPOSITION" in composition and "forged" not in composition

    result = run(range(LIVES), enough=found)
    assert result.violations, result
    assert found(result.violations[-1]), result.violations[-1]
    # The message shows the life, and how to look at it again.
    assert "root 1: targets" in str(result.violations[-1])
    assert f"make recombine LIFE={result.lives - 1}" in str(result.violations[-1])


@pytest.mark.slow
def test_random_lives_find_the_floors_that_a_thief_raises_for_good(monkeypatch):
    """The same lives, with a rule that takes all keys of a role to make its floor void: a revoked thief's work stays."""
    monkeypatch.setattr(floor, "voided", own_keys_replaced)

    def found(violation):
        return "the channel cannot go on: RollbackError" in str(violation)

    # Known not to be found in the lives before.
    result = run(range(18, 50), enough=found)
    assert result.violations, result
    assert found(result.violations[-1]), result.violations[-1]
