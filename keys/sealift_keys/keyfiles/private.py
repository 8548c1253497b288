"""Key files: an encrypted PKCS#8 PEM, and its public half as `FILE.pub`.

securesystemslib's `file2:` signer cannot open encrypted PEM files, so the PEM is opened here with
`cryptography` and handed to its `CryptoSigner`. See `public_file` for the other half.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey

from sealift_common.console import local_error
from sealift_common.errors import KeyFileError, UsageError
from sealift_common.files import durable
from sealift_common.files.secret_file import require_private, require_private_folder
from sealift_common.parsing.public_key import EXPECTED, check_name, checked, default_name, set_name
from sealift_keys.keyfiles import algorithms
from sealift_keys.keyfiles.passphrase import PassphraseSource
from sealift_keys.keyfiles.pbes2 import encrypted_pem
from sealift_keys.keyfiles.public import load_public, name_of, public_path_of, read


@dataclass(frozen=True)
class KeyPair:
    """Result of `create`."""

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
        KeyFileError: a file exists, others can write the folder, or there is no usable passphrase.
        LocalError: the directory is missing or cannot be written.
        UsageError: the name or the algorithm is not allowed.

    """
    if not path.name:
        raise UsageError(f"{str(path)!r} is a folder; give the name of the key file to make")
    public_path = public_path_of(path)
    name = check_name(name or default_name(path.name))
    for existing in (path, public_path):
        if os.path.lexists(existing):
            raise KeyFileError(f"{str(existing)!r} exists; choose another name, a key file is never overwritten")
    if not path.parent.is_dir():
        raise KeyFileError(f"cannot write {str(path)!r}: folder {str(path.parent)!r} does not exist; make it first")
    require_private_folder(path)
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


def load_signer(path: Path, passphrases: PassphraseSource) -> CryptoSigner:
    """Open an encrypted private key file.

    Raises:
        KeyFileError: others can read or replace the file, it is not an encrypted private key, or the passphrase is
            wrong.
        LocalError: the file is missing, a directory, or unreadable.

    """
    private_key = _opened(path, passphrases)
    public_key = checked(str(path), private_key.public_key())
    set_name(public_key, name_of(public_path_of(path)) or default_name(path.name))
    return CryptoSigner(private_key, public_key)


def change_passphrase(path: Path, old: PassphraseSource, new: PassphraseSource) -> None:
    """Encrypt the key file at `path` anew, in one step; the key, and so its public half, stay the same.

    Raises:
        KeyFileError, LocalError: as `load_signer` for the old passphrase, and as `create` for the new one.

    """
    if path.is_symlink():
        raise KeyFileError(f"{str(path)!r} is a symbolic link; give the file that it leads to")
    private_key = _opened(path, old)
    pem = encrypted_pem(private_key, new.new(path))
    try:
        durable.write_file(path, pem, mode=0o600)
    except OSError as error:
        raise local_error(error, "cannot write key file") from error


def _opened(path: Path, passphrases: PassphraseSource) -> PrivateKeyTypes:
    data, status = read(path)
    if b"-----BEGIN PUBLIC KEY-----" in data:
        raise KeyFileError(f"{str(path)!r} is a public key; give the private key file, without '.pub'")
    if b"-----BEGIN ENCRYPTED PRIVATE KEY-----" not in data:
        if b"PRIVATE KEY-----" not in data:
            raise KeyFileError(f"{str(path)!r} is not a key file; make one with: sealift-keys new FILE")
        raise KeyFileError(
            f"{str(path)!r} is not an encrypted PKCS#8 key; encrypt it with: "
            f"openssl pkcs8 -topk8 -v2 aes-256-cbc -in {path} -out NEW"
        )
    require_private(path, status)
    try:
        return passphrases.opening(path, lambda passphrase: load_pem_private_key(data, passphrase))
    except ValueError as error:
        # A wrong passphrase and damaged bytes cannot be told apart: both decrypt to nonsense.
        raise KeyFileError(f"cannot open {str(path)!r}: the passphrase is wrong, or the file is damaged") from error
    except UnsupportedAlgorithm as error:
        raise KeyFileError(f"cannot open {str(path)!r}: {error}; expected {EXPECTED}") from error
