"""What a policy lets install and load: the table of decisions, on an instance, with the store as it was where it refuses."""

from datetime import UTC, datetime, timedelta

import pytest
from support.release.approvals import released
from support.release.instance import Instance
from support.release.reviews import BOTH, SECURITY, demand, list_reviews, signed, signer

from sealift.errors import RollbackError, UnreviewedError
from sealift_common.review.dsse import Envelope, pre_authentication
from sealift_common.review.statement import Subject
from sealift_keys.ceremony.reviewing import change_reviewers

pytestmark = pytest.mark.usefixtures("no_replay")


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
