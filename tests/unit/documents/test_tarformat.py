import io
import tarfile

import pytest

from sealift.bundle.tarformat import BLOCK, END, Member, parse_header
from sealift.errors import LimitError, MalformedError, UnsafeMemberError


def _foreign(**fields) -> bytes:
    info = tarfile.TarInfo("blobs/x")
    info.mode = 0o644
    for name, value in fields.items():
        setattr(info, name, value)
    return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def test_round_trip():
    member = Member("blobs/sha256/" + "a" * 64, 8 * 1024**3 - 1, 1_800_000_000)
    assert parse_header(member.header(), "x") == member


def test_stock_tar_reads_what_we_write():
    content = b"hello"
    member = Member("oci-layout", len(content), 0)
    data = member.header() + content + bytes(member.padding) + END
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getnames() == ["oci-layout"]
        assert tar.extractfile("oci-layout").read() == content


@pytest.mark.parametrize(
    "fields",
    [
        {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
        {"type": tarfile.LNKTYPE, "linkname": "oci-layout"},
        {"type": tarfile.CHRTYPE},
        {"type": tarfile.FIFOTYPE},
        {"type": tarfile.DIRTYPE},
        {"type": tarfile.GNUTYPE_SPARSE},
        {"type": tarfile.XHDTYPE},
        {"mode": 0o4755},
        {"mode": 0o666},
        {"uid": 1},
        {"uname": "root"},
        {"type": tarfile.AREGTYPE},
    ],
    ids=str,
)
def test_any_other_header_is_unsafe(fields):
    with pytest.raises(UnsafeMemberError):
        parse_header(_foreign(**fields), "at its start")


def test_every_bit_of_a_header_counts():
    header = Member("index.json", 1234, 1_700_000_000).header()
    for position in range(BLOCK * 8):
        damaged = bytearray(header)
        damaged[position // 8] ^= 1 << (position % 8)
        with pytest.raises((MalformedError, UnsafeMemberError)):
            parse_header(bytes(damaged), "at its start")


def test_a_short_header_is_malformed():
    with pytest.raises(MalformedError, match="cut short"):
        parse_header(b"x" * 100, "at its start")


def test_a_member_beyond_ustar_is_a_limit():
    with pytest.raises(LimitError):
        Member("x", 8 * 1024**3, 0).header()
