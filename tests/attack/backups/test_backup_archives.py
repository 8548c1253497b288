"""A backup whose tar lies, lacks members, or has more of them: refused by class, nothing of the store touched."""

import gzip
import io
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.backups import MODEL, packed
from support.depth import DEPTH

from sealift.backup.restore import restore
from sealift.bundle.tarformat import END, Member
from sealift.errors import DigestError, Error, LimitError, MalformedError, UnsafeMemberError

pytestmark = pytest.mark.usefixtures("no_replay")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
@pytest.mark.parametrize("name", ["store.json", MODEL])
def test_a_member_that_is_no_plain_file(kind, name, good, attempt):
    parts = []
    for member_name, data in good.items():
        if member_name == name:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mtime, info.mode = kind, "/etc/passwd", 1_800_000_000, 0o644
            parts.append(info.tobuf(tarfile.USTAR_FORMAT))
        else:
            parts.append(packed({member_name: data}, end=b""))
    # A folder at the beginning is a tar of another kind already.
    first = (name, kind) == ("store.json", tarfile.DIRTYPE)
    attempt(MalformedError if first else UnsafeMemberError, b"".join([*parts, END]))


def test_a_size_in_the_header_that_lies(good, attempt):
    data = packed(good)
    at = data.index(Member(MODEL, len(good[MODEL]), 1_800_000_000).header())
    attempt(DigestError, data[:at] + Member(MODEL, 8 * 1024**3 - 1, 1_800_000_000).header() + data[at + 512 :], "lists")


def test_a_huge_list_is_not_read(good, attempt):
    attempt(LimitError, Member("store.json", 8 * 1024**3 - 1, 0).header() + bytes(4096))


@pytest.mark.parametrize("extra", ["first", "last", "twice"])
def test_extra_members(extra, good, attempt):
    members = list(good.items())
    members = {
        "first": [("a", b""), *members],
        "last": [*members, ("z", b"")],
        "twice": [*members, members[-1]],
    }[extra]
    attempt(MalformedError, packed(members))


def test_a_missing_member(good, attempt):
    attempt(MalformedError, packed({name: data for name, data in good.items() if name != MODEL}))


def test_cut_short_anywhere(good, instance, refused):
    data = packed(good)
    for length in [0, 1, 511, 512, 513, *range(1024, len(data), len(data) // 40), len(data) - 1]:
        with refused(MalformedError):
            restore(io.BytesIO(data[:length]), instance.store, replace=True)


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: data + b"x", lambda data: b"PK\x03\x04" + data])
def test_another_format(pack, good, attempt):
    attempt(MalformedError, pack(packed(good)))


def test_a_bundle_is_no_backup(good, channel, tmp_path, attempt):
    attempt(MalformedError, channel.pack(tmp_path).read_bytes(), "it is a bundle; install it with")


@settings(max_examples=37 * DEPTH, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit(position, bit, good, instance):
    """The list has a digest for every file, also for the history, and only one way to be written."""
    data = bytearray(packed(good))
    data[int(position * len(data))] ^= 1 << bit
    with pytest.raises(Error):
        restore(io.BytesIO(bytes(data)), instance.store, replace=True)
