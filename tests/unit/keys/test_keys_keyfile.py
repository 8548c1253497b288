"""Key files: modes, no overwriting, and one clear refusal for every file that cannot be used."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from sealift_common import fingerprint
from sealift_common.errors import KeyFileError, LocalError, UsageError
from sealift_common.files import durable
from sealift_common.metadata.release_document import key_name
from sealift_keys.keyfiles import algorithms, pbes2
from sealift_keys.keyfiles import private as keyfile
from sealift_keys.keyfiles.passphrase import PassphraseSource
from sealift_keys.keyfiles.public import MAX_SIZE_BYTES, load_public

SECRET = PassphraseSource(environment={"SEALIFT_PASSPHRASE": "correct horse"}, prompt=None)
WRONG = PassphraseSource(environment={"SEALIFT_PASSPHRASE": "battery staple"}, prompt=None)


@pytest.fixture(autouse=True)
def fast_keys(monkeypatch):
    """The real number of rounds takes a quarter of a second for each key file."""
    monkeypatch.setattr(pbes2, "ROUNDS", 2048)


@pytest.fixture
def key(tmp_path):
    return keyfile.create(tmp_path / "builder.pem", SECRET)


@pytest.mark.parametrize("algorithm", [name for name in algorithms.NAMES if name != "rsa-pss-4096"])
def test_every_algorithm_writes_opens_and_signs(tmp_path, algorithm):
    pair = keyfile.create(tmp_path / "k", SECRET, algorithm=algorithm)
    signature = keyfile.load_signer(pair.private_path, SECRET).sign(b"data")
    load_public(pair.public_path).verify_signature(signature, b"data")


def test_a_stolen_file_is_slow_to_try(tmp_path, monkeypatch, require_tool):
    monkeypatch.undo()
    pair = keyfile.create(tmp_path / "k", SECRET)
    command = [require_tool("openssl"), "asn1parse", "-in", pair.private_path]
    fields = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"INTEGER           :{600_000:06X}" in fields
    assert "hmacWithSHA256" in fields
    assert "aes-256-cbc" in fields
    keyfile.load_signer(pair.private_path, SECRET)


@pytest.mark.parametrize("rounds", [1, 127, 128, 255, 256, 65_535, 65_536])
def test_every_number_of_rounds_is_written_as_readers_expect(rounds):
    private = ec.generate_private_key(ec.SECP256R1())
    pem = pbes2.encrypted_pem(private, b"x", rounds=rounds)
    assert load_pem_private_key(pem, b"x").private_numbers() == private.private_numbers()


def test_p256_is_the_default(key):
    assert key.public_key.scheme == "ecdsa-sha2-nistp256"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_modes_do_not_depend_on_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        pair = keyfile.create(tmp_path / "k", SECRET)
    finally:
        os.umask(before)
    assert stat.S_IMODE(pair.private_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(pair.public_path.stat().st_mode) == 0o644


def test_the_private_half_is_encrypted_and_openssl_reads_both(key, require_tool):
    openssl = require_tool("openssl")
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in key.private_path.read_bytes()
    command = [openssl, "pkey", "-in", key.private_path, "-passin", "pass:correct horse", "-pubout", "-outform", "DER"]
    private = subprocess.run(command, capture_output=True, check=True).stdout
    command = [openssl, "pkey", "-pubin", "-in", key.public_path, "-outform", "DER"]
    public = subprocess.run(command, capture_output=True, check=True).stdout
    assert private == public
    assert fingerprint.of_bytes(public) == fingerprint.of_key(key.public_key)


@pytest.mark.parametrize("existing", ["k", "k.pub"])
def test_neither_file_is_overwritten_and_nothing_is_left(tmp_path, existing):
    (tmp_path / existing).write_text("precious")
    with pytest.raises(KeyFileError, match="exists"):
        keyfile.create(tmp_path / "k", SECRET)
    assert [path.name for path in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_text() == "precious"


def test_a_dangling_link_is_not_followed(tmp_path):
    (tmp_path / "k").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileError, match="exists"):
        keyfile.create(tmp_path / "k", SECRET)
    assert not (tmp_path / "elsewhere").exists()


def test_a_failure_on_the_public_half_takes_the_private_half_back(tmp_path, monkeypatch):
    real = durable.write_new

    def fail_second(path, data, **options):
        if path.suffix == ".pub":
            raise OSError(28, "No space left on device", str(path))
        real(path, data, **options)

    monkeypatch.setattr(durable, "write_new", fail_second)
    with pytest.raises(LocalError, match="No space left"):
        keyfile.create(tmp_path / "k", SECRET)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(KeyFileError, match=r"folder .*nowhere.* does not exist"):
        keyfile.create(tmp_path / "nowhere" / "k", SECRET)


def test_wrong_passphrase(key):
    with pytest.raises(KeyFileError, match=r"builder.pem.*passphrase is wrong"):
        keyfile.load_signer(key.private_path, WRONG)


def test_damaged_key_file(key):
    text = key.private_path.read_text().splitlines()
    key.private_path.write_text("\n".join([text[0], text[1][::-1], *text[2:]]))
    with pytest.raises(KeyFileError, match="damaged"):
        keyfile.load_signer(key.private_path, SECRET)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_may_read_is_refused_with_the_remedy(key, mode):
    key.private_path.chmod(mode)
    with pytest.raises(KeyFileError, match=rf"mode {mode:04o}.*chmod 600"):
        keyfile.load_signer(key.private_path, SECRET)


def test_an_unencrypted_key_is_refused_with_the_remedy(tmp_path):
    path = tmp_path / "plain"
    private = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=r"not an encrypted.*openssl pkcs8 -topk8"):
        keyfile.load_signer(path, SECRET)


def test_public_and_private_halves_are_told_apart(key):
    with pytest.raises(KeyFileError, match="is a public key"):
        keyfile.load_signer(key.public_path, SECRET)
    with pytest.raises(KeyFileError, match=r"is a private key.*builder.pem.pub"):
        load_public(key.private_path)


def test_what_is_no_key_at_all(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with pytest.raises(KeyFileError, match="not a key file"):
        keyfile.load_signer(path, SECRET)
    with pytest.raises(KeyFileError, match="not a public key"):
        load_public(path)
    path.write_bytes(bytes(MAX_SIZE_BYTES + 1))
    with pytest.raises(KeyFileError, match="larger than"):
        load_public(path)


def test_missing_file_directory_and_pipe(tmp_path):
    with pytest.raises(LocalError, match=r"absent.*No such file"):
        keyfile.load_signer(tmp_path / "absent", SECRET)
    with pytest.raises(KeyFileError, match="is a folder"):
        keyfile.load_signer(tmp_path, SECRET)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(KeyFileError, match="not a regular file"):
        load_public(tmp_path / "pipe")


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP256K1()),
        lambda: rsa.generate_private_key(65537, 2048),
        lambda: dsa.generate_private_key(2048),
    ],
    ids=["secp256k1", "rsa-2048", "dsa"],
)
def test_weak_and_odd_kinds_of_keys_are_refused(tmp_path, make):
    path = tmp_path / "odd.pub"
    path.write_bytes(make().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(KeyFileError, match=r"not allowed; expected P-256"):
        load_public(path)


def test_the_owners_name_travels_with_the_public_half(tmp_path):
    named = keyfile.create(tmp_path / "a.pem", SECRET, name="Release Approver")
    assert key_name(load_public(named.public_path)) == "Release Approver"
    assert key_name(keyfile.load_signer(named.private_path, SECRET).public_key) == "Release Approver"
    assert key_name(keyfile.create(tmp_path / "b.pem", SECRET).public_key) == "b"
    with pytest.raises(UsageError, match="key name"):
        keyfile.create(tmp_path / "c", SECRET, name="evil\nname")


def test_unknown_algorithm(tmp_path):
    with pytest.raises(UsageError, match="'rot13' is unknown; expected one of p256"):
        keyfile.create(tmp_path / "k", SECRET, algorithm="rot13")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_name_for_a_key(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"'\.' is a folder; give the name of the key file to make"):
        keyfile.create(Path(), SECRET)
    assert not list(tmp_path.iterdir())
