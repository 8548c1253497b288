"""Key files: an encrypted PKCS#8 PEM, and its public half as `FILE.pub`.

securesystemslib's `file2:` signer cannot open encrypted PEM files, so the PEM is opened here with
`cryptography` and handed to its `CryptoSigner`. The public half may carry one line before the PEM,
`name: approver`, which PEM readers skip (RFC 7468, section 2). Where the private half is in a token or a
service, a second line says so: `uri: hsm:2?label=sealift`.
"""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey

from sealift_keys import algorithms, durable, fingerprint
from sealift_keys.console import local_error
from sealift_keys.errors import KeyFileError, UsageError
from sealift_keys.passphrase import PassphraseSource
from sealift_keys.pbes2 import encrypted_pem
from sealift_keys.status import NAME_FIELD

# An RSA key of 16,384 bits is 13 KB.
MAX_SIZE_BYTES = 64 * 1024
MAX_NAME_CHARS = 64

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]*", re.ASCII)
_NAME_LINE = re.compile(rb"name: ([^\r\n]*)\r?\n")
_URI_LINE = re.compile(rb"(?:name: [^\r\n]*\r?\n)?uri: ([^\r\n]*)\r?\n")


@dataclass(frozen=True)
class KeyPair:
    """What `create` wrote."""

    private_path: Path
    public_path: Path
    public_key: SSlibKey


def create(
    path: Path, passphrases: PassphraseSource, *, algorithm: str = algorithms.DEFAULT, name: str = ""
) -> KeyPair:
    """Generate a key; write it encrypted to `path` (0600) and its public half to `path`.pub (0644).

    Args:
        path: neither this file nor its `.pub` may exist; nothing is ever overwritten.
        passphrases: asked once for a new passphrase.
        algorithm: one of `algorithms.NAMES`.
        name: how messages call the key's owner; the file's stem by default.

    Raises:
        KeyFileError: a file exists, or there is no usable passphrase.
        LocalError: the directory is missing or cannot be written.
        UsageError: the name or the algorithm is not allowed.

    """
    public_path = public_path_of(path)
    name = check_name(name or default_name(path))
    for existing in (path, public_path):
        if os.path.lexists(existing):
            raise KeyFileError(f"{str(existing)!r} exists; choose another name, a key file is never overwritten")
    if not path.parent.is_dir():
        raise KeyFileError(f"cannot write {str(path)!r}: folder {str(path.parent)!r} does not exist; make it first")
    secret = passphrases.new(path)
    private_key = algorithms.generate(algorithm)
    private_pem = encrypted_pem(private_key, secret)
    public_pem = private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        durable.write_new(path, [private_pem], mode=0o600)
        try:
            durable.write_new(public_path, [f"name: {name}\n".encode(), public_pem])
        except BaseException:
            path.unlink()
            raise
        durable.sync_directory(path.parent)
    except OSError as error:
        raise local_error(error, "cannot write key file") from error
    return KeyPair(path, public_path, load_public(public_path))


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
    _public(path, public)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        durable.write_new(path, [f"name: {name}\nuri: {uri}\n".encode(), pem])
        durable.sync_directory(path.parent)
    except OSError as error:
        raise local_error(error, "cannot write key file") from error
    return load_public(path)


def uri_of(path: Path) -> str:
    """Where the private half of the public key file `path` is; empty when the file does not say, or is none.

    Raises:
        LocalError: the file is missing, a directory, or unreadable.

    """
    data, _ = _read(path)
    match = _URI_LINE.match(data)
    return match[1].decode("utf-8", "replace").strip() if match else ""


def load_signer(path: Path, passphrases: PassphraseSource) -> CryptoSigner:
    """Open an encrypted private key file.

    Raises:
        KeyFileError: others can read the file, it is not an encrypted private key, or the passphrase is wrong.
        LocalError: the file is missing, a directory, or unreadable.

    """
    data, mode = _read(path)
    if b"-----BEGIN PUBLIC KEY-----" in data:
        raise KeyFileError(f"{str(path)!r} is a public key; give the private key file, without '.pub'")
    if b"-----BEGIN ENCRYPTED PRIVATE KEY-----" not in data:
        if b"PRIVATE KEY-----" not in data:
            raise KeyFileError(f"{str(path)!r} is not a key file; make one with: sealift-keys new FILE")
        raise KeyFileError(
            f"{str(path)!r} is not an encrypted PKCS#8 key; encrypt it with: "
            f"openssl pkcs8 -topk8 -v2 aes-256-cbc -in {path} -out NEW"
        )
    if mode & 0o077:
        raise KeyFileError(f"{str(path)!r} has mode {mode:04o}, others may read it; run: chmod 600 {path}")
    try:
        private_key = load_pem_private_key(data, passphrases.existing(path))
    except ValueError as error:
        # A wrong passphrase and damaged bytes cannot be told apart: both decrypt to nonsense.
        raise KeyFileError(f"cannot open {str(path)!r}: the passphrase is wrong, or the file is damaged") from error
    except UnsupportedAlgorithm as error:
        raise KeyFileError(f"cannot open {str(path)!r}: {error}; expected {algorithms.EXPECTED}") from error
    public_key = _public(path, private_key.public_key())
    _set_name(public_key, _name_of(public_path_of(path)) or default_name(path))
    return CryptoSigner(private_key, public_key)


def load_public(path: Path) -> SSlibKey:
    """Read a public key file (PEM SubjectPublicKeyInfo); its owner's name is in `NAME_FIELD`.

    Raises:
        KeyFileError: the file is a private key, or no public key of a kind that is allowed.
        LocalError: the file is missing, a directory, or unreadable.

    """
    data, _ = _read(path)
    if b"PRIVATE KEY-----" in data:
        raise KeyFileError(f"{str(path)!r} is a private key; give its public half, {str(public_path_of(path))!r}")
    try:
        parsed = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{str(path)!r} is not a public key; expected PEM 'BEGIN PUBLIC KEY'") from error
    key = _public(path, parsed)
    _set_name(key, _name_in(data) or default_name(path))
    return key


def public_path_of(path: Path) -> Path:
    """Where the public half of the key file `path` is."""
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


def _public(path: Path, parsed: object) -> SSlibKey:
    if not algorithms.allowed(parsed):
        raise KeyFileError(f"{str(path)!r} holds a kind of key that is not allowed; expected {algorithms.EXPECTED}")
    return SSlibKey.from_crypto(parsed)


def _set_name(key: SSlibKey, name: str) -> None:
    key.unrecognized_fields[NAME_FIELD] = check_name(name)


def _name_of(public_path: Path) -> str:
    # The public half is a convenience here: without it the key still opens.
    return _name_in(_read(public_path)[0]) if public_path.is_file() else ""


def _name_in(data: bytes) -> str:
    match = _NAME_LINE.match(data)
    return match[1].decode("utf-8", "replace").strip() if match else ""


def _read(path: Path) -> tuple[bytes, int]:
    """The bytes and permission bits of a key file."""
    try:
        # O_NONBLOCK: opening a named pipe by mistake must not hang.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise KeyFileError(f"{str(path)!r} is a folder or no regular file; give a key file")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(MAX_SIZE_BYTES + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise local_error(error, "cannot read key file") from error
    if len(data) > MAX_SIZE_BYTES:
        raise KeyFileError(f"{str(path)!r} is larger than {MAX_SIZE_BYTES} bytes; it is not a key file")
    return data, stat.S_IMODE(facts.st_mode)
