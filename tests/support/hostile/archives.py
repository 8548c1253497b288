"""What a hostile archive has between its members."""

from support.hostile import bundles as hostile

from sealift.bundle.tarformat import BLOCK, END
from sealift.errors import DigestError, LimitError, MalformedError, UnsafeMemberError
from sealift_common.oci import layout

FORM = (MalformedError, UnsafeMemberError, LimitError, DigestError)


def tar_of(members):
    return b"".join(hostile.member_bytes(name, data) for name, data in members)


def pax(records, kind=b"x"):
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
    "PAX path": pax([(b"path", b"../../../etc/cron.d/x")]),
    "PAX size": pax([(b"size", b"1")]),
    "PAX negative size": pax([(b"size", b"-1")]),
    "PAX link": pax([(b"linkpath", b"/etc/passwd")]),
    "PAX of nothing": pax([]),
    "PAX path of 100,000 characters": pax([(b"path", b"x/" * 50_000)]),
    "PAX charset": pax([(b"hdrcharset", b"BINARY"), (b"path", b"\xff")]),
    "PAX mtime": pax([(b"mtime", b"1e999")]),
    "PAX sparse 1.0": pax(SPARSE),
    "PAX sparse 0.1": pax([(b"GNU.sparse.map", b"0,1,9,1"), (b"GNU.sparse.size", b"99")]),
    "global PAX path": pax([(b"path", b"index.json")], b"g"),
    "global PAX size": pax([(b"size", b"1")], b"g"),
    "global PAX comment": pax([(b"comment", b"harmless")], b"g"),
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
