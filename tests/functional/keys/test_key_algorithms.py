"""Every algorithm from key to installed model, a classical and a post-quantum signature together, and FIPS."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.release.channel_simulator import renamed, toy_files
from support.release.key_channel import install_from, pending, stage_toy

from sealift_bundler.errors import GateError
from sealift_bundler.packing.whole import prepare
from sealift_bundler.release.staging import release
from sealift_common.console import run
from sealift_keys.channel.directory import Channel
from sealift_keys.cli import command
from sealift_keys.keyfiles import algorithms, pbes2

Keys = Callable[..., tuple[int, str, str]]


@pytest.fixture
def keys(tmp_path, monkeypatch, capsys) -> Keys:
    monkeypatch.chdir(tmp_path)
    # The real number of rounds takes a quarter of a second for each key file.
    monkeypatch.setattr(pbes2, "ROUNDS", 2048)
    monkeypatch.setenv("SEALIFT_PASSPHRASE", "correct horse")

    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(command, "sealift-keys", list(arguments))
        out, err = capsys.readouterr()
        assert status == 0, err
        return status, out, err

    return call


@pytest.mark.usefixtures("no_replay")
@pytest.mark.parametrize("algorithm", algorithms.NAMES)
def test_every_algorithm_from_key_to_installed_model(keys: Keys, tmp_path: Path, algorithm: str) -> None:
    keys("new", "k.pem", "--algorithm", algorithm)
    keys("init", "ch", "--name", "c", "--key", "k.pem")
    stage_toy(tmp_path / "ch")
    release(Channel.open(tmp_path / "ch"))
    keys("sign", "ch", "--key", "k.pem", *pending("ch"))
    (shown,) = json.loads(keys("show", "ch", "--json")[1])["keys"]
    assert shown["algorithm"] in algorithm
    assert install_from(tmp_path / "ch", tmp_path / "instance").store.load("toy").version == "1.0.0"


def test_one_classical_and_one_post_quantum_signature_are_both_needed(keys: Keys, tmp_path: Path) -> None:
    keys("new", "classical.pem")
    keys("new", "quantum.pem", "--algorithm", "ml-dsa-65")
    both = [
        option
        for role in ("root", "targets", "snapshot", "timestamp")
        for option in (
            f"--{role}-key",
            "classical.pem.pub",
            f"--{role}-key",
            "quantum.pem.pub",
            f"--{role}-threshold",
            "2",
        )
    ]
    keys("init", "ch", "--name", "c", *both, "--key", "classical.pem", "--key", "quantum.pem")
    stage_toy(tmp_path / "ch")
    for alone, other in (("classical.pem", "quantum"), ("quantum.pem", "classical")):
        release(Channel.open(tmp_path / "ch"), refresh=True)
        keys("sign", "ch", "--key", alone, *pending("ch"))
        with pytest.raises(GateError, match=f"waiting for '{other}'"):
            prepare(tmp_path / "ch")
    keys("sign", "ch", "--key", "classical.pem", *pending("ch"))
    instance = install_from(tmp_path / "ch", tmp_path / "instance")
    assert instance.store.load("toy").version == "1.0.0"


def test_timestamp_may_carry_four_post_quantum_signatures(keys: Keys, tmp_path: Path) -> None:
    names = [f"pq{number}.pem" for number in range(4)]
    for name in names:
        keys("new", name, "--algorithm", "ml-dsa-65")
    options = [
        item
        for name in names
        for role in ("root", "targets", "snapshot", "timestamp")
        for item in (f"--{role}-key", f"{name}.pub")
    ]
    thresholds = [item for role in ("root", "timestamp") for item in (f"--{role}-threshold", "4")]
    keys("init", "ch", "--name", "c", *options, *thresholds, *[item for name in names for item in ("--key", name)])
    assert (tmp_path / "ch" / "tuf" / "timestamp.json").stat().st_size > 16_384
    stage_toy(tmp_path / "ch")
    release(Channel.open(tmp_path / "ch"))
    keys("sign", "ch", *[item for name in names for item in ("--key", name)], *pending("ch"))
    install_from(tmp_path / "ch", tmp_path / "instance")


STORY = """
import os, sys
from pathlib import Path
from sealift_keys.cli import command as keys
from sealift_common.console import run
from sealift_bundler.cli import command as bundler
from sealift.cli import cli as sealift
from sealift_bundler.release.modelpack import Descriptor, write_model
from sealift_bundler.release.staging import stage
from sealift_keys.channel.directory import Channel
from sealift_common.names import ModelVersion

def do(group, name, *arguments):
    status = run(group, name, list(arguments))
    assert status == 0, (name, arguments, status)

for name in ("a.pem", "b.pem", "c.pem"):
    do(keys, "sealift-keys", "new", name)
two = [x for role in ("root", "targets") for x in (f"--{role}-key", "a.pem.pub", f"--{role}-key", "b.pem.pub", f"--{role}-threshold", "2")]
do(keys, "sealift-keys", "init", "ch", "--name", "c", *two, "--snapshot-key", "a.pem.pub", "--timestamp-key", "a.pem.pub", "--key", "a.pem", "--key", "b.pem")
channel, model = Channel.open("ch"), ModelVersion.parse("toy", "1.0.0")
files = {path.name: path.read_bytes() for path in Path("files").iterdir()}
stage(channel, model, write_model(channel.blobs_dir, model, files, Descriptor(licenses=["MIT"])))
do(bundler, "sealift-bundler", "release", "--channel", "ch", "--key", "a.pem")
do(keys, "sealift-keys", "rotate", "ch", "--role", "root", "--role", "targets", "--remove", "b", "--add", "c.pem.pub", "--key", "a.pem", "--key", "b.pem", "--key", "c.pem")
do(bundler, "sealift-bundler", "pack", "--channel", "ch", "-o", "b.tar")
do(sealift, "sealift", "trust", "init", "ch/tuf/1.root.json")
do(sealift, "sealift", "verify", "b.tar")
do(sealift, "sealift", "install", "b.tar")
"""


def watched(directory: Path, story: str) -> subprocess.CompletedProcess[str]:
    (directory / "story.py").write_text(story)
    environment = {
        **os.environ,
        "SEALIFT_PASSPHRASE": "correct horse",
        "SEALIFT_STORE": str(directory / "store"),
        "SEALIFT_TRUST": str(directory / "etc"),
    }
    command = [sys.executable, str(Path(__file__).parents[2] / "support/machine/fips_watch.py"), "story.py"]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


def test_with_p256_nothing_but_fips_approved_algorithms_is_used_from_key_to_install(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    for name, content in renamed(toy_files(), "toy", "1.0.0").items():
        (tmp_path / "files" / name).write_bytes(content)
    answer = watched(tmp_path, STORY)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    used = set(answer.stdout.splitlines()[-1].removeprefix("used:").split())
    assert used == {"ecdsa-sha256", "sha256"}


@pytest.mark.parametrize(
    "breach",
    [
        "import hashlib; hashlib.md5(b'')",
        "import hashlib; hashlib.new('blake2b', b'')",
        "from cryptography.hazmat.primitives import hashes; hashes.Hash(hashes.SHA1())",
        "from sealift_keys.cli import main; import sys; sys.argv = ['x', 'new', 'k', '--algorithm', 'ed25519']; main()",
    ],
)
def test_the_watch_itself_catches_what_is_not_approved(tmp_path: Path, breach: str) -> None:
    answer = watched(tmp_path, breach)
    assert answer.returncode != 0
    assert "not FIPS-approved" in answer.stderr
