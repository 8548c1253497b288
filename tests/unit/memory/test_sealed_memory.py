"""Sealed memory: what was hashed stays as it was, for everybody."""

import gc
import hashlib
import mmap
import os
import random
from io import FileIO

import pytest

from sealift.model.runtime.sealed import SealedFile

SIZE = 1_000_003


@pytest.fixture
def data():
    return random.Random(1).randbytes(SIZE)


@pytest.fixture
def path(data, tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(data)
    return path


def seal(path, size=SIZE):
    with FileIO(path) as source:
        return SealedFile.copy(source.fileno(), size, path.name)


def test_the_digest_is_that_of_the_copy(path, data):
    sealed = seal(path)
    assert sealed.sha256() == hashlib.sha256(data).hexdigest()
    assert bytes(sealed.map()) == data
    assert len(sealed) == SIZE
    with open(sealed.path, "rb") as again:
        assert again.read() == data


def test_nobody_can_write_it(path, data):
    sealed = seal(path)
    descriptor = os.open(sealed.path, os.O_RDWR)
    try:
        for attempt in (
            lambda: os.pwrite(descriptor, b"x", 0),
            lambda: os.ftruncate(descriptor, 0),
            lambda: os.ftruncate(descriptor, SIZE * 2),
            lambda: mmap.mmap(descriptor, SIZE, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE),
        ):
            with pytest.raises(OSError, match=r"not permitted|denied"):
                attempt()
    finally:
        os.close(descriptor)
    with pytest.raises(TypeError):
        sealed.map()[0] = 0
    assert bytes(sealed.map()) == data


def test_a_later_change_of_the_file_does_not_show(path, data):
    sealed = seal(path)
    mapped = sealed.map()
    path.write_bytes(bytes(SIZE))
    assert mapped[:] == data


def test_a_private_mapping_shows_later_changes(path):
    """Why files are copied: a page that was not touched yet shows what the file holds now."""
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    digest = hashlib.sha256(mapped).hexdigest()
    with path.open("r+b") as file:
        file.seek(SIZE // 2)
        file.write(bytes(100))
    assert hashlib.sha256(mapped).hexdigest() != digest


def test_a_mapping_outlives_its_file_and_descriptors_do_not_leak(path, data):
    before = len(os.listdir("/proc/self/fd"))
    mapped = seal(path).map()
    gc.collect()
    assert mapped[:] == data
    mapped.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_that_ends_early(path):
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(EOFError):
        seal(path, SIZE + 1)
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_mapping_that_was_hashed_is_given_once(path, data):
    sealed = seal(path)
    assert sealed.sha256() == hashlib.sha256(data).hexdigest()
    hashed, other = sealed.map(), sealed.map()
    assert hashed is not other
    del sealed
    assert hashed[:] == other[:] == data
    hashed.close()
    assert other[:] == data
