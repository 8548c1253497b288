"""Public halves of keys on disk, in the form of `sealift_common.parsing.public_key`.

Beside its name, a line `uri: hsm:2?label=sealift` says where the private half is, when no file holds it.
"""

import errno
import os
import re
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import SSlibKey

from sealift_common import fingerprint
from sealift_common.console import local_error
from sealift_common.errors import KeyFileError
from sealift_common.files import durable
from sealift_common.files.secret_file import read_regular
from sealift_common.parsing.public_key import (
    MAX_SIZE_BYTES,
    check_name,
    checked,
    default_name,
    name_in,
    parse_public,
)

_URI_LINE = re.compile(rb"(?:name: [^\r\n]*\r?\n)?uri: ([^\r\n]*)\r?\n")


def create_public(path: Path, key: SSlibKey, *, uri: str, name: str = "") -> SSlibKey:
    """Write the public half of a key that stays at `uri` to `path`, which must not exist.

    Raises:
        KeyFileError: the file exists, or the key is of a kind that is not allowed.
        LocalError: the directory is missing or cannot be written.
        UsageError: the name is not allowed.

    """
    name = check_name(name or default_name(path.name))
    if os.path.lexists(path):
        raise KeyFileError(f"{str(path)!r} exists; choose another name, a key file is never overwritten")
    public = fingerprint.parse(key)
    checked(str(path), public)
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
    return parse_public(data, str(path), default_name(path.name))


def public_path_of(path: Path) -> Path:
    """Return where the public half of the key file `path` is."""
    return path.with_name(path.name + ".pub")


def name_of(public_path: Path) -> str:
    """The owner's name in a public key file; empty when there is no such file, or no name in it."""
    # The public half is a convenience here: without it the key still opens.
    return name_in(read(public_path)[0]) if public_path.is_file() else ""


def read(path: Path) -> tuple[bytes, os.stat_result]:
    """The bytes of a key file, and its status."""
    try:
        data, status = read_regular(path, MAX_SIZE_BYTES + 1)
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.EINVAL, errno.ENXIO):
            raise KeyFileError(f"{str(path)!r} is a folder, or not a regular file; give a key file") from None
        raise local_error(error, "cannot read key file") from error
    if len(data) > MAX_SIZE_BYTES:
        raise KeyFileError(f"{str(path)!r} is larger than {MAX_SIZE_BYTES} bytes; it is not a key file")
    return data, status
