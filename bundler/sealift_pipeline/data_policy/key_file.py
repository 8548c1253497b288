"""The key of pseudonyms: a file with 64 hexadecimal digits that only its owner reads. Lost, pseudonyms start anew."""

import re
import secrets
from pathlib import Path

from sealift_common.errors import KeyFileError
from sealift_common.files import durable
from sealift_common.files.secret_file import read_regular, require_private
from sealift_pipeline.data_policy.protection import KEY_BYTES

_HEX = re.compile(rb"[0-9a-f]{%d}\s*" % (2 * KEY_BYTES))


def read_key(path: Path) -> bytes:
    """Return the 32 bytes of a key file.

    Raises:
        KeyFileError: others can read or replace the file, or it holds something else.
        OSError: it cannot be read.
    """
    return bytes.fromhex(_read(path, "key of pseudonyms", _HEX, "64 hexadecimal digits").decode("ascii"))


def read_secret(path: Path, what: str) -> bytes:
    """Return a secret of one line of printable ASCII, as a hook's token is.

    Raises:
        KeyFileError, OSError: as `read_key`.
    """
    return _read(path, what, re.compile(rb"[\x21-\x7e]{8,512}\s*"), "8 to 512 printable characters without spaces")


def _read(path: Path, what: str, form: re.Pattern[bytes], expected: str) -> bytes:
    data, status = read_regular(path, 1024)
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
