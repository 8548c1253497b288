"""`model.sig`, checked against the public model_signing tool in both directions; installs do not look at it."""

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from securesystemslib.signer import CryptoSigner
from sklearn.linear_model import LogisticRegression
from support.release.channel_simulator import renamed, toy_files

from sealift.errors import KeyFileError
from sealift_bundler.cli import command as bundler
from sealift_bundler.release.model_signature import FILE_NAME, pre_authentication, sign_model, statement
from sealift_common.console import run
from sealift_keys.cli import command as keys
from sealift_keys.keyfiles import pbes2

pytestmark = pytest.mark.usefixtures("opened_here")


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def public_file(directory: Path, key: ec.EllipticCurvePrivateKey) -> Path:
    path = directory / "model.pem.pub"
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.write_bytes(b"name: model\n" + pem)
    return path


def tool(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "model_signing"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def verify(directory: Path, public: Path) -> subprocess.CompletedProcess[str]:
    return tool("verify", "key", directory, "--signature", directory / FILE_NAME, "--public_key", public)


def test_the_public_tool_verifies_an_installed_model_and_refuses_a_changed_one(tmp_path, channel, instance, key):
    content = {**renamed(toy_files(), "toy", "1.0.0"), "CARD.md": b"# toy\n"}
    content[FILE_NAME] = sign_model("toy", content, CryptoSigner(key))
    channel.add(files=content)
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path / "b.tar"))
    directory = instance.store_path / "models" / "toy" / "1.0.0"
    public = public_file(tmp_path, key)
    answer = verify(directory, public)
    assert answer.returncode == 0, answer.stderr + answer.stdout
    stranger = tmp_path / "other"
    stranger.mkdir()
    assert verify(directory, public_file(stranger, ec.generate_private_key(ec.SECP256R1()))).returncode != 0
    (directory / "CARD.md").chmod(0o644)
    (directory / "CARD.md").write_text("# another\n")
    assert verify(directory, public).returncode != 0


def test_our_statement_is_the_one_that_the_public_tool_signs(tmp_path, key):
    directory = tmp_path / "toy"
    directory.mkdir()
    files = {**toy_files(), "CARD.md": b"# toy\n", "LICENSE": b"MIT\n"}
    for name, content in files.items():
        (directory / name).write_bytes(content)
    private = tmp_path / "private.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    made = tool("sign", "key", directory, "--signature", directory / FILE_NAME, "--private_key", private)
    assert made.returncode == 0, made.stderr
    theirs = json.loads((directory / FILE_NAME).read_text())
    ours = json.loads(sign_model("toy", files, CryptoSigner(key)))
    # Their signature fits our encoding of what DSSE signs.
    envelope = theirs["dsseEnvelope"]
    key.public_key().verify(
        base64.b64decode(envelope["signatures"][0]["sig"]),
        pre_authentication(base64.b64decode(envelope["payload"])),
        ec.ECDSA(hashes.SHA256()),
    )
    payloads = [json.loads(base64.b64decode(one["dsseEnvelope"]["payload"])) for one in (theirs, ours)]
    for payload in payloads:
        # The tool ignores git's own files as well.
        payload["predicate"]["serialization"].pop("ignore_paths")
    assert payloads[0] == payloads[1]
    assert ours["mediaType"] == theirs["mediaType"]
    assert ours["verificationMaterial"]["publicKey"] == theirs["verificationMaterial"]["publicKey"]
    assert ours["dsseEnvelope"]["payloadType"] == theirs["dsseEnvelope"]["payloadType"]


def test_signing_twice_gives_the_same_bytes(key):
    assert sign_model("toy", {"a": b"1"}, CryptoSigner(key)) == sign_model("toy", {"a": b"1"}, CryptoSigner(key))


def test_the_subject_is_the_digest_of_the_digests_in_the_order_of_names():
    digests = {name: hashlib.sha256(name.encode()).digest() for name in ("b", "a", "B")}
    subject = statement("toy", digests)["subject"]
    expected = hashlib.sha256(digests["B"] + digests["a"] + digests["b"]).hexdigest()
    assert subject == [{"digest": {"sha256": expected}, "name": "toy"}]


def test_add_signs_with_a_key_file_and_adding_twice_changes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pbes2, "ROUNDS", 2048)
    monkeypatch.setenv("SEALIFT_PASSPHRASE", "correct horse")
    rows = np.random.default_rng(0).normal(size=(60, 2))
    joblib.dump(LogisticRegression().fit(pd.DataFrame(rows, columns=["a", "b"]), rows[:, 0] > 0), "model.joblib")
    pd.DataFrame(rows, columns=["a", "b"]).to_csv("samples.csv", index=False)
    Path("recipe.toml").write_text(
        'name = "toy"\nversion = "1.0.0"\nsource = "model.joblib"\nsamples = "samples.csv"\nlicenses = ["MIT"]\n'
    )
    for arguments in (["new", "k.pem"], ["new", "pq.pem", "--algorithm", "ml-dsa-65"]):
        assert run(keys, "sealift-keys", arguments) == 0
    assert run(keys, "sealift-keys", ["init", "ch", "--name", "c", "--key", "k.pem"]) == 0
    add = ["add", "recipe.toml", "--channel", "ch", "--json", "--model-key"]
    for outcome in ("added", "unchanged"):
        capsys.readouterr()
        assert run(bundler, "sealift-bundler", [*add, "k.pem"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["outcome"] == outcome
    blob = tmp_path / "ch" / "blobs" / "sha256" / document["digest"].removeprefix("sha256:")
    assert FILE_NAME in blob.read_text()
    assert run(bundler, "sealift-bundler", [*add, "pq.pem"]) == 53
    assert "is not a P-256 key" in capsys.readouterr().err


def test_only_p256_signs_models():
    with pytest.raises(KeyFileError, match="is not a P-256 key"):
        sign_model("toy", {"a": b"1"}, CryptoSigner.generate_ed25519())


@pytest.mark.parametrize("signature", [b"nonsense", b"", b"{}"])
def test_a_worthless_model_sig_neither_stops_nor_authorizes_an_install(tmp_path, channel, instance, refused, signature):
    content = {**renamed(toy_files(), "toy", "1.0.0"), FILE_NAME: signature or b" "}
    channel.add(files=content)
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path / "b.tar"))
    assert (instance.store_path / "models" / "toy" / "1.0.0" / FILE_NAME).read_bytes() == content[FILE_NAME]


def test_nothing_of_the_product_imports_the_public_tool():
    root = Path(__file__).parents[3]
    for wing in ("bundler", "loader", "keys", "common"):
        for path in (root / wing).rglob("*.py"):
            assert "import model_signing" not in path.read_text("utf-8"), path
