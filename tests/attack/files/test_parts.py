"""A bundle in parts: whatever is wrong with them is refused before anything is written, and the part is named."""

import json
import os
import random
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.release.self_test_stub import Passes

import sealift
from sealift.bundle.part_header import HEADER_BYTES, PartHeader, parse_header
from sealift.bundle.parts import open_stream
from sealift.errors import DigestError, LimitError, MalformedError, UnsupportedVersionError, UsageError
from sealift.install.steps import install
from sealift.limits import LIMITS
from sealift_bundler.cli import command as bundler
from sealift_bundler.packing.parts import split
from sealift_bundler.packing.whole import pack, prepare

PART = 2 * HEADER_BYTES


@pytest.fixture
def bundle(channel, instance, tmp_path):
    channel.add("toy", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    return channel.pack(tmp_path / "sim-2.tar")


@pytest.fixture
def parts(bundle, tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    found = list(split(bundle, folder, PART))
    assert len(found) > 3
    return found


@pytest.fixture
def put(instance, monkeypatch):
    monkeypatch.setattr("sealift.install.steps.SelfTestProcess", Passes)

    def put(*paths):
        return install([str(path) for path in paths], instance.store)

    return put


def joined(paths):
    return b"".join(path.read_bytes()[HEADER_BYTES:] for path in paths)


def flip(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def rewritten(path, **fields):
    """Write another header with a right checksum, as a forger would."""
    data = path.read_bytes()
    header = parse_header(data[:HEADER_BYTES], path.name)
    path.write_bytes(PartHeader(**{**header.__dict__, **fields}).to_bytes() + data[HEADER_BYTES:])


def test_parts_hold_the_bundle_and_nothing_is_joined(bundle, parts, put, instance):
    assert joined(parts) == bundle.read_bytes()
    assert all(path.stat().st_size <= PART for path in parts)
    assert [path.name for path in parts][:2] == [
        f"sim-2.tar.part-01-of-{len(parts):02}",
        f"sim-2.tar.part-02-of-{len(parts):02}",
    ]
    bundle.unlink()
    shuffled = random.Random(0).sample(parts, len(parts))
    assert put(*shuffled).changed
    assert put(parts[0].parent).generation == 1
    assert instance.store.load("toy").version == "1.0.0"


def test_parts_on_several_sticks(parts, put, tmp_path):
    for number, path in enumerate(parts):
        stick = tmp_path / f"stick-{number % 2}"
        stick.mkdir(exist_ok=True)
        (stick / "photo.jpg").write_bytes(b"not a part")
        path.rename(stick / path.name)
    assert put(tmp_path / "stick-1", tmp_path / "stick-0").changed


def test_renamed_parts_given_by_name(parts, put):
    assert put(*[path.rename(path.with_name(f"{number}.bin")) for number, path in enumerate(parts)]).changed


def test_packing_in_parts_gives_the_same_bytes(bundle, channel, tmp_path):
    folder = tmp_path / "packed"
    folder.mkdir()
    packed = pack(prepare(channel.directory), folder, part_size_bytes=PART)
    assert sorted(folder.iterdir()) == list(packed.parts)
    assert joined(packed.parts) == bundle.read_bytes()
    assert packed.size == bundle.stat().st_size
    again = pack(prepare(channel.directory), folder, part_size_bytes=PART)
    assert again == packed


@given(data=st.data())
def test_the_stream_reads_and_seeks_as_the_file_does(shared_parts, data):
    whole, paths = shared_parts
    with open_stream(paths) as stream:
        for _ in range(4):
            place = data.draw(st.integers(0, len(whole) + 10))
            count = data.draw(st.integers(1, len(whole)))
            assert stream.seek(place) == place
            assert stream.read(count) == whole[place : place + count]
            assert stream.tell() == max(place, min(place + count, len(whole)))
            assert stream.seek(0, os.SEEK_END) == len(whole)


@pytest.fixture(scope="module")
def shared_parts(tmp_path_factory):
    from support.release.channel_simulator import ChannelSimulator

    directory = tmp_path_factory.mktemp("shared")
    channel = ChannelSimulator(directory / "channel")
    channel.add()
    channel.release()
    bundle = channel.pack(directory / "x.tar")
    return bundle.read_bytes(), [str(path) for path in split(bundle, directory, PART)]


def test_missing_parts(parts, put, refused):
    count = len(parts)
    with refused(MalformedError, f"'sim-2.tar' has {count} parts; missing: 2, {count}; given: 1, 3"):
        put(parts[0], *parts[2:-1])
    parts[1].unlink()
    with refused(MalformedError, f"'sim-2.tar' has {count} parts; missing: 2; given"):
        put(parts[0].parent)


def test_one_part_alone_is_no_bundle(parts, put, refused):
    with refused(MalformedError, "missing: 2, 3, .*; given: 1$"):
        put(parts[0])


def test_a_part_twice(parts, put, refused, tmp_path):
    copy = shutil.copy(parts[1], tmp_path / "copy")
    with refused(MalformedError, "part 2 of .* is there twice, also as .*copy"):
        put(*parts, copy)
    with refused(MalformedError, "is there twice"):
        put(parts[0], *parts)


def test_parts_of_two_bundles(parts, channel, put, refused, tmp_path):
    channel.add("toy", "1.1.0")
    channel.release()
    others = pack(prepare(channel.directory), tmp_path, part_size_bytes=PART).parts
    with refused(MalformedError, "parts of two bundles: part 1 .*'sim-2.tar', sha256.*; part 2 .*'sim-3.tar', sha256"):
        put(parts[0], others[1], *parts[2:])


def test_parts_of_two_splits(bundle, parts, put, refused, tmp_path):
    others = split(bundle, tmp_path, PART + 100)
    with refused(MalformedError, "parts of two splits of 'sim-2.tar'"):
        put(*parts[:-1], *others)
    # As many parts, and other borders.
    rewritten(parts[1], offset=parse_header(parts[1].read_bytes()[:HEADER_BYTES], "").offset + 1)
    with refused(MalformedError, "parts of two splits of 'sim-2.tar': part 1 .* ends at byte 4,096, part 2 .* begins"):
        put(*parts)


def test_a_directory_with_two_splits(bundle, parts, tmp_path):
    with pytest.raises(UsageError, match=r"is a part of another split.*remove it first"):
        split(bundle, parts[0].parent, 3 * PART)
    assert not [name for name in os.listdir(parts[0].parent) if name.startswith(".")]


@pytest.mark.parametrize("change", [-1, -HEADER_BYTES, 1, 512])
def test_a_part_of_another_length(change, parts, put, refused):
    os.truncate(parts[1], parts[1].stat().st_size + change)
    with refused(MalformedError, "part 2 of .* (was cut short|has grown): it has .* bytes; expected 8,192"):
        put(*parts)


@pytest.mark.parametrize("length", [0, 5, HEADER_BYTES - 1])
def test_a_part_cut_inside_its_header(length, parts, put, refused):
    os.truncate(parts[2], length)
    with refused(MalformedError, r"part-03-of-\d+' is (damaged or cut short|not a part of a bundle)"):
        put(parts[0].parent)


@pytest.mark.parametrize("number", [0, 1, -1])
def test_a_damaged_part_is_named(number, parts, put, refused, sealift_command):
    flip(parts[number], HEADER_BYTES + 5)
    name = f"part {number % len(parts) + 1} of {len(parts)} .* is damaged, copy it again: "
    with refused((MalformedError, DigestError, sealift.Error), name):
        put(*parts)
    status, _, err = sealift_command("verify", parts[0].parent)
    assert 10 <= status < 20 or status == DigestError.exit_code
    assert "is damaged, copy it again" in err


@pytest.mark.parametrize("offset", [0, 20, 300, 3000, HEADER_BYTES - 1])
def test_a_damaged_header(offset, parts, put, refused):
    flip(parts[1], offset)
    with refused(MalformedError, "part-02-of"):
        put(*parts)


def test_a_header_that_lies_changes_nothing_that_counts(parts, put, refused):
    """Anyone who can write a part can write its header: the signed digests decide."""
    flip(parts[1], HEADER_BYTES + 5)
    from hashlib import sha256

    rewritten(parts[1], part_digest="sha256:" + sha256(parts[1].read_bytes()[HEADER_BYTES:]).hexdigest())
    with refused((DigestError, MalformedError)):
        put(*parts)


def test_contents_swapped_between_two_parts(parts, put, refused):
    one, other = parts[1].read_bytes(), parts[2].read_bytes()
    parts[1].write_bytes(one[:HEADER_BYTES] + other[HEADER_BYTES:])
    parts[2].write_bytes(other[:HEADER_BYTES] + one[HEADER_BYTES:])
    with refused(sealift.Error, "part 2 of .*, part 3 of .* is damaged"):
        put(*parts)


@pytest.mark.parametrize(
    "fields",
    [
        {"number": 0},
        {"number": 99},
        {"count": 0},
        {"length": 0},
        {"offset": 10**15},
        {"size": 10},
        {"digest": "sha256:x"},
        {"part_digest": 5},
        {"bundle": 5},
        {"number": True},
        {"number": 1.0},
        {"offset": -1},
        {"surprise": 1},
    ],
)
def test_a_header_that_says_what_cannot_be(fields, parts, put, refused):
    data = parts[0].read_bytes()
    document = {**parse_header(data[:HEADER_BYTES], "x").__dict__, **fields}
    parts[0].write_bytes(forged(json.dumps(document, sort_keys=True, separators=(",", ":"))) + data[HEADER_BYTES:])
    with refused(MalformedError):
        put(*parts)


def forged(text, magic=b"sealift.part/1\n"):
    from hashlib import sha256

    start = (magic + text.encode()).ljust(HEADER_BYTES - 64, b"\0")
    return start + sha256(start).hexdigest().encode()


def test_a_header_written_another_way(parts, put, refused):
    data = parts[0].read_bytes()
    document = parse_header(data[:HEADER_BYTES], "x").__dict__
    parts[0].write_bytes(forged(json.dumps(document)) + data[HEADER_BYTES:])
    with refused(MalformedError, "not as Sealift writes it"):
        put(*parts)


def test_a_later_format_and_too_many_parts(parts, put, refused):
    data = parts[0].read_bytes()
    parts[0].write_bytes(forged("{}", b"sealift.part/2\n") + data[HEADER_BYTES:])
    with refused(UnsupportedVersionError, "format '2'; this Sealift reads '1'"):
        put(*parts)
    document = {**parse_header(parts[1].read_bytes()[:HEADER_BYTES], "x").__dict__, "count": 10**6}
    parts[1].write_bytes(forged(json.dumps(document, sort_keys=True, separators=(",", ":"))) + data[HEADER_BYTES:])
    with refused(LimitError, "1,000,000 parts"):
        put(*parts[1:])
    with refused(LimitError, "257 parts are given"):
        put(*[parts[2]] * (LIMITS.parts_per_bundle + 1))


def test_a_name_that_would_act_on_a_terminal(parts, sealift_command):
    data = parts[0].read_bytes()
    document = {**parse_header(data[:HEADER_BYTES], "x").__dict__, "bundle": "x\x1b[2J"}
    parts[0].write_bytes(forged(json.dumps(document, sort_keys=True, separators=(",", ":"))) + data[HEADER_BYTES:])
    status, out, err = sealift_command("verify", parts[0])
    assert status == LimitError.exit_code
    assert "\x1b" not in out + err


def test_a_part_beside_a_whole_bundle(bundle, parts, put, refused):
    with refused(UsageError, "'.*sim-2.tar' is not a part of a bundle; give one bundle, or all parts of one"):
        put(bundle, *parts)
    with refused(UsageError, "is a directory; give the bundle's .tar file, or a directory of its parts"):
        put(bundle.parent)


def test_the_story_on_the_command_line(channel, bundle, tmp_path, sealift_command, call):
    folder = tmp_path / "out"
    status, out, _ = call(bundler, "split", bundle, "--part-size", "0.012MB", "-o", folder, "--json")
    assert status == 0
    parts = [part["path"] for part in json.loads(out)["parts"]]
    status, out, _ = sealift_command("verify", parts[2], "--json")
    document = json.loads(out)
    assert (status, document["verdict"], document["trusted"]) == (0, "intact", False)
    assert (document["part"]["number"], document["part"]["count"]) == (3, len(parts))
    status, out, _ = sealift_command("verify", parts[2])
    assert status == 0
    assert f"intact: part 3 of {len(parts)} of sim-2.tar" in out
    # The first part holds the head here, and `inspect` reads no more; a later one alone tells nothing.
    status, out, _ = sealift_command("inspect", *parts[:2], "--json")
    assert (status, json.loads(out)["size"]) == (0, bundle.stat().st_size)
    status, _, err = sealift_command("inspect", parts[1])
    assert status == MalformedError.exit_code
    assert "missing: 1, 3, 4; given: 2" in err
    status, out, _ = sealift_command("verify", folder, "--explain")
    assert status == 0
    assert "accepted: sim release 2" in out
    status, out, _ = sealift_command("install", *reversed(parts), "--json")
    assert status == 0
    assert json.loads(out)["changed"]
    assert sealift_command("install", folder, "--if-newer") == (0, "", "")
    (tmp_path / "instance" / "store" / "models" / "toy" / "1.0.0" / "model.onnx").chmod(0o600)
    flip(tmp_path / "instance" / "store" / "models" / "toy" / "1.0.0" / "model.onnx", 5)
    status, out, _ = sealift_command("check", "--repair", folder)
    assert status == 0
    assert "repaired toy 1.0.0" in out
    flip(tmp_path / "out" / os.path.basename(parts[2]), HEADER_BYTES)
    status, _, err = sealift_command("verify", parts[2])
    assert status == MalformedError.exit_code
    assert f"part 3 of {len(parts)}" in err
    assert "copy it again" in err


def test_pack_on_the_command_line(channel, bundle, tmp_path, call):
    folder = tmp_path / "out"
    folder.mkdir()
    arguments = ("pack", "--channel", channel.directory, "-o", folder, "--part-size")
    status, out, _ = call(bundler, *arguments, "12kB", "--json")
    assert status == 0
    assert sorted(os.listdir(folder)) == [os.path.basename(path) for path in json.loads(out)["parts"]]
    for text, message in (("12 parsecs", "is not understood"), ("1kB", "are too small"), ("8.2kB", "is a part of")):
        status, _, err = call(bundler, *arguments, text)
        assert status == 2
        assert message in err
    assert call(bundler, "split", bundle)[0] == 2
    first = folder / min(os.listdir(folder))
    status, _, err = call(bundler, "split", first, "--part-size", "12kB")
    assert status == 2
    assert "is a part already" in err
