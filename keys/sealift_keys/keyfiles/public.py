"""Public halves of keys: PEM, with lines before it that PEM readers skip (RFC 7468, section 2).

The first, `name: approver`, says how messages call the owner. `uri: hsm:2?label=sealift` says where the
private half is, when no file holds it.
"""

import errno
import os
import re
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from securesystemslib.signer import SSlibKey

from sealift_common import fingerprint
from sealift_common.console import local_error
from sealift_common.errors import KeyFileError, UsageError
from sealift_common.files import durable
from sealift_common.files.secret_file import read_regular
from sealift_common.release_document import KEY_NAME_FIELD
from sealift_keys.keyfiles import algorithms

# An RSA key of 16,384 bits is 13 KB.
MAX_SIZE_BYTES = 64 * 1024
MAX_NAME_CHARS = 64

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]*", re.ASCII)
_NAME_LINE = re.compile(rb"name: ([^\r\n]*)\r?\n")
_URI_LINE = re.compile(rb"(?:name: [^\r\n]*\r?\n)?uri: ([^\r\n]*)\r?\n")


def create_public(path: Path, key: SSlibKey, *, uri: str, name: str = "") -> SSlibKey:
    """Write the public half of a key that stays at `uri` to `path`, which must not exist.

    Raises:
        KeyFileError: the file exists, or the key is of a kind that is not allowed.
        LocalError: the directory is missing or cannot be written.
        UsageError: the name is not allowed.

    """
    name = check_name(name or default_name(path))
    if os.path.lexists(path):
        raise KeyFileError(f"{str(path)!r} exists; choose another name, a key file is never overwritten")
    public = fingerprint.parse(key)
    checked(path, public)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        durable.write_new(path, [f"name: {name}\nuri: {uri}\n".encode(), pem])
        durable.sync_directory(path.parent)
    except OSError as error:
        raise local_error(error, "cannot write key file") from error
    return load_public(path)


def uri_of(path: Path) -> str:
    """Return where the private half of the public key file `path` is; empty when the file does not say, or is none.

    Raises:
        LocalError: the file is missing, a directory, or unreadable.

    """
    data, _ = read(path)
    match = _URI_LINE.match(data)
    return match[1].decode("utf-8", "replace").strip() if match else ""


def load_public(path: Path) -> SSlibKey:
    """Read a public key file (PEM SubjectPublicKeyInfo); its owner's name is in `KEY_NAME_FIELD`.

    Raises:
        KeyFileError: the file is a private key, or no public key of a kind that is allowed.
        LocalError: the file is missing, a directory, or unreadable.

    """
    data, _ = read(path)
    if b"PRIVATE KEY-----" in data:
        raise KeyFileError(f"{str(path)!r} is a private key; give its public half, {str(public_path_of(path))!r}")
    try:
        parsed = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{str(path)!r} is not a public key; expected PEM 'BEGIN PUBLIC KEY'") from error
    key = checked(path, parsed)
    set_name(key, _name_in(data) or default_name(path))
    return key


def public_path_of(path: Path) -> Path:
    """Return where the public half of the key file `path` is."""
    return path.with_name(path.name + ".pub")


def default_name(path: Path) -> str:
    """The owner's name when none is given: `approver` for `approver`, `approver.pem` and `approver.pem.pub`."""
    return path.name.removesuffix(".pub").removesuffix(".pem").removesuffix(".key")


def check_name(name: str) -> str:
    """Return `name` when it may name the owner of a key.

    Raises:
        UsageError: it has other characters or is too long.

    """
    if len(name) > MAX_NAME_CHARS or not _NAME.fullmatch(name):
        raise UsageError(
            f"key name {name[:80]!r} is not allowed; expected letters, digits, space and ._@+-, "
            f"at most {MAX_NAME_CHARS} characters; give one with --name"
        )
    return name


def checked(path: Path, parsed: object) -> SSlibKey:
    """Turn a parsed public key into one for metadata; refuse kinds that may not sign.

    Raises:
        KeyFileError: the kind of key is not allowed.

    """
    if not algorithms.allowed(parsed):
        raise KeyFileError(f"{str(path)!r} holds a kind of key that is not allowed; expected {algorithms.EXPECTED}")
    return SSlibKey.from_crypto(parsed)


def set_name(key: SSlibKey, name: str) -> None:
    """Note the owner's name in the key, where metadata keeps and signs it."""
    key.unrecognized_fields[KEY_NAME_FIELD] = check_name(name)


def name_of(public_path: Path) -> str:
    """The owner's name in a public key file; empty when there is no such file, or no name in it."""
    # The public half is a convenience here: without it the key still opens.
    return _name_in(read(public_path)[0]) if public_path.is_file() else ""


def _name_in(data: bytes) -> str:
    match = _NAME_LINE.match(data)
    return match[1].decode("utf-8", "replace").strip() if match else ""


def read(path: Path) -> tuple[bytes, os.stat_result]:
    """The bytes of a key file, and its status."""
    try:
        data, status = read_regular(path, MAX_SIZE_BYTES + 1)
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.EINVAL):
            raise KeyFileError(f"{str(path)!r} is a folder, or not a regular file; give a key file") from None
        raise local_error(error, "cannot read key file") from error
    if len(data) > MAX_SIZE_BYTES:
        raise KeyFileError(f"{str(path)!r} is larger than {MAX_SIZE_BYTES} bytes; it is not a key file")
    return data, status
