"""Frames that are signed and still bombs, or no frames: bounded memory, one class, and nothing left behind."""

import hashlib
import os
import subprocess
import sys

import pytest
from support.hostile import bundles as hostile

from sealift.errors import DigestError, LimitError, NoSpaceError
from sealift.limits import GIB, LIMITS
from sealift_common.blob import Blob
from sealift_common.oci import layout
from sealift_common.oci.compression import expand

pytestmark = pytest.mark.usefixtures("no_replay")

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAGIC = b"\x28\xb5\x2f\xfd"
BLOCK_BYTES = 128 * 1024
PLAIN = b"all the weights there are " * 1000


def signed(data):
    return Blob("sha256:" + hashlib.sha256(data).hexdigest(), len(data))


def bomb(size, window_log=20):
    """A frame of `size` zeros, 4 bytes for each 128 KiB."""
    blocks = size // BLOCK_BYTES
    repeated = (BLOCK_BYTES << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    last = (0 << 3 | 0 << 1 | 1).to_bytes(3, "little")
    return MAGIC + b"\0" + bytes([(window_log - 10) << 3]) + repeated * blocks + last


def pieces(data, size=1000):
    return (data[place : place + size] for place in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize("options", [{}, {"checksum_flag": 1}, {"window_log": 27}, {"content_size_flag": 0}])
def test_a_good_frame(options, size):
    parameters = {getattr(zstd.CompressionParameter, name): value for name, value in options.items()}
    frame = zstd.compress(PLAIN, options=parameters)
    assert b"".join(expand(pieces(frame, size), signed(PLAIN), "x")) == PLAIN


def test_an_empty_file():
    assert b"".join(expand([zstd.compress(b"")], signed(b""), "x")) == b""


def test_chunks_stay_small():
    size = 20 * 1024 * 1024
    assert max(map(len, expand([bomb(size)], signed(bytes(size)), "x"))) <= 1024 * 1024


@pytest.mark.parametrize("length", [0, 1, 1000, 50_000_000])
def test_a_bomb_stops_at_its_signed_length(length):
    """Ten GB behind 320 KB."""
    taken = []
    frame = expand([bomb(10 * GIB)], Blob("sha256:" + "0" * 64, length), "x")
    with pytest.raises(DigestError, match="expands beyond its signed length"):
        taken.extend(map(len, frame))
    assert sum(taken) <= length


@pytest.mark.parametrize("window_log", [28, 31, 41])
def test_a_huge_window(window_log):
    with pytest.raises(LimitError, match="a window of"):
        list(expand([bomb(BLOCK_BYTES, window_log)], signed(bytes(BLOCK_BYTES)), "x"))


def test_a_window_just_beyond_the_limit():
    frame = bytearray(bomb(BLOCK_BYTES, LIMITS.zstd_window_log))
    assert b"".join(expand([bytes(frame)], signed(bytes(BLOCK_BYTES)), "x")) == bytes(BLOCK_BYTES)
    frame[5] |= 1
    with pytest.raises(LimitError, match="150,994,944 bytes; expected at most 134,217,728"):
        list(expand([bytes(frame)], signed(bytes(BLOCK_BYTES)), "x"))


def test_a_huge_single_segment():
    header = MAGIC + bytes([0xE0]) + (2**40).to_bytes(8, "little")
    with pytest.raises(DigestError, match="is signed as a zstd frame, and is not one"):
        list(expand([header + bomb(BLOCK_BYTES)[6:]], Blob("sha256:" + "0" * 64, 2**36), "x"))


def _dictionary():
    return zstd.train_dict([b"hello world %d" % number * 3 for number in range(1000)], 2000)


def _lying(size):
    """A frame whose header declares another size than it holds."""
    frame = zstd.compress(PLAIN)
    assert zstd.get_frame_info(frame).decompressed_size == len(PLAIN)
    return frame.replace((len(PLAIN) - 256).to_bytes(2, "little"), (size - 256).to_bytes(2, "little"), 1)


FRAMES = {
    "nothing": b"",
    "one byte": b"\x28",
    "only the magic": MAGIC,
    "only a header": MAGIC + b"\0\x50",
    "plain bytes": PLAIN,
    "gzip": b"\x1f\x8b\x08" + bytes(100),
    "an old zstd": b"\x27\xb5\x2f\xfd" + bytes(100),
    "a reserved bit": MAGIC + b"\x08\x50" + bytes(100),
    "a reserved block type": MAGIC + b"\0\x50" + b"\xff\xff\xff" + bytes(100),
    "cut short": zstd.compress(PLAIN)[:-1],
    "one byte more": zstd.compress(PLAIN) + b"\0",
    "two frames": zstd.compress(PLAIN[:100]) + zstd.compress(PLAIN[100:]),
    "an empty frame behind": zstd.compress(PLAIN) + zstd.compress(b""),
    "an empty frame before": zstd.compress(b"") + zstd.compress(PLAIN),
    "a skippable frame": (0x184D2A50).to_bytes(4, "little") + (5).to_bytes(4, "little") + b"hello",
    "a skippable frame before": (0x184D2A5F).to_bytes(4, "little") + bytes(4) + zstd.compress(PLAIN),
    "a skippable frame of 4 GB": (0x184D2A50).to_bytes(4, "little") + b"\xff" * 4 + bytes(100),
    "a skippable frame behind": zstd.compress(PLAIN) + (0x184D2A50).to_bytes(4, "little") + bytes(4),
    "a dictionary": zstd.compress(PLAIN, zstd_dict=_dictionary()),
    "an unknown dictionary": MAGIC + b"\x01\x50\x07" + bytes(100),
    "a wrong checksum": zstd.compress(PLAIN, options={zstd.CompressionParameter.checksum_flag: 1})[:-1] + b"\0",
    "another file": zstd.compress(PLAIN[::-1]),
    "a shorter file": zstd.compress(PLAIN[:-1]),
    "a longer file": zstd.compress(PLAIN + b"x"),
    "a size declared too small": _lying(len(PLAIN) - 1),
    "a size declared too large": _lying(len(PLAIN) + 1),
    "a million empty blocks that never end": MAGIC + b"\0\x50" + bytes(3_000_000),
}


@pytest.mark.parametrize("what", FRAMES)
def test_no_frame_of_this_file(what):
    for size in (1, 4096) if len(FRAMES[what]) < 100_000 else (4096,):
        with pytest.raises(DigestError):
            list(expand(pieces(FRAMES[what], size), signed(PLAIN), "x"))


def test_memory_stays_bounded(tmp_path):
    """A gigabyte, and windows of every size, in a process that may have 400 MB."""
    script = tmp_path / "expand.py"
    script.write_text(
        "import resource, sys\n"
        "from sealift_common.oci.compression import expand\n"
        "from sealift_common.oci.manifest import Blob\n"
        "from sealift.errors import DigestError, LimitError\n"
        "resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))\n"
        "frame = sys.stdin.buffer.read()\n"
        "for window in range(256):\n"
        "    try:\n"
        "        for _ in expand([frame[:5] + bytes([window]) + frame[6:]], Blob('x', 1 << 23), 'x'): pass\n"
        "    except (DigestError, LimitError): pass\n"
        "    else: sys.exit('accepted')\n"
        "try:\n"
        "    for _ in expand([frame], Blob('x', 1 << 30), 'x'): pass\n"
        "except DigestError: print('bounded')\n"
    )
    child = subprocess.run([sys.executable, script], input=bomb(GIB), capture_output=True, check=False)
    assert child.stdout == b"bounded\n", child.stderr.decode()[-500:]


def _with_frame(frame, plain):
    """Make the card of a model a frame of the signer's choosing."""

    def change(channel):
        def documents(manifest, config):
            place = next(
                i for i, layer in enumerate(manifest["layers"]) if layer["annotations"][layout.TITLE] == "CARD.md"
            )
            written = hostile.put(channel, frame)
            layer = manifest["layers"][place]
            layer |= {"digest": written.digest, "size": written.size, "mediaType": layout.DOC_TYPE + "+zstd"}
            layer["annotations"][layout.PLAIN_SIZE] = str(plain.size)
            config["modelfs"]["diffIds"][place] = plain.digest

        return documents

    return change


@pytest.mark.parametrize("what", [what for what in FRAMES if what != "nothing"])
def test_install_of_a_signed_frame_that_is_none(what, channel, instance, refused, tmp_path):
    change = _with_frame(FRAMES[what], signed(PLAIN))(channel)
    bundle = hostile.sign(channel, tmp_path / "x.tar", change=change)
    instance.pin(channel.root_bytes)
    with refused((DigestError, LimitError)):
        instance.install(bundle)
    assert not (instance.store_path / "staging").exists()


@pytest.mark.parametrize(
    ("frame", "plain"),
    [
        (bomb(10 * GIB), Blob("sha256:" + "0" * 64, 1000)),
        (bomb(BLOCK_BYTES, 31), signed(bytes(BLOCK_BYTES))),
        (bomb(BLOCK_BYTES, 28), signed(bytes(BLOCK_BYTES))),
    ],
    ids=["10 GB", "a window of 2 GiB", "a window of 256 MiB"],
)
def test_install_of_a_signed_bomb(frame, plain, channel, instance, refused, tmp_path):
    bundle = hostile.sign(channel, tmp_path / "x.tar", change=_with_frame(frame, plain)(channel))
    instance.pin(channel.root_bytes)
    with refused((DigestError, LimitError)):
        instance.install(bundle)
    assert not (instance.store_path / "staging").exists()


def test_install_of_a_bomb_that_is_signed_with_its_true_length(channel, instance, refused, tmp_path, monkeypatch):
    size = LIMITS.document_size_bytes
    plain = Blob("sha256:" + "0" * 64, size)
    bundle = hostile.sign(channel, tmp_path / "x.tar", change=_with_frame(bomb(size), plain)(channel))
    instance.pin(channel.root_bytes)
    monkeypatch.setattr("sealift.install.preflight.free_bytes", lambda _: size // 2)
    with refused(NoSpaceError, "needs 28[0-9],"):
        instance.install(bundle)


def test_install_of_an_unsigned_bomb(channel, instance, refused, tmp_path, monkeypatch):
    """A frame under another digest is not expanded at all."""
    frame = zstd.compress(PLAIN)
    other = bomb(BLOCK_BYTES * 1000)[: len(frame)].ljust(len(frame), b"\0")
    bundle = hostile.sign(channel, tmp_path / "x.tar", change=_with_frame(frame, signed(PLAIN))(channel))
    data = bundle.read_bytes()
    assert data.count(frame) == 1
    bundle.write_bytes(data.replace(frame, other))
    instance.pin(channel.root_bytes)
    expanded = []
    monkeypatch.setattr("sealift.install.staging.expand", lambda *_args: expanded.append(1))
    with refused(DigestError, "damaged or was changed"):
        instance.install(bundle)
    # The blobs before it, all smaller, may have been expanded; this one was not, nor any after it.
    assert len(expanded) == 0
    assert os.listdir(tmp_path / "instance") == ["etc", "store"]
