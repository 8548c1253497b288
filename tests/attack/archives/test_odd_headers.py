"""Tar headers that nobody writes: refused by every command, with one line and no trace."""

import unicodedata

import pytest
from support.hostile import bundles as hostile

from sealift.bundle.tarformat import BLOCK, END

pytestmark = pytest.mark.usefixtures("no_replay")


def _with_header(members, place, header):
    return b"".join(
        hostile.member_bytes(name, data, header=header if index == place else None)
        for index, (name, data) in enumerate(members)
    )


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
