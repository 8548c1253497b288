"""People approve exactly these bytes, and nothing is released without them."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from support.release.approvals import listed, unapproved
from support.release.channel_simulator import renamed, toy_files
from support.release.instance import Instance
from support.release.reviews import ReviewedChannel

from sealift_bundler.cli import command as bundler_command
from sealift_bundler.errors import UnapprovedError
from sealift_bundler.release.staging import release, withdraw
from sealift_common.errors import ChannelError
from sealift_common.names import ModelVersion
from sealift_common.review.questionnaire import FILE_NAME, default_bytes
from sealift_common.review.reviewers import read_reviewers
from sealift_keys.ceremony.pending import coming
from sealift_keys.ceremony.quorum import missing
from sealift_keys.ceremony.rotation import renew
from sealift_keys.ceremony.stating import gather, state
from sealift_keys.channel.statements import statements
from sealift_keys.cli import command as keys_command
from sealift_keys.cli.reviews import review as review_command


def test_nothing_is_released_before_every_role_of_its_class_approved(sim):
    model = sim.stage("1.0.0", "limited")
    unapproved(
        sim, r"1 version not approved.*toy 1\.0\.0 sha256:\w+: security: 0 of 1 approvals by 'ada'; legal: 0 of 1"
    )
    sim.say(model, "security", "ada")
    unapproved(sim, r": legal: 0 of 1 approvals by 'bob'\.")
    sim.say(model, "legal", "bob")
    sim.release()
    assert sim.channel.released().keys() == {model}
    assert {(one.role, one.decision) for one in listed(sim)} == {("security", "approved"), ("legal", "approved")}
    assert statements(sim.directory) == {}


def test_a_note_that_holds_a_secret_is_not_released_until_its_reviewer_says_it_otherwise(sim, bundler):
    from sealift_bundler.errors import DisclosureError

    model, token = sim.stage("1.0.0"), "glpat-" + "x3kP9qLm2ZtR7vWs4YbN"
    sim.say(model, "security", "ada", note=f"looked at it with {token}")
    with pytest.raises(DisclosureError, match=r"gitlab-token in the note for 'security' about toy 1\.0\.0") as caught:
        sim.release()
    assert token not in str(caught.value)
    assert sim.channel.released() == {}
    sim.say(model, "security", "ada", note="looked at it")
    sim.release()
    assert [one.note for one in listed(sim)] == ["looked at it"]


def test_a_channel_without_reviewers_works_as_before(tmp_path):
    from support.release.channel_simulator import ChannelSimulator

    sim = ChannelSimulator(tmp_path / "plain")
    sim.add()
    sim.release()
    assert set(sim.channel.targets().signed.unrecognized_fields["sealift"]) == {"released", "withdrawn"}
    assert read_reviewers(sim.channel.root().signed) is None


def test_what_was_released_before_there_were_reviewers_is_not_asked(tmp_path):
    sim = ReviewedChannel(tmp_path / "ch", ())
    old = sim.add()
    sim.release()
    sim.join("security", "ada")
    sim.release()
    new = sim.stage("1.1.0")
    unapproved(sim, r"toy 1\.1\.0")
    sim.say(new, "security", "ada")
    sim.release()
    assert sim.channel.released().keys() == {old, new}


def test_a_bundle_with_reviews_installs_and_skopeo_sees_no_difference(sim, tmp_path, no_replay):
    sim.say(sim.stage("1.0.0"), "security", "ada")
    sim.release()
    instance = Instance(tmp_path / "instance")
    instance.pin(sim.root_bytes)
    instance.install(sim.pack(tmp_path / "b.tar"))
    assert instance.store.load("toy").version == "1.0.0"
    kept = json.loads((instance.store_path / "trust" / "current" / "targets.json").read_bytes())
    assert len(kept["signed"]["sealift"]["reviews"]) == 1


def test_reviews_last_through_renewal_withdrawal_and_rotation(sim):
    first, second = sim.stage("1.0.0"), sim.stage("1.1.0")
    for model in (first, second):
        sim.say(model, "security", "ada")
    sim.release()
    renew(sim.channel, ["targets"], signers=sim.signers)
    assert len(listed(sim)) == 2
    withdraw(sim.channel, first, "wrong", sim.signers)
    sim.release()
    # Nobody needs an approval of what is gone.
    assert [one.subjects[0].model for one in listed(sim)] == [second]


def test_a_later_decision_of_the_same_key_replaces_the_earlier(sim):
    model = sim.stage("1.0.0")
    assert sim.say(model, "security", "ada").statement.serial == 1
    assert sim.say(model, "security", "ada", "withdrawn", note="too early").statement.serial == 2
    unapproved(sim, r"security: withdrawn by 'ada' \('too early'\); security: 0 of 1 approvals")
    sim.say(model, "security", "ada", "rejected")
    unapproved(sim, r"security: rejected by 'ada'")
    assert sim.say(model, "security", "ada").statement.serial == 4
    sim.release()
    assert [one.serial for one in listed(sim)] == [4]
    # Of a released version, the next release carries the withdrawal; nothing else is needed for it.
    sim.say(model, "security", "ada", "withdrawn")
    assert release(sim.channel, sim.signers).added == ()
    assert [(one.serial, one.decision) for one in listed(sim)] == [(5, "withdrawn")]
    with pytest.raises(ChannelError, match="nothing is staged"):
        release(sim.channel, sim.signers)


def test_what_comes_next_is_no_release_that_would_be_refused(sim, call):
    model = sim.stage("1.0.0")
    sim.say(model, "security", "ada", "rejected")
    for group, words in ((bundler_command, ["status", "--channel"]), (keys_command, ["status"])):
        _, out, _ = call(group, *words, sim.channel.directory)
        assert "\nnext: toy 1.0.0 lacks approval (security: rejected by 'ada'" in out
        assert f"or take it out: sealift-bundler unstage toy 1.0.0 --channel {sim.channel.directory}\n" in out
        _, out, _ = call(group, *words, sim.channel.directory, "--json")
        assert json.loads(out)["next"].startswith("toy 1.0.0 lacks approval")
    sim.say(model, "security", "ada")
    for group, words in ((bundler_command, ["preview", "--channel"]), (keys_command, ["status"])):
        assert "\nnext: sealift-bundler release --channel " in call(group, *words, sim.channel.directory)[1]


def test_anybody_who_reviews_can_reject(sim):
    model = sim.stage("1.0.0")
    sim.say(model, "security", "ada")
    sim.say(model, "legal", "bob", "rejected", note="license")
    unapproved(sim, r"legal: rejected by 'bob' \('license'\)")


def test_a_rejection_of_a_version_that_was_not_released_is_remembered(sim):
    bad = sim.stage("1.0.0")
    sim.say(bad, "security", "ada", "rejected")
    sim.channel.unstage(bad)
    sim.say(sim.stage("1.1.0"), "security", "ada")
    sim.release()
    assert sim.stage("1.0.0") == bad
    unapproved(sim, r"toy 1\.0\.0 .*rejected by 'ada'")


def test_an_approval_is_of_these_bytes_alone(sim):
    model = sim.stage("1.0.0")
    sim.say(model, "security", "ada")
    sim.stage("1.0.0", answers={"use": {"purpose": "another"}})
    unapproved(sim, "security: 0 of 1")
    with pytest.raises(ChannelError, match=r"toy 1\.0\.0 is sha256:\w+, and not the sha256:0000"):
        state(sim.channel, model, "security", "approved", "sha256:" + "0" * 64, sim.people["ada"])


def test_a_threshold_needs_different_keys(sim):
    sim.join("security", "eve", threshold=2)
    model = sim.stage("1.0.0")
    sim.say(model, "security", "ada")
    sim.say(model, "security", "ada")
    unapproved(sim, "security: 1 of 2 approvals by 'ada', 'eve'")
    sim.say(model, "security", "eve")
    sim.release()
    assert len(listed(sim)) == 2


def test_an_expired_approval_does_not_release(sim):
    model = sim.stage("1.0.0")
    sim.say(model, "security", "ada", expires_days=1)
    with pytest.raises(UnapprovedError, match=r"security: 0 of 1 approvals by 'ada'; expired: 'ada'"):
        release(sim.channel, sim.signers, now=datetime.now(UTC) + timedelta(days=2))
    sim.release()


def test_a_version_without_answers_or_with_others_questionnaire_is_not_released(sim):
    sim.add("toy", "1.0.0", renamed(toy_files(), "toy", "1.0.0"))
    unapproved(sim, "nobody answered the questionnaire")
    sim.channel.unstage(ModelVersion.parse("toy", "1.0.0"))
    sim.stage("1.1.0", questionnaire="sha256:" + "9" * 64)
    unapproved(sim, "it answers sha256:9999.*, and root names sha256:")


def test_a_record_that_asks_for_fewer_roles_than_the_questionnaire_is_held_to_it(sim):
    model = sim.stage("1.0.0", "limited", roles=["security"])
    sim.say(model, "security", "ada")
    unapproved(sim, "legal: 0 of 1 approvals by 'bob'")


def test_a_role_that_nobody_holds_is_named(sim):
    sim.stage("1.0.0", "high")
    unapproved(sim, "channel 'sim' has no reviewers for 'privacy'")


def test_the_questionnaire_that_root_names_stays_with_the_channel(sim, monkeypatch):
    """A later Sealift may bring another one, and what is staged goes on being released."""
    model = sim.stage("1.0.0")
    sim.say(model, "security", "ada")
    later = default_bytes() + b"\n# of a later Sealift\n"
    for module in ("sealift_keys.ceremony.quorum", "sealift_bundler.release.reviewing"):
        monkeypatch.setattr(f"{module}.default_bytes", lambda: later)
    assert (sim.directory / FILE_NAME).read_bytes() == default_bytes()
    sim.release()
    assert sim.channel.released().keys() == {model}


def test_a_questionnaire_that_root_does_not_name_stops_the_release(sim):
    model = sim.stage("1.0.0")
    sim.say(model, "security", "ada")
    (sim.directory / FILE_NAME).write_bytes(default_bytes() + b"\n# softer\n")
    before = sim.channel.targets().signed.version
    with pytest.raises(
        ChannelError, match=r"the questionnaire of channel 'sim' is sha256:\w+, and its root names sha256:"
    ):
        sim.release()
    assert sim.channel.targets().signed.version == before
    # The holders of root agree by the next change of reviewers; versions of the earlier one have to be added again.
    sim.join("security", "eve")
    assert len(read_reviewers(sim.channel.root().signed).questionnaires) == 2
    unapproved(sim, "it answers sha256:")


@pytest.fixture
def keys(call, sim, monkeypatch):
    monkeypatch.setattr(review_command, "open_signers", lambda names, _: [sim.people[name] for name in names])
    return partial(call, keys_command)


def test_the_commands_of_a_review(sim, keys, bundler):
    model = sim.stage("1.0.0")
    digest = sim.digest(model)
    words = ["review", sim.directory, "toy", "1.0.0", "--role", "security", "--digest", digest, "--key", "ada"]
    status, out, _ = keys(*words, "--approve", "--note", "fine")
    assert status == 0
    assert "  review: risk minimal, no personal data; to approve: security\n" in out
    assert "signed: toy 1.0.0 approved for security until " in out
    assert f"sealift-keys merge CHANNEL {sim.directory}" in out
    shown = bundler("preview", "--channel", sim.directory)[1]
    assert "    security: approved by 'ada' until " in shown
    document = json.loads(keys(*words, "--reject", "--json")[1])
    assert (document["decision"], document["serial"], document["expires"]) == ("rejected", 2, None)
    assert "    security: REJECTED by 'ada'\n" in bundler("preview", "--channel", sim.directory)[1]
    status, out, err = bundler("release", "--channel", sim.directory)
    assert (status, out) == (61, "")
    assert err.endswith("[unapproved]\n")
    assert [one.statement.decision for one in coming(sim.channel).decisions[model]] == ["rejected"]


@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        (["--role", "legal"], 53, "key 'ada' does not review for 'legal'; these do: 'bob'"),
        (["--role", "privacy"], 55, "has no reviewers for 'privacy'; its roles are legal, security"),
        (["--digest", "sha256:" + "0" * 64], 55, "and not the sha256:0000"),
        (["--digest", "abc"], 2, "is not a digest"),
        (["--note", "a\x1b[2Jb"], 2, "without control characters"),
        (["--expires-days", "0"], 2, "0 days put the expiry in the past"),
        (["--withdraw"], 2, "has not approved toy 1.0.0, so there is nothing to withdraw"),
        (["--key", "bob"], 53, "key 'bob' does not review for 'security'"),
    ],
)  # fmt: skip
def test_a_review_that_is_refused_writes_nothing(sim, keys, changes, status, says):
    model = sim.stage("1.0.0")
    words = ["review", sim.directory, "toy", "1.0.0", "--role", "security", "--digest", sim.digest(model)]
    found, out, err = keys(*words, "--key", "ada", "--approve", *changes)
    assert (found, out) == (status, "")
    assert says in err
    assert statements(sim.directory) == {}


def test_a_withdrawn_version_is_not_approved(sim, keys):
    model = sim.stage("1.0.0")
    sim.say(model, "security", "ada")
    sim.release()
    digest = sim.digest(model)
    withdraw(sim.channel, model, "wrong", sim.signers)
    words = ["review", sim.directory, "toy", "1.0.0", "--role", "security", "--digest", digest, "--key", "ada"]
    status, _, err = keys(*words, "--approve")
    assert status == 55
    assert "was withdrawn" in err


def test_targets_that_would_be_too_large_are_refused_before_anything_is_written(sim, monkeypatch):
    from sealift.errors import LimitError
    from sealift_bundler.release import staging

    sim.say(sim.stage("1.0.0"), "security", "ada")
    monkeypatch.setattr(staging, "MAX_TARGETS_BYTES", 1000)
    before = (sim.channel.tuf_dir / "targets.json").read_bytes()
    with pytest.raises(
        LimitError, match=r"with 1 review; expected at most 1,000: have each reviewer run `sealift-keys gather`"
    ):
        sim.release()
    assert (sim.channel.tuf_dir / "targets.json").read_bytes() == before
    assert len(statements(sim.directory)) == 1


def test_targets_that_grow_large_are_said_to_be(sim, bundler, monkeypatch):
    from sealift_bundler.release import staging

    sim.say(sim.stage("1.0.0"), "security", "ada")
    monkeypatch.setattr(staging, "WARN_TARGETS_BYTES", 1000)
    status, _, err = bundler("release", "--channel", sim.directory)
    assert status == 0
    assert "note: the targets have " in err
    assert "and beyond 4,500,000 nothing is released: have each reviewer run `sealift-keys gather`" in err


def test_approvals_of_what_waits_are_gathered_too(sim):
    """So that a first release of very many versions is possible at all."""
    models = [sim.stage(f"1.{number}.0") for number in range(3)]
    for model in models:
        sim.say(model, "security", "ada")
    assert [len(one.subjects) for one in gather(sim.channel, "security", sim.people["ada"])] == [3]
    sim.release()
    assert sim.channel.released().keys() == set(models)
    assert [len(one.subjects) for one in listed(sim)] == [3]


def test_gathered_approvals_take_a_tenth_of_the_room_and_approve_the_same(sim):
    models = [sim.stage(f"1.{number}.0") for number in range(12)]
    for model in models:
        sim.say(model, "security", "ada", expires_days=300 if model is models[0] else 365)
    sim.say(models[1], "security", "ada", "withdrawn")
    sim.channel.unstage(models[1])
    sim.release()
    before = len((sim.channel.tuf_dir / "targets.json").read_bytes())
    made = gather(sim.channel, "security", sim.people["ada"])
    # One alone ends on another day, and one is withdrawn: neither is good for longer, and neither is approved.
    assert [len(one.subjects) for one in made] == [10]
    sim.release()
    assert len(listed(sim)) == 2
    assert len((sim.channel.tuf_dir / "targets.json").read_bytes()) < before / 2
    reviewers = read_reviewers(sim.channel.root().signed)
    for model, blob in sim.channel.released().items():
        assert missing(sim.channel, reviewers, model, blob, sim.channel.release().reviews) == []
    assert gather(sim.channel, "legal", sim.people["bob"]) == []


def test_a_damaged_statement_is_one_clear_error(sim):
    made = sim.say(sim.stage("1.0.0"), "security", "ada")
    Path(made.path).write_text("{}")
    with pytest.raises(ChannelError, match=r"is damaged: .*; remove it, and review again"):
        sim.release()
