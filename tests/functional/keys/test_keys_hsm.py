"""Keys in a PKCS#11 token (SoftHSM 2), and every other place that a URI can name."""

import json
import os
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, Signer
from support.release.key_channel import install_from, pending, stage_toy

from sealift_bundler.release.staging import release
from sealift_keys.channel.directory import Channel
from sealift_keys.cli import command
from sealift_keys.keyfiles import remote
from sealift_keys.keyfiles.public import create_public

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "471147"


@pytest.fixture(scope="module")
def token(tmp_path_factory, require_tool) -> Path:
    """A token `sealift` with a P-256 key of id 2 and a P-384 key of id 3."""
    directory = tmp_path_factory.mktemp("softhsm")
    (directory / "tokens").mkdir()
    configuration = directory / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {directory}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    # One module can be loaded once in a process, so the configuration is fixed from here on.
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    util = [
        require_tool("softhsm2-util"),
        "--init-token",
        "--free",
        "--label",
        "sealift",
        "--so-pin",
        "1234",
        "--pin",
        PIN,
    ]
    subprocess.run(util, check=True, capture_output=True)
    for curve, number in (("prime256v1", "02"), ("secp384r1", "03")):
        make = [require_tool("pkcs11-tool"), "--module", MODULE, "--token-label", "sealift", "--login", "--pin", PIN]
        make += ["--keypairgen", "--key-type", f"EC:{curve}", "--id", number, "--label", f"key-{number}"]
        subprocess.run(make, check=True, capture_output=True)
    return directory


@pytest.fixture
def keys(tmp_path, monkeypatch, call) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith("SEALIFT_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PYKCS11LIB", MODULE)
    monkeypatch.setenv("SEALIFT_PASSPHRASE", PIN)
    return partial(call, command)


def test_a_channel_whose_keys_never_leave_the_token(token, keys, tmp_path):
    for number, name in (("2", "builder"), ("3", "approver")):
        status, out, _ = keys("import", f"hsm:{number}?label=sealift", f"{name}.pub")
        assert status == 0
        assert f"the private key stays at hsm:{number}?label=sealift" in out
    both = [
        item
        for name in ("builder", "approver")
        for item in ("--targets-key", f"{name}.pub", "--root-key", f"{name}.pub")
    ]
    machine = ["--snapshot-key", "builder.pub", "--timestamp-key", "builder.pub"]
    thresholds = ["--root-threshold", "2", "--targets-threshold", "2"]
    assert keys("init", "ch", "--name", "c", *both, *machine, *thresholds, "--key", "builder.pub")[0] == 0
    stage_toy(tmp_path / "ch")
    release(Channel.open(tmp_path / "ch"))
    assert keys("sign", "ch", "--key", "builder.pub", *pending("ch"))[0] == 0
    # The URI itself serves as well as the file that notes it.
    status, out, err = keys("sign", "ch", "--key", "hsm:3?label=sealift", *pending("ch"), "--json")
    assert status == 0, err
    assert json.loads(out)["complete"] is True
    assert {role["algorithm"] for role in json.loads(keys("show", "ch", "--json")[1])["keys"]} == {"p256", "p384"}
    assert install_from(tmp_path / "ch", tmp_path / "instance").store.load("toy").version == "1.0.0"
    assert not list(tmp_path.rglob("*.pem"))


def test_what_a_token_refuses_is_one_line(token, keys, monkeypatch):
    keys("import", "hsm:2?label=sealift", "k.pub")
    assert keys("init", "ch", "--name", "c", "--key", "k.pub")[0] == 0
    for reference, pin, says in (
        ("k.pub", "0000", "'k' cannot sign: PinIncorrect"),
        ("hsm:9?label=sealift", PIN, "could not find ECDSA key"),
        ("hsm:2?label=other", PIN, "No PKCS#11 token found for label other"),
        ("hsm:two", PIN, "shows the form of each URI"),
    ):
        monkeypatch.setenv("SEALIFT_PASSPHRASE", pin)
        status, out, err = keys("renew", "ch", "--key", reference)
        assert (status, out, err.count("\n")) == (53, "", 1), err
        assert says in err
    status, _, err = keys("import", "hsm:2?label=sealift", "k.pub")
    assert (status, "'k.pub' exists" in err) == (53, True)
    status, _, err = keys("import", "builder.pem", "x.pub")
    assert (status, "is not the URI of a key" in err) == (2, True)


def test_the_module_is_named_by_the_option_or_the_environment(token, keys, monkeypatch):
    monkeypatch.delenv("PYKCS11LIB")
    status, _, err = keys("import", "hsm:2?label=sealift", "k.pub")
    assert (status, "set PYKCS11LIB" in err) == (53, True)
    assert keys("import", "hsm:2?label=sealift", "k.pub", "--pkcs11-module", MODULE)[0] == 0


@pytest.mark.parametrize(
    ("uri", "extra"),
    [
        ("awskms:alias/x", "awskms"),
        ("gcpkms:projects/p", "gcpkms"),
        ("azurekms://v.vault.azure.net/keys/k/1", "azurekms"),
        ("hv:k/1", "vault"),
    ],
)
def test_a_missing_library_is_named_with_the_command_that_brings_it(keys, uri, extra):
    for arguments in (["import", uri, "k.pub"], ["renew", "absent", "--key", uri]):
        status, out, err = keys(*arguments)
        if arguments[0] == "renew":
            assert status == 55
            continue
        assert (status, out) == (53, "")
        assert f"pip install 'sealift[{extra}]'" in err
    assert not Path("k.pub").exists()


def test_cloud_keys_sign_through_securesystemslib(keys, monkeypatch, tmp_path):
    """The vendors' services cannot be reached here; this holds our side of the interface."""
    behind = CryptoSigner.generate_ecdsa()

    class Cloud(Signer):
        public_key = None

        @classmethod
        def from_priv_key_uri(cls, uri, public_key, secrets_handler=None):  # noqa: ARG003
            assert uri == "awskms:alias/release"
            made = cls()
            made.public_key = public_key
            return made

        @classmethod
        def import_(cls, key_id):
            return f"awskms:{key_id}", behind.public_key

        def sign(self, payload):
            return behind.sign(payload)

    monkeypatch.setitem(SIGNER_FOR_URI_SCHEME, "awskms", Cloud)
    monkeypatch.setattr(remote, "AWSSigner", Cloud)
    assert keys("import", "awskms:alias/release", "release.pub")[0] == 0
    status, out, _ = keys("init", "ch", "--name", "c", "--key", "release.pub")
    assert (status, out.count("1 of 1 signatures ('release')")) == (0, 4)
    assert create_public(tmp_path / "other.pub", behind.public_key, uri="awskms:x").keytype == "ecdsa"
