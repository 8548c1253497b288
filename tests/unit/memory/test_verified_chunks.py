"""Bytes are hashed in a thread beside their use: the same verdict, in order, and no thread that stays."""

import hashlib
import threading

import pytest

from sealift.bundle.source import verified
from sealift.errors import DigestError

MIB = 1024 * 1024
SIZES = {
    "nothing": (),
    "one small chunk": (10,),
    "small chunks": (10, 10, 10),
    "large chunks": (MIB, MIB, MIB, 17),
    "a small one first": (17, MIB, MIB),
    "a large one alone": (MIB,),
}


def chunks_of(sizes):
    return [bytes([65 + number]) * size for number, size in enumerate(sizes)]


def digest_of(chunks):
    return "sha256:" + hashlib.sha256(b"".join(chunks)).hexdigest()


def threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("sealift-hash")]


@pytest.mark.parametrize("what", SIZES)
def test_chunks_come_as_they_are(what):
    chunks = chunks_of(SIZES[what])
    assert list(verified(iter(chunks), digest_of(chunks), "it")) == chunks
    assert threads() == []


@pytest.mark.parametrize("what", [what for what in SIZES if SIZES[what]])
@pytest.mark.parametrize("place", [0, -1])
def test_one_other_byte_is_refused_after_the_last_chunk(what, place):
    chunks = chunks_of(SIZES[what])
    expected = digest_of(chunks)
    chunks[place] = b"x" + chunks[place][1:]
    taken = []
    with pytest.raises(DigestError, match="it is damaged or was changed"):
        taken.extend(verified(iter(chunks), expected, "it"))
    assert threads() == []


def test_chunks_in_another_order_are_refused():
    first, second = chunks_of((MIB, MIB))
    with pytest.raises(DigestError):
        list(verified(iter([second, first]), digest_of([first, second]), "it"))


def test_what_ends_the_reading_ends_the_thread():
    def damaged():
        yield from chunks_of((MIB, MIB, MIB))
        raise OSError("the stick was pulled out")

    with pytest.raises(OSError, match="pulled out"):
        list(verified(damaged(), "sha256:" + "0" * 64, "it"))
    assert threads() == []
    left = verified(iter(chunks_of((MIB,) * 5)), "sha256:" + "0" * 64, "it")
    for _ in range(3):
        next(left)
    assert threads() != []
    left.close()
    assert threads() == []
