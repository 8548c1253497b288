"""A disk that is really full: the receiver says 503 and never 200, the lander loses nothing, and both go on with room."""

import os
from pathlib import Path

import pytest
from support.gitlab.events import Events
from support.gitlab.hook import Hook
from support.gitlab.pipeline import land, new_pipeline, put, receiver, rows
from support.machine.mounts import remount, tmpfs

from sealift_pipeline.cli import command
from sealift_pipeline.log.opening import open_log
from sealift_pipeline.table.delta import EventTable

PAGE = 4096
EVENTS = Events(9, size=5_000)


def leave(root, limit, room):
    """Leave room for so many pages, or files, beyond those that are in use now."""
    status = os.statvfs(root)
    if limit == "bytes":
        remount(root, f"size={(status.f_blocks - status.f_bfree + room) * PAGE}")
    else:
        remount(root, f"nr_inodes={status.f_files - status.f_ffree + room}")


def keys_in_log(settings):
    with open_log(settings) as log:
        return [entry.record.key for entry in log.read(0, 10_000)]


def named(settings):
    """The files that the tables name now."""
    uris = [uri for kind in ("issue", "note") for uri in EventTable(settings.table_place, kind).required().file_uris()]
    return {Path(uri) for uri in uris}


def test_a_full_disk_is_503_and_never_200(tmp_path, capsys):
    acknowledged, refused = set(), set()
    with tmpfs(tmp_path / "small", "size=64m") as root:
        settings = new_pipeline(root / "pipeline")
        token = settings.token_file.read_text().strip()
        with receiver(settings) as server:
            leave(root, "bytes", 60)
            for place in range(200):
                # An operator who sends again from GitLab's page; the hook of the test would go off.
                hook = Hook(server.server_address[:2], token=token)
                status = hook.send(EVENTS.make("issue"), key=f"event-{place}")
                assert status in (200, 503)
                (acknowledged if status == 200 else refused).add(f"event-{place}")
            assert server.counters.of("unavailable") == len(refused) > 100
            assert server.counters.of("accepted") == len(acknowledged) > 10
            # What does not fit the data policy is written too, and so not acknowledged either.
            assert Hook(server.server_address[:2], token=token).send({"object_kind": "issue"}) == 503
            assert set(keys_in_log(settings)) == acknowledged
            remount(root, "size=64m")
            hook = Hook(server.server_address[:2], token=token)
            again = sorted(refused)
            assert {hook.send(EVENTS.make("issue"), key=key) for key in again} == {200}
        found = keys_in_log(settings)
        assert sorted(found) == sorted(acknowledged | refused)
        assert land(settings).rows == {"issue": 200}
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all("503: log " in line and line.count("free some space on its disk") == 1 for line in lines)


def test_a_receiver_that_starts_on_a_full_disk_says_so(tmp_path, call):
    with tmpfs(tmp_path / "small", "size=64m") as root:
        settings = new_pipeline(root / "pipeline")
        leave(root, "bytes", 0)
        status, out, err = call(command, "receive", "--pipeline", settings.folder)
        assert (status, out, len(err.splitlines())) == (71, "", 1)
        assert "free some space on its disk" in err


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["bytes", "inodes"])
def test_a_lander_with_too_little_room_loses_nothing_and_lands_once_later(tmp_path, call, limit):
    refusals = set()
    with tmpfs(tmp_path / "small", "size=64m,nr_inodes=10000") as root:
        settings = new_pipeline(root / "pipeline")
        keys = put(settings, EVENTS.several(30, ["issue", "note"]))
        for room in range(0, 400, 4 if limit == "bytes" else 1):
            leave(root, limit, room)
            status, out, err = call(command, "land", "--once", "--pipeline", settings.folder)
            if status == 0:
                break
            assert (out, len(err.splitlines())) == ("", 1), err
            refusals.add(status)
        assert refusals
        assert refusals <= {3, 34, 71, 72, 73}
        found = [row["key"] for kind in ("issue", "note") for row in rows(settings, kind)]
        assert sorted(found) == sorted(keys)
        # What the refused writes left behind goes with the daily compaction, a week later.
        remount(root, "size=64m,nr_inodes=10000")
        wrecks = set(root.rglob("*.parquet")) - named(settings)
        for path in wrecks:
            os.utime(path, (1, 1))
        land(settings, compact=True)
        assert not any(path.exists() for path in wrecks)
        found = [row["key"] for kind in ("issue", "note") for row in rows(settings, kind)]
        assert sorted(found) == sorted(keys)
