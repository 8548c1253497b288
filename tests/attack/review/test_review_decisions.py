"""The table of decisions: what reviewers said of a version, and whether it is installed, and loaded."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from support.release.instance import Instance
from support.release.reviews import BOTH, ReviewedChannel, demand, list_reviews, signed, signer

from sealift.errors import UnreviewedError
from sealift_common.review.statement import Subject
from sealift_keys.ceremony.reviewing import change_reviewers
from sealift_keys.ceremony.revocation import revoke

pytestmark = pytest.mark.usefixtures("no_replay")


class World:
    """A channel with one version, and the statements about it that a case is made of."""

    def __init__(self, tmp_path):
        self.sim = ReviewedChannel(tmp_path / "ch")
        self.model = self.sim.stage("1.0.0")
        self.good = self.sim.say(self.model, "security", "ada").statement
        self.sim.release()

    def said(self, role, by, **changes):
        return signed(self.good._replace(role=role, **changes), self.sim.people[by])


def none(world):
    return []


def both(world):
    return [world.said("security", "ada"), world.said("legal", "bob")]


def one_of_two(world):
    return [world.said("security", "ada")]


def legal_signs_as_security(world):
    return [world.said("security", "bob"), world.said("legal", "bob")]


def another_digest(world):
    other = (Subject(world.model, "sha256:" + "0" * 64),)
    return [world.said("security", "ada", subjects=other), world.said("legal", "bob")]


def another_record(world):
    return [world.said("security", "ada", record="sha256:" + "0" * 64), world.said("legal", "bob")]


def another_questionnaire(world):
    return [world.said("security", "ada", questionnaire="sha256:" + "0" * 64), world.said("legal", "bob")]


def payload_changed(world):
    good = world.said("security", "ada")
    payload = world.good._replace(note="and more").to_bytes()
    return [{**good, "payload": base64.b64encode(payload).decode()}, world.said("legal", "bob")]


def withdrawn_later(world):
    return [*both(world), world.said("security", "ada", decision="withdrawn", serial=2, expires=None)]


def rejected_by_another_role(world):
    return [*both(world), world.said("legal", "bob", decision="rejected", serial=2, expires=None)]


def approved_again(world):
    return [*withdrawn_later(world), world.said("security", "ada", serial=3)]


def expired(world):
    yesterday = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    return [world.said("security", "ada", expires=yesterday), world.said("legal", "bob")]


def role_unknown_to_root(world):
    return [*both(world), world.said("privacy", "ada")]


def key_revoked(world):
    reviews = both(world)
    sim = world.sim
    revoke(sim.channel, "ada", "stolen", replacement=signer("eve").public_key, signers=sim.signers, accept_loss=True)
    return reviews


def key_retired(world):
    reviews = both(world)
    sim = world.sim
    change_reviewers(sim.channel, "security", add=[signer("eve").public_key], remove=["ada"], signers=sim.signers)
    return reviews


def one_key_twice_for_two(world):
    world.sim.join("security", "eve", threshold=2, accept_loss=True)
    return [*both(world), world.said("security", "ada", serial=2)]


def two_keys_for_two(world):
    world.sim.join("security", "eve", threshold=2, accept_loss=True)
    return [*both(world), world.said("security", "eve")]


def questionnaire_void(world):
    reviews, sim = both(world), world.sim
    (sim.directory / "questionnaire.toml").write_bytes(
        b'schema = "sealift.questionnaire/1"\n[classes.minimal]\nroles = ["security"]\n'
        b"[classes.limited]\n[classes.high]\n"
    )
    change_reviewers(sim.channel, void=[world.good.questionnaire], signers=sim.signers, accept_loss=True)
    return reviews


PRIVACY = BOTH.replace('"legal"', '"privacy"')
# What was said, the policy, and what is missing for installing and for loading; "" where nothing is.
LACKS_SECURITY = r"security: 0 of 1 approvals by 'ada'"
TABLE = [
    (none, BOTH, LACKS_SECURITY, LACKS_SECURITY),
    (one_of_two, BOTH, "legal: 0 of 1 approvals by 'bob'", "legal: 0 of 1 approvals by 'bob'"),
    (both, BOTH, "", ""),
    (legal_signs_as_security, BOTH, LACKS_SECURITY, LACKS_SECURITY),
    (another_digest, BOTH, LACKS_SECURITY, LACKS_SECURITY),
    (another_record, BOTH, LACKS_SECURITY, LACKS_SECURITY),
    (another_questionnaire, BOTH, LACKS_SECURITY, LACKS_SECURITY),
    (payload_changed, BOTH, LACKS_SECURITY, LACKS_SECURITY),
    (withdrawn_later, BOTH, "security: withdrawn by 'ada'", "security: withdrawn by 'ada'"),
    (rejected_by_another_role, BOTH, "legal: rejected by 'bob'", "legal: rejected by 'bob'"),
    (approved_again, BOTH, "", ""),
    (expired, BOTH, LACKS_SECURITY + "; expired: 'ada'", ""),
    (role_unknown_to_root, PRIVACY, "has no reviewers for 'privacy'", "has no reviewers for 'privacy'"),
    (key_revoked, BOTH, "security: 0 of 1 approvals by 'eve'", "security: 0 of 1 approvals by 'eve'"),
    (key_retired, BOTH, "", ""),
    (one_key_twice_for_two, BOTH, "security: 1 of 2 approvals by 'ada', 'eve'", "security: 1 of 2 approvals"),
    (two_keys_for_two, BOTH, "", ""),
    (questionnaire_void, BOTH, LACKS_SECURITY, LACKS_SECURITY),
]


@pytest.fixture
def pinned(tmp_path):
    """Give an instance that has the channel's root."""

    def make(world):
        made = Instance(tmp_path / "instance")
        made.pin(world.sim.root_bytes)
        return made

    return make


@pytest.mark.parametrize(
    ("reviews", "policy", "on_install", "on_load"), TABLE, ids=[case[0].__name__ for case in TABLE]
)
def test_what_is_installed_and_loaded(tmp_path, pinned, reviews, policy, on_install, on_load):
    world = World(tmp_path)
    chosen = reviews(world)
    list_reviews(world.sim, lambda _: chosen)
    bundle = world.sim.pack_anything(tmp_path / "bundle.tar")
    instance = pinned(world)
    demand(instance, policy)
    if on_install:
        before = instance.snapshot()
        with pytest.raises(UnreviewedError, match=on_install) as caught:
            instance.install(bundle)
        assert caught.value.exit_code == 29
        after = {name: facts for name, facts in instance.snapshot().items() if name != "store"}
        assert after == before
        # It was installed before there was a policy.
        (instance.trust_path / "policy.toml").unlink()
        instance.install(bundle)
        demand(instance, policy)
    else:
        instance.install(bundle)
    if on_load:
        with pytest.raises(UnreviewedError, match=on_load):
            instance.store.load("toy")
    else:
        assert instance.store.load("toy").version == "1.0.0"
