"""What a stolen key signed, which keys must go with it, and which key may come back."""

from datetime import UTC, datetime

import pytest
from support.key_holders import ALL, PEOPLE, listing, people, public

from sealift_common.errors import ChannelError, UsageError
from sealift_keys.ceremony.beginning import new_release
from sealift_keys.ceremony.revocation import exposure, revoke, targets_keys_to_replace
from sealift_keys.ceremony.roster import root_changes, roster
from sealift_keys.ceremony.rotation import rotate, set_threshold
from sealift_keys.channel.directory import Channel


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


def test_a_damaged_record_is_one_clear_error(channel: Channel) -> None:
    (channel.directory / "history" / "1-root-1.targets.json").write_text("{")
    with pytest.raises(ChannelError, match=r"the record .* restore it from a backup"):
        exposure(channel, "builder")


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
