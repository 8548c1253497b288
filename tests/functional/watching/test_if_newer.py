"""`sealift install --if-newer`."""

import fcntl
import json
from datetime import UTC, datetime
from functools import partial

import pytest
from support.watching import make

from sealift.store.upkeep.rollback import rollback

pytestmark = pytest.mark.usefixtures("no_replay")


@pytest.fixture
def if_newer(sealift_command):
    return partial(sealift_command, "install", "--if-newer")


def test_if_newer_is_quiet_once_the_release_is_installed(channel, tmp_path, bundle, pinned, if_newer):
    status, out, _ = if_newer(bundle)
    assert status == 0
    assert "is active as generation 1" in out
    before = pinned.snapshot()
    with (pinned.store_path / "lock").open("w") as lock:
        # It does not even ask for the lock.
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert if_newer(bundle) == (0, "", "")
    assert json.loads(if_newer(bundle, "--json")[1])["changed"] is False
    assert pinned.snapshot() == before
    new = make(channel, tmp_path, "1.1.0")
    assert "is active as generation 2" in if_newer(new)[1]
    # An older file in that place is worth a word.
    status, _, err = if_newer(bundle)
    assert (status, err[-11:]) == (25, "[rollback]\n")


def test_if_newer_leaves_a_rollback_alone(channel, tmp_path, bundle, pinned, if_newer):
    pinned.install(bundle)
    new = make(channel, tmp_path, "1.1.0")
    pinned.install(new)
    rollback(pinned.store, None, 1, datetime.now(UTC))
    assert if_newer(new) == (0, "", "")
    assert pinned.store.active().number == 1


def test_if_newer_installs_renewed_metadata_of_the_same_release(channel, tmp_path, bundle, pinned, if_newer):
    pinned.install(bundle)

    def renew(signed):
        signed.version += 1

    channel.change("timestamp", renew)
    renewed = channel.pack_anything(tmp_path / "renewed.tar")
    status, out, _ = if_newer(renewed)
    assert status == 0
    assert "newer metadata is accepted" in out
    assert if_newer(renewed) == (0, "", "")


def test_if_newer_follows_a_new_root_although_the_release_is_the_same(channel, tmp_path, bundle, pinned, if_newer):
    pinned.install(bundle)
    channel.next_root(lambda _signed: None)
    followed = channel.pack_anything(tmp_path / "followed.tar")
    status, out, _ = if_newer(followed)
    assert status == 0
    assert "newer metadata is accepted" in out
    assert if_newer(followed) == (0, "", "")
