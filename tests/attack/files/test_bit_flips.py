"""One flipped bit anywhere in a bundle: refused by a code in 10-29 that names the place, the store unchanged."""

import random
import tarfile
from collections import Counter

import pytest
from support.depth import DEPTH

from sealift.errors import Error

pytestmark = pytest.mark.usefixtures("no_replay")

POSITIONS = 80 * DEPTH


@pytest.fixture
def bundle(channel, tmp_path):
    channel.add("alpha", "1.0.0")
    channel.add("beta", "2.0.0")
    channel.release()
    return channel.pack(tmp_path / "good.tar")


def _regions(bundle):
    """Every kind of place in the tar, as (kind, first byte, length, member)."""
    regions = []
    with tarfile.open(bundle) as tar:
        members = tar.getmembers()
    blobs = [member for member in members if member.name.startswith("blobs/")]
    for member in members:
        kind = member.name if member not in blobs else "small blob" if blobs.index(member) < 4 else "file blob"
        regions.append(("header of " + kind, member.offset, 512, member.name))
        if member.size:
            regions.append((kind, member.offset_data, member.size, member.name))
        padding = -member.size % 512
        if padding:
            regions.append(("padding", member.offset_data + member.size, padding, member.name))
    regions.append(("end", bundle.stat().st_size - 1024, 1024, "end"))
    return regions


def test_random_positions(bundle, channel, instance, tmp_path, capsys):
    instance.pin(channel.root_bytes)
    good = bundle.read_bytes()
    regions = _regions(bundle)
    kinds = sorted({kind for kind, *_ in regions})
    rng = random.Random(20261123)
    damaged = tmp_path / "damaged.tar"
    classes = Counter()
    for number in range(POSITIONS):
        # Each kind of place in turn, a random member of that kind, a random bit of it.
        kind, start, length, name = rng.choice(
            [region for region in regions if region[0] == kinds[number % len(kinds)]]
        )
        position = start + rng.randrange(length)
        flipped = bytearray(good)
        flipped[position] ^= 1 << rng.randrange(8)
        damaged.write_bytes(flipped)
        before = instance.snapshot() if number else None
        with pytest.raises(Error) as caught:
            instance.install(damaged)
        assert 10 <= caught.value.exit_code <= 29, (kind, position, caught.value)
        assert _names(str(caught.value), name), (kind, position, str(caught.value))
        assert before is None or instance.snapshot() == before
        classes[type(caught.value).__name__] += 1
    assert not (instance.store_path / "models").exists()
    assert not (instance.store_path / "staging").exists()
    with capsys.disabled():
        print(f"\n{POSITIONS} flipped bits in {len(kinds)} kinds of place: {dict(classes)}")


def _names(message, name):
    """The message names the damaged member, or the index whose digest of it does not fit."""
    return name in message or "index.json" in message or (name == "end" and "does not end" in message)


def test_cut_at_every_block(bundle, channel, instance, tmp_path):
    instance.pin(channel.root_bytes)
    good = bundle.read_bytes()
    cut = tmp_path / "cut.tar"
    for length in range(0, len(good), 512):
        cut.write_bytes(good[:length])
        with pytest.raises(Error) as caught:
            instance.install(cut)
        assert 10 <= caught.value.exit_code <= 29, length
    assert not (instance.store_path / "models").exists()


@pytest.mark.parametrize("tail", [b"\0", bytes(512), b"x" * 512, bytes(10240)], ids=["byte", "block", "data", "record"])
def test_trailing_data(tail, bundle, channel, instance, refused, tmp_path):
    from sealift.errors import MalformedError

    instance.pin(channel.root_bytes)
    longer = tmp_path / "longer.tar"
    longer.write_bytes(bundle.read_bytes() + tail)
    with refused(MalformedError, "does not end"):
        instance.install(longer)
