"""The whole life of a channel: six releases, every role rotated, a key lost, a key stolen, root renewed twice."""

import json
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner
from support.release.channel_simulator import ChannelSimulator
from support.release.complete import require_complete
from support.release.instance import Instance

from sealift.errors import RollbackError, UntrustedKeyError
from sealift_common.errors import UsageError
from sealift_keys.ceremony.revocation import exposure, revoke
from sealift_keys.ceremony.rotation import renew, rotate
from sealift_keys.channel.status import status


@pytest.fixture
def sim(tmp_path: Path) -> ChannelSimulator:
    return ChannelSimulator(
        tmp_path / "channel", thresholds={"root": 2, "targets": 2}, keys_per_role={"root": 3, "targets": 2}
    )


def fresh(sim: ChannelSimulator, name: str) -> CryptoSigner:
    made = CryptoSigner.generate_ecdsa()
    made.public_key.unrecognized_fields["x-sealift-name"] = name
    return made


def exchange(sim: ChannelSimulator, role: str, position: int, name: str, lost: bool = False) -> None:
    """Rotate one key of a role; a lost key no longer signs anything."""
    new, old = fresh(sim, name), sim.keys[role][position]
    signers = [*sim.keys["root"], *(sim.keys["targets"] if role == "targets" else []), new]
    signers += [*sim.keys["snapshot"], *sim.keys["timestamp"]] if role != "root" else []
    gone = [old] if lost or role != "root" else []
    old_name = str(old.public_key.unrecognized_fields["x-sealift-name"])
    sim.keys[role][position] = new
    rotate(
        sim.channel,
        [role],
        remove=[old_name],
        add=[new.public_key],
        signers=[signer for signer in signers if signer not in gone],
    )
    require_complete(sim.channel)


def forge_release(sim: ChannelSimulator, thief: CryptoSigner) -> None:
    """The next release, its targets signed by the thief alone."""

    def next_version(signed: Any) -> None:
        signed.version += 1

    def list_targets(signed: Any) -> None:
        signed.version += 1
        signed.meta["targets.json"].version += 1

    def list_snapshot(signed: Any) -> None:
        signed.version += 1
        signed.snapshot_meta.version += 1

    sim.change("targets", next_version, [thief])
    sim.change("snapshot", list_targets)
    sim.change("timestamp", list_snapshot)


def test_the_whole_life(tmp_path: Path, sim: ChannelSimulator, instance: Instance, refused) -> None:
    bundles = []

    def release(version: str) -> None:
        sim.add(version=version)
        sim.release()
        bundles.append(sim.pack(tmp_path / f"{len(bundles)}.tar"))

    skipper = Instance(tmp_path / "skipper")
    skipper.pin(sim.root_bytes)
    instance.pin(sim.root_bytes)

    release("1.0.0")
    skipper.install(bundles[0])
    exchange(sim, "timestamp", 0, "timestamp-new")
    release("1.1.0")
    exchange(sim, "snapshot", 0, "snapshot-new")
    exchange(sim, "targets", 0, "targets-new")
    release("1.2.0")
    exchange(sim, "root", 2, "root-new", lost=True)
    release("1.3.0")

    stolen, replacement = sim.keys["targets"][1], fresh(sim, "targets-after-theft")
    before = exposure(sim.channel, "targets-2")
    sim.keys["targets"][1] = replacement
    revoke(sim.channel, "targets-2", "laptop stolen", replacement=replacement.public_key, signers=sim.signers)
    require_complete(sim.channel)
    # The thief had one of two keys, from the first release to the last before the revocation.
    assert before.roles == {"targets": 1}
    assert [one.models for one in before.releases if one.models][-1] == tuple(f"toy:1.{n}.0" for n in range(4))
    assert all(one.signed and one.others_needed == 1 for one in before.releases)
    assert exposure(sim.channel, "targets-2") == before
    with pytest.raises(UsageError, match=r"was revoked at .*'laptop stolen'"):
        rotate(sim.channel, ["targets"], add=[stolen.public_key])

    exchange(sim, "root", 0, "root-second")
    exchange(sim, "root", 1, "root-third")
    renew(sim.channel, ["root"], days=2000, signers=sim.keys["root"])
    release("1.4.0")
    release("1.5.0")
    assert len(bundles) == 6
    newest = sim.channel.root_versions()[-1]
    assert newest == 9

    # It skipped four bundles and follows every root on the way.
    skipper.install(bundles[-1])
    floor = skipper.store_path / "trust" / "current" / "root_history"
    assert {f"{version}.root.json" for version in range(1, newest + 1)} <= {path.name for path in floor.iterdir()}
    assert skipper.store.load("toy").version == "1.5.0"

    instance.install(bundles[-1])
    # The key that signed the first bundle's timestamp may no longer sign, which is seen first.
    with refused(UntrustedKeyError, "timestamp"):
        instance.install(bundles[0])
    for older in bundles[1:-1]:
        with refused(RollbackError, "older"):
            instance.install(older)

    # What the thief signs now is worth nothing.
    forge_release(sim, stolen)
    with refused(UntrustedKeyError, "may not sign"):
        instance.install(sim.pack_anything(tmp_path / "forged.tar"))


def test_an_instance_pins_the_first_root_and_still_meets_the_newest(tmp_path, sim, instance) -> None:
    exchange(sim, "root", 0, "root-other")
    sim.add()
    sim.release()
    instance.pin(sim.root_bytes)
    instance.install(sim.pack(tmp_path / "b.tar"))
    assert status(sim.channel).roles[0].version == 2


def test_a_renewed_timestamp_reaches_an_instance_although_the_release_is_the_same(tmp_path, sim, instance) -> None:
    sim.add()
    sim.release()
    instance.pin(sim.root_bytes)
    instance.install(sim.pack(tmp_path / "old.tar"))
    release = sim.channel.targets().signed.version
    renew(sim.channel, ["timestamp"], signers=sim.keys["timestamp"])
    instance.install(sim.pack(tmp_path / "new.tar"))
    floor = json.loads((instance.store_path / "trust" / "current" / "floor.json").read_bytes())
    assert (floor["targets"], floor["timestamp"]) == (release, sim.channel.timestamp().signed.version)
