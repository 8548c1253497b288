"""A site's own reviewers: their word counts for their role, their rejection blocks, and nobody else may write."""

import json
import os

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support.release.instance import Instance
from support.release.reviews import BOTH, SECURITY, ReviewedChannel, demand, list_reviews, signed, signer

from sealift.errors import LocalError, UnreviewedError, UnsafeStoreError
from sealift.policy.own import strangers
from sealift_common import fingerprint
from sealift_common.names import ModelVersion
from sealift_keys.ceremony.stating import state_own
from sealift_keys.cli import command as keys_command
from sealift_keys.cli.reviews import own_review

pytestmark = pytest.mark.usefixtures("no_replay")

OWN = SECURITY + '[own]\nsite = ["carol.pem.pub"]\n'
TOY = ModelVersion.parse("toy", "1.0.0")


@pytest.fixture
def carol():
    return signer("carol")


def put_key(instance, person, name="carol.pem.pub"):
    pem = fingerprint.parse(person.public_key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (instance.trust_path / name).write_bytes(b"name: " + name.split(".")[0].encode() + b"\n" + pem)


@pytest.fixture
def sim(tmp_path):
    sim = ReviewedChannel(tmp_path / "ch")
    for name in ("toy", "other"):
        sim.say(sim.stage("1.0.0", name=name), "security", "ada")
    sim.release()
    return sim


@pytest.fixture
def bundle(sim, tmp_path):
    return sim.pack(tmp_path / "b.tar")


@pytest.fixture
def instance(sim, tmp_path, carol):
    instance = Instance(tmp_path / "instance")
    instance.pin(sim.root_bytes)
    put_key(instance, carol)
    demand(instance, OWN)
    return instance


def say(instance, sim, person, decision="approved", role="site", model=TOY, **changes):
    return state_own(instance.trust_path, "sim", model, role, decision, sim.digest(model), person, **changes)[1]


def say_both(instance, sim, person):
    for name in ("toy", "other"):
        say(instance, sim, person, model=ModelVersion.parse(name, "1.0.0"))


LACKS = r"toy 1\.0\.0: this site's site: 0 of 1 approvals by 'carol'"


def test_own_reviewers_must_approve_too(sim, instance, bundle, carol, refused):
    with refused(UnreviewedError, LACKS):
        instance.install(bundle)
    say_both(instance, sim, carol)
    instance.install(bundle)
    assert instance.store.load("toy").version == "1.0.0"


def test_an_own_rejection_blocks_and_the_next_load_sees_it(sim, instance, bundle, carol):
    say_both(instance, sim, carol)
    instance.install(bundle)
    assert instance.store.load("toy").version == "1.0.0"
    path = say(instance, sim, carol, "rejected", note="not here")
    with pytest.raises(UnreviewedError, match=r"site: rejected by 'carol' \('not here'\)"):
        instance.store.load("toy")
    assert instance.store.load("other").version == "1.0.0"
    path.unlink()
    assert instance.store.load("toy").version == "1.0.0"
    # Who leaves the policy has no say.
    demand(instance, SECURITY)
    say(instance, sim, carol, "rejected")
    assert instance.store.load("toy").version == "1.0.0"


def test_own_approvals_count_for_own_roles_alone(sim, instance, bundle, carol, refused):
    demand(instance, BOTH + '[own]\nsite = ["carol.pem.pub"]\n')
    say_both(instance, sim, carol)
    for role in ("legal", "security"):
        say(instance, sim, carol, role=role)
    with refused(UnreviewedError, r"toy 1\.0\.0: legal: 0 of 1 approvals by 'bob'"):
        instance.install(bundle)


def test_a_role_that_both_have_needs_both(sim, instance, bundle, carol, refused):
    demand(instance, OWN.replace("site =", "security ="))
    with refused(UnreviewedError, r"toy 1\.0\.0: this site's security: 0 of 1 approvals by 'carol'"):
        instance.install(bundle)
    for name in ("toy", "other"):
        say(instance, sim, carol, role="security", model=ModelVersion.parse(name, "1.0.0"))
    instance.install(bundle)
    list_reviews(sim, lambda _: [])
    fresh = Instance(instance.directory.with_name("fresh"))
    fresh.pin(sim.root_bytes)
    put_key(fresh, carol)
    demand(fresh, OWN.replace("site =", "security ="))
    for name in ("toy", "other"):
        say(fresh, sim, carol, role="security", model=ModelVersion.parse(name, "1.0.0"))
    with pytest.raises(UnreviewedError, match=r"toy 1\.0\.0: security: 0 of 1 approvals by 'ada'"):
        fresh.install(sim.pack_anything(instance.directory.with_name("stripped.tar")))


def test_an_own_role_of_some_models_is_asked_of_these(sim, instance, bundle, carol, refused):
    demand(instance, SECURITY + '[require.models."to*"]\nroles = ["site"]\n[own]\nsite = ["carol.pem.pub"]\n')
    with refused(UnreviewedError, rf"^1 version not approved for this instance: {LACKS}"):
        instance.install(bundle)
    say(instance, sim, carol)
    instance.install(bundle)


def test_an_own_approval_expires_for_installing_alone(sim, instance, bundle, carol, refused):
    from datetime import UTC, datetime, timedelta

    for name in ("toy", "other"):
        say(instance, sim, carol, model=ModelVersion.parse(name, "1.0.0"), expires_days=5)
    with refused(UnreviewedError, "expired: 'carol'"):
        instance.install(bundle, now=datetime.now(UTC) + timedelta(days=6))
    instance.install(bundle)
    assert instance.store.load("toy").version == "1.0.0"


def test_of_a_channels_reviewer_the_folder_takes_rejections_alone(sim, instance, bundle, carol, refused):
    say_both(instance, sim, carol)
    folder = instance.trust_path / "reviews"
    good = sim.say(TOY, "legal", "bob").statement
    (folder / "bob-approves.dsse.json").write_text(json.dumps(signed(good, sim.people["bob"])))
    demand(instance, BOTH + '[own]\nsite = ["carol.pem.pub"]\n')
    with refused(UnreviewedError, "legal: 0 of 1 approvals by 'bob'"):
        instance.install(bundle)
    demand(instance, OWN)
    instance.install(bundle)
    # News that no bundle brought yet.
    taken_back = good._replace(role="security", decision="withdrawn", serial=2, expires=None)
    (folder / "ada-takes-back.dsse.json").write_text(json.dumps(signed(taken_back, sim.people["ada"])))
    with pytest.raises(UnreviewedError, match="security: withdrawn by 'ada'"):
        instance.store.load("toy")
    # Without keys of one's own as well.
    demand(instance, SECURITY)
    with pytest.raises(UnreviewedError, match="security: withdrawn by 'ada'"):
        instance.store.load("toy")
    assert instance.store.load("other").version == "1.0.0"


def test_a_statement_of_a_stranger_or_for_another_channel_says_nothing(sim, instance, bundle, carol, refused):
    say_both(instance, sim, carol)
    folder = instance.trust_path / "reviews"
    good = sim.say(TOY, "legal", "bob").statement._replace(role="site", decision="rejected", expires=None, serial=9)
    for name, envelope in {
        "eve": signed(good, signer("eve")),
        "elsewhere": signed(good._replace(channel="elsewhere"), carol),
        "targets": signed(good, sim.keys["targets"][0]),
    }.items():
        (folder / f"{name}.dsse.json").write_text(json.dumps(envelope))
    instance.install(bundle)
    assert instance.store.load("toy").version == "1.0.0"
    policy = instance.store.policy()
    assert strangers(policy.own, instance.store.release().reviewers, "sim") == 3


def _weak():
    from cryptography.hazmat.primitives.asymmetric import rsa

    public = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505 - too short on purpose
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _cut(etc):
    path = next((etc / "reviews").iterdir())
    path.write_bytes(path.read_bytes()[:-40])


WRONG = {
    "no such key": lambda etc: (etc / "carol.pem.pub").unlink(),
    "a private key": lambda etc: (etc / "carol.pem.pub").write_text("-----BEGIN PRIVATE KEY-----\n"),
    "no key": lambda etc: (etc / "carol.pem.pub").write_text("carol"),
    "a key of 1,024 bits": lambda etc: (etc / "carol.pem.pub").write_text(_weak()),
    "a folder": lambda etc: ((etc / "carol.pem.pub").unlink(), (etc / "carol.pem.pub").mkdir()),
    "a pipe": lambda etc: ((etc / "carol.pem.pub").unlink(), os.mkfifo(etc / "carol.pem.pub")),
    "a damaged statement": lambda etc: (etc / "reviews" / "x.dsse.json").write_text("{}"),
    "a cut statement": _cut,
    "a folder of that name": lambda etc: (etc / "reviews" / "x.dsse.json").mkdir(),
    "a file in place of the folder": lambda etc: (
        (etc / "reviews").rename(etc / "r"),
        (etc / "reviews").write_text(""),
    ),
    "a link that leads nowhere": lambda etc: (etc / "reviews" / "x.dsse.json").symlink_to("gone"),
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda name: name.replace(" ", "-"))
def test_with_a_file_that_is_wrong_nothing_installs_or_loads(sim, instance, bundle, carol, refused, wrong):
    say_both(instance, sim, carol)
    instance.install(bundle)
    WRONG[wrong](instance.trust_path)
    with refused((LocalError, UnsafeStoreError)):
        instance.install(bundle)
    with pytest.raises((LocalError, UnsafeStoreError), match=r"step .policy."):
        instance.store.load("toy")


@pytest.mark.parametrize("place", ["carol.pem.pub", "reviews", "statement"])
def test_what_others_can_write_is_refused(sim, instance, bundle, carol, place):
    say_both(instance, sim, carol)
    instance.install(bundle)
    path = next((instance.trust_path / "reviews").iterdir()) if place == "statement" else instance.trust_path / place
    path.chmod(0o777 if path.is_dir() else 0o666)
    with pytest.raises(UnsafeStoreError, match="what the policy needs is not safe"):
        instance.store.load("toy")


@pytest.mark.parametrize("statements", [True, False], ids=["statements", "none"])
def test_a_folder_that_others_can_write_is_refused_even_when_they_emptied_it(
    sim, instance, bundle, carol, statements, refused
):
    """Who can write it can take a rejection out of it."""
    demand(instance, SECURITY)
    instance.install(bundle)
    if statements:
        say(instance, sim, carol, "rejected")
    else:
        (instance.trust_path / "reviews").mkdir()
    instance.store.load("toy")
    (instance.trust_path / "reviews").chmod(0o777)
    with pytest.raises(UnsafeStoreError, match="what the policy needs is not safe"):
        instance.store.load("toy")
    with refused(UnsafeStoreError):
        instance.install(bundle)


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ("[own]\nsite = []\n", "expected names of key files beside the policy"),
        ('[own]\nsite = "carol.pem.pub"\n', "expected names of key files"),
        ('[own]\nsite = ["../carol.pem.pub"]\n', "expected names of key files"),
        ('[own]\nsite = ["/etc/carol.pem.pub"]\n', "expected names of key files"),
        ("[own]\nsite = [1]\n", "expected names of key files"),
        ('[own]\n"Site 1" = ["carol.pem.pub"]\n', "is not a name for reviewers"),
        ('own = ["carol.pem.pub"]\n', "unknown key|expected a table"),
        ('[own]\nsite = ["carol.pem.pub"]\nsecond = ["carol.pem.pub"]\n', "reviews for 'site' already"),
    ],
    ids=range(8),
)
def test_own_reviewers_of_another_form_are_refused(instance, bundle, refused, own, says):
    demand(instance, 'schema = "sealift.policy/1"\n' + own)
    with refused(LocalError, says):
        instance.install(bundle)


def test_own_statements_are_read_once_for_each_change(sim, instance, bundle, carol, monkeypatch):
    from sealift.policy import own

    say_both(instance, sim, carol)
    instance.install(bundle)
    monkeypatch.setattr(own, "_SETTLED_NS", 0)
    instance.store.load("toy")
    read = []
    original = own._read
    monkeypatch.setattr(own, "_read", lambda *given: read.append(given) or original(*given))
    for _ in range(3):
        instance.store.load("toy")
    assert read == []
    # Of the same length and in the same second: a file that was replaced has another place on the disk.
    path = next((instance.trust_path / "reviews").iterdir())
    path.with_suffix(".new").write_bytes(path.read_bytes())
    path.with_suffix(".new").rename(path)
    instance.store.load("toy")
    assert len(read) == 1


@pytest.fixture
def keys(call, carol, monkeypatch):
    monkeypatch.setattr(own_review, "open_signers", lambda *_: [carol])
    return lambda *words: call(keys_command, "own-review", *words)


def test_the_command_writes_what_an_instance_reads(sim, instance, bundle, keys):
    words = [instance.trust_path, "toy", "1.0.0", "--channel", "sim", "--role", "site", "--key", "carol"]
    words += ["--digest", sim.digest(TOY)]
    demand(instance, OWN + '[require.models."toy"]\nroles = ["site"]\n')
    status, out, _ = keys(*words, "--approve", "--note", "fine here")
    assert status == 0
    assert "signed: toy 1.0.0 approved for site until " in out
    assert "next: put it into the folder 'reviews' beside the policy of each instance" in out
    instance.install(bundle)
    document = json.loads(keys(*words, "--withdraw", "--json")[1])
    assert (document["decision"], document["serial"]) == ("withdrawn", 2)
    with pytest.raises(UnreviewedError, match="site: withdrawn by 'carol'"):
        instance.store.load("toy")


@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        ([], 2, "say what you decided"),
        (["--approve", "--expires-days", "0"], 2, "0 days put the expiry in the past"),
        (["--approve", "--note", "a\x07b"], 2, "without control characters"),
        (["--approve", "--digest", "abc"], 2, "is not a digest"),
        (["--approve", "--role", "Site 1"], 2, "is not a name for reviewers"),
        (["--approve", "--channel", "Sim 1"], 2, "is not a name for a channel"),
        (["--withdraw"], 2, "has not approved toy 1.0.0"),
    ],
    ids=range(7),
)
def test_an_own_review_that_is_refused_writes_nothing(sim, tmp_path, keys, changes, status, says):
    words = [tmp_path / "own", "toy", "1.0.0", "--channel", "sim", "--role", "site", "--key", "carol"]
    found, out, err = keys(*words, "--digest", sim.digest(TOY), *changes)
    assert (found, out) == (status, "")
    assert says in err
    assert not (tmp_path / "own").exists()


def test_review_shows_whose_word_it_is_and_what_root_asks_for(sim, instance, bundle, carol, sealift_command, tmp_path):
    say_both(instance, sim, carol)
    instance.install(bundle)
    status, out, err = sealift_command("review", "toy", "--attestations", tmp_path / "a")
    assert (status, err) == (0, "")
    assert "policy   asked for here: security, site\n" in out
    assert "carol (this site)" in out
    assert "it may be installed and loaded here" in out
    document = json.loads(sealift_command("review", "toy", "--json")[1])
    assert [(one["by"], one["site"]) for one in document["decisions"]] == [("ada", False), ("carol", True)]
    assert len(list((tmp_path / "a").iterdir())) == 4
    say(instance, sim, carol, "rejected", note="not here")
    assert "it is not loaded here: " in sealift_command("review", "toy")[1]
