"""Documents that hold documents: looked into, and what cannot be looked into is a finding."""

import bz2
import gzip
import io
import lzma
import sys
import tarfile
import zipfile
import zlib
from base64 import b64encode

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from support.disclosed import TOKEN, told

from sealift_bundler.disclosure import (
    scan_files,
)
from sealift_bundler.disclosure.unpacking import UnreadableError, contents

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def packed(data: bytes) -> dict[str, bytes]:
    archive, tar = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("deep/inner.txt", data)
    with tarfile.open(fileobj=tar, mode="w") as file:
        member = tarfile.TarInfo("inner.gz")
        inner = gzip.compress(data)
        member.size = len(inner)
        file.addfile(member, io.BytesIO(inner))
    table, feather = io.BytesIO(), io.BytesIO()
    rows = pa.table({"note": ["x", data.decode()], "list": [["y"], [data.decode()]]})
    pa.parquet.write_table(rows, table, compression="zstd")
    pa.feather.write_feather(rows, feather, compression="zstd")
    return {
        "gzip": gzip.compress(b"x") + gzip.compress(data),
        "zlib": zlib.compress(data),
        "bzip2": bz2.compress(data),
        "xz": lzma.compress(data),
        "zstd": zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1}),
        "zip": archive.getvalue(),
        "zip in gzip": gzip.compress(archive.getvalue()),
        "tar": tar.getvalue(),
        "parquet": table.getvalue(),
        "feather": feather.getvalue(),
        "base64": b64encode(b"  user: x\n" + data),
        "base64 twice": b64encode(b64encode(data)),
        "utf-16": data.decode().encode("utf-16"),
        "utf-16-be": data.decode().encode("utf-16-be"),
        "utf-32": data.decode().encode("utf-32"),
        "latin-1": "Grüße, ".encode("latin-1") + data,
        "npy": np.lib.format.magic(1, 0) + np.array([data.decode()]).tobytes(),
    }


@pytest.mark.parametrize("form", packed(b"x"))
def test_documents_are_looked_into(form: str) -> None:
    data = packed(TOKEN.encode())[form]
    assert {one.kind for one in scan_files({"notes.bin": data})} - {"random-term"} == {"gitlab-token"}


def damaged(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 255])


def encrypted() -> bytes:
    archive = bytearray(packed(b"x")["zip"])
    archive[6] |= 1  # the flag, in both headers
    archive[archive.index(b"PK\x01\x02") + 8] |= 1
    return bytes(archive)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"%PDF-1.7", "a PDF"),
        (encrypted(), "an encrypted archive"),
        (gzip.compress(b"x" * 1000)[:-20], "compressed, and cut short"),
        (gzip.compress(b"x") + damaged(gzip.compress(b"y" * 99)[:-8] + bytes(8)), "compressed, and damaged"),
        (b"MZ, which unpacks\n" + encrypted(), "an encrypted archive"),
        (b"PK\x03\x04 and nothing else", "a damaged archive"),
        (b"ORC and more\x03ORC\x17", "an ORC file"),
        (b"Obj\x01\x04", "an Avro file"),
        (b"PAR1 and nothing else", "a damaged Parquet or Arrow file"),
        (damaged(packed(b"x" * 1000)["zstd"]), "compressed, and damaged"),
        (
            gzip.compress(gzip.compress(gzip.compress(gzip.compress(gzip.compress(b"x"))))),
            "archives in archives, too deep",
        ),
    ],
    # The bytes hold the moment of their making.
    ids=lambda value: value if isinstance(value, str) else "bytes",
)
def test_what_cannot_be_looked_into_is_a_finding(data: bytes, why: str) -> None:
    assert told(scan_files({"notes.bin": data})) == [("unreadable", "notes.bin", 1, why)]


@pytest.mark.parametrize("form", ["gzip", "bzip2", "xz", "zstd", "zip", "zip in gzip"])
def test_a_document_that_expands_without_end_is_unreadable(form: str) -> None:
    with pytest.raises(UnreadableError, match="it expands to more than 10,000 bytes"):
        list(contents(packed(b"x" * 1_000_000)[form], 10_000))
