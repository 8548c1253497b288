"""The rules of every ceremony: versions, voided signatures, one key counted once, merges, records, expiry."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner, Signature, SSlibKey
from support.release.complete import require_complete
from tuf.api.metadata import Metadata

from sealift_common import fingerprint
from sealift_common.errors import (
    ChannelError,
    Error,
    ExpiringError,
    ExpiringSoonError,
    KeyFileError,
    LapsingError,
    UsageError,
)
from sealift_common.metadata.release_document import KEY_NAME_FIELD, Release
from sealift_keys.ceremony.beginning import init, new_release, sign
from sealift_keys.ceremony.merging import merge
from sealift_keys.ceremony.plan import RolePlan
from sealift_keys.ceremony.revocation import exposure, revoke, targets_keys_to_replace
from sealift_keys.ceremony.roster import root_changes, roster
from sealift_keys.ceremony.rotation import renew, rotate, set_threshold
from sealift_keys.channel import history
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.expiry import expiry
from sealift_keys.channel.status import status


def listing(channel: Channel, models: Any, released: str, withdrawn: Any = ()) -> Release:
    """What the next release of `channel` says."""
    time = datetime.strptime(released, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return channel.release()._replace(models=models, released=time, withdrawn=tuple(withdrawn))


def signer(name: str) -> CryptoSigner:
    made = CryptoSigner.generate_ecdsa()
    made.public_key.unrecognized_fields[KEY_NAME_FIELD] = name
    return made


PEOPLE = {name: signer(name) for name in ("alice", "bob", "carol", "builder", "approver", "dave", "erin")}
ALL = [PEOPLE[name] for name in ("alice", "bob", "carol", "builder", "approver")]


def public(name: str) -> SSlibKey:
    key = PEOPLE[name].public_key
    assert isinstance(key, SSlibKey)
    return key


def people(*names: str) -> list[CryptoSigner]:
    return [PEOPLE[name] for name in names]


@pytest.fixture
def channel(tmp_path: Path) -> Channel:
    """Root 2 of 3, targets 2 of 2, one builder for the machine's roles; all signed."""
    machine = RolePlan([public("builder")])
    plans = {
        "root": RolePlan([public("alice"), public("bob"), public("carol")], 2),
        "targets": RolePlan([public("builder"), public("approver")], 2),
        "snapshot": machine,
        "timestamp": machine,
    }
    init(tmp_path / "ch", "c", plans, ALL)
    return Channel.open(tmp_path / "ch")


def versions(channel: Channel) -> dict[str, int]:
    return {role.role: role.version for role in status(channel).roles}


def files_of(channel: Channel) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(channel.directory.rglob("*")) if path.is_file()}


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


def test_renewing_timestamp_asks_nobody_else(channel: Channel) -> None:
    now = datetime.now(UTC)
    before = channel.targets().to_bytes(), channel.snapshot().to_bytes()
    renew(channel, ["timestamp"], days=20, signers=people("builder"), now=now)
    assert channel.timestamp().signed.expires == (now + timedelta(days=20)).replace(microsecond=0)
    assert (channel.targets().to_bytes(), channel.snapshot().to_bytes()) == before
    renew(channel, ["timestamp"], signers=people("builder"), now=now)
    assert channel.timestamp().signed.expires == (now + timedelta(days=180)).replace(microsecond=0)


def test_roots_lifetime_is_recorded(channel: Channel) -> None:
    now = datetime.now(UTC)
    renew(channel, ["root"], days=400, signers=ALL, now=now)
    rotate(channel, ["root"], add=[public("dave")], signers=ALL, now=now)
    assert channel.root().signed.expires == (now + timedelta(days=400)).replace(microsecond=0)


def test_two_people_sign_copies_and_the_copies_are_merged(channel: Channel, tmp_path: Path) -> None:
    rotate(channel, ["targets"], remove=["approver"], add=[public("dave")])
    copies = [tmp_path / f"copy{number}" for number in range(3)]
    for copy, names in zip(copies, (("alice", "builder"), ("bob",), ("dave",)), strict=True):
        shutil.copytree(channel.directory, copy)
        sign(Channel.open(copy), people(*names))
    for copy in copies:
        assert merge(channel, Channel.open(copy)).refused == ()
    require_complete(channel)
    before = files_of(channel)
    assert merge(channel, Channel.open(copies[0])).taken == ()
    assert files_of(channel) == before
    # Signatures that arrive after the release are kept in its record as well.
    assert len(history.releases(channel.directory)[-1].metadata.signatures) == 2


def test_a_merge_takes_no_signature_that_does_not_verify_and_no_stranger(channel: Channel, tmp_path: Path) -> None:
    rotate(channel, ["root"], add=[public("dave")])
    shutil.copytree(channel.directory, tmp_path / "copy")
    other = Channel.open(tmp_path / "copy")
    metadata = other.root()
    forged = Metadata(metadata.signed).sign(PEOPLE["erin"])
    metadata.signatures[public("erin").keyid] = forged
    metadata.signatures[public("alice").keyid] = Signature(public("alice").keyid, forged.signature)
    other.write(metadata)
    before = files_of(channel)
    merged = merge(channel, other)
    assert (merged.taken, [one.key_name for one in merged.refused]) == ((), ["alice"])
    assert files_of(channel) == before


def test_a_merge_refuses_other_content_and_another_version(channel: Channel, tmp_path: Path) -> None:
    shutil.copytree(channel.directory, tmp_path / "copy")
    other = Channel.open(tmp_path / "copy")
    before = files_of(channel)
    renew(other, ["timestamp"], signers=ALL)
    with pytest.raises(ChannelError, match=r"timestamp is version 1 here and 2 in .*continue with the copy"):
        merge(channel, other)
    with pytest.raises(ChannelError, match="the copy is too old"):
        merge(other, channel)
    assert files_of(channel) == before
    renew(channel, ["timestamp"], days=3, signers=ALL)
    with pytest.raises(ChannelError, match=r"timestamp 2 in .* differs from the one here"):
        merge(channel, other)


def test_exposure_counts_from_the_key_s_first_root_to_its_last(channel: Channel) -> None:
    rotate(channel, ["targets"], add=[public("dave")], signers=ALL)
    new_release(channel, listing(channel, {}, "2027-01-01T00:00:00Z"), ALL)
    new_release(channel, listing(channel, {}, "2027-02-01T00:00:00Z"), [*ALL, PEOPLE["dave"]])
    assert [(one.number, one.signed) for one in exposure(channel, "dave").releases] == [
        (2, False),
        (3, False),
        (4, True),
    ]
    revoke(channel, "dave", "stolen", signers=ALL)
    new_release(channel, listing(channel, {}, "2027-03-01T00:00:00Z"), ALL)
    found = exposure(channel, "dave", datetime(2027, 1, 1, tzinfo=UTC))
    assert [(one.number, one.others_needed) for one in found.releases] == [(3, 1), (4, 1)]
    assert roster(channel).revoked[0]["reason"] == "stolen"
    assert found.unrecorded == ()
    (channel.directory / "history" / "3-root-2.targets.json").unlink()
    assert exposure(channel, "dave").unrecorded == (3,)
    assert exposure(channel, "builder").roles == {"targets": 1, "snapshot": 0, "timestamp": 0}


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


def test_a_damaged_record_is_one_clear_error(channel: Channel) -> None:
    (channel.directory / "history" / "1-root-1.targets.json").write_text("{")
    with pytest.raises(ChannelError, match=r"the record .* restore it from a backup"):
        exposure(channel, "builder")


@pytest.mark.parametrize(
    ("days", "kind", "warning"),
    [
        (91, None, None),
        (89, ExpiringError, 90),
        (31, ExpiringError, 90),
        (29, ExpiringSoonError, 30),
        (8, ExpiringSoonError, 30),
        (6, LapsingError, 7),
        (-1, LapsingError, 0),
    ],
)
def test_expiry_warns_at_90_30_and_7_days(
    channel: Channel, days: int, kind: type[Error] | None, warning: int | None
) -> None:
    report = expiry(channel, channel.timestamp().signed.expires - timedelta(days=days))
    assert report.roles[0].role == "timestamp"
    assert report.warning == warning
    assert (type(report.error()) if kind else report.error()) == kind
    assert report.to_dict()["roles"][0]["warning"] == warning
    assert ("renew" in report.next_command()) == (kind is not None)
    if days < 0:
        assert "EXPIRED" in str(report.error())


def test_a_key_that_could_sign_targets_alone_takes_the_others_with_it(channel):
    holders = people("alice", "bob", "builder")
    set_threshold(channel, "targets", 1, holders)
    revoke(channel, "approver", "stolen", replacement=public("dave"), signers=holders)
    # 'dave' was never together with the stolen key in one root.
    assert targets_keys_to_replace(channel) == ("builder",)
    rotate(channel, ["targets"], remove=["builder"], add=[public("erin")], signers=holders)
    assert targets_keys_to_replace(channel) == ()


def test_a_key_that_needed_another_takes_nobody_with_it(channel):
    holders = people("alice", "bob")
    rotate(channel, ["targets"], add=[public("erin")], signers=holders)
    revoke(channel, "approver", "stolen", replacement=public("dave"), signers=holders)
    assert targets_keys_to_replace(channel) == ()
    # Two thieves may be one: together their keys were enough. Of those days 'erin' is left, who alone can verify nothing.
    revoke(channel, "builder", "stolen too", replacement=public("carol"), signers=holders)
    assert targets_keys_to_replace(channel) == ()
    set_threshold(channel, "targets", 1, holders)
    assert targets_keys_to_replace(channel) == ("erin",)


def test_nobody_signs_a_root_whose_threshold_is_true(channel):
    path = channel.tuf_dir / "1.root.json"
    path.write_bytes(path.read_bytes().replace(b'"threshold":1', b'"threshold":true'))
    before = files_of(channel)
    with pytest.raises(ChannelError, match=r"1\.root\.json' has true or false as 'threshold'; restore it"):
        sign(channel, ALL)
    assert files_of(channel) == before


def test_targets_keys_must_go_until_the_newest_root_says_so(channel):
    """'carol' was there with the stolen key, left, and may not come back; a lower threshold makes old keys good again."""
    holders = people("alice", "bob")
    set_threshold(channel, "targets", 1, holders)
    rotate(channel, ["targets"], remove=["builder"], add=[public("carol")], signers=holders)
    revoke(channel, "approver", "stolen", replacement=public("dave"), signers=holders)
    assert targets_keys_to_replace(channel) == ("carol",)
    rotate(channel, ["targets"], remove=["carol"], add=[public("erin")], signers=holders)
    assert targets_keys_to_replace(channel) == ()
    with pytest.raises(UsageError, match=r"'carol' signed 'targets' once and left.*make a new one"):
        rotate(channel, ["targets"], add=[public("carol")], signers=holders)


def test_a_key_that_left_comes_back_as_a_root_key_only(channel):
    rotate(channel, ["root"], remove=["carol"], add=[public("dave")], signers=[*ALL, *people("dave")])
    rotate(channel, ["root"], remove=["dave"], add=[public("carol")], signers=[*ALL, *people("dave")])
    assert root_changes(channel)[-1].startswith("root: with 'carol'")


def test_a_key_that_left_in_peace_can_be_revoked(channel):
    holders = people("alice", "bob")
    set_threshold(channel, "targets", 1, holders)
    rotate(channel, ["targets"], remove=["approver"], add=[public("erin")], signers=holders)
    changed = revoke(channel, "approver", "found on a disk", signers=holders)
    assert changed.lines == ("'approver' signs nothing today; root records that it was stolen",)
    assert changed.written == (("root", 4),)
    with pytest.raises(UsageError, match=r"'approver' was revoked already, at .*'found on a disk'"):
        revoke(channel, "approver", "again", signers=holders)
    # It was enough when 'builder' signed targets too.
    assert targets_keys_to_replace(channel) == ("builder",)


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
