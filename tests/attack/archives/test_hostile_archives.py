"""Archives that are not a bundle, or pretend to be one: `verify`, `inspect` and `install` refuse, and leave nothing."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest
from support.hostile import bundles as hostile
from support.hostile.archives import FORM, INSERTED, tar_of
from support.release.channel_simulator import toy_files

from sealift.bundle.tarformat import BLOCK, END
from sealift.cli import cli
from sealift.errors import DigestError, MalformedError, UnsafeMemberError
from sealift_common.console import run
from sealift_common.oci import layout

pytestmark = pytest.mark.usefixtures("no_replay")


def test_the_good_bundle_is_accepted_so_that_refusals_mean_something(members, instance, monkeypatch, tmp_path):
    instance.export(monkeypatch)
    (tmp_path / "good.tar").write_bytes(tar_of(members) + END)
    for command in ("verify", "inspect", "install"):
        assert run(cli, "sealift", [command, str(tmp_path / "good.tar")]) == 0


@pytest.mark.parametrize("what", INSERTED)
def test_something_in_between(what, members, refuse):
    for place in (0, 1, len(members) - 1, len(members)):
        before, after = tar_of(members[:place]), tar_of(members[place:])
        refuse(before + INSERTED[what] + after + END, inspected=place > 1)


def test_a_member_missing_doubled_or_moved(members, refuse, capsys):
    documents = [index for index, (name, _) in enumerate(members) if name.startswith("blobs/")]
    cases = 0
    for place in range(len(members)):
        behind_the_head = place >= documents[1]
        gone = members[:place] + members[place + 1 :]
        doubled = members[: place + 1] + members[place:]
        swapped = [*members[:place], *members[place + 1 : place + 2], members[place], *members[place + 2 :]]
        last = [*gone, members[place]]
        for changed in (gone, doubled, swapped, last):
            if changed != members:
                refuse(tar_of(changed) + END, (*FORM, DigestError), inspected=behind_the_head)
                cases += 1
    with capsys.disabled():
        print(f"\n{cases} ways to lose, double or move a member")


def test_cut_near_every_header(members, refuse, capsys):
    whole = tar_of(members) + END
    edges, place = [], 0
    for name, data in members:
        edges += [place, place + BLOCK, place + BLOCK + len(data)]
        place += len(hostile.member_bytes(name, data))
    # The head ends before the first file of the model, four blobs from the end.
    lengths = sorted({edge + step for edge in edges for step in (-1, 0, 1)} & set(range(len(whole))))
    for length in lengths:
        refuse(whole[:length], inspected=True)
    with capsys.disabled():
        print(f"\ncut at {len(lengths)} places")


def test_cut_within_the_end(members, refuse):
    whole = tar_of(members) + END
    for missing in (1, 511, 512, 513, 1023, 1024):
        refuse(whole[:-missing], MalformedError, "does not end", inspected=True)


@pytest.mark.parametrize("place", ["after", "between"])
def test_a_second_archive(place, members, refuse):
    whole = tar_of(members) + END
    refuse(
        whole + whole if place == "after" else tar_of(members) * 2 + END, MalformedError, "does not end", inspected=True
    )


def test_padding_that_carries_something(members, refuse):
    name, data = members[-1]
    member = bytearray(hostile.member_bytes(name, data))
    assert len(member) > BLOCK + len(data)
    member[-1] = 1
    refuse(tar_of(members[:-1]) + bytes(member) + END, MalformedError, "padding", inspected=True)


def _archives():
    """What other tools make of a file, by the tool's name."""
    content = b"hello" * 1000
    made = {
        "gzip": gzip.compress(content),
        "bzip2": bz2.compress(content),
        "xz": lzma.compress(content),
        "lzma": lzma.compress(content, lzma.FORMAT_ALONE),
        "empty": b"",
        "one byte": b"o",
        "one block of zeros": bytes(512),
        "an empty tar": bytes(10240),
        "a million zeros": bytes(1_000_000),
        "old cpio": b"\xc7\x71" + bytes(24) + b"TRAILER!!!\0",
        "odc cpio": b"070707" + b"0" * 70 + b"TRAILER!!!\0",
        "newc cpio": b"070701" + b"0" * 104 + b"TRAILER!!!\0\0\0\0",
        "ar": b"!<arch>\ndebian-binary   0           0     0     100644  4         `\n2.0\n",
        "rpm": b"\xed\xab\xee\xdb\x03\0\0\0" + bytes(200),
        "7z": b"7z\xbc\xaf\x27\x1c\0\4" + bytes(600),
        "rar": b"Rar!\x1a\x07\x01\0" + bytes(600),
        "squashfs": b"hsqs" + bytes(600),
        "an ONNX model": toy_files()["model.onnx"],
        "a JSON document": toy_files()["model.json"],
        "a pickle": b"\x80\x05cposix\nsystem\n(S'true'\ntR.",
        "a script": b"#!/bin/sh\necho hello\n" * 50,
        "an ELF file": b"\x7fELF" + bytes(600),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("oci-layout", layout.OCI_LAYOUT_BYTES)
    made["zip"] = packed.getvalue()
    for name, form in {
        "GNU tar": tarfile.GNU_FORMAT,
        "PAX tar": tarfile.PAX_FORMAT,
        "ustar": tarfile.USTAR_FORMAT,
    }.items():
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=form) as tar:
            info = tarfile.TarInfo("oci-layout")
            info.size, info.mtime = len(layout.OCI_LAYOUT_BYTES), 1.5
            tar.addfile(info, io.BytesIO(layout.OCI_LAYOUT_BYTES))
        made[name] = packed.getvalue()
    v7 = hostile.raw_header(b"oci-layout", 30, magic=b"", version=b"")
    made["V7 tar"] = v7 + layout.OCI_LAYOUT_BYTES.ljust(512, b"\0") + END
    return made


def test_other_formats(members, refuse, zstd, capsys):
    made = {
        **_archives(),
        "zstd": zstd.compress(tar_of(members) + END),
        "gzip of it": gzip.compress(tar_of(members) + END),
    }
    for data in made.values():
        refuse(data, (MalformedError, UnsafeMemberError))
    with capsys.disabled():
        print(f"\n{len(made)} files of other formats")


@pytest.fixture(scope="module")
def zstd():
    import sys

    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd
