"""The loop of `sealift install --watch`, with a clock of its own."""

import errno
import os

import pytest
from support.watching import make, put, reason

from sealift.errors import (
    DigestError,
    IncompatibleError,
    LockedError,
    NoSpaceError,
    PreflightError,
    RollbackError,
)

pytestmark = pytest.mark.usefixtures("no_replay")


def test_several_are_installed_in_the_order_of_their_releases(channel, tmp_path, folder, looper):
    bundles = [make(channel, tmp_path, version) for version in ("1.0.0", "1.1.0", "1.2.0")]
    for name, bundle in zip(("c.tar", "b.tar", "a.tar"), bundles, strict=True):
        put(bundle, folder, name)
    looper.look()
    assert looper.installed == [2, 3, 4]
    assert sorted(os.listdir(folder / "done")) == ["a.tar", "b.tar", "c.tar"]


def test_a_smaller_release_that_is_still_being_copied_goes_first(channel, tmp_path, folder, looper):
    small, large = (make(channel, tmp_path, version) for version in ("1.0.0", "1.1.0"))
    data = small.read_bytes()
    put(large, folder)
    growing = folder / small.name
    growing.write_bytes(data[:-4000])
    for end in (-3000, -2000, -1000, None):
        looper.look(1)
        growing.write_bytes(data[:end])
    assert looper.installed == []
    assert any("goes first" in event.message for event in looper.events)
    looper.look(4)
    assert looper.installed == [2, 3]


def test_a_file_is_left_alone_until_it_has_settled(bundle, folder, looper):
    put(bundle, folder)
    looper.look(2)
    assert looper.installed == []
    os.utime(folder / bundle.name)
    looper.look(2)
    assert looper.installed == []
    looper.look(2)
    assert looper.installed == [2]


def test_names_of_copies_in_progress_are_not_looked_at(bundle, folder, looper):
    for name in (".sim-2.tar", "sim-2.tar.part", "sim-2.tar.tmp", "README.txt"):
        (folder / name).write_bytes(bundle.read_bytes()[:700])
    (folder / "folder.tar").mkdir()
    assert looper.look() == []
    assert len(list(folder.iterdir())) == 7


@pytest.mark.parametrize("problem", [NoSpaceError("full"), OSError(errno.ENOSPC, "No space left on device")])
def test_a_full_disk_is_waited_for_longer_each_time(problem, bundle, folder, looper):
    put(bundle, folder)
    looper.problem = problem
    looper.look(100)
    assert looper.kinds() == ["installing", "retrying"]
    assert (folder / bundle.name).exists()
    candidate = looper.watch._seen[bundle.name]
    assert 100 < candidate.delay <= 600
    looper.problem = None
    looper.look(120)
    assert looper.installed == [2]


def test_several_problems_at_once_are_the_bundles_only_if_all_of_them_are(bundle, folder, looper):
    put(bundle, folder)
    looper.problem = PreflightError([IncompatibleError("needs more"), NoSpaceError("full")])
    looper.look()
    assert looper.kinds() == ["installing", "retrying"]
    looper.problem = PreflightError([IncompatibleError("needs more"), IncompatibleError("of it")])
    looper.look(8)
    assert looper.kinds()[2:] == ["refused"]
    assert reason(folder, bundle.name)["code"] == "preflight"


def test_a_lock_is_tried_again_soon(bundle, folder, looper):
    put(bundle, folder)
    looper.problem = LockedError("busy")
    looper.look(100)
    assert looper.kinds() == ["installing", "retrying"]
    looper.problem = None
    looper.look(6)
    assert looper.installed == [2]


def test_nothing_in_done_or_refused_is_overwritten(channel, tmp_path, bundle, folder, looper):
    for _ in range(3):
        put(bundle, folder)
        looper.look()
    for text in ("one", "two"):
        (folder / "x.tar").write_text(text)
        looper.look()
    assert sorted(os.listdir(folder / "done")) == [bundle.name, f"{bundle.name}.2", f"{bundle.name}.3"]
    refused = folder / "refused"
    assert sorted(os.listdir(refused)) == ["x.tar", "x.tar.2", "x.tar.2.reason.json", "x.tar.reason.json"]
    assert [(refused / name).read_text() for name in ("x.tar", "x.tar.2")] == ["one", "two"]
    # A reason whose bundle was taken away stays as it is, too.
    (refused / "x.tar").unlink()
    (folder / "x.tar").write_text("three")
    looper.look()
    assert (refused / "x.tar.3").read_text() == "three"


def test_a_file_that_changes_while_it_is_read_is_not_refused(bundle, folder, looper):
    path = put(bundle, folder)

    def late(_path):
        with path.open("ab") as file:
            file.write(b"more")
        raise DigestError("damaged")

    looper.watch.install = late
    looper.look(3)
    assert looper.kinds() == ["installing", "waiting"]
    assert path.exists()
    assert os.listdir(folder / "refused") == []


def test_a_bug_met_once_is_told_and_not_met_again(bundle, folder, looper):
    put(bundle, folder)
    looper.problem = ZeroDivisionError("our fault")
    with pytest.raises(ZeroDivisionError):
        looper.look()
    assert reason(folder, bundle.name)["code"] == "error"
    assert not (folder / bundle.name).exists()


def test_an_older_release_is_refused_and_the_store_stays(channel, tmp_path, folder, looper, pinned):
    old, new = (make(channel, tmp_path, version) for version in ("1.0.0", "1.1.0"))
    put(new, folder)
    looper.look()
    put(old, folder)
    looper.look()
    assert looper.installed == [3]
    assert reason(folder, old.name)["code"] == RollbackError.code
    assert pinned.store.release().number == 3


def test_a_folder_that_is_away_for_a_while_is_waited_for(bundle, folder, looper):
    folder.rename(folder.with_name("away"))
    for _ in range(3):
        looper.watch._look_or_wait(once=False)
    assert looper.kinds() == ["retrying"]
    folder.with_name("away").rename(folder)
    put(bundle, folder)
    looper.look()
    assert looper.installed == [2]
