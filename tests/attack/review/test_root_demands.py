"""What root requires: every instance demands it, with or without a policy, of every version that root does not exempt."""

import copy
import json
from functools import partial

import pytest
from support.release.instance import Instance
from support.release.reviews import BOTH, ReviewedChannel, demand, list_reviews, sign_targets, signer

from sealift.errors import LimitError, MalformedError, UnreviewedError, UnsupportedVersionError
from sealift_bundler.cli import command as bundler_command
from sealift_bundler.errors import UnapprovedError
from sealift_common.errors import UsageError
from sealift_common.metadata.release_document import FIELD
from sealift_common.names import ModelVersion
from sealift_common.review.reviewers import read_reviewers
from sealift_keys.ceremony.reviewing import change_reviewers
from sealift_keys.ceremony.revocation import revoke
from sealift_keys.ceremony.roster import root_changes
from sealift_keys.cli import command as keys_command

pytestmark = pytest.mark.usefixtures("no_replay")


@pytest.fixture
def sim(tmp_path):
    """A channel with a version of the time before there were reviewers, and one that security approved."""
    sim = ReviewedChannel(tmp_path / "ch", ())
    sim.add("old")
    sim.release()
    sim.join("security", "ada")
    sim.join("legal", "bob")
    sim.say(sim.stage("1.0.0"), "security", "ada")
    sim.release()
    return sim


@pytest.fixture
def instance(sim, tmp_path):
    instance = Instance(tmp_path / "instance")
    instance.pin(sim.root_bytes)
    return instance


def require(sim, role="security", **changes):
    return change_reviewers(sim.channel, role, require=True, signers=sim.signers, **changes)


def reviewers(sim):
    return read_reviewers(sim.channel.root().signed)


def digest(sim, name, version="1.0.0"):
    return sim.digest(ModelVersion.parse(name, version))


def test_the_first_reviewer_exempts_what_is_listed_and_nothing_is_demanded_yet(sim, instance, tmp_path):
    assert reviewers(sim).require == ()
    assert reviewers(sim).exempt == {digest(sim, "old")}
    instance.install(sim.pack(tmp_path / "b.tar"))
    assert instance.store.load("old").version == "1.0.0"


def test_a_version_that_nobody_approved_is_refused_without_a_policy(sim, instance, tmp_path, refused):
    changed = require(sim)
    assert "reviewers for security: instances demand them of every version that is not exempt" in changed.lines
    sim.release()
    instance.install(sim.pack(tmp_path / "good.tar"))
    assert instance.store.load("old").version == "1.0.0"
    assert instance.store.load("toy").version == "1.0.0"
    # Targets signers with tools of their own list another one, that reviewers never saw.
    model = sim.add("toy", "2.0.0")
    blob = sim.channel.staged()[model]
    sim.channel.unstage(model)

    def listed(signed):
        from tuf.api.metadata import TargetFile

        signed.version += 1
        signed.targets[model.target_path] = TargetFile(blob.size, {"sha256": blob.hex}, model.target_path)

    sign_targets(sim, listed)
    bundle = sim.pack_anything(tmp_path / "forged.tar")
    with refused(UnreviewedError, r"toy 2\.0\.0: security: 0 of 1 approvals by 'ada'"):
        instance.install(bundle)
    report = instance.install(bundle, skip_unreviewed=True)
    assert [str(model) for model in report.plan.skipped] == ["toy 2.0.0"]
    with pytest.raises(UnreviewedError, match="security: 0 of 1"):
        instance.store.load("toy", "2.0.0")


def test_what_was_released_without_a_role_is_never_asked_for_it_later(sim, instance, tmp_path):
    # The builder's gate asked for security alone.
    changed = require(sim, "legal")
    assert changed.lines[-1] == "exempt, as released before: 1 version: toy 1.0.0"
    assert reviewers(sim).exempt == {digest(sim, "old"), digest(sim, "toy")}
    sim.release()
    instance.install(sim.pack(tmp_path / "b.tar"))
    assert instance.store.load("toy").version == "1.0.0"
    # A new one is asked, by the gate as well.
    new = sim.stage("1.1.0")
    sim.say(new, "security", "ada")
    with pytest.raises(UnapprovedError, match="legal: 0 of 1 approvals by 'bob'"):
        sim.release()
    sim.say(new, "legal", "bob")
    sim.release()
    instance.install(sim.pack(tmp_path / "2.tar"))
    assert instance.store.load("toy").version == "1.1.0"


def test_a_policy_only_adds(sim, instance, tmp_path, refused):
    require(sim)
    sim.release()
    list_reviews(sim, lambda _: [])
    bundle = sim.pack_anything(tmp_path / "b.tar")
    # An exception of the policy does not lift what root requires.
    demand(
        instance,
        'schema = "sealift.policy/1"\n'
        f'[[except]]\ndigest = "{digest(sim, "toy")}"\nreason = "trust me"\nuntil = 2999-01-01\n',
    )
    with refused(UnreviewedError, r"toy 1\.0\.0: security: 0 of 1"):
        instance.install(bundle)
    # And what root exempts, a policy may ask.
    demand(instance, BOTH)
    with refused(UnreviewedError, r"old 1\.0\.0: security: 0 of 1 approvals by 'ada'; legal: 0 of 1"):
        instance.install(bundle)


def test_an_exempt_version_that_somebody_rejects_is_not_loaded(sim, instance, tmp_path):
    require(sim)
    sim.release()
    instance.install(sim.pack(tmp_path / "1.tar"))
    sim.say(ModelVersion.parse("old", "1.0.0"), "legal", "bob", "rejected")
    sim.release()
    instance.install(sim.pack(tmp_path / "2.tar"))
    with pytest.raises(UnreviewedError, match="legal: rejected by 'bob'"):
        instance.store.load("old")
    assert instance.store.load("toy").version == "1.0.0"


def test_status_and_check_say_what_root_stops(sim, instance, tmp_path, sealift_command):
    require(sim)
    sim.release()
    instance.install(sim.pack(tmp_path / "1.tar"))
    eve = signer("eve")
    revoke(sim.channel, "ada", "stolen", replacement=eve.public_key, signers=sim.signers, accept_loss=True)
    sim.release()
    instance.install(sim.pack(tmp_path / "2.tar"))
    status, out, _ = sealift_command("status")
    assert status == 0
    assert "instances demand approvals for security of every version; 1 version released before exempt" in out
    assert "warning: toy 1.0.0 is active but not loaded: security: 0 of 1 approvals by 'eve'" in out
    assert sealift_command("check")[0] == 29


def test_who_keeps_the_channel_sees_it(sim, call, tmp_path):
    require(sim)
    assert root_changes(sim.channel) == ["instances demand of every version: security"]
    sim.release()
    words = "instances demand approvals for security of every version; 1 version released before exempt"
    assert words in call(keys_command, "status", sim.directory)[1]
    assert f"instances demand of every version: security; exempt, as released before: {digest(sim, 'old')}" in " ".join(
        call(keys_command, "show", sim.directory)[1].split("\n")
    )
    shown = json.loads(call(keys_command, "show", sim.directory, "--json")[1])
    assert (shown["required_roles"], shown["exempt"]) == (["security"], [digest(sim, "old")])
    preview = partial(call, bundler_command, "preview", "--channel", sim.directory)
    assert f"  {words}\n" in preview()[1]
    assert json.loads(preview("--json")[1])["required_roles"] == ["security"]
    preview("--html", tmp_path / "page.html")
    assert words[1:] in (tmp_path / "page.html").read_text()
    # It can be taken back, and the exemptions stay.
    change_reviewers(sim.channel, "security", require=False, signers=sim.signers)
    assert (reviewers(sim).require, reviewers(sim).exempt) == ((), {digest(sim, "old")})
    with pytest.raises(UsageError, match="nothing would change"):
        change_reviewers(sim.channel, "security", require=False, signers=sim.signers)


def test_a_change_that_costs_released_versions_their_quorum_wants_yes(sim):
    with pytest.raises(
        UsageError, match=r"1 released version would lack an approval: toy 1\.0\.0; nothing was written"
    ):
        sim.join("security", "eve", threshold=2)
    assert sim.channel.root_versions()[-1] == 3
    sim.join("security", "eve", threshold=2, accept_loss=True)
    assert sim.channel.root_versions()[-1] == 4


def test_a_void_questionnaire_takes_its_approvals_with_it(sim):
    first = reviewers(sim).questionnaires[-1]
    with pytest.raises(UsageError, match=r"is what new versions answer; change questionnaire\.toml first"):
        change_reviewers(sim.channel, void=[first], signers=sim.signers)
    with pytest.raises(UsageError, match="root has no questionnaire 'sha256:0000"):
        change_reviewers(sim.channel, void=["sha256:" + "0" * 64], signers=sim.signers)
    questionnaire = sim.directory / "questionnaire.toml"
    questionnaire.write_bytes(questionnaire_of("security"))
    with pytest.raises(UsageError, match=r"would lack an approval: toy 1\.0\.0"):
        change_reviewers(sim.channel, void=[first], signers=sim.signers)
    changed = change_reviewers(sim.channel, void=[first], signers=sim.signers, accept_loss=True)
    assert f"questionnaire {first} is void: what was approved by it no longer counts" in changed.lines
    assert first not in reviewers(sim).questionnaires
    # It does not come back by the side door.
    questionnaire.unlink()
    with pytest.raises(UsageError, match="which root voided; write another"):
        sim.join("security", "eve")


def questionnaire_of(role):
    text = (
        'schema = "sealift.questionnaire/1"\n[classes.minimal]\nroles = ["ROLE"]\n[classes.limited]\n[classes.high]\n'
    )
    return text.replace("ROLE", role).encode()


ODD = [
    ([], MalformedError),
    ({}, MalformedError),
    ({"require": ["security"]}, MalformedError),
    ({"require": "security", "exempt": []}, MalformedError),
    ({"require": ["nobody"], "exempt": []}, MalformedError),
    ({"require": [[]], "exempt": []}, MalformedError),
    ({"require": [], "exempt": ["x"]}, MalformedError),
    ({"require": [], "exempt": ["sha256:" + "0" * 64] * 4001}, LimitError),
    ({"require": [], "exempt": [], "deny": []}, UnsupportedVersionError),
]


@pytest.mark.parametrize(("document", "error"), ODD, ids=range(len(ODD)))
def test_a_root_that_demands_in_another_form_is_refused(sim, instance, tmp_path, refused, document, error):
    bundle = sim.pack(tmp_path / "good.tar")

    def change(root):
        fields = copy.deepcopy(root.unrecognized_fields[FIELD])
        root.unrecognized_fields[FIELD] = {**fields, "review": document}

    sim.next_root(change)
    with refused(error, "root: "):
        instance.install(sim.raw_bundle(bundle, tmp_path / "odd.tar"))


def test_a_root_that_demands_and_names_no_reviewers_is_refused(sim, instance, tmp_path, refused):
    bundle = sim.pack(tmp_path / "good.tar")

    def change(root):
        root.unrecognized_fields[FIELD] = {"channel": "sim", "review": {"require": [], "exempt": []}}

    sim.next_root(change)
    with refused(MalformedError, "and no reviewers"):
        instance.install(sim.raw_bundle(bundle, tmp_path / "odd.tar"))
