"""What a policy lets install and load: the table of decisions, on an instance, with the store as it was where it refuses."""

import copy
import json
from datetime import UTC, datetime, timedelta

import pytest
from support.release.instance import Instance
from support.release.reviews import BOTH, SECURITY, ReviewedChannel, demand, list_reviews, signed, signer

from sealift.errors import Error, LocalError, MalformedError, RollbackError, UnreviewedError, UnsafeStoreError
from sealift.policy.policy import parse_policy
from sealift.policy.verdict import unmet, unmet_for_loading
from sealift.store import Store
from sealift.store.upkeep.rollback import rollback
from sealift_common.review.dsse import Envelope, pre_authentication
from sealift_common.review.statement import Subject
from sealift_keys.ceremony.reviewing import change_reviewers
from sealift_keys.ceremony.revocation import revoke

pytestmark = pytest.mark.usefixtures("no_replay")


@pytest.fixture
def sim(tmp_path):
    return ReviewedChannel(tmp_path / "ch")


@pytest.fixture
def instance(sim, tmp_path):
    instance = Instance(tmp_path / "instance")
    instance.pin(sim.root_bytes)
    return instance


def released(sim, tmp_path, *approvals, version="1.0.0"):
    """A bundle of one version with these approvals, whatever the builder's gate says."""
    model = sim.stage(version)
    sim.say(model, "security", "ada")
    for role, name in approvals:
        if role != "security":
            sim.say(model, role, name)
    number = sim.release()
    return model, sim.pack(tmp_path / f"{number}.tar")


def test_without_a_policy_everything_is_as_before(sim, instance, tmp_path):
    _, bundle = released(sim, tmp_path)
    instance.install(bundle)
    assert instance.store.load("toy").version == "1.0.0"


def test_all_roles_approved(sim, instance, tmp_path):
    _, bundle = released(sim, tmp_path, ("legal", "bob"))
    demand(instance)
    instance.install(bundle)
    assert instance.store.load("toy").version == "1.0.0"


def test_one_of_two_is_too_few_for_install_and_for_load(sim, instance, tmp_path, refused):
    _, bundle = released(sim, tmp_path)
    demand(instance)
    with refused(UnreviewedError, r"toy 1\.0\.0: legal: 0 of 1 approvals by 'bob'\. Nothing was installed"):
        instance.install(bundle)
    (instance.trust_path / "policy.toml").unlink()
    instance.install(bundle)
    demand(instance)
    with pytest.raises(UnreviewedError, match=r"^toy 1\.0\.0 may not be used here: legal: 0 of 1"):
        instance.store.load("toy")


def test_a_channel_without_reviewers_meets_no_demand(tmp_path, refused, instance):
    from support.release.channel_simulator import ChannelSimulator

    plain = ChannelSimulator(tmp_path / "plain")
    (instance.trust_path / "root.json").write_bytes(plain.root_bytes)
    plain.add()
    plain.release()
    demand(instance)
    with refused(
        UnreviewedError, "channel 'sim' has no reviewers for 'security'; channel 'sim' has no reviewers for 'legal'"
    ):
        instance.install(plain.pack(tmp_path / "p.tar"))


def test_a_role_that_the_channel_does_not_define_is_missing(sim, instance, tmp_path, refused):
    _, bundle = released(sim, tmp_path)
    demand(instance, BOTH.replace('"legal"', '"privacy"'))
    with refused(UnreviewedError, "channel 'sim' has no reviewers for 'privacy'"):
        instance.install(bundle)


def test_require_review_only_adds(sim, instance, tmp_path, refused):
    _, bundle = released(sim, tmp_path)
    with refused(UnreviewedError, "legal: 0 of 1"):
        instance.install(bundle, require_review=("legal",))
    instance.install(bundle, require_review=("security",))


def test_a_pattern_of_names_only_adds(sim, instance, tmp_path, refused):
    _, bundle = released(sim, tmp_path)
    text = 'schema = "sealift.policy/1"\n[require]\nroles = ["security"]\n[require.models."NAME"]\nroles = ["legal"]\n'
    demand(instance, text.replace("NAME", "to*"))
    with refused(UnreviewedError, "legal: 0 of 1"):
        instance.install(bundle)
    demand(instance, text.replace("NAME", "spam-*"))
    instance.install(bundle)


def test_an_expired_approval_blocks_installing_and_never_loading(sim, instance, tmp_path, refused):
    model = sim.stage("1.0.0")
    sim.say(model, "security", "ada", expires_days=20)
    sim.release()
    bundle = sim.pack(tmp_path / "b.tar")
    demand(instance, BOTH.replace(', "legal"', ""))
    late = datetime.now(UTC) + timedelta(days=30)
    with refused(UnreviewedError, "security: 0 of 1 approvals by 'ada'; expired: 'ada'"):
        instance.install(bundle, now=late)
    instance.install(bundle)
    assert instance.store.load("toy").version == "1.0.0"
    # What is active already is not asked again, however late it is.
    instance.install(bundle, now=late)


def test_an_approval_that_is_too_old_blocks_installing_only(sim, instance, tmp_path, refused):
    _, bundle = released(sim, tmp_path)
    demand(instance, BOTH.replace('"security", "legal"]', '"security"]\nmax_age_days = 10'))
    with refused(UnreviewedError, "expired: 'ada'"):
        instance.install(bundle, now=datetime.now(UTC) + timedelta(days=11))
    instance.install(bundle)
    assert instance.store.load("toy").version == "1.0.0"


def test_approvals_of_the_last_day_of_the_calendar(sim, instance, tmp_path, sealift_command):
    """A statement may name any time, and what is reckoned from it stays a time."""
    model = sim.stage("1.0.0")
    made = sim.say(model, "security", "ada").statement
    sim.release()
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    late = signed(made._replace(serial=2, created=last, expires=last), sim.people["ada"])
    list_reviews(sim, lambda _: [late])
    demand(instance, SECURITY.replace('"security"]', '"security"]\nmax_age_days = 36500'))
    instance.install(sim.pack(tmp_path / "b.tar"))
    assert instance.store.load("toy").version == "1.0.0"
    assert sealift_command("list")[0] == 0
    assert sealift_command("review", "toy")[0] == 0


def test_an_approval_taken_back_later_stops_this_model_alone(sim, instance, tmp_path):
    """Rotate a reviewer's key on the way: nothing that it approved is lost."""
    model = sim.stage("1.0.0")
    other = sim.stage("1.0.0", name="other")
    for one in (model, other):
        sim.say(one, "security", "ada")
    sim.release()
    demand(instance, BOTH.replace(', "legal"', ""))
    first = sim.pack(tmp_path / "1.tar")
    instance.install(first)
    sim.say(model, "security", "ada", "withdrawn", note="evaded")
    sim.people["eve"] = signer("eve")
    change_reviewers(sim.channel, "security", add=[sim.people["eve"].public_key], remove=["ada"], signers=sim.signers)
    sim.release()
    instance.install(sim.pack(tmp_path / "2.tar"))
    assert instance.store.load("other").version == "1.0.0"
    with pytest.raises(UnreviewedError, match=r"security: withdrawn by 'ada' \('evaded'\)"):
        instance.store.load("toy")
    from sealift.status.status import Thresholds, status

    found = status(instance.store)
    assert found.unreviewed == {
        "toy 1.0.0": "security: withdrawn by 'ada' ('evaded'); security: 0 of 1 approvals by 'eve'"
    }
    assert "toy 1.0.0 is active but not loaded: security: withdrawn by 'ada'" in found.warnings(Thresholds())[0]
    from sealift.store.upkeep.check import check

    assert [finding.error.code for finding in check(instance.store).findings] == ["unreviewed"]
    # Approved again by the successor, and no longer withdrawn by anybody: a new version is what it takes.
    again = sim.stage("1.1.0")
    sim.say(again, "security", "eve")
    sim.release()
    instance.install(sim.pack(tmp_path / "3.tar"))
    assert instance.store.load("toy").version == "1.1.0"


def test_approved_again_by_the_same_key(sim, instance, tmp_path, refused):
    model, bundle = released(sim, tmp_path)
    demand(instance, BOTH.replace(', "legal"', ""))
    instance.install(bundle)
    sim.say(model, "security", "ada", "withdrawn")
    sim.release()
    instance.install(sim.pack(tmp_path / "w.tar"))
    with pytest.raises(UnreviewedError):
        instance.store.load("toy")
    sim.say(model, "security", "ada")
    sim.release()
    instance.install(sim.pack(tmp_path / "a.tar"))
    assert instance.store.load("toy").version == "1.0.0"


def test_targets_that_leave_out_a_withdrawal_are_refused(sim, instance, tmp_path, refused):
    model, _ = released(sim, tmp_path)
    approval = list(sim.channel.release().reviews)
    sim.say(model, "security", "ada", "withdrawn")
    sim.release()
    instance.install(sim.pack(tmp_path / "w.tar"))
    for keep in (lambda _: [], lambda _: approval):
        saved = {path: path.read_bytes() for path in sim.channel.tuf_dir.iterdir()}
        list_reviews(sim, keep)
        bundle = sim.pack_anything(tmp_path / "forged.tar")
        with refused(RollbackError, r"leaves out that toy 1\.0\.0 was withdrawn for security"):
            instance.install(bundle)
        for path, data in saved.items():
            path.write_bytes(data)


def test_reordered_and_repeated_approvals(sim, instance, tmp_path, refused):
    """One set of reviews stands in one order: other targets were made by somebody else, whatever they activate."""
    released(sim, tmp_path, ("legal", "bob"))
    demand(instance)
    good = sim.pack(tmp_path / "good.tar")
    saved = {path: path.read_bytes() for path in sim.channel.tuf_dir.iterdir()}
    for number, keep in enumerate((lambda reviews: reviews[::-1], lambda reviews: [*reviews, reviews[-1]])):
        list_reviews(sim, keep, sort=False)
        odd = sim.pack_anything(tmp_path / f"odd{number}.tar")
        with refused(UnreviewedError, "not sorted, each once"):
            instance.install(odd, skip_unreviewed=True)
        # Nor where the version is active already.
        active = Instance(tmp_path / f"active{number}")
        active.pin(sim.root_bytes)
        demand(active)
        active.install(good)
        before = active.snapshot()
        with pytest.raises(UnreviewedError):
            active.install(odd)
        assert active.snapshot() == before
        for path, data in saved.items():
            path.write_bytes(data)


def test_dropped_approvals(sim, instance, tmp_path, refused):
    released(sim, tmp_path, ("legal", "bob"))
    demand(instance)
    instance.install(sim.pack(tmp_path / "good.tar"))
    for keep in (lambda reviews: reviews[:1], lambda _: []):
        saved = {path: path.read_bytes() for path in sim.channel.tuf_dir.iterdir()}
        list_reviews(sim, keep)
        with refused(RollbackError, "leaves out"):
            instance.install(sim.pack_anything(tmp_path / "dropped.tar"))
        fresh = Instance(tmp_path / f"fresh{len(keep([1, 2]))}")
        fresh.pin(sim.root_bytes)
        demand(fresh)
        with pytest.raises(UnreviewedError):
            fresh.install(tmp_path / "dropped.tar")
        for path, data in saved.items():
            path.write_bytes(data)


ODD = [
    lambda one: {**one, "payload": one["payload"][:-8]},
    lambda one: {**one, "payload": ""},
    lambda one: {**one, "payload": None},
    lambda one: {**one, "signatures": []},
    lambda one: {**one, "payloadType": "x"},
    lambda one: {**one, "extra": 1},
    lambda one: {},
    lambda one: {**one, "signatures": [{**one["signatures"][0], "sig": one["signatures"][0]["sig"][:-8]}]},
]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_envelopes_that_are_cut_or_odd_are_never_an_approval(sim, instance, tmp_path, refused, odd):
    _, good = released(sim, tmp_path)
    demand(instance, BOTH.replace(', "legal"', ""))
    list_reviews(sim, lambda reviews: [odd(one) for one in reviews])
    odd_bundle = sim.pack_anything(tmp_path / "odd.tar")
    with refused(UnreviewedError):
        instance.install(odd_bundle)
    # An instance that has seen the good ones misses them.
    demand(instance, 'schema = "sealift.policy/1"\n')
    instance.install(good)
    demand(instance, BOTH.replace(', "legal"', ""))
    with refused(RollbackError, "leaves out that toy 1.0.0 was approved for security"):
        instance.install(odd_bundle)


def test_an_approval_by_a_key_of_another_role_or_of_other_bytes_does_not_count(sim, instance, tmp_path, refused):
    model, _ = released(sim, tmp_path)
    demand(instance)
    good = sim.say(model, "security", "ada").statement
    forged = []
    for by, changes in (
        ("bob", {}),
        ("bob", {"role": "security", "serial": 9}),
        ("ada", {"role": "legal"}),
        ("bob", {"role": "legal", "subjects": (Subject(model, "sha256:" + "0" * 64),)}),
        ("bob", {"role": "legal", "record": "sha256:" + "0" * 64}),
        ("bob", {"role": "legal", "channel": "other"}),
    ):
        statement = good._replace(**changes)
        signature = sim.people[by].sign(pre_authentication(statement.to_bytes()))
        forged.append(Envelope(statement.to_bytes(), (signature,)).to_dict())
    list_reviews(sim, lambda reviews: [*reviews, *forged])
    with refused(UnreviewedError, "legal: 0 of 1 approvals by 'bob'"):
        instance.install(sim.pack_anything(tmp_path / "forged.tar"))


def test_a_revoked_key_and_a_threshold_of_two(sim, instance, tmp_path, refused):
    _, bundle = released(sim, tmp_path)
    demand(instance, BOTH.replace(', "legal"', ""))
    instance.install(bundle)
    eve = signer("eve")
    revoke(sim.channel, "ada", "stolen", replacement=eve.public_key, signers=sim.signers, accept_loss=True)
    sim.release()
    # The statement of the stolen key is nobody's to repeat, and the model is not loaded any more.
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
