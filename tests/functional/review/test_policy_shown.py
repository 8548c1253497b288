"""What an admin sees of the policy: marks of the list, findings of the doctor, and what rollback passes over."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from support.release.instance import Instance
from support.release.reviews import BOTH, SECURITY, ReviewedChannel, demand, list_reviews

from sealift.errors import UnreviewedError
from sealift.store.upkeep.rollback import rollback

pytestmark = pytest.mark.usefixtures("no_replay")


@pytest.fixture
def sim(tmp_path):
    sim = ReviewedChannel(tmp_path / "ch")
    for name, days in (("toy", 365), ("soon", 20), ("bare", 365)):
        sim.say(sim.stage("1.0.0", name=name), "security", "ada", expires_days=days)
    sim.release()
    return sim


@pytest.fixture
def instance(sim, tmp_path):
    instance = Instance(tmp_path / "instance")
    instance.pin(sim.root_bytes)
    return instance


@pytest.fixture
def installed(sim, instance, tmp_path):
    bare = sim.digest(next(model for model in sim.channel_models() if model.name == "bare"))
    list_reviews(sim, lambda reviews: [one for one in reviews if not _about(one, bare)])
    instance.install(sim.pack_anything(tmp_path / "b.tar"))
    return bare


def _about(envelope, digest):
    import base64

    return digest[7:].encode() in base64.b64decode(envelope["payload"])


def excepting(digest, until):
    return f'{SECURITY}[[except]]\ndigest = "{digest}"\nreason = "before reviews"\nuntil = {until:%Y-%m-%d}\n'


def test_the_list_marks_what_is_not_as_it_should_be(instance, installed, sealift_command):
    status, out, _ = sealift_command("list")
    assert status == 0
    assert "reviews" not in out
    assert {one["review"] for one in json.loads(sealift_command("list", "--json")[1])} == {None}
    demand(instance, SECURITY)
    soon = datetime.now(UTC) + timedelta(days=20)
    rows = {line.split()[0]: line for line in sealift_command("list")[1].splitlines()}
    assert rows["bare"].endswith("UNREVIEWED, not loaded")
    assert rows["soon"].endswith(f"approved until {soon:%Y-%m-%d}")
    assert rows["toy"].split()[-1].startswith("sha256:")
    later = datetime.now(UTC) + timedelta(days=90)
    demand(instance, excepting(installed, later))
    rows = {line.split()[0]: line for line in sealift_command("list")[1].splitlines()}
    assert rows["bare"].endswith(f"excepted until {later:%Y-%m-%d}")
    states = {one["name"]: one["review"]["state"] for one in json.loads(sealift_command("list", "--json")[1])}
    assert states == {"bare": "excepted", "soon": "expiring", "toy": "approved"}


def findings(sealift_command):
    document = json.loads(sealift_command("doctor", "--json")[1])
    return [one for one in document["findings"] if one["group"] == "policy"]


def test_the_doctor_judges_the_policy(instance, installed, sealift_command):
    (none,) = findings(sealift_command)
    assert (none["level"], none["seen"]) == ("ok", "there is none")
    demand(instance, SECURITY)
    seen = {one["level"]: one["seen"] for one in findings(sealift_command)}
    assert seen["ok"].endswith(" asks for security")
    assert seen["problem"] == "bare 1.0.0 is active and not loaded: security: 0 of 1 approvals by 'ada'"
    assert seen["warning"].startswith("the approvals of soon 1.0.0 end on ")
    demand(instance, BOTH.replace('"legal"', '"privacy"'))
    assert any("it asks for 'privacy', and channel 'sim' has no" in one["seen"] for one in findings(sealift_command))
    demand(instance, "roles = 1")
    (wrong,) = findings(sealift_command)
    assert (wrong["level"], wrong["error"]) == ("problem", "local")


@pytest.mark.parametrize(
    ("days", "level", "says"),
    [(90, "ok", "is good until"), (29, "warning", "ends on"), (-2, "warning", "ended on")],
)
def test_the_doctor_says_when_an_exception_ends(instance, installed, sealift_command, days, level, says):
    demand(instance, excepting(installed, datetime.now(UTC) + timedelta(days=days)))
    (found,) = [one for one in findings(sealift_command) if "exception" in one["seen"]]
    assert (found["level"], found["seen"].startswith("its exception for bare 1.0.0 (before reviews)")) == (level, True)
    assert says in found["seen"]
    warned = "warning: the policy's exception for bare 1.0.0" in sealift_command("status")[1]
    assert warned == (level == "warning")


def test_the_doctor_names_an_exception_of_nothing_and_a_statement_of_nobody(sim, instance, installed, sealift_command):
    demand(instance, excepting("sha256:" + "0" * 64, datetime(2999, 1, 1, tzinfo=UTC)))
    (instance.trust_path / "reviews").mkdir()
    from support.release.reviews import signed, signer

    model = next(model for model in sim.channel_models() if model.name == "toy")
    said = sim.say(model, "security", "ada", "rejected").statement
    (instance.trust_path / "reviews" / "x.dsse.json").write_text(json.dumps(signed(said, signer("eve"))))
    seen = [one["seen"] for one in findings(sealift_command) if one["level"] == "warning"]
    assert "its exception for sha256:000000000000 concerns no version that the channel lists" in seen
    assert "1 statement beside it signed by nobody who reviews here or there" in seen


def test_rollback_passes_over_generations_that_may_not_be_loaded(sim, instance, tmp_path):
    """Three versions, of which the second was rejected: back goes to the first."""
    demand(instance, SECURITY)
    instance.install(sim.pack(tmp_path / "1.tar"))
    second = sim.stage("1.1.0")
    sim.say(second, "security", "ada")
    sim.release()
    instance.install(sim.pack(tmp_path / "2.tar"))
    sim.say(sim.stage("1.2.0"), "security", "ada")
    sim.say(second, "security", "ada", "rejected")
    sim.release()
    instance.install(sim.pack(tmp_path / "3.tar"))
    with pytest.raises(UnreviewedError, match=r"toy 1\.1\.0 may not be used here"):
        rollback(instance.store, None, 2, datetime.now(UTC))
    assert str(rollback(instance.store, None, None, datetime.now(UTC), dry_run=True).models["toy"]) == "toy 1.0.0"
    assert str(rollback(instance.store, "toy", None, datetime.now(UTC)).models["toy"]) == "toy 1.0.0"
    assert instance.store.load("toy").version == "1.0.0"
