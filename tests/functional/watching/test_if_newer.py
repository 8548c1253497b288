"""`sealift install --if-newer`."""

import fcntl
import json
import subprocess
from datetime import UTC, datetime

from support.watching import SEALIFT, make

from sealift.store.upkeep.rollback import rollback


def if_newer(bundle, instance, *options):
    command = [*SEALIFT, "install", "--if-newer", str(bundle), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=instance.environment)
    return done.returncode, done.stdout, done.stderr


def test_if_newer_is_quiet_once_the_release_is_installed(channel, tmp_path, bundle, pinned):
    status, out, _ = if_newer(bundle, pinned)
    assert status == 0
    assert "is active as generation 1" in out
    before = pinned.snapshot()
    with (pinned.store_path / "lock").open("w") as lock:
        # It does not even ask for the lock.
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert if_newer(bundle, pinned) == (0, "", "")
    assert json.loads(if_newer(bundle, pinned, "--json")[1])["changed"] is False
    assert pinned.snapshot() == before
    new = make(channel, tmp_path, "1.1.0")
    assert "is active as generation 2" in if_newer(new, pinned)[1]
    # An older file in that place is worth a word.
    status, _, err = if_newer(bundle, pinned)
    assert (status, err[-11:]) == (25, "[rollback]\n")


def test_if_newer_leaves_a_rollback_alone(channel, tmp_path, bundle, pinned):
    pinned.install(bundle)
    new = make(channel, tmp_path, "1.1.0")
    pinned.install(new)
    rollback(pinned.store, None, 1, datetime.now(UTC))
    assert if_newer(new, pinned) == (0, "", "")
    assert pinned.store.active().number == 1


def test_if_newer_installs_renewed_metadata_of_the_same_release(channel, tmp_path, bundle, pinned):
    pinned.install(bundle)

    def renew(signed):
        signed.version += 1

    channel.change("timestamp", renew)
    renewed = channel.pack_anything(tmp_path / "renewed.tar")
    status, out, _ = if_newer(renewed, pinned)
    assert status == 0
    assert "newer metadata is accepted" in out
    assert if_newer(renewed, pinned) == (0, "", "")


def test_if_newer_follows_a_new_root_although_the_release_is_the_same(channel, tmp_path, bundle, pinned):
    pinned.install(bundle)
    channel.next_root(lambda _signed: None)
    followed = channel.pack_anything(tmp_path / "followed.tar")
    status, out, _ = if_newer(followed, pinned)
    assert status == 0
    assert "newer metadata is accepted" in out
    assert if_newer(followed, pinned) == (0, "", "")
