"""Fifty secrets and personal data of twelve kinds that belong to nobody, and a search of all that leaves."""

import gzip
import sys
import zipfile
from collections.abc import Iterator
from io import BytesIO
from itertools import chain
from pathlib import Path

import pyarrow.parquet as pq
from support.release.repack import read_members

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# Tokens are made of two halves, so that no scanner of repositories takes this file for a leak.
_TAIL = "Inv3nted" + "N0tR3al" + "T0ken7Xy"
_LONG = "Inv3nted" + "N0tR3al" + "N0b0dys" + "T0ken7XyZ" + "9q8w7"
PLANTED: dict[str, tuple[str, ...]] = {
    "gitlab-token": (
        f"glpat-{_TAIL}",
        f"gldt-{_TAIL}",
        f"glrt-{_TAIL}",
        f"glcbt-64_{_TAIL}",
        f"glsoat-{_TAIL}",
        f"our-prefix-glpat-{_TAIL[::-1]}",
        f"GR1348941{_TAIL[:20]}",
    ),
    "github-token": (f"ghp_{_LONG}", f"gho_{_LONG}", f"ghs_{_LONG[::-1]}", f"github_pat_{_LONG}"),
    "aws-key": ("AKIA" + "INVENTEDNOTREAL7", "ASIA" + "NOBODYSKEY234567", "AROA" + "INVENTED23456777"),
    "slack-token": (f"xoxb-123456789012-{_TAIL}", f"xoxp-{_LONG}", f"xapp-1-{_LONG}"),
    "private-key": (
        "-----BEGIN " + "RSA PRIVATE KEY-----",
        "-----BEGIN " + "PRIVATE KEY-----",
        "-----BEGIN " + "OPENSSH PRIVATE KEY-----",
        "-----BEGIN " + "ENCRYPTED PRIVATE KEY-----",
    ),
    "jwt": (
        "eyJhbGciOiJub25lIn0" + ".eyJzdWIiOiJpbnZlbnRlZCJ9.bm9ib2R5",
        "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0" + ".eyJpc3MiOiJub2JvZHkifQ.aW52ZW50ZWQ",
        "eyJraWQiOiJpbnZlbnRlZCJ9" + ".eyJhdWQiOiJub2JvZHkifQ.bm90cmVhbA",
    ),
    "url-password": (
        "https://ada:" + "inv3nted@git.invented.example/group",
        "postgres://app:" + "n0t-real@db.invented.example:5432/app",
        "https://oauth2:" + "nobodys.own@git.invented.example/x.git",
    ),
    "e-mail": (
        "maria.kowalska@invented-bank.example",
        "j.doe+billing@invented.example",
        "o'brien@mail.invented.example",
        "ADA.EXAMPLE@INVENTED.EXAMPLE",
        "zoë@erfunden.example",
    ),
    "iban": (
        "DE89370400440532013000",
        "GB29 NWBK 6016 1331 9268 19",
        "FR1420041010050500013M02606",
        "NL91ABNA0417164300",
    ),
    "card": ("4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "6011111111111117"),
    "ipv4": ("10.20.30.40", "172.16.254.31", "192.168.178.23", "100.64.17.99", "10.0.0.254"),
    "phone": (
        "+49 30 23125 099",
        "+1 (212) 555-0143",
        "+442079460958",
        "(415) 555-0132",
        "+48 22 555 01 99",
    ),
}
ALL = tuple(chain.from_iterable(PLANTED.values()))
assert (len(ALL), len(PLANTED)) == (50, 12)


def found_in(texts: Iterator[bytes]) -> set[str]:
    """Return which of the fifty stand in bytes, as they are or as JSON writes them."""
    wanted = {text: (text.encode(), text.encode("utf-16-le")) for text in ALL}
    found: set[str] = set()
    for data in texts:
        found |= {text for text, forms in wanted.items() if any(form in data for form in forms)}
    return found


def released_bytes(bundle: Path) -> Iterator[bytes]:
    """Yield every member of a bundle, expanded, and the cells of every Parquet file in it."""
    for data in read_members(bundle).values():
        plain = zstd.decompress(data) if data.startswith(b"\x28\xb5\x2f\xfd") else data
        yield plain
        if plain.startswith(b"\x1f\x8b"):
            yield gzip.decompress(plain)
        if plain.startswith(b"PK"):
            with zipfile.ZipFile(BytesIO(plain)) as archive:
                yield from (archive.read(name) for name in archive.namelist())
        if plain.startswith(b"PAR1"):
            for column in pq.read_table(BytesIO(plain)).columns:
                yield "\n".join(map(str, column.to_pylist())).encode()
