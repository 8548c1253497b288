"""Archives that are not a bundle, or pretend to be one: `verify`, `inspect` and `install` refuse, and leave nothing."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import socket
import tarfile
import tempfile
import time
import tracemalloc
import unicodedata
import zipfile
from pathlib import Path

import pytest
from support.hostile import bundles as hostile
from support.release.channel_simulator import ChannelSimulator, toy_files
from support.release.instance import Instance

from sealift.bundle.archive import Archive
from sealift.bundle.reader import read_head
from sealift.bundle.tarformat import BLOCK, END
from sealift.cli import cli
from sealift.errors import DigestError, Error, LimitError, LocalError, MalformedError, UnsafeMemberError, UsageError
from sealift.limits import LIMITS
from sealift_common.console import run
from sealift_common.oci import layout

pytestmark = pytest.mark.usefixtures("no_replay")

FORM = (MalformedError, UnsafeMemberError, LimitError, DigestError)


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """A channel with one released model, and its bundle as (name, content) pairs."""
    directory = tmp_path_factory.mktemp("signed")
    channel = ChannelSimulator(directory / "channel")
    bundle = hostile.sign(channel, directory / "good.tar")
    with tarfile.open(bundle) as tar:
        members = [(member.name, tar.extractfile(member).read()) for member in tar.getmembers()]
    return channel, members


@pytest.fixture
def members(signed, instance):
    channel, members = signed
    instance.pin(channel.root_bytes)
    return members


@pytest.fixture
def refuse(instance, refused, tmp_path, monkeypatch, capsys):
    """Assert that all three commands refuse a file, with one line, one class and no trace.

    `inspect` reads the head alone, so with `inspected` it may accept what is wrong behind that.
    """
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    instance.export(monkeypatch)

    def check(bundle, error=FORM, match="", *, inspected=False):
        codes = {kind.exit_code for kind in (error if isinstance(error, tuple) else (error,))}
        if isinstance(bundle, bytes):
            data, bundle = bundle, tmp_path / "hostile.tar"
            bundle.write_bytes(data)
        before = instance.snapshot()
        beside = sorted(tmp_path.iterdir())
        for command in ("verify", "inspect"):
            capsys.readouterr()
            status = run(cli, "sealift", [command, str(bundle)])
            captured = capsys.readouterr()
            if command == "inspect" and inspected and status == 0:
                continue
            assert status in codes, (command, captured.err)
            assert captured.out == ""
            assert len(captured.err.splitlines()) == 1
        assert instance.snapshot() == before
        with refused(error, match):
            instance.install(bundle)
        assert not (instance.store_path / "staging").exists()
        assert not (instance.store_path / "models").exists()
        assert list(scratch.iterdir()) == []
        assert sorted(tmp_path.iterdir()) == beside

    return check


def _with_header(members, place, header):
    return b"".join(
        hostile.member_bytes(name, data, header=header if index == place else None)
        for index, (name, data) in enumerate(members)
    )


def _tar(members):
    return b"".join(hostile.member_bytes(name, data) for name, data in members)


def test_the_good_bundle_is_accepted_so_that_refusals_mean_something(members, instance, monkeypatch, tmp_path):
    instance.export(monkeypatch)
    (tmp_path / "good.tar").write_bytes(_tar(members) + END)
    for command in ("verify", "inspect", "install"):
        assert run(cli, "sealift", [command, str(tmp_path / "good.tar")]) == 0


NAMES = {
    "parent": lambda name: b"../" + name,
    "parent in the middle": lambda name: b"blobs/../" + name,
    "absolute": lambda name: b"/" + name,
    "absolute etc": lambda _: b"/etc/passwd",
    "dot": lambda name: b"./" + name,
    "trailing slash": lambda name: name + b"/",
    "double slash": lambda name: name.replace(b"/", b"//") if b"/" in name else b"//" + name,
    "upper case": lambda name: name.upper(),
    "composed": lambda name: unicodedata.normalize("NFC", "e\u0301").encode() + name,
    "decomposed": lambda name: unicodedata.normalize("NFD", "\u00e9").encode() + name,
    "fullwidth": lambda name: "\uff4f".encode() + name[1:],
    "NUL": lambda name: name + b"\0x",
    "line break": lambda name: name + b"\n",
    "escape": lambda name: b"\x1b[2J" + name,
    "delete": lambda name: name + b"\x7f",
    "backslash": lambda name: b"..\\" + name,
    "not UTF-8": lambda name: b"\xff\xfe" + name,
    "latin-1": lambda name: b"\xe9" + name,
    "space": lambda name: name + b" ",
    "empty": lambda _: b"",
    "as long as fits": lambda name: (name + b"x" * 100)[:100],
    "drive": lambda name: b"C:" + name,
}
FIELDS = {
    "symbolic link": {"type": b"2", "linkname": b"/etc/passwd"},
    "hard link": {"type": b"1", "linkname": b"oci-layout"},
    "character device": {"type": b"3", "devmajor": b"0000001\0", "devminor": b"0000005\0"},
    "block device": {"type": b"4", "devmajor": b"0000010\0"},
    "directory": {"type": b"5"},
    "FIFO": {"type": b"6"},
    "contiguous": {"type": b"7"},
    "old regular": {"type": b"\0"},
    "GNU sparse": {"type": b"S"},
    "GNU long name": {"type": b"L"},
    "GNU long link": {"type": b"K"},
    "GNU volume": {"type": b"V"},
    "GNU multi-volume": {"type": b"M"},
    "GNU dump directory": {"type": b"D"},
    "PAX": {"type": b"x"},
    "PAX global": {"type": b"g"},
    "Solaris PAX": {"type": b"X"},
    "unknown type": {"type": b"Z"},
    "link name on a file": {"linkname": b"/etc/passwd"},
    "setuid": {"mode": b"0004755\0"},
    "setgid": {"mode": b"0002755\0"},
    "world-writable": {"mode": b"0000666\0"},
    "sticky": {"mode": b"0001777\0"},
    "no mode": {"mode": b""},
    "base-256 mode": {"mode": b"\x80" + bytes(5) + b"\x01\xa4"},
    "another uid": {"uid": b"0001750\0"},
    "base-256 uid": {"uid": b"\x80" + bytes(7)},
    "negative uid": {"uid": b"\xff" * 8},
    "another gid": {"gid": b"0000001\0"},
    "user name": {"uname": b"root"},
    "group name": {"gname": b"root"},
    "device numbers": {"devmajor": b"0000001\0"},
    "prefix": {"prefix": b"blobs"},
    "absolute prefix": {"prefix": b"/etc"},
    "V7": {"magic": b"", "version": b""},
    "GNU magic": {"magic": b"ustar ", "version": b" \0"},
    "other version": {"version": b"01"},
    "negative size": {"size": b"\xff" * 12},
    "size with a minus": {"size": b"-0000000001\0"},
    "base-256 beyond 64 bits": {"size": b"\x80" + b"\xff" * 11},
    "base-256 of 2^63": {"size": b"\x80\0\0\0" + (2**63).to_bytes(8, "big")},
    "8 GiB": {"size": b"\x80\0\0\0" + (2**33).to_bytes(8, "big")},
    "largest octal size": {"size": b"77777777777\0"},
    "size of spaces": {"size": b" " * 12},
    "size of NUL": {"size": b""},
    "size that is not a number": {"size": b"0000000zzzz\0"},
    "mtime before 1970": {"mtime": b"\xff" * 12},
    "base-256 mtime": {"mtime": b"\x80\0\0\0" + hostile.MTIME.to_bytes(8, "big")},
    "largest mtime": {"mtime": b"77777777777\0"},
    "mtime with spaces": {"mtime": b" %010o\0" % hostile.MTIME},
    "mtime without its NUL": {"mtime": b"%012o" % hostile.MTIME},
    "no mtime": {"mtime": b""},
    "a fraction of mtime": {"mtime": b"1750000000.5"},
    "no checksum": {"chksum": b""},
    "wrong checksum": {"chksum": b"000001\0 "},
    "checksum of letters": {"chksum": b"zzzzzz\0 "},
    "negative checksum": {"chksum": b"\xff" * 8},
}


def _headers(name, size):
    """Every odd header for a member, by what is odd."""
    odd = {f"name: {key}": hostile.raw_header(make(name), size) for key, make in NAMES.items()}
    odd |= {key: hostile.raw_header(name, size, **fields) for key, fields in FIELDS.items()}
    good = hostile.raw_header(name, size)
    total = int(good[148:154], 8)
    for key, form in {"spaces": b"%6o\0 ", "NUL at the end": b" %06o\0", "seven digits": b"%07o\0"}.items():
        odd[f"checksum with {key}"] = hostile.raw_header(name, size, chksum=form % total)
    signed_total = sum(byte - 256 if byte > 127 else byte for byte in good)
    odd["signed checksum of another header"] = hostile.raw_header(name, size, chksum=b"%06o\0 " % (signed_total + 1))
    for key, lie in {"one less": -1, "one more": 1, "a block more": 512, "a block less": -512}.items():
        odd[f"size: {key}"] = hostile.raw_header(name, max(size + lie, 0))
    odd["size: base-256"] = hostile.raw_header(name, size, size=b"\x80\0\0\0" + size.to_bytes(8, "big"))
    odd["size: spaces"] = hostile.raw_header(name, size, size=b"%11o\0" % size)
    odd["size: without its NUL"] = hostile.raw_header(name, size, size=b"%012o" % size)
    odd["size: zero"] = hostile.raw_header(name, 0)
    odd["time: one second later"] = hostile.raw_header(name, size, mtime=b"%011o\0" % (hostile.MTIME + 1))
    odd["bytes behind the prefix"] = _checked(good[:500] + b"evil".ljust(12, b"\0"))
    odd["noise"] = bytes(range(256)) * 2
    odd["zeros"] = bytes(BLOCK)
    return odd


def _checked(block):
    block = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def test_odd_headers(members, refuse, capsys):
    """In the head, among the documents, and at the last file of a model."""
    documents = next(index for index, (name, _) in enumerate(members) if name.startswith("blobs/"))
    places = {1: False, documents: False, len(members) - 1: True}
    cases = 0
    for place, behind_the_head in places.items():
        name, data = members[place]
        assert hostile.raw_header(name.encode(), len(data)) == hostile.member_bytes(name, data)[:BLOCK]
        for odd, header in _headers(name.encode(), len(data)).items():
            if odd == "prefix" and place == 1:
                continue
            try:
                refuse(_with_header(members, place, header) + END, inspected=behind_the_head)
            except BaseException as error:
                raise AssertionError(f"{odd} at {name!r}") from error
            cases += 1
    with capsys.disabled():
        print(f"\n{cases} odd headers, each against three commands")
    assert cases > 200


def _pax(records, kind=b"x"):
    body = b""
    for key, value in records:
        length = len(key) + len(value) + 3
        while len(b"%d %s=%s\n" % (length, key, value)) != length:
            length += 1
        body += b"%d %s=%s\n" % (length, key, value)
    header = hostile.raw_header(b"PaxHeaders/x", len(body), type=kind)
    return header + body + bytes(-len(body) % BLOCK)


SPARSE = [
    (b"GNU.sparse.major", b"1"),
    (b"GNU.sparse.minor", b"0"),
    (b"GNU.sparse.name", b"oci-layout"),
    (b"GNU.sparse.realsize", b"99"),
]
INSERTED = {
    "PAX path": _pax([(b"path", b"../../../etc/cron.d/x")]),
    "PAX size": _pax([(b"size", b"1")]),
    "PAX negative size": _pax([(b"size", b"-1")]),
    "PAX link": _pax([(b"linkpath", b"/etc/passwd")]),
    "PAX of nothing": _pax([]),
    "PAX path of 100,000 characters": _pax([(b"path", b"x/" * 50_000)]),
    "PAX charset": _pax([(b"hdrcharset", b"BINARY"), (b"path", b"\xff")]),
    "PAX mtime": _pax([(b"mtime", b"1e999")]),
    "PAX sparse 1.0": _pax(SPARSE),
    "PAX sparse 0.1": _pax([(b"GNU.sparse.map", b"0,1,9,1"), (b"GNU.sparse.size", b"99")]),
    "global PAX path": _pax([(b"path", b"index.json")], b"g"),
    "global PAX size": _pax([(b"size", b"1")], b"g"),
    "global PAX comment": _pax([(b"comment", b"harmless")], b"g"),
    "GNU long name": hostile.raw_header(b"././@LongLink", 300, type=b"L") + (b"x" * 300).ljust(512, b"\0"),
    "GNU long link": hostile.raw_header(b"././@LongLink", 300, type=b"K") + (b"x" * 300).ljust(512, b"\0"),
    "a symbolic link": hostile.raw_header(b"blobs", 0, type=b"2", linkname=b"/etc"),
    "a directory": hostile.raw_header(b"blobs/", 0, type=b"5", mode=b"0000755\0"),
    "a file that nobody named": hostile.member_bytes("extra.txt", b"hello"),
    "an empty file that nobody named": hostile.member_bytes(layout.blob_name("0" * 64), b""),
    "a second oci-layout": hostile.member_bytes(layout.OCI_LAYOUT, layout.OCI_LAYOUT_BYTES),
    "one zero block": bytes(BLOCK),
    "an end": END,
    "a volume label": hostile.raw_header(b"label", 0, type=b"V"),
}


@pytest.mark.parametrize("what", INSERTED)
def test_something_in_between(what, members, refuse):
    for place in (0, 1, len(members) - 1, len(members)):
        before, after = _tar(members[:place]), _tar(members[place:])
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
                refuse(_tar(changed) + END, (*FORM, DigestError), inspected=behind_the_head)
                cases += 1
    with capsys.disabled():
        print(f"\n{cases} ways to lose, double or move a member")


def test_cut_near_every_header(members, refuse, capsys):
    whole = _tar(members) + END
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
    whole = _tar(members) + END
    for missing in (1, 511, 512, 513, 1023, 1024):
        refuse(whole[:-missing], MalformedError, "does not end", inspected=True)


@pytest.mark.parametrize("place", ["after", "between"])
def test_a_second_archive(place, members, refuse):
    whole = _tar(members) + END
    refuse(
        whole + whole if place == "after" else _tar(members) * 2 + END, MalformedError, "does not end", inspected=True
    )


def test_padding_that_carries_something(members, refuse):
    name, data = members[-1]
    member = bytearray(hostile.member_bytes(name, data))
    assert len(member) > BLOCK + len(data)
    member[-1] = 1
    refuse(_tar(members[:-1]) + bytes(member) + END, MalformedError, "padding", inspected=True)


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
    made = {**_archives(), "zstd": zstd.compress(_tar(members) + END), "gzip of it": gzip.compress(_tar(members) + END)}
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


@pytest.mark.parametrize(
    "kind", ["directory", "FIFO", "socket", "/dev/zero", "/dev/null", "/dev/full", "link to /dev/zero"]
)
def test_no_regular_file(kind, members, refuse, tmp_path):
    path = tmp_path / "odd.tar"
    if kind.startswith("/dev"):
        path = Path(kind)
    elif kind == "directory":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            # The path of a socket has at most 107 bytes.
            place = os.open(tmp_path, os.O_RDONLY)
            try:
                listener.bind(f"/proc/self/fd/{place}/odd.tar")
            finally:
                os.close(place)
    else:
        path.symlink_to("/dev/zero")
    refuse(path, UsageError, "directory|not a regular file")


@pytest.mark.parametrize("name", ["nowhere.tar", "loop.tar", "x" * 300])
def test_no_file_at_all(name, members, instance, tmp_path, monkeypatch, capsys):
    instance.export(monkeypatch)
    (tmp_path / "loop.tar").symlink_to("loop.tar")
    before = instance.snapshot()
    for command in ("verify", "inspect", "install"):
        assert run(cli, "sealift", [command, str(tmp_path / name)]) == LocalError.exit_code
        assert name[:80] in capsys.readouterr().err
    assert instance.snapshot() == before


def test_a_file_that_this_user_may_not_read(members, signed, monkeypatch, capsys):
    if os.geteuid() != 0:
        pytest.fail("only root can become another user here; run the tests as root")
    # Not below tmp_path, which other users cannot enter at all.
    place = Path(tempfile.mkdtemp(prefix="sealift-test-"))
    nobody = 65534
    try:
        place.chmod(0o755)
        instance = Instance(place / "instance")
        instance.pin(signed[0].root_bytes)
        bundle = place / "secret.tar"
        bundle.write_bytes(_tar(members) + END)
        instance.export(monkeypatch)
        # Everything that the commands import is imported once, as root.
        for command in ("verify", "inspect"):
            assert run(cli, "sealift", [command, str(bundle)]) == 0
        bundle.chmod(0o600)
        shutil.chown(instance.directory, nobody, nobody)
        before = instance.snapshot()
        os.seteuid(nobody)
        try:
            for command in ("verify", "inspect", "install"):
                capsys.readouterr()
                assert run(cli, "sealift", [command, str(bundle)]) == LocalError.exit_code
                assert "check its owner and mode" in capsys.readouterr().err
        finally:
            os.seteuid(0)
        assert instance.snapshot() == before
    finally:
        shutil.rmtree(place)


@pytest.mark.parametrize("change", ["shrinks", "grows", "is emptied", "is overwritten"])
def test_a_file_that_changes_while_it_is_read(change, channel, instance, refuse, tmp_path, monkeypatch):
    # Larger than any buffer, so that what happens on disk is seen.
    data = os.urandom(8 * 1024 * 1024)
    bundle = hostile.sign(channel, tmp_path / "large.tar", files={"NOTES.txt": data})
    instance.pin(channel.root_bytes)
    whole = bundle.read_bytes()
    original = Archive.verified_chunks

    def meanwhile(self, member, digest, what):
        if change == "shrinks":
            os.truncate(bundle, len(whole) - 700_000)
        elif change == "is emptied":
            os.truncate(bundle, 0)
        elif change == "grows" and len(whole) == bundle.stat().st_size:
            with bundle.open("ab") as file:
                file.write(whole)
        elif change == "is overwritten":
            with bundle.open("r+b") as file:
                file.seek(len(whole) - 3_000_000)
                file.write(b"evil")
        yield from original(self, member, digest, what)

    monkeypatch.setattr(Archive, "verified_chunks", meanwhile)
    original_run, original_install = cli.main, instance.install

    def fresh(function):
        def run_on_a_fresh_file(*args, **kwargs):
            bundle.write_bytes(whole)
            return function(*args, **kwargs)

        return run_on_a_fresh_file

    monkeypatch.setattr(cli, "main", fresh(original_run))
    monkeypatch.setattr(instance, "install", fresh(original_install))
    refuse(bundle, (MalformedError, DigestError), inspected=True)


class Endless(io.RawIOBase):
    """A file that is made while it is read: some bytes, then members without end."""

    def __init__(self, start, member, like):
        self._made = bytearray(start)
        self._place = 0
        self._member = member
        self._like = like
        self.taken = self.members = 0

    def fileno(self):
        return self._like.fileno()

    def read(self, size=-1):
        assert size > 0
        end = self._place + size
        while len(self._made) < end:
            self._made += self._member(self.members)
            self.members += 1
        data = bytes(self._made[self._place : end])
        self._place = end
        self.taken = max(self.taken, end)
        return data

    def tell(self):
        return self._place

    def seek(self, offset, whence=os.SEEK_SET):
        self._place = offset + (self._place if whence == os.SEEK_CUR else 0)
        return self._place


def _million(number):
    return hostile.member_bytes(f"member-{number}", b"x")


@pytest.mark.parametrize("kind", ["unknown members", "roots", "empty blobs", "PAX headers", "zero blocks"])
def test_members_without_end(kind, members, refuse, tmp_path, monkeypatch, capsys):
    named = dict(members)
    root = named["tuf/1.root.json"]
    head = members[:2]
    start, member = {
        "unknown members": (_tar(members), _million),
        "roots": (_tar(head), lambda number: hostile.member_bytes(f"tuf/{number + 1}.root.json", root)),
        "empty blobs": (_tar(members), lambda number: hostile.member_bytes(f"blobs/sha256/{number:064x}", b"")),
        "PAX headers": (_tar(head), lambda _: INSERTED["PAX of nothing"]),
        "zero blocks": (b"", lambda _: bytes(BLOCK)),
    }[kind]
    small = tmp_path / "small.tar"
    small.write_bytes(b"x")
    opened = []

    def open_endless(_path):
        opened.append(Endless(start, member, small.open("rb")))
        return opened[-1]

    monkeypatch.setattr("sealift.bundle.parts.open_regular", open_endless)
    tracemalloc.start()
    began = time.monotonic()
    try:
        refuse(small, (MalformedError, UnsafeMemberError, LimitError, DigestError), inspected=True)
    finally:
        elapsed, peak = time.monotonic() - began, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    most = sum(len(data) for _, data in members) + (LIMITS.root_rotations + 2) * (len(root) + 3 * BLOCK) + 100_000
    for stream in opened:
        assert stream.taken < most, stream.taken
        stream._like.close()
    assert peak < 64 * 1024 * 1024
    with capsys.disabled():
        print(f"\nendless {kind}: {opened[-1].members} made, {elapsed:.2f} s for three commands, {peak >> 20} MiB")


def test_a_million_members_under_a_signed_release(signed, refuse, members):
    """An index that lists more manifests than the limit is refused before any of them is read."""
    import json

    named = dict(members)
    index = json.loads(named[layout.INDEX])
    index["manifests"] = [{"digest": f"sha256:{number:064x}"} for number in range(LIMITS.models_per_bundle + 1)]
    named[layout.INDEX] = json.dumps(index, separators=(",", ":")).encode()
    refuse(_tar(named.items()) + END, LimitError, "20,001 models")


def test_documents_that_would_fill_the_memory(members):
    """`inspect` trusts nobody, and keeps all manifests in memory."""
    from sealift.bundle.reader import read_contents
    from sealift_common.blob import Blob
    from sealift_common.names import ModelVersion

    def model(number):
        return ModelVersion.parse("toy", f"1.0.{number}")

    targets = {model(n): Blob(f"sha256:{n:064x}", LIMITS.oci_manifest_size_bytes) for n in range(65)}
    head = read_head(Archive(io.BytesIO(_tar(members) + END)))
    lying = type(head)(
        {"manifests": [{"digest": blob.digest} for blob in targets.values()]},
        head.index_bytes,
        head.metadata,
        head.digests,
        head.manifest_md,
    )
    with pytest.raises(LimitError, match="manifests and configs have 272,629,760 bytes"):
        read_contents(Archive(io.BytesIO(b"")), lying, targets)


def test_every_refusal_has_a_class():
    assert all(issubclass(kind, Error) for kind in FORM)
