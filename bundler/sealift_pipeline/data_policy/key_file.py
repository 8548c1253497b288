"""The keys of pseudonyms: a file with a line of 64 hexadecimal digits for each, that only its owner reads.

The first line names persons from now on. The lines below it are former keys: what was landed keeps its names, and an
erasure looks for a person under every key.
"""

import re
import secrets
from pathlib import Path

from sealift_common.errors import KeyFileError
from sealift_common.files import durable
from sealift_common.files.secret_file import read_regular, require_private
from sealift_pipeline.data_policy.protection import KEY_BYTES

_MOST_KEYS, _MOST_BYTES = 32, 4096
_HEX = re.compile(rb"[0-9a-f]{%d}(?:\r?\n[0-9a-f]{%d}){0,%d}\s*" % (2 * KEY_BYTES, 2 * KEY_BYTES, _MOST_KEYS - 1))
_EXPECTED = f"1 to {_MOST_KEYS} lines of 64 hexadecimal digits"


def read_key(path: Path) -> bytes:
    """Return the 32 bytes of the key that names persons now; raises what `read_keys` raises."""
    return read_keys(path)[0]


def read_keys(path: Path) -> tuple[bytes, ...]:
    """Return all keys of a key file, 32 bytes each: the one in force, then former ones.

    Raises:
        KeyFileError: others can read or replace the file, or it holds something else.
        OSError: it cannot be read.
    """
    lines = _read(path, "key of pseudonyms", _HEX, _EXPECTED).decode("ascii").split()
    return tuple(bytes.fromhex(line) for line in lines)


def read_secret(path: Path, what: str) -> bytes:
    """Return a secret of one line of printable ASCII, as a hook's token is.

    Raises:
        KeyFileError, OSError: as `read_key`.
    """
    return _read(path, what, re.compile(rb"[\x21-\x7e]{8,512}\s*"), "8 to 512 printable characters without spaces")


def _read(path: Path, what: str, form: re.Pattern[bytes], expected: str) -> bytes:
    data, status = read_regular(path, _MOST_BYTES)
    require_private(path, status, what)
    if not form.fullmatch(data):
        raise KeyFileError(f"{what} {str(path)!r} does not hold {expected}; make a new one, or restore the file")
    return data.strip()


def make_key(path: Path) -> None:
    """Write a new key of pseudonyms, mode 0600; the file must not exist."""
    durable.write_new(path, [secrets.token_hex(KEY_BYTES).encode() + b"\n"], mode=0o600)


def make_token(path: Path) -> None:
    """Write a new token for a hook, mode 0600; the file must not exist."""
    durable.write_new(path, [secrets.token_urlsafe(32).encode() + b"\n"], mode=0o600)
