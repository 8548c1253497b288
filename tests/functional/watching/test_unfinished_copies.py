"""What is a whole bundle and what is a copy that goes on."""

import os

import pytest
from support.release.repack import read_members

from sealift.drop_folder.first_look import unfinished


def judged(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return unfinished(descriptor)
    finally:
        os.close(descriptor)


def test_every_shorter_copy_is_unfinished_and_the_whole_is_not(bundle, tmp_path):
    data = bundle.read_bytes()
    copy = tmp_path / "copy.tar"
    copy.write_bytes(data)
    assert judged(copy) is None
    *_, last = read_members(bundle).values()
    last_content = len(data) - 1024 - (len(last) + -len(last) % 512)
    for length in {0, 1, 5, 9, 10, 511, 512, 513, len(data) - 1024, len(data) - 1, *range(0, len(data), 4999)}:
        copy.write_bytes(data[:length])
        assert judged(copy) is not None, length
        # Some programs make the file as long as it will be and fill it afterwards.
        if 10 < length < last_content:
            copy.write_bytes(data[:length].ljust(len(data), b"\0"))
            assert judged(copy) is not None, length


@pytest.mark.parametrize("damage", [b"\x1f\x8b rest", b"PK", b"x" * 2000])
def test_what_more_bytes_would_not_mend_is_not_waited_for(damage, tmp_path):
    path = tmp_path / "x.tar"
    path.write_bytes(damage)
    assert judged(path) is None


def test_something_after_the_end_is_not_waited_for(bundle, tmp_path):
    path = tmp_path / "x.tar"
    path.write_bytes(bundle.read_bytes() + b"more")
    assert judged(path) is None
