"""Copies of a channel that several people signed become one again; no signature is taken that does not verify."""

import shutil
from pathlib import Path

import pytest
from securesystemslib.signer import Signature
from support.key_holders import ALL, PEOPLE, files_of, people, public
from support.release.complete import require_complete
from tuf.api.metadata import Metadata

from sealift_common.errors import ChannelError
from sealift_keys.ceremony.beginning import sign
from sealift_keys.ceremony.merging import merge
from sealift_keys.ceremony.rotation import renew, rotate
from sealift_keys.channel import history
from sealift_keys.channel.directory import Channel


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
