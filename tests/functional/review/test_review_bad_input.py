"""What people get wrong about reviews: one line, the right exit status, nothing written. The author's answers are in
test_review_record, decisions of reviewers in test_reviews.
"""

import os
from functools import partial

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support.release.instance import Instance
from support.release.reviews import BOTH, SECURITY, ReviewedChannel, demand

from sealift_common import fingerprint
from sealift_keys.cli import command as keys_command

pytestmark = pytest.mark.usefixtures("no_replay")


@pytest.fixture
def sim(tmp_path):
    sim = ReviewedChannel(tmp_path / "ch")
    sim.say(sim.stage("1.0.0"), "security", "ada")
    sim.release()
    return sim


@pytest.fixture
def instance(sim, tmp_path):
    instance = Instance(tmp_path / "instance")
    instance.pin(sim.root_bytes)
    instance.install(sim.pack(tmp_path / "b.tar"))
    return instance


@pytest.fixture
def keys(call):
    return partial(call, keys_command)


def public(tmp_path, key, name="key"):
    pem = fingerprint.parse(key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path = tmp_path / f"{name}.pem.pub"
    path.write_bytes(pem)
    return path


def one_line(result, status, says):
    found, out, err = result
    assert (found, out) == (status, "")
    assert says in err
    assert err.startswith("sealift")
    assert err.count("\n") == 1


def files(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file() and path.name != "lock"}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("roles", "rolls", "unknown key 'rolls' in [require]; did you mean 'roles'?"),
        ("[require]", "[requires]", "unknown key 'requires'; did you mean 'require'?"),
        (
            '"legal"]',
            '"legal"]\nmax_age_day = 3',
            "unknown key 'max_age_day' in [require]; did you mean 'max_age_days'?",
        ),
        ('"legal"]', '"Legal"]', "expected a list such as ['security', 'legal']"),
        ("policy/1", "policy/2", "this Sealift knows 'sealift.policy/1', install a newer one"),
    ],
    ids=range(5),
)
@pytest.mark.parametrize("verb", ["check", "set"])
def test_a_policy_that_is_mistyped(instance, tmp_path, sealift_command, verb, old, new, says):
    assert old in BOTH
    (tmp_path / "new.toml").write_text(BOTH.replace(old, new))
    before = instance.snapshot()
    one_line(sealift_command("policy", verb, tmp_path / "new.toml"), 3, says)
    assert instance.snapshot() == before


def test_a_policy_that_is_not_roots(instance, sealift_command):
    demand(instance, SECURITY)
    path = instance.trust_path / "policy.toml"
    os.chown(path, 12345, 12345)
    for words in (("path", "toy"), ("install", instance.directory.parent / "b.tar"), ("list",)):
        before = instance.snapshot()
        one_line(sealift_command(*words), 36, "the policy is not safe: ")
        assert instance.snapshot() == before
    assert sealift_command("doctor")[0] == 36


def test_an_exception_of_the_past_is_said_to_have_ended(sim, instance, tmp_path, sealift_command):
    digest = sim.digest(sim.channel_models()[0])
    (tmp_path / "new.toml").write_text(
        f'{SECURITY}[[except]]\ndigest = "{digest}"\nreason = "long ago"\nuntil = 2020-01-01\n'
    )
    status, out, _ = sealift_command("policy", "check", tmp_path / "new.toml")
    assert status == 0
    assert f"  except {digest} until 2020-01-01, which has ended: long ago\n" in out


def test_two_exceptions_for_one_version_are_refused(sim, instance, tmp_path, sealift_command):
    """One of them would count, and nobody could tell which."""
    entry = f'[[except]]\ndigest = "{sim.digest(sim.channel_models()[0])}"\nreason = "pilot"\nuntil = 2027-0{{}}-01\n'
    (tmp_path / "new.toml").write_text(SECURITY + entry.format(3) + entry.format(4))
    status, out, err = sealift_command("policy", "check", tmp_path / "new.toml")
    assert (status, out) == (3, "")
    assert "stands in two exceptions; keep the one that holds" in err


def test_a_reviewer_who_signs_targets(sim, keys, tmp_path):
    before = files(sim.directory)
    path = public(tmp_path, sim.keys["targets"][0].public_key)
    one_line(
        keys("reviewer", sim.directory, "--role", "privacy", "--add", path),
        2,
        "signs 'targets', in root 1; reviewers need keys of their own",
    )
    assert files(sim.directory) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--role", "security"], "nothing would change; give --add FILE.pub"),
        (["--add", "KEY"], "is not a name for reviewers; expected for example 'security'"),
        (["--role", "targets", "--add", "KEY"], "'targets' is not a name for reviewers"),
        (
            ["--role", "security", "--remove", "adda"],
            "no key of this channel is named 'adda'; its keys are 'ada', 'bob'",
        ),
        (["--role", "security", "--remove", "ada"], "threshold 1 cannot be met with 0 keys; add a key"),
        (["--role", "security", "--threshold", "5"], "threshold 5 cannot be met with 1 key"),
        (["--void", "sha256:1"], "root has no questionnaire 'sha256:1' that counts; those that do: sha256:"),
        (["--void", "sha256:1", "--require"], "say which reviewers, for example --role security"),
    ],
    ids=range(8),
)
def test_a_change_of_reviewers_that_is_mistyped(sim, keys, tmp_path, words, says):
    path = public(tmp_path, sim.people["bob"].public_key)
    before = files(sim.directory)
    one_line(keys("reviewer", sim.directory, *(path if word == "KEY" else word for word in words)), 2, says)
    assert files(sim.directory) == before
