"""An instance remembers what was rejected or taken back, whatever targets list later."""

import base64
import io
import json

import pytest
from support.release.instance import Instance
from support.release.repack import read_members, write_members
from support.release.reviews import SECURITY, ReviewedChannel, demand, list_reviews, sign_targets, signer

from sealift.backup.export import export
from sealift.backup.restore import restore
from sealift.errors import CorruptError, MixError, RollbackError, UnreviewedError
from sealift.store.upkeep.check import check
from sealift_keys.ceremony.reviewing import change_reviewers
from sealift_keys.ceremony.revocation import revoke

pytestmark = pytest.mark.usefixtures("no_replay")


@pytest.fixture
def sim(tmp_path):
    return ReviewedChannel(tmp_path / "ch")


def made(sim, directory):
    instance = Instance(directory)
    instance.pin(sim.root_bytes)
    demand(instance, SECURITY)
    return instance


@pytest.fixture
def instance(sim, tmp_path):
    return made(sim, tmp_path / "instance")


def seen(instance):
    path = instance.store_path / "trust" / "current" / "objections.json"
    return [one["payload"] for one in json.loads(path.read_bytes())["statements"]] if path.exists() else []


@pytest.fixture
def withdrawn(sim, instance, tmp_path):
    """The instance knows that the approval of toy was taken back; another model serves on. Gives model and approval."""
    model = sim.stage("1.0.0")
    for one in (model, sim.stage("1.0.0", name="other")):
        sim.say(one, "security", "ada")
    sim.release()
    instance.install(sim.pack(tmp_path / "1.tar"))
    approvals = list(sim.channel.release().reviews)
    assert seen(instance) == []
    sim.say(model, "security", "ada", "withdrawn", note="evaded")
    sim.release()
    instance.install(sim.pack(tmp_path / "2.tar"))
    assert len(seen(instance)) == 1
    return model, approvals


def unlisted(sim, model):
    """Targets without a model, and without what anybody said of it."""

    def change(signed):
        signed.version += 1
        signed.targets.pop(model.target_path)
        own = signed.unrecognized_fields["sealift"]
        own["reviews"] = [one for one in own["reviews"] if model.target_path not in str(payload(one))]

    sign_targets(sim, change)


def relisted(sim, target, reviews):
    def change(signed):
        signed.version += 1
        signed.targets[target.path] = target
        signed.unrecognized_fields["sealift"]["reviews"] = reviews

    sign_targets(sim, change)


def payload(envelope):
    return base64.b64decode(envelope["payload"])


def test_a_version_that_leaves_and_returns_with_its_old_approval(sim, instance, tmp_path, refused, withdrawn):
    model, approvals = withdrawn
    target = sim.channel.targets().signed.targets[model.target_path]
    # Nobody has to repeat a statement about what is not listed.
    unlisted(sim, model)
    instance.install(sim.pack_anything(tmp_path / "without.tar"))
    assert len(seen(instance)) == 1
    relisted(sim, target, approvals)
    with refused(RollbackError, r"leaves out that toy 1\.0\.0 was withdrawn for security"):
        instance.install(sim.pack_anything(tmp_path / "again.tar"))


def test_not_even_new_targets_keys_bring_it_back(sim, instance, tmp_path, withdrawn):
    """Where all targets keys were replaced, a release may take back what earlier ones said; reviewers said this."""
    _, approvals = withdrawn
    list_reviews(sim, lambda _: approvals)
    old = {role: list(keys) for role, keys in sim.keys.items()}
    fresh = signer("fresh")

    def change(root):
        keyid = old["targets"][0].public_key.keyid
        root.revoke_key(keyid, "targets")
        root.add_key(fresh.public_key, "targets")

    sim.next_root(change)
    sim.keys["targets"] = [fresh]
    list_reviews(sim, lambda reviews: reviews)
    report = instance.install(sim.pack_anything(tmp_path / "new-keys.tar"))
    assert any("was withdrawn for security" in line for line in report.taken_back)
    with pytest.raises(UnreviewedError, match="security: withdrawn by 'ada'"):
        instance.store.load("toy")
    assert instance.store.load("other").version == "1.0.0"


def test_it_is_forgotten_where_the_key_approves_again_or_is_revoked(sim, instance, tmp_path, withdrawn):
    model, _ = withdrawn
    sim.say(model, "security", "ada")
    sim.release()
    instance.install(sim.pack(tmp_path / "3.tar"))
    assert seen(instance) == []
    assert instance.store.load("toy").version == "1.0.0"
    sim.say(model, "security", "ada", "rejected")
    sim.release()
    instance.install(sim.pack(tmp_path / "4.tar"))
    assert len(seen(instance)) == 1
    eve = signer("eve")
    sim.people["eve"] = eve
    revoke(sim.channel, "ada", "stolen", replacement=eve.public_key, signers=sim.signers, accept_loss=True)
    sim.say(model, "security", "eve")
    sim.release()
    instance.install(sim.pack(tmp_path / "5.tar"))
    assert seen(instance) == []
    assert instance.store.load("toy").version == "1.0.0"


def test_a_key_that_retires_keeps_its_rejections(sim, instance, tmp_path, refused, withdrawn):
    _, approvals = withdrawn
    change_reviewers(sim.channel, "security", add=[signer("eve").public_key], remove=["ada"], signers=sim.signers)
    sim.release()
    instance.install(sim.pack(tmp_path / "3.tar"))
    assert len(seen(instance)) == 1
    list_reviews(sim, lambda _: approvals)
    with refused(RollbackError, "leaves out"):
        instance.install(sim.pack_anything(tmp_path / "4.tar"))


@pytest.mark.parametrize("damage", ["gone", "cut", "changed"])
def test_a_record_that_is_gone_or_damaged_fails_closed(sim, instance, tmp_path, refused, withdrawn, damage):
    path = (instance.store_path / "trust" / "current").resolve() / "objections.json"
    good = path.read_bytes()
    path.chmod(0o644)
    changed = {"gone": b"", "cut": good[:-5], "changed": good.replace(b'"statements":[', b'"statements": [')}[damage]
    if changed:
        path.write_bytes(changed)
    else:
        path.unlink()
    with refused(CorruptError):
        instance.install(sim.pack(tmp_path / "again.tar"))
    assert any(isinstance(finding.error, CorruptError) for finding in check(instance.store).findings)


def test_a_backup_carries_it_and_never_takes_it_away(sim, instance, tmp_path, withdrawn):
    model, _ = withdrawn
    export(instance.store, str(tmp_path / "backup.tar"))
    other = made(sim, tmp_path / "other-node")
    with (tmp_path / "backup.tar").open("rb") as stream:
        restore(stream, other.store)
    assert seen(other) == seen(instance)
    with pytest.raises(UnreviewedError, match="withdrawn by 'ada'"):
        other.store.load("toy")
    # A node that never saw the withdrawal, because the version left before; its backup does not make this one forget.
    third = made(sim, tmp_path / "third-node")
    unlisted(sim, model)
    third.install(sim.pack_anything(tmp_path / "without.tar"))
    assert seen(third) == []
    export(third.store, str(tmp_path / "third.tar"))
    with (tmp_path / "third.tar").open("rb") as stream:
        restore(stream, other.store, replace=True)
    assert seen(other) == seen(instance)


def test_a_backup_without_what_its_floor_records_is_refused(sim, instance, tmp_path, withdrawn):
    export(instance.store, str(tmp_path / "backup.tar"))
    members = read_members(tmp_path / "backup.tar")
    assert "trust/objections.json" in members
    document = json.loads(members["store.json"])
    document["files"] = [one for one in document["files"] if one["path"] != "trust/objections.json"]
    del members["trust/objections.json"]
    members["store.json"] = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    write_members(members, tmp_path / "cut.tar", fix_index=False)
    other = made(sim, tmp_path / "other-node")
    with pytest.raises(MixError, match=r"objections\.json"):
        restore(io.BytesIO((tmp_path / "cut.tar").read_bytes()), other.store)


def test_the_life_of_a_reviewed_model(sim, instance, tmp_path, refused, sealift_command):
    """Approve, install, rotate a reviewer's key, withdraw: others serve on, this one answers 29, and nothing returns."""
    model, other = sim.stage("1.0.0"), sim.stage("1.0.0", name="other")
    for one in (model, other):
        sim.say(one, "security", "ada")
    sim.release()
    instance.install(sim.pack(tmp_path / "1.tar"))
    approvals = list(sim.channel.release().reviews)
    sim.people["eve"] = signer("eve")
    change_reviewers(sim.channel, "security", add=[sim.people["eve"].public_key], remove=["ada"], signers=sim.signers)
    sim.release()
    instance.install(sim.pack(tmp_path / "2.tar"))
    assert {name: instance.store.load(name).version for name in ("toy", "other")} == {"toy": "1.0.0", "other": "1.0.0"}
    # A fresh node installs by what the retired key approved.
    made(sim, tmp_path / "fresh").install(tmp_path / "2.tar")
    sim.say(model, "security", "eve", "rejected", note="evaded by homoglyphs")
    sim.release()
    instance.install(sim.pack(tmp_path / "3.tar"))
    assert instance.store.load("other").version == "1.0.0"
    status, _, err = sealift_command("path", "toy")
    assert (status, "rejected by 'eve' ('evaded by homoglyphs')" in err) == (29, True)
    assert "toy 1.0.0 is active but not loaded: security: rejected by 'eve'" in sealift_command("status")[1]
    for number, keep in enumerate((lambda _: [], lambda _: approvals)):
        saved = {path: path.read_bytes() for path in sim.channel.tuf_dir.iterdir()}
        list_reviews(sim, keep)
        with refused(RollbackError, "leaves out"):
            instance.install(sim.pack_anything(tmp_path / f"forged{number}.tar"))
        for path, data in saved.items():
            path.write_bytes(data)
