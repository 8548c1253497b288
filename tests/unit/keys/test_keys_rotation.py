"""The rules of every ceremony: versions, voided signatures, one key counted once, refusals that change nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import SSlibKey
from support.key_holders import ALL, PEOPLE, files_of, listing, people, public, signer
from support.release.complete import require_complete

from sealift_common import fingerprint
from sealift_common.errors import ChannelError, Error, KeyFileError, UsageError
from sealift_common.metadata.release_document import KEY_NAME_FIELD
from sealift_keys.ceremony.beginning import init, new_release, sign
from sealift_keys.ceremony.plan import RolePlan
from sealift_keys.ceremony.revocation import exposure, revoke
from sealift_keys.ceremony.roster import root_changes, roster
from sealift_keys.ceremony.rotation import renew, rotate, set_threshold
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.status import status


def versions(channel: Channel) -> dict[str, int]:
    return {role.role: role.version for role in status(channel).roles}


@pytest.mark.parametrize(
    ("role", "remade"),
    [
        ("root", {"root"}),
        ("targets", {"root", "targets", "snapshot", "timestamp"}),
        ("snapshot", {"root", "snapshot", "timestamp"}),
        ("timestamp", {"root", "timestamp"}),
    ],
)
def test_rotating_a_role_makes_it_and_what_depends_on_it_anew(channel: Channel, role: str, remade: set[str]) -> None:
    leaving = {"root": "carol", "targets": "approver"}.get(role, "builder")
    signers = [one for one in [*ALL, PEOPLE["dave"]] if role != "targets" or one is not PEOPLE[leaving]]
    made = rotate(channel, [role], remove=[leaving], add=[public("dave")], signers=signers)
    assert {name for name, _ in made.written} == remade
    assert versions(channel) == {name: 2 if name in remade else 1 for name in versions(channel)}
    require_complete(channel)


def test_a_new_root_needs_the_old_and_the_new_threshold(channel: Channel) -> None:
    rotate(
        channel, ["root"], remove=["alice", "bob"], add=[public("dave"), public("erin")], signers=people("dave", "erin")
    )
    line = status(channel).roles[0].line()
    assert "2 of 2 signatures by the keys of root 2, 0 of 2 signatures by the keys of root 1" in line
    sign(channel, people("alice"))
    assert status(channel).roles[0].missing == 1
    sign(channel, people("bob"))
    require_complete(channel)


def test_an_unfinished_root_is_changed_in_place_and_says_whose_work_is_void(channel: Channel) -> None:
    rotate(channel, ["root"], add=[public("dave")], signers=people("alice"))
    made = set_threshold(channel, "root", 3, people("alice", "bob", "carol"))
    assert made.lines[0] == "root 2 still lacked signatures and is changed in place; the 1 made are void"
    assert channel.root_versions() == [1, 2]
    require_complete(channel)
    assert roster(channel).roles[0].threshold == 3


def test_a_higher_threshold_keeps_what_is_signed_and_names_who_is_missing(channel: Channel) -> None:
    rotate(channel, ["targets"], add=[public("dave")], signers=ALL)
    made = set_threshold(channel, "targets", 3, people("alice", "bob"))
    assert [name for name, _ in made.written] == ["root"]
    targets = status(channel).roles[1]
    assert (targets.version, targets.missing, targets.waiting_for) == (2, 1, ("dave",))
    sign(channel, people("dave"))
    require_complete(channel)


def refusals() -> dict[str, tuple[Callable[[Channel], Any], type[Error], str]]:
    twin = SSlibKey(
        "0" * 64, public("bob").keytype, public("bob").scheme, public("bob").keyval, {KEY_NAME_FIELD: "somebody-else"}
    )
    namesake = signer("bob").public_key
    return {
        "nothing": (lambda c: rotate(c, ["root"]), UsageError, "nothing to rotate"),
        "unknown name": (
            lambda c: rotate(c, ["root"], remove=["mallory"]),
            UsageError,
            "named 'mallory'; its keys are",
        ),
        "not in the role": (lambda c: rotate(c, ["targets"], remove=["alice"]), UsageError, "does not sign 'targets'"),
        "too few left": (lambda c: rotate(c, ["targets"], remove=["approver"]), UsageError, "would have 1 keys for 2"),
        "last key": (lambda c: rotate(c, ["timestamp"], remove=["builder"]), UsageError, "would have 0 keys for 1"),
        "twice": (lambda c: rotate(c, ["root"], add=[public("bob")]), UsageError, "has the key 'bob' already"),
        "other id": (lambda c: rotate(c, ["root"], add=[twin]), UsageError, "has the key 'bob' already"),
        "other id, other role": (
            lambda c: rotate(
                c,
                ["targets"],
                add=[
                    public("dave"),
                    SSlibKey("1" * 64, public("dave").keytype, public("dave").scheme, public("dave").keyval),
                ],
            ),
            UsageError,
            "has the key 'dave' already",
        ),
        "namesake": (
            lambda c: rotate(c, ["root"], add=[namesake]),
            UsageError,
            "another key of this channel is named 'bob'",
        ),
        "namesake of the one that leaves": (
            lambda c: rotate(c, ["root"], remove=["bob"], add=[namesake]),
            UsageError,
            "is named 'bob'",
        ),
        "threshold 0": (lambda c: set_threshold(c, "root", 0), UsageError, "threshold 0 cannot be met"),
        "threshold 4": (lambda c: set_threshold(c, "root", 4), UsageError, "would have 3 keys for 4"),
        "same threshold": (lambda c: set_threshold(c, "root", 2), UsageError, "is 2 already"),
        "no days": (lambda c: renew(c, ["timestamp"], days=0), UsageError, "0 days put the expiry"),
        "stranger": (
            lambda c: renew(c, ["timestamp"], signers=people("dave")),
            KeyFileError,
            "'dave'.*belongs to no role",
        ),
        "no reason": (lambda c: revoke(c, "alice", " "), UsageError, "the reason is ''"),
        "two lines": (lambda c: revoke(c, "alice", "a\nb"), UsageError, "expected one line"),
        "revoke unknown": (lambda c: revoke(c, "mallory", "x"), UsageError, "named 'mallory'"),
        "exposure of unknown": (lambda c: exposure(c, "mallory"), UsageError, "no root of this channel lists"),
    }


@pytest.mark.parametrize("case", list(refusals()))
def test_a_refused_ceremony_changes_no_byte(channel: Channel, case: str) -> None:
    call, kind, message = refusals()[case]
    before = files_of(channel)
    with pytest.raises(kind, match=message):
        call(channel)
    assert files_of(channel) == before


def test_no_ceremony_builds_on_half_a_release(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Channel.write
    monkeypatch.setattr(Channel, "write", lambda self, *documents: real(self, documents[0]))
    new_release(channel, listing(channel, {}, "2027-01-01T00:00:00Z"), ALL)
    monkeypatch.undo()
    for call in (lambda: renew(channel, ["timestamp"]), lambda: rotate(channel, ["root"], add=[public("dave")])):
        with pytest.raises(ChannelError, match=r"was interrupted: .*finish it first: sealift-bundler release"):
            call()


def test_a_rotation_cut_off_after_root_is_repaired_by_signing(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Channel.write
    monkeypatch.setattr(Channel, "write", lambda self, *documents: real(self, documents[0]))
    rotate(channel, ["targets"], remove=["approver"], add=[public("dave")], signers=people("alice", "bob", "builder"))
    monkeypatch.undo()
    assert status(channel).roles[1].waiting_for == ("dave",)
    sign(channel, people("dave"))
    require_complete(channel)


def test_who_signs_a_root_can_read_what_it_changes(channel: Channel) -> None:
    first = root_changes(channel)
    assert first[0] == "root: 2 of 3 keys must sign"
    assert [line.split(",")[0] for line in first[1:4]] == [f"root: with '{name}'" for name in ("alice", "bob", "carol")]
    assert {line.split(":")[0] for line in first} == {"root", "targets", "snapshot", "timestamp"}
    rotate(channel, ["root", "targets"], add=[public("dave")], signers=ALL)
    added = f"with 'dave', fingerprint {fingerprint.grouped(fingerprint.of_key(public('dave')))}"
    assert root_changes(channel) == [f"root: {added}", f"targets: {added}"]
    set_threshold(channel, "root", 3, [*ALL, PEOPLE["dave"]])
    assert root_changes(channel) == ["root: threshold 2 becomes 3"]
    revoke(channel, "dave", "stolen", signers=ALL)
    assert root_changes(channel) == ["root: without 'dave'", "targets: without 'dave'", "revoked: 'dave', 'stolen'"]
    renew(channel, ["root"], signers=ALL)
    assert root_changes(channel)[0].startswith("only the expiry date: ")


def test_nobody_signs_a_root_whose_threshold_is_true(channel):
    path = channel.tuf_dir / "1.root.json"
    path.write_bytes(path.read_bytes().replace(b'"threshold":1', b'"threshold":true'))
    before = files_of(channel)
    with pytest.raises(ChannelError, match=r"1\.root\.json' has true or false as 'threshold'; restore it"):
        sign(channel, ALL)
    assert files_of(channel) == before


@pytest.mark.parametrize("change", ["release", "renew", "rotate"])
def test_the_release_time_never_goes_back(change, channel, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    before = channel.release().released
    if change == "release":
        new_release(channel, listing(channel, {}, "2023-12-31T00:00:00Z"), ALL)
    elif change == "renew":
        renew(channel, ["targets"], signers=ALL)
    else:
        rotate(channel, ["targets"], remove=["approver"], add=[public("dave")], signers=people("alice", "bob"))
    assert (channel.targets().signed.version, channel.release().released) == (2, before)


def test_a_new_root_waits_for_a_signature_of_each_root_where_no_key_is_in_both(tmp_path: Path) -> None:
    one, other = PEOPLE["alice"], PEOPLE["dave"]
    plan = RolePlan([public("alice")])
    init(tmp_path / "ch", "models", dict.fromkeys(("root", "targets", "snapshot", "timestamp"), plan), [one])
    channel = Channel.open(tmp_path / "ch")
    rotate(channel, ["root"], add=[public("dave")], remove=["alice"])
    assert "; waiting for 'dave', 'alice'; " in status(channel).roles[0].line()
    assert status(channel).roles[0].missing == 2
    sign(channel, [other])
    assert "; waiting for 'alice'; " in status(channel).roles[0].line()
