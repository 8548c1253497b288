"""Statements that were forged, flipped, mixed up or replayed: none approves anything, and only our errors come out."""

import base64
import copy
import json
import os
import random
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from support.depth import DEPTH
from support.release.reviews import ReviewedChannel, signer

from sealift_common.errors import ChannelError, Error, LimitError, MalformedError
from sealift_common.metadata.release_document import FIELD, REVOKED
from sealift_common.names import ModelVersion
from sealift_common.review.dsse import Envelope, canonical, parse_envelope, pre_authentication
from sealift_common.review.judgement import decisions, kept, problems
from sealift_common.review.reviewers import read_reviewers
from sealift_common.review.statement import Statement, Subject, parse_statement
from sealift_keys.ceremony.merging import merge
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.statements import keep_statement, statements

MODEL = ModelVersion.parse("toy", "1.0.0")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A channel, one approved version, the approval as JSON has it, and the digest of its record."""
    sim = ReviewedChannel(tmp_path_factory.mktemp("reviews") / "ch")
    made = sim.say(sim.stage("1.0.0"), "security", "ada")
    (envelope,) = statements(sim.directory).values()
    return sim, Subject(MODEL, sim.digest(MODEL)), made.statement, envelope.to_dict()


def open_questions(world, *envelopes, root=None, now=None, roles=("security",)):
    sim, subject, statement, _ = world
    reviewers = read_reviewers(root or sim.channel.root().signed)
    return problems(decisions(envelopes, reviewers, subject, statement.record), reviewers, roles, now)


def said(world, by, **changes):
    """A statement like the good one but for some fields, signed by somebody."""
    statement = world[2]._replace(**changes)
    signature = by.sign(pre_authentication(statement.to_bytes()))
    return Envelope(statement.to_bytes(), (signature,)).to_dict()


def test_the_good_one_approves(world):
    assert open_questions(world, world[3]) == []
    assert open_questions(world) == ["security: 0 of 1 approvals by 'ada'"]


@pytest.mark.parametrize(
    "changes",
    [
        {"role": "legal"},
        {"role": "unknown"},
        {"channel": "other"},
        {"subjects": (Subject(MODEL, "sha256:" + "0" * 64),)},
        {"record": "sha256:" + "0" * 64},
        {"record": None},
    ],
    ids=lambda changes: next(iter(changes)) + str(next(iter(changes.values())))[:8],
)
def test_an_approval_of_something_else_does_not_count(world, changes):
    assert open_questions(world, said(world, world[0].people["ada"], **changes)) != []


def test_another_path_with_the_same_digest_does_not_count(world):
    other = (Subject(ModelVersion.parse("toy", "2.0.0"), world[1].digest),)
    assert open_questions(world, said(world, world[0].people["ada"], subjects=other)) != []


@pytest.mark.parametrize("by", ["bob", "targets", "root", "stranger"])
def test_a_signature_of_somebody_else_does_not_count(world, by):
    sim = world[0]
    people = {"bob": sim.people["bob"], "targets": sim.keys["targets"][0], "root": sim.keys["root"][0]}
    forged = said(world, people.get(by) or CryptoSigner.generate_ecdsa())
    assert open_questions(world, forged) != []
    # Nor under the key id of somebody who may.
    forged["signatures"][0]["keyid"] = sim.people["ada"].public_key.keyid
    assert open_questions(world, forged) != []


def test_one_key_counts_once_whatever_its_ids(world):
    """Twice in one envelope, in two envelopes, and under two ids in root."""
    sim = world[0]
    root = copy.deepcopy(sim.channel.root().signed)
    entry = root.unrecognized_fields[FIELD]["reviewers"]["security"]
    entry["threshold"] = 2
    twice = copy.deepcopy(world[3])
    twice["signatures"].append({**twice["signatures"][0], "keyid": "another"})
    again = said(world, sim.people["ada"], serial=2)
    assert open_questions(world, twice, again, world[3], root=root) == ["security: 1 of 2 approvals by 'ada'"]
    double = copy.deepcopy(root.keys[entry["keyids"][0]])
    double.keyid = "f" * 64
    root.keys["f" * 64] = double
    entry["keyids"].append("f" * 64)
    with pytest.raises(MalformedError, match="one key is listed twice"):
        read_reviewers(root)


def test_the_stricter_of_two_with_one_serial_counts(world):
    ada = world[0].people["ada"]
    for decision in ("withdrawn", "rejected"):
        strict = said(world, ada, decision=decision, expires=None)
        for order in ([strict, world[3]], [world[3], strict]):
            assert open_questions(world, *order)[0] == f"security: {decision} by 'ada'"


def test_an_old_approval_replayed_beside_a_withdrawal_does_not_count(world):
    withdrawn = said(world, world[0].people["ada"], decision="withdrawn", serial=2, expires=None)
    for order in ([withdrawn, world[3]], [world[3], withdrawn]):
        assert open_questions(world, *order)[0] == "security: withdrawn by 'ada'"


def test_a_rejection_counts_whatever_it_says_of_the_record(world):
    rejected = said(world, world[0].people["bob"], role="legal", decision="rejected", record=None, expires=None)
    assert open_questions(world, world[3], rejected) == ["legal: rejected by 'bob'"]


def test_what_a_retired_key_signs_afterwards_does_not_count(world):
    root = copy.deepcopy(world[0].channel.root().signed)
    entry = root.unrecognized_fields[FIELD]["reviewers"]["security"]
    (keyid,) = entry["keyids"]
    entry["keyids"] = []
    entry["retired"] = [{"keyid": keyid, "at": "2020-01-01T00:00:00Z"}]
    assert open_questions(world, world[3], root=root) == ["security: 0 of 1 approvals by nobody"]
    entry["retired"][0]["at"] = "2100-01-01T00:00:00Z"
    assert open_questions(world, world[3], root=root) == []


def test_nothing_of_a_revoked_key_counts(world):
    from sealift_common import fingerprint

    root = copy.deepcopy(world[0].channel.root().signed)
    digits = fingerprint.of_key(world[0].people["ada"].public_key)
    root.unrecognized_fields[FIELD][REVOKED] = [{"name": "ada", "fingerprint": digits, "at": "", "reason": ""}]
    assert open_questions(world, world[3], root=root) == ["security: 0 of 1 approvals by nobody"]


def test_a_key_that_signs_metadata_too_makes_the_root_malformed(world):
    root = copy.deepcopy(world[0].channel.root().signed)
    entry = root.unrecognized_fields[FIELD]["reviewers"]["security"]
    entry["keyids"].append(root.roles["targets"].keyids[0])
    with pytest.raises(MalformedError, match="signs metadata as well"):
        read_reviewers(root)


ODD_REVIEWERS = [
    [],
    {},
    {"security": []},
    {"security": {"keyids": "x", "threshold": 1}},
    {"security": {"keyids": ["x"], "threshold": 1}},
    {"security": {"keyids": [[]], "threshold": 1}},
    {"security": {"keyids": [], "threshold": True}},
    {"security": {"keyids": [], "threshold": 0}},
    {"security": {"keyids": [], "threshold": 1, "retired": [1]}},
    {"security": {"keyids": [], "threshold": 1, "retired": [{"keyid": "x", "at": "soon"}]}},
    {"Security": {"keyids": [], "threshold": 1}},
    {f"role{number}": {"keyids": [], "threshold": 1} for number in range(21)},
]


@pytest.mark.parametrize("document", ODD_REVIEWERS, ids=range(len(ODD_REVIEWERS)))
def test_reviewers_of_another_form_make_the_root_malformed(world, document):
    root = copy.deepcopy(world[0].channel.root().signed)
    root.unrecognized_fields[FIELD]["reviewers"] = document
    with pytest.raises((MalformedError, LimitError), match="root: "):
        read_reviewers(root)


ODD_ENVELOPES = [
    {},
    {"payload": "", "payloadType": "application/vnd.in-toto+json", "signatures": []},
    {"payload": 1, "payloadType": "application/vnd.in-toto+json", "signatures": [{"keyid": "", "sig": ""}]},
    {"payload": "e30=", "payloadType": "text/plain", "signatures": [{"keyid": "", "sig": ""}]},
    {"payload": "e30=", "payloadType": "application/vnd.in-toto+json", "signatures": [{"keyid": "", "sig": "*"}]},
    {"payload": "e30=", "payloadType": "application/vnd.in-toto+json", "signatures": [{"keyid": ""}]},
    {"payload": "e30=", "payloadType": "application/vnd.in-toto+json", "signatures": [{"keyid": "", "sig": ""}] * 17},
    {"payload": "A" * 400_000, "payloadType": "application/vnd.in-toto+json", "signatures": [{"keyid": "", "sig": ""}]},
    {"payload": "e31=", "payloadType": "application/vnd.in-toto+json", "signatures": [{"keyid": "", "sig": ""}]},
]


@pytest.mark.parametrize("document", ODD_ENVELOPES, ids=range(len(ODD_ENVELOPES)))
def test_envelopes_of_another_form_are_malformed(document):
    with pytest.raises((MalformedError, LimitError)):
        parse_envelope(document, "a review")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"serial":1', '"serial":1.0'),
        ('"serial":1', '"serial":0'),
        ('"serial":1', '"serial":true'),
        ('"serial":1', f'"serial":{2**53}'),
        ('"approved"', '"Approved"'),
        ('"note":""', '"note":"a\\u0007b"'),
        ('"note":""', '"note":"","note":""'),
        ('"note":""', '"note":"","more":1'),
        ("svr/v0.2", "svr/v0.3"),
        ("Statement/v1", "Statement/v2"),
        ("models/toy", "models/../toy"),
        ("SEALIFT_SECURITY_APPROVED", "SEALIFT_LEGAL_APPROVED"),
        ('{"_type"', '{ "_type"'),
        ("sha256", "sha512"),
        ('"expires":"2', '"expires":"x'),
        ('"note":""', '"note":null'),
        ('"note":""', '"note":["a"]'),
        ('"note":""', '"note":{"a":1}'),
        ('"role":"security"', '"role":null'),
        ('"sealift":{', '"more":{'),
        ('"name":"models/toy/1.0.0"', '"name":["models/toy/1.0.0"]'),
        ('"name":"models/toy/1.0.0"', '"name":{}'),
    ],
)  # fmt: skip
def test_statements_of_another_form_are_malformed(world, old, new):
    payload = world[2].to_bytes().decode()
    assert old in payload
    with pytest.raises((MalformedError, LimitError)):
        parse_statement(payload.replace(old, new, 1).encode(), "a review")


NOTHING = [None, True, 0, 1.5, "", "x", [], [[]], {}, {"a": 1}]


def test_a_statement_with_anything_in_the_place_of_any_value_is_ours_or_malformed(world):
    """Whatever JSON has: only our errors come out."""
    document = json.loads(world[2].to_bytes())
    refused = 0
    for place in places(document):
        for value in NOTHING:
            data = json.dumps(replaced(document, place, value), sort_keys=True, separators=(",", ":")).encode()
            try:
                parse_statement(data, "a review")
            except (MalformedError, LimitError):
                refused += 1
    assert refused > 200


def places(document, here=()):
    yield here
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document if isinstance(document, list) else ())
    )
    for key, value in inner:
        yield from places(value, (*here, key))


def replaced(document, place, value):
    if not place:
        return value
    changed = copy.deepcopy(document)
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    return changed


def test_random_bit_flips_approve_nothing(world):
    """Spare bits of base64 included: an envelope with one other bit approves nothing, and only our errors come out."""
    good = canonical(parse_envelope(world[3], "x"))
    rng = random.Random(7)
    judged = refused = 0
    for _ in range(2_000 * DEPTH):
        data = bytearray(good)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            document = json.loads(bytes(data))
        except ValueError:
            continue
        judged += 1
        # The key id is a hint that no signature covers: any will do, because the material decides.
        changed_hint = (
            isinstance(document, dict)
            and document.get("payload") == world[3]["payload"]
            and [one.get("sig") for one in document.get("signatures", [])]
            == [one["sig"] for one in world[3]["signatures"]]
        )
        assert open_questions(world, document) or changed_hint
        try:
            parse_statement(parse_envelope(document, "x").payload, "x")
        except Error:
            refused += 1
    assert judged > 1_000 * DEPTH
    assert refused > judged / 4


def test_spare_bits_of_base64_are_refused(world):
    for field in ("payload", "sig"):
        document = copy.deepcopy(world[3])
        holder = document if field == "payload" else document["signatures"][0]
        text = holder[field]
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        if not text.endswith("="):
            continue
        place = text.index("=") - 1
        other = text[:place] + alphabet[alphabet.index(text[place]) ^ 1] + text[place + 1 :]
        assert base64.b64decode(other) == base64.b64decode(text)
        holder[field] = other
        with pytest.raises(MalformedError, match="not the one base64"):
            parse_envelope(document, "a review")


def test_only_what_a_release_needs_is_kept(world):
    sim, subject, _, good = world
    reviewers = read_reviewers(sim.channel.root().signed)
    ada = sim.people["ada"]
    later, strange = said(world, ada, serial=2, note="again"), said(world, signer("eve"))
    foreign = said(world, ada, channel="other")
    other = Subject(ModelVersion.parse("toy", "3.0.0"), "sha256:" + "3" * 64)
    batch = said(world, ada, serial=1, record=None, subjects=(subject, other))
    assert kept([good, later, strange, foreign, good], reviewers, {subject}) == (later,)
    assert kept([good, later], reviewers, {other}) == ()
    # A batch stays while one of its subjects needs it, and its order is that of bytes.
    assert set(map(str, kept([batch, later], reviewers, {subject, other}))) == {str(batch), str(later)}
    assert kept([batch, later], reviewers, {subject, other}) == kept([later, batch], reviewers, {subject, other})


def test_a_copy_brings_no_statement_of_a_stranger(world, tmp_path):
    import shutil

    sim = world[0]
    here = Channel.open(shutil.copytree(sim.directory, tmp_path / "here"))
    there = Channel.open(shutil.copytree(sim.directory, tmp_path / "there"))
    for forged in (said(world, signer("eve"), serial=7), said(world, sim.people["ada"], serial=8, channel="other")):
        keep_statement(there.directory, parse_envelope(forged, "x"))
    before = statements(here.directory)
    merged = merge(here, there)
    assert (merged.statements, len(merged.strange)) == ((), 2)
    assert statements(here.directory) == before


def test_a_statement_of_many_subjects_approves_each_of_them(world):
    sim, subject, statement, _ = world
    other = Subject(ModelVersion.parse("toy", "3.0.0"), "sha256:" + "3" * 64)
    batch = said(world, sim.people["ada"], record=None, subjects=(other, subject))
    assert open_questions(world, batch) == []
    assert isinstance(statement, Statement)


@pytest.mark.parametrize("what", ["file", "pipe", "link"])
def test_something_else_in_the_place_of_the_reviews_is_not_a_channel_without_them(what, tmp_path):
    make = {"file": Path.touch, "pipe": os.mkfifo, "link": lambda path: path.symlink_to("gone")}
    make[what](tmp_path / "reviews")
    with pytest.raises(ChannelError, match="is not a folder; restore it"):
        statements(tmp_path)
