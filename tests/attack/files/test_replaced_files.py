"""The one function that writes a file of the caller: as a whole or not at all, and through no link."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sealift_common.errors import UsageError
from sealift_common.files import output

# --- the one function -------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "x"


def test_a_file_is_replaced_as_a_whole_or_not_at_all(place):
    place.write_text("before")
    before = place.stat().st_ino

    def fail():
        with output.replacing(place) as file:
            file.write(b"half")
            file.flush()
            assert place.read_text() == "before"
            assert Path(file.name).read_text() == "half"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (place.read_text(), os.listdir(place.parent)) == ("before", ["x"])
    output.write(place, b"after")
    assert (place.read_text(), os.listdir(place.parent)) == ("after", ["x"])
    assert place.stat().st_ino != before


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_the_umask_decides_over_a_new_file_and_a_replaced_one_keeps_its_mode(place, umask, mode):
    before = os.umask(umask)
    try:
        output.write(place, b"x")
        assert stat.S_IMODE(place.stat().st_mode) == mode
        place.chmod(0o640)
        output.write(place, b"y")
        assert stat.S_IMODE(place.stat().st_mode) == 0o640
        output.write(place, b"z", mode=0o644)
        assert stat.S_IMODE(place.stat().st_mode) == 0o644
    finally:
        os.umask(before)


def test_a_link_to_another_name_of_the_file_is_not_followed_and_a_hard_link_is_parted(place, tmp_path):
    (tmp_path / "victim").write_text("precious")
    os.link(tmp_path / "victim", place)
    output.write(place, b"mine")
    assert (tmp_path / "victim").read_text() == "precious"


def test_what_stands_where_the_new_file_is_prepared_is_not_followed(place, tmp_path):
    (tmp_path / "victim").write_text("precious")
    (place.parent / f".x.{os.getpid()}.new").symlink_to(tmp_path / "victim")
    output.write(place, b"mine")
    assert (place.read_text(), (tmp_path / "victim").read_text()) == ("mine", "precious")


def test_the_folders_that_lead_to_a_file_may_be_links(place, tmp_path):
    (tmp_path / "link").symlink_to(place.parent)
    output.write(tmp_path / "link" / "x", b"mine")
    assert place.read_text() == "mine"


def test_a_device_and_what_the_caller_opened_are_written_to(place):
    device = Path(os.devnull).lstat()
    output.require_place(Path(os.devnull), device=True)
    output.write(Path(os.devnull), b"x")
    assert (Path(os.devnull).lstat().st_ino, Path(os.devnull).lstat().st_rdev) == (device.st_ino, device.st_rdev)
    with pytest.raises(UsageError, match="it is a device"):
        output.require_place(Path(os.devnull))
    reading, writing = os.pipe()
    for name in (f"/dev/fd/{writing}", f"/proc/self/fd/{writing}"):
        output.write(Path(name), b"x")
        assert os.read(reading, 9) == b"x"
    os.close(writing)
    os.close(reading)
    code = "from pathlib import Path; from sealift_common.files import output; output.write(Path('/dev/std{}'), b'x')"
    words = [sys.executable, "-c", code.replace("/dev/std{}", "-")]
    done = subprocess.run(words, capture_output=True, check=True, cwd=place.parent)
    assert (done.stdout, os.listdir(place.parent)) == (b"x", [])
    for stream in ("out", "err"):
        done = subprocess.run([sys.executable, "-c", code.format(stream)], capture_output=True, check=True)
        assert {"out": done.stdout, "err": done.stderr}[stream] == b"x"


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1"])
def test_standard_output_is_not_replaced_by_what_is_read_back(name):
    with pytest.raises(UsageError, match="what is written is read back"):
        output.require_place(Path(name))
    assert Path("/dev/stdout").is_symlink()


def as_stranger(code: str) -> subprocess.CompletedProcess[str]:
    """Run code as a user who may not read this interpreter's files: all is imported before."""
    code = (
        "import os, sys; from pathlib import Path; from sealift_common.files import output\nos.setuid(65534)\n" + code
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)


def test_a_file_of_somebody_else_in_a_sticky_folder_and_a_folder_without_rights(place):
    place.write_text("precious")
    for mode in (0o1777, 0o755):
        place.parent.chmod(mode)
        for folder_above in place.parents:
            if folder_above.stat().st_uid == 0 and folder_above != place.parent:
                folder_above.chmod(folder_above.stat().st_mode | 0o011)
        done = as_stranger(f"output.write(Path({str(place)!r}), b'x')")
        assert done.stderr.splitlines()[-1].startswith("PermissionError"), done.stderr
        assert (place.read_text(), os.listdir(place.parent)) == ("precious", ["x"])


def test_a_folder_that_cannot_be_read_can_be_written(place):
    place.parent.chmod(0o733)
    for folder_above in list(place.parents)[1:]:
        folder_above.chmod(folder_above.stat().st_mode | 0o011)
    done = as_stranger(f"output.write(Path({str(place)!r}), b'x')")
    assert done.returncode == 0, done.stderr
    assert place.read_text() == "x"
