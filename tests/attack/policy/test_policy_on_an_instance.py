"""A policy on an instance: exceptions, skipped versions, a policy that is wrong, and what the commands say."""

import copy
import json
from datetime import UTC, datetime, timedelta

import pytest
from support.release.approvals import released
from support.release.reviews import BOTH, demand, signer

from sealift.errors import Error, LocalError, MalformedError, UnreviewedError, UnsafeStoreError
from sealift.policy.policy import parse_policy
from sealift.policy.verdict import unmet, unmet_for_loading
from sealift.store import Store
from sealift.store.upkeep.rollback import rollback
from sealift_keys.ceremony.revocation import revoke

pytestmark = pytest.mark.usefixtures("no_replay")


def test_a_revoked_key_and_a_threshold_of_two(sim, instance, tmp_path, refused):
    _, bundle = released(sim, tmp_path)
    demand(instance, BOTH.replace(', "legal"', ""))
    instance.install(bundle)
    eve = signer("eve")
    revoke(sim.channel, "ada", "stolen", replacement=eve.public_key, signers=sim.signers, accept_loss=True)
    sim.release()
    # Nobody repeats the statement of the stolen key, and the model is not loaded any longer.
    instance.install(sim.pack(tmp_path / "r.tar"))
    with pytest.raises(UnreviewedError, match="security: 0 of 1 approvals by 'eve'"):
        instance.store.load("toy")


def test_a_root_that_lets_a_reviewer_sign_is_refused(sim, instance, tmp_path, refused):
    released(sim, tmp_path)
    keyid = sim.people["ada"].public_key.keyid

    def change(root):
        root.roles["targets"].keyids.append(keyid)

    sim.next_root(change)
    with refused(MalformedError, "signs metadata as well"):
        instance.install(sim.pack_anything(tmp_path / "x.tar"))


def test_an_exception_covers_missing_approvals_of_these_bytes_until_its_day(sim, instance, tmp_path, refused):
    model, bundle = released(sim, tmp_path)
    text = f'{BOTH}[[except]]\ndigest = "{sim.digest(model)}"\nreason = "before reviews"\nuntil = {{}}\n'
    soon = datetime.now(UTC) + timedelta(days=5)
    demand(instance, text.format(f"{soon:%Y-%m-%d}"))
    with refused(UnreviewedError, "legal: 0 of 1"):
        instance.install(bundle, now=soon + timedelta(days=2))
    instance.install(bundle)
    assert instance.store.load("toy").version == "1.0.0"
    from sealift.status.status import Thresholds, status

    found = status(instance.store)
    assert found.excepted[0][:2] == ("toy 1.0.0", "before reviews")
    assert any("the policy's exception for toy 1.0.0" in line for line in found.warnings(Thresholds()))
    demand(instance, text.format("2020-01-01"))
    assert instance.store.load("toy").version == "1.0.0"
    # A rejection is not excepted.
    sim.say(model, "legal", "bob", "rejected")
    sim.release()
    instance.install(sim.pack(tmp_path / "r.tar"))
    with pytest.raises(UnreviewedError, match="legal: rejected by 'bob'"):
        instance.store.load("toy")


def test_skipping_activates_the_rest_and_accepts_the_metadata(sim, instance, tmp_path, refused):
    released(sim, tmp_path, ("legal", "bob"))
    demand(instance)
    first = sim.pack(tmp_path / "1.tar")
    instance.install(first)
    bad = sim.stage("1.1.0")
    good = sim.stage("1.0.0", name="other")
    for model in (bad, good):
        sim.say(model, "security", "ada")
    sim.say(good, "legal", "bob")
    sim.release()
    second = sim.pack(tmp_path / "2.tar")
    with refused(UnreviewedError, r"1 version not approved for this instance: toy 1\.1\.0: legal: 0 of 1"):
        instance.install(second)
    report = instance.install(second, skip_unreviewed=True)
    assert [str(model) for model in report.plan.skipped] == ["toy 1.1.0"]
    assert instance.store.load("toy").version == "1.0.0"
    assert instance.store.load("other").version == "1.0.0"
    with pytest.raises(UnreviewedError):
        instance.store.load("toy", "1.1.0")
    lines = [json.loads(line) for line in (instance.store_path / "history.jsonl").read_text().splitlines()]
    assert lines[-1]["skipped_unreviewed"] == ["toy:1.1.0"]
    assert lines[-1]["policy"].startswith("sha256:")
    # The approval comes with the next release, and the files are here already.
    sim.say(bad, "legal", "bob")
    sim.release()
    instance.install(sim.pack(tmp_path / "3.tar"))
    assert instance.store.load("toy").version == "1.1.0"


def test_a_version_that_was_rejected_is_not_rolled_back_to(sim, instance, tmp_path, refused):
    bad, first = released(sim, tmp_path)
    demand(instance, BOTH.replace(', "legal"', ""))
    instance.install(first)
    sim.say(sim.stage("1.1.0"), "security", "ada")
    sim.say(bad, "security", "ada", "rejected")
    sim.release()
    instance.install(sim.pack(tmp_path / "2.tar"))
    with refused(UnreviewedError, r"toy 1\.0\.0 may not be used here: security: rejected by 'ada'"):
        rollback(instance.store, None, None, datetime.now(UTC))
    assert instance.store.load("toy").version == "1.1.0"


WRONG = [
    ("", "it has no 'schema'; write schema = 'sealift.policy/1'"),
    ("[", "is not TOML"),
    ('schema = "sealift.policy/2"', "this Sealift knows 'sealift.policy/1', install a newer one"),
    (BOTH.replace("roles", "rolls"), "unknown key 'rolls' in [require]; did you mean 'roles'?"),
    (BOTH.replace('["security", "legal"]', '"security"'), "expected a list such as"),
    (BOTH + "max_age_days = 0\n", "expected a number of days from 1 on"),
    (BOTH + "max_age_days = true\n", "expected a number of days from 1 on"),
    (BOTH + "[require.models]\nx = 1\n", "is not a table"),
    (BOTH + "".join(f'[require.models."m{n}"]\n' for n in range(1001)), "has 1,001 patterns; expected at most 1,000"),
    (BOTH + "[[except]]\n", "'digest' is None"),
    (BOTH + f'[[except]]\ndigest = "sha256:{"0" * 64}"\n', "'reason' is None"),
    (BOTH + f'[[except]]\ndigest = "sha256:{"0" * 64}"\nreason = "x"\nuntil = "soon"\n', "expected a day such as"),
    (
        BOTH + f'[[except]]\ndigest = "sha256:{"0" * 64}"\nreason = "a\\u0007"\nuntil = 2027-01-01\n',
        "expected one line",
    ),
]


@pytest.mark.parametrize(("text", "says"), WRONG, ids=range(len(WRONG)))
def test_with_a_policy_that_is_wrong_nothing_installs_or_loads(sim, instance, tmp_path, refused, text, says):
    _, bundle = released(sim, tmp_path)
    demand(instance, text)
    with pytest.raises(LocalError) as caught:
        parse_policy(text.encode())
    assert says in str(caught.value)
    before = instance.snapshot()
    with pytest.raises(LocalError):
        instance.install(bundle)
    assert instance.snapshot() == before
    (instance.trust_path / "policy.toml").unlink()
    instance.install(bundle)
    demand(instance, text)
    with pytest.raises(LocalError, match=r"step .policy.: "):
        instance.store.load("toy")


def test_a_policy_that_others_can_write_or_that_is_no_file(sim, instance, tmp_path):
    _, bundle = released(sim, tmp_path)
    instance.install(bundle)
    path = instance.trust_path / "policy.toml"
    path.symlink_to(tmp_path / "gone")
    with pytest.raises(LocalError, match="a link that leads nowhere"):
        instance.store.load("toy")
    path.unlink()
    demand(instance)
    path.chmod(0o666)
    with pytest.raises(UnsafeStoreError, match="the policy is not safe"):
        instance.store.load("toy")
    path.unlink()
    path.mkdir()
    with pytest.raises(Error):
        instance.store.load("toy")


def test_a_policy_is_judged_once_for_the_same_release(sim, instance, tmp_path, monkeypatch):
    from sealift.policy import verdict

    _, bundle = released(sim, tmp_path)
    instance.install(bundle)
    demand(instance, BOTH.replace(', "legal"', ""))
    calls = []
    monkeypatch.setattr(verdict, "unmet", lambda *given: calls.append(given) or [])
    for _ in range(3):
        instance.store.load("toy")
    assert len(calls) == 1
    # Another word of the admin is another decision.
    demand(instance)
    instance.store.load("toy")
    assert len(calls) == 2


def test_what_is_remembered_is_what_would_be_judged(sim, instance, tmp_path):
    _, bundle = released(sim, tmp_path)
    instance.install(bundle)
    store = Store(instance.store_path, trust=instance.trust_path)
    moment = store.moment()
    manifest = store.find("toy", moment=moment).manifest
    for text in (BOTH, BOTH.replace(', "legal"', ""), BOTH):
        policy = parse_policy(text.encode())
        assert unmet_for_loading(policy, moment[1], manifest) == unmet(policy, copy.copy(moment[1]), manifest)


@pytest.fixture
def command(sealift_command):
    return sealift_command


def test_the_commands_about_a_policy(sim, instance, tmp_path, command):
    _, bundle = released(sim, tmp_path)
    instance.install(bundle)
    (tmp_path / "new.toml").write_text(BOTH)
    status, out, err = command("policy", "check", tmp_path / "new.toml")
    assert status == 29
    assert "  stops toy 1.0.0: legal: 0 of 1 approvals by 'bob'\n" in out
    status, out, err = command("policy", "set", tmp_path / "new.toml")
    assert (status, out) == (29, "")
    assert "nothing was changed: give --yes" in err
    assert not (instance.trust_path / "policy.toml").exists()
    assert command("policy", "set", tmp_path / "new.toml", "--yes")[0] == 0
    assert (instance.trust_path / "policy.toml").read_text() == BOTH
    lines = [json.loads(line) for line in (instance.store_path / "history.jsonl").read_text().splitlines()]
    assert (lines[-1]["action"], lines[-1]["stopped"]) == ("policy", ["toy 1.0.0"])
    assert command("path", "toy")[0] == 29
    assert command("check")[0] == 29
    status, out, _ = command("status", "--json")
    assert status == 0
    assert json.loads(out)["active_but_unreviewed"] == {"toy 1.0.0": "legal: 0 of 1 approvals by 'bob'"}
    status, out, err = command("verify", bundle, "--require-review", "privacy")
    # It is active already, so that only loading asks.
    assert status == 0, err
    (tmp_path / "odd.toml").write_text("x = 1")
    assert command("policy", "check", tmp_path / "odd.toml")[0] == 3
    assert command("policy", "check", tmp_path / "gone.toml")[0] == 3


def test_verify_says_what_install_would(sim, instance, tmp_path, command):
    _, bundle = released(sim, tmp_path)
    demand(instance)
    status, _, err = command("verify", bundle)
    assert status == 29
    assert "legal: 0 of 1 approvals by 'bob'" in err
    assert command("install", bundle)[0] == 29
    status, out, _ = command("install", bundle, "--skip-unreviewed")
    assert status == 0
    assert "skipped toy 1.0.0: it lacks an approval" in out
