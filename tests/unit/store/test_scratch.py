"""Which scratch files and folders are swept: those of dead processes of ours, and nothing else."""

import os
import signal
import stat

import pytest

from sealift_common.files import durable, scratch


def killed(action):
    """Run `action` in a process that is killed at its end, and cleans nothing up."""
    process = os.fork()
    if process == 0:
        try:
            action()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


@pytest.fixture
def left(tmp_path):
    """A file and a folder that a killed process left."""

    def leave():
        with scratch.beside(tmp_path / "big.tar", "part") as made, scratch.folder("sealift-test", tmp_path) as folder:
            made.file.write(b"half")
            made.file.flush()
            (folder / "inside").mkdir()
            (folder / "inside" / "file").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)

    killed(leave)
    found = sorted(tmp_path.iterdir())
    assert len(found) == 2
    return found


def test_what_a_killed_process_left_is_swept(left, tmp_path):
    scratch.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_living_process_writes_stays_in_every_sweep(tmp_path):
    with scratch.beside(tmp_path / "big.tar", "part") as made, scratch.folder("sealift-test", tmp_path) as folder:
        before = sorted(tmp_path.iterdir())
        scratch.sweep(tmp_path)
        killed(lambda: scratch.sweep(tmp_path))
        assert sorted(tmp_path.iterdir()) == before == sorted([made.path, folder])
    assert list(tmp_path.iterdir()) == []


def test_what_was_moved_to_its_name_stays(tmp_path):
    with scratch.beside(tmp_path / "a", "new", 0o640) as made:
        made.file.write(b"whole")
        made.file.flush()
        durable.move(made.path, tmp_path / "a")
    scratch.sweep(tmp_path)
    assert (tmp_path / "a").read_bytes() == b"whole"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_the_umask_decides_where_no_mode_is_given(tmp_path):
    before = os.umask(0o027)
    try:
        with scratch.beside(tmp_path / "a", "part") as made:
            assert stat.S_IMODE(made.path.stat().st_mode) == 0o640
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


def test_a_stick_that_keeps_no_modes(tmp_path, monkeypatch):
    def refuse(*_arguments):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(scratch.os, "fchmod", refuse)
    with scratch.beside(tmp_path / "a", "part") as made:
        assert made.path.exists()
    with pytest.raises(PermissionError), scratch.beside(tmp_path / "a", "new", 0o600):
        pass
    assert list(tmp_path.iterdir()) == []


def test_names_of_others_stay(tmp_path):
    boot = scratch._boot()
    names = [
        "big.tar.part",
        ".big.tar.1234.part",
        f"big.tar.{boot}-01234567.part",
        f".big.tar.{boot}-01234567.tmp",
        f".big.tar.{boot}-0123456.part",
        f"sealift-test.{boot}-01234567",  # a folder's name on a file
    ]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / f".big.tar.{boot}-01234567.part").mkdir()  # and the other way round
    scratch.sweep(tmp_path)
    assert len(list(tmp_path.iterdir())) == len(names) + 1


def test_links_and_pipes_are_not_followed_or_waited_for(tmp_path):
    boot = scratch._boot()
    target = tmp_path / "target"
    target.mkdir()
    (target / "file").touch()
    (tmp_path / f".a.{boot}-00000001.part").symlink_to(target / "file")
    (tmp_path / f"sealift-test.{boot}-00000002").symlink_to(target)
    os.mkfifo(tmp_path / f".a.{boot}-00000003.part")
    scratch.sweep(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    assert (target / "file").exists()


def test_a_link_inside_a_folder_that_was_left(left, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    (target / "file").touch()
    (folder,) = (path for path in left if path.is_dir())
    (folder / "inside" / "link").symlink_to(target)
    scratch.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [target]
    assert (target / "file").exists()


def test_what_another_user_left_stays(left, tmp_path):
    if os.geteuid() != 0:
        pytest.fail("only root can give files away, so this test needs root")
    for path in left:
        os.chown(path, 12345, -1)
    scratch.sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == left


@pytest.mark.parametrize("kind", ["another machine", "no /proc"])
def test_what_another_machine_may_be_writing_stays_for_a_day(kind, left, tmp_path, monkeypatch):
    """Its locks may not reach here; without /proc we do not know which machine this is."""
    other = tmp_path / "boot_id"
    if kind == "another machine":
        other.write_text("ffffffff-0000\n")
    monkeypatch.setattr(scratch, "_BOOT_ID", other)
    scratch.sweep(tmp_path)
    assert set(left) <= set(tmp_path.iterdir())
    now = max(path.stat().st_ctime for path in left)
    monkeypatch.setattr(scratch.time, "time", lambda: now + 25 * 3600)
    scratch.sweep(tmp_path)
    assert not set(left) & set(tmp_path.iterdir())


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(*_arguments):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(scratch.fcntl, "flock", refuse)
    with scratch.beside(tmp_path / "a", "part") as made:
        scratch.sweep(tmp_path)
        assert made.path.exists()


def test_a_sweep_that_is_faster_than_the_lock(tmp_path, monkeypatch):
    """Between making a file and locking it, another process may take it for one that was left."""
    hold, seen = scratch.hold, []

    def late(descriptor):
        if not seen:
            scratch.sweep(tmp_path)
        seen.append(descriptor)
        return hold(descriptor)

    monkeypatch.setattr(scratch, "hold", late)
    with scratch.beside(tmp_path / "a", "part") as made:
        assert len(seen) == 2
        assert made.path.exists()


def test_names_as_long_as_names_may_be(tmp_path):
    path = tmp_path / ("é" * 127)
    durable.write_file(path, b"whole")
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
