"""Recognize a file, of ours or of the same trade, that was given in the place of another. Pure."""

import re

PART = b"sealift.part/"
BUNDLE, BACKUP = "bundle", "backup"
_BEGIN = 4096
# The name of the first member ends where its field does: 100 bytes, filled with zeros.
_TAR_MAGIC = slice(257, 262)
_NAME = slice(0, 100)
_ROOT = rb'"_type"\s*:\s*"(root|targets|snapshot|timestamp)"'
# Printed characters, tabs and ends of lines; a tar's first block is filled up with zeros.
_TEXT = re.compile(r"[^\x00-\x08\x0e-\x1f\x7f]+")
_LONGEST_CHARACTER = 4
_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "a gzip file; expected a plain tar, expand it first"),
    (b"PK\x03\x04", "a zip file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file; expected a plain tar, expand it first"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"\x08", "perhaps a bare ONNX model; it is installed only as part of a bundle, which `sealift-bundler` makes"),
    (b"\x80\x04", "a pickle, such as a model before its conversion; `sealift-bundler` makes a bundle of it"),
    (b"\x80\x05", "a pickle, such as a model before its conversion; `sealift-bundler` makes a bundle of it"),
    (b"-----BEGIN ENCRYPTED PRIVATE KEY", "a private key; keep it where it belongs"),
    (b"-----BEGIN", "a key or certificate"),
    (b"name: ", "the public half of a key"),
    (b"<!doctype html", "a web page, perhaps the login page of the server that it came from; fetch it again"),
    (b"<html", "a web page, perhaps the login page of the server that it came from; fetch it again"),
    (b"version https://git-lfs", "a pointer of Git LFS; fetch the file itself with `git lfs pull`"),
)


def kind_of(begin: bytes, expected: str) -> str | None:
    """Say what a file is by its first bytes, and what is done with such a file; None for the unknown.

    Args:
        begin: of the file; the first 512 bytes will do.
        expected: `BUNDLE` or `BACKUP`, which is not said to be something else.
    """
    if begin.startswith(PART):
        return "a part of a bundle; give all parts, or the folder that holds them, to: sealift install"
    if begin[_TAR_MAGIC] == b"ustar":
        return _tar(begin[_NAME].rstrip(b"\0").decode("utf-8", "replace"), expected)
    lowered = begin[:64].lstrip().lower()
    for start, kind in _STARTS:
        if begin.startswith(start) or (start.startswith(b"<") and lowered.startswith(start)):
            return kind
    found = re.search(_ROOT, begin[:_BEGIN])
    if found is None:
        # A root that is damaged is text, too, and its own error says more.
        return "a text file" if expected in (BUNDLE, BACKUP) and _is_text(begin[:_BEGIN]) else None
    if found[1] == b"root":
        return "the root of a channel; pin it with: sealift trust init FILE"
    return f"the {found[1].decode()} metadata of a channel, which comes inside a bundle"


def _is_text(begin: bytes) -> bool:
    # A character may be cut in two where the beginning ends.
    text = begin.decode("utf-8", "ignore")
    return len(begin) - len(text.encode()) < _LONGEST_CHARACTER and _TEXT.fullmatch(text) is not None


def _tar(first: str, expected: str) -> str | None:
    if first.startswith("sealift-kit-"):
        return (
            "a kit, which brings Sealift itself; unpack it, and run its install.py: "
            "tar xf FILE, then python3 -I sealift-kit-…/install.py"
        )
    if first.startswith("sealift-report/"):
        return "a report of `sealift doctor`, for support"
    if first == "oci-layout" and expected != BUNDLE:
        return "a bundle; install it with: sealift install FILE"
    if first == "store.json" and expected != BACKUP:
        return "a backup of a store; restore it with: sealift restore FILE"
    return None if first in ("oci-layout", "store.json") else f"another tar, which begins with {first[:80]!r}"
