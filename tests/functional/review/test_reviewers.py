"""Who reviews: keys that retire, are revoked or are of other kinds, and statements that anybody can check."""

import shutil
import subprocess

import pytest
from google.protobuf import json_format
from in_toto_attestation.v1.statement import Statement as OfficialStatement
from in_toto_attestation.v1.statement_pb2 import Statement as OfficialMessage
from securesystemslib.signer import CryptoSigner
from support.release.approvals import listed
from support.release.reviews import ReviewedChannel, signer

from sealift_common.errors import KeyFileError, UsageError
from sealift_common.review.statement import parse_statement
from sealift_keys.ceremony.merging import merge
from sealift_keys.ceremony.reviewing import change_reviewers
from sealift_keys.ceremony.revocation import exposure, revoke
from sealift_keys.ceremony.roster import root_changes, roster
from sealift_keys.ceremony.rotation import renew, rotate
from sealift_keys.ceremony.stating import state
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.statements import statements


def test_a_key_that_retires_loses_nothing_and_signs_no_more(sim):
    model = sim.stage("1.0.0")
    sim.say(model, "security", "ada")
    change_reviewers(sim.channel, "security", add=[signer("eve").public_key], remove=["ada"], signers=sim.signers)
    sim.release()
    assert sim.channel.released().keys() == {model}
    with pytest.raises(KeyFileError, match="'ada' does not review for 'security'; these do: 'eve'"):
        sim.say(model, "security", "ada")
    shown = {key.name: key.roles for key in roster(sim.channel).keys}
    assert shown["eve"] == ("review security",)
    assert shown["ada"][0].startswith("review security until ")


def test_what_a_revoked_key_signed_counts_for_nothing_and_revoking_says_what_is_lost(sim):
    model = sim.stage("1.0.0")
    sim.say(model, "security", "ada")
    sim.release()
    with pytest.raises(
        UsageError, match=r"1 released version would lack an approval: toy 1\.0\.0; nothing was written"
    ):
        revoke(sim.channel, "ada", "stolen", replacement=signer("eve").public_key, signers=sim.signers)
    with pytest.raises(UsageError, match=r"would have 0 keys for 1 approvals; give --replace-with"):
        revoke(sim.channel, "ada", "stolen", signers=sim.signers, accept_loss=True)
    assert exposure(sim.channel, "ada").roles == {"review for security": 0}
    changed = revoke(
        sim.channel, "ada", "stolen", replacement=signer("eve").public_key, signers=sim.signers, accept_loss=True
    )
    assert "toy 1.0.0 lacks an approval now: have it reviewed again" in changed.lines
    sim.release()
    assert listed(sim) == []
    with pytest.raises(UsageError, match="was revoked"):
        sim.join("legal", "ada")


def test_reviewers_hold_no_other_key_of_the_channel(sim):
    targets = sim.keys["targets"][0].public_key
    with pytest.raises(
        UsageError, match="key 'targets-1' signs 'targets', in root 1; reviewers need keys of their own"
    ):
        change_reviewers(sim.channel, "security", add=[targets], signers=sim.signers)
    with pytest.raises(UsageError, match="key 'ada' reviews for this channel, or did; take another for 'targets'"):
        rotate(sim.channel, ["targets"], add=[sim.people["ada"].public_key], signers=sim.signers)
    with pytest.raises(UsageError, match="key 'ada' reviews for 'security' already, or did"):
        change_reviewers(sim.channel, "legal", add=[sim.people["ada"].public_key], signers=sim.signers)
    # Nor one that signed something once.
    rotate(sim.channel, ["snapshot"], remove=["snapshot-1"], add=[signer("new").public_key], signers=sim.keys["root"])
    with pytest.raises(UsageError, match="key 'snapshot-1' signs 'snapshot', in root 1"):
        change_reviewers(sim.channel, "security", add=[sim.keys["snapshot"][0].public_key], signers=sim.keys["root"])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "nothing would change"),
        ({"threshold": 2}, "threshold 2 cannot be met with 1 key"),
        ({"threshold": 0}, "threshold 0 cannot be met"),
        ({"remove": ["ada"]}, "threshold 1 cannot be met with 0 keys"),
        ({"remove": ["bob"]}, "key 'bob' does not review for 'security'"),
        ({"remove": ["nobody"]}, "no key of this channel is named 'nobody'"),
    ],
)
def test_a_change_of_reviewers_that_cannot_be(sim, changes, says):
    with pytest.raises(UsageError, match=says):
        change_reviewers(sim.channel, "security", signers=sim.signers, **changes)
    with pytest.raises(UsageError, match="'targets' is not a name for reviewers"):
        change_reviewers(sim.channel, "targets", signers=sim.signers)


def test_who_signs_a_root_sees_whom_it_makes_reviewers(sim):
    sim.join("privacy", "eve", threshold=1)
    changed = root_changes(sim.channel)
    assert changed[0].startswith("reviewers for privacy: with 'eve', fingerprint ")
    assert changed[1:] == ["reviewers for privacy: 1 of 1 key must approve"]


def test_a_copy_brings_statements_home(sim, tmp_path):
    model = sim.stage("1.0.0")
    copy = Channel.open(shutil.copytree(sim.directory, tmp_path / "copy"))
    digest = sim.digest(model)
    state(copy, model, "security", "approved", digest, sim.people["ada"])
    # Meanwhile the channel went on, and the copy is too old for signatures.
    renew(sim.channel, ["timestamp"], signers=sim.signers)
    merged = merge(sim.channel, copy)
    assert [one.decision for one in merged.statements] == ["approved"]
    assert "the copy is too old" in merged.only_statements
    sim.release()
    assert sim.channel.released().keys() == {model}


def test_statements_are_in_toto_statements(sim):
    made = sim.say(sim.stage("1.0.0"), "security", "ada", note="looked at it")
    (envelope,) = statements(sim.directory).values()
    message = json_format.Parse(envelope.payload, OfficialMessage())
    official = OfficialStatement.copy_from_pb(message)
    official.validate()
    assert official.pb.predicate_type == "https://in-toto.io/attestation/svr/v0.2"
    assert official.pb.subject[0].name == "models/toy/1.0.0"
    assert parse_statement(envelope.payload, "x") == made.statement


def test_openssl_checks_a_statement(sim, tmp_path, require_tool):
    sim.say(sim.stage("1.0.0"), "security", "ada")
    (envelope,) = statements(sim.directory).values()
    key = sim.people["ada"].public_key
    (tmp_path / "key.pem").write_text(key.keyval["public"])
    (tmp_path / "signed").write_bytes(envelope.signed_bytes)
    (tmp_path / "sig").write_bytes(bytes.fromhex(envelope.signatures[0].signature))
    command = [
        require_tool("openssl"),
        "dgst",
        "-sha256",
        "-verify",
        tmp_path / "key.pem",
        "-signature",
        tmp_path / "sig",
    ]
    checked = subprocess.run([*command, tmp_path / "signed"], capture_output=True, text=True, check=False)
    assert checked.stdout == "Verified OK\n"


@pytest.mark.parametrize("kind", ["generate_ed25519", "generate_rsa"])
def test_reviewers_may_have_keys_of_other_kinds(tmp_path, kind):
    sim = ReviewedChannel(tmp_path / "ch", ())
    sim.people["ada"] = getattr(CryptoSigner, kind)()
    sim.people["ada"].public_key.unrecognized_fields["x-sealift-name"] = "ada"
    sim.join("security", "ada")
    sim.say(sim.stage("1.0.0"), "security", "ada")
    sim.release()
