"""`sealift-keys` as a person meets it: what it prints, what it writes, and its exit status."""

import json
import os
import pty
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from sealift_common.console import run
from sealift_keys.cli import command
from sealift_keys.keyfiles import pbes2

PROGRAM = [sys.executable, "-c", "from sealift_keys.cli import main; main()"]


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # The real number of rounds takes a quarter of a second for each key file.
    monkeypatch.setattr(pbes2, "ROUNDS", 2048)
    for variable in [name for name in os.environ if name.startswith("SEALIFT_")]:
        monkeypatch.delenv(variable)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.setenv("SEALIFT_PASSPHRASE", "correct horse")
    return tmp_path


@pytest.fixture
def keys(call):
    return partial(call, command)


@pytest.fixture
def two(keys):
    """A channel for two people, signed by the builder."""
    keys("new", "builder")
    keys("new", "approver")
    both = [
        option
        for role in ("root", "targets")
        for option in (f"--{role}-key", "builder.pub", f"--{role}-key", "approver.pub", f"--{role}-threshold", "2")
    ]
    machine = ["--snapshot-key", "builder.pub", "--timestamp-key", "builder.pub"]
    return keys("init", "ch", "--name", "gitlab-models", *both, *machine, "--key", "builder")


def tree(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def refused(answer, code, word):
    status, out, err = answer
    assert status == code, err
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("sealift-keys: ")
    assert re.search(word, err), err


def test_the_whole_ceremony(keys, two):
    status, out, err = two
    assert (status, err) == (0, "")
    assert "targets 1: 1 of 2 signatures ('builder'); waiting for 'approver'" in out
    assert "next: sealift-keys sign ch --key FILE (the key of 'approver')" in out
    status, out, _ = keys("status", "ch")
    assert status == 0
    assert "root 1: 1 of 2 signatures" in out
    assert "fingerprint of 1.root.json" not in out
    assert "  root: with 'approver', fingerprint " in out
    status, out, _ = keys("sign", "ch", "--key", "approver")
    assert status == 0
    assert "signed targets 1 as 'approver'" in out
    digits = json.loads(keys("status", "ch", "--json")[1])["root_fingerprint"]
    assert f"root fingerprint, to publish out of band: {' '.join(re.findall('....', digits))}\n" in out
    assert "next: sealift-bundler add RECIPE.toml --channel ch" in out
    status, out, _ = keys("sign", "ch", "--key", "approver")
    assert (status, "nothing to sign" in out) == (0, True)
    status, out, _ = keys("status", "ch", "--json")
    document = json.loads(out)
    assert document["complete"] is True
    assert [role["signed_by"] for role in document["roles"][:2]] == [["builder", "approver"]] * 2
    assert re.fullmatch("[0-9a-f]{64}", document["root_fingerprint"])


def test_one_key_makes_a_whole_channel_and_says_that_two_are_better(keys):
    status, out, _ = keys("new", "only.pem", "--json")
    assert (status, json.loads(out)["name"]) == (0, "only")
    status, out, err = keys("init", "ch", "--name", "trial", "--key", "only.pem")
    assert status == 0
    assert out.count("1 of 1 signatures ('only')") == 4
    assert "root fingerprint, to publish out of band" in out
    assert "thresholds of 2 are recommended" in err


def test_the_fingerprint_is_that_of_the_root_file(keys, require_tool):
    keys("new", "only")
    keys("init", "ch", "--name", "trial", "--key", "only")
    digest = subprocess.run(
        [require_tool("sha256sum"), "ch/tuf/1.root.json"], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    assert json.loads(keys("status", "ch", "--json")[1])["root_fingerprint"] == digest
    assert " ".join(re.findall("....", digest)) in keys("status", "ch")[1]


def test_distinct_passphrases_for_two_keys_of_one_command(keys, two, monkeypatch):
    monkeypatch.delenv("SEALIFT_PASSPHRASE")
    monkeypatch.setenv("SEALIFT_PASSPHRASE_APPROVER", "correct horse")
    Path("p1").write_text("correct horse\n")
    Path("p2").write_text("correct horse\n")
    for file in ("p1", "p2"):
        Path(file).chmod(0o600)
    assert keys("sign", "ch", "--key", "approver")[0] == 0
    both = ["--key", "builder", "--key", "approver"]
    assert keys("sign", "ch", *both, "--passphrase-file", "p1", "--passphrase-file", "p2")[0] == 0
    assert keys("sign", "ch", *both, "--passphrase-file", "p1")[0] == 0
    refused(keys("sign", "ch", *both), 53, "no passphrase for 'builder'")
    three = ["--passphrase-file", "p1"] * 3
    refused(keys("sign", "ch", *both, *three), 2, "3 passphrase files for 2 keys")


def test_bad_keys_change_nothing(keys, two, monkeypatch, tmp_path):
    keys("new", "mallory")
    before = tree(tmp_path)
    refused(keys("new", "builder"), 53, "'builder' exists")
    refused(keys("new", "no/where"), 53, "does not exist")
    refused(keys("new", "x", "--name", "a\tb"), 2, "key name")
    refused(keys("sign", "ch", "--key", "mallory"), 53, "'mallory'.*belongs to no role")
    refused(keys("sign", "ch", "--key", "absent"), 3, "absent.*No such file")
    refused(keys("sign", "ch", "--key", "ch"), 53, "'ch' is a folder")
    refused(keys("sign", "ch", "--key", "approver.pub"), 53, "is a public key")
    refused(keys("sign", "ch", "--key", "hsm:1"), 53, "set PYKCS11LIB")
    refused(keys("sign", "ch", "--key", "approver", "--passphrase-file", "absent"), 3, "passphrase file 'absent'")
    monkeypatch.setenv("SEALIFT_PASSPHRASE", "wrong")
    refused(keys("sign", "ch", "--key", "approver"), 53, "passphrase is wrong")
    monkeypatch.setenv("SEALIFT_PASSPHRASE", "")
    refused(keys("sign", "ch", "--key", "approver"), 53, "is empty")
    Path("approver").chmod(0o644)
    refused(keys("sign", "ch", "--key", "approver"), 53, "mode 0644.*chmod 600")
    assert tree(tmp_path) == before


def test_a_key_gets_another_passphrase(keys, two, monkeypatch, tmp_path):
    public = Path("approver.pub").read_bytes()
    Path("new").write_text("battery staple\n")
    Path("new").chmod(0o600)
    status, out, err = keys("passphrase", "approver", "--new-passphrase-file", "new")
    assert (status, out, err) == (0, "approver has a new passphrase; copies of it keep the old one\n", "")
    assert Path("approver").stat().st_mode & 0o777 == 0o600
    assert Path("approver.pub").read_bytes() == public
    before = tree(tmp_path)
    refused(keys("sign", "ch", "--key", "approver"), 53, "passphrase is wrong")
    refused(keys("passphrase", "approver", "--new-passphrase-file", "new"), 53, "passphrase is wrong")
    refused(keys("passphrase", "builder"), 53, "no terminal to ask .* --new-passphrase-file FILE")
    Path("link").symlink_to("builder")
    refused(keys("passphrase", "link", "--new-passphrase-file", "new"), 53, "symbolic link")
    Path("link").unlink()
    assert tree(tmp_path) == before
    assert keys("sign", "ch", "--key", "approver", "--passphrase-file", "new")[0] == 0


def test_bad_channels_are_not_made(keys, tmp_path):
    keys("new", "a")
    keys("new", "b")
    before = tree(tmp_path)
    base = ["init", "ch", "--name", "c"]
    rest = ["--targets-key", "a.pub", "--snapshot-key", "a.pub", "--timestamp-key", "a.pub"]
    refused(keys(*base), 2, "no keys given")
    refused(keys(*base, "--root-key", "a.pub"), 2, "'targets' has no key; give --targets-key")
    refused(keys(*base, *rest, "--root-key", "a.pub", "--root-threshold", "2"), 2, "threshold 2 .*1 keys")
    refused(keys(*base, *rest, "--root-key", "a.pub", "--root-threshold", "0"), 2, "threshold 0")
    refused(keys(*base, *rest, "--root-key", "a.pub", "--root-key", "a.pub"), 2, "are the same key")
    refused(keys(*base, *rest, "--root-key", "a"), 53, "private key; give its public half, 'a.pub'")
    refused(keys(*base, *rest, "--root-key", "gone.pub"), 3, "gone.pub")
    refused(keys(*base, *rest, "--root-key", "a.pub", "--key", "b"), 53, "'b'.*belongs to no role")
    refused(keys(*base, "--key", "a", "--expires-days", "root=0"), 2, "'root': 0 days")
    refused(keys(*base, "--key", "a", "--expires-days", "rot=3"), 2, "expected ROLE=DAYS")
    refused(keys("init", "ch", "--name", "UPPER", "--key", "a"), 2, "channel name 'UPPER'")
    refused(keys("init", ".", "--name", "c", "--key", "a"), 55, "not an empty folder")
    refused(keys("status", "ch"), 55, "not a directory; check the path, or make one with: sealift-bundler init")
    assert tree(tmp_path) == before
    assert not Path("ch").exists()


def test_source_date_epoch_sets_the_release_time_and_not_the_expiry(keys, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    keys("new", "k")
    keys("init", "ch", "--name", "c", "--key", "k")
    targets = json.loads(Path("ch/tuf/targets.json").read_bytes())["signed"]
    assert targets["sealift"]["released"] == "2023-11-14T22:13:20Z"
    assert targets["expires"] > "2026"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    refused(keys("init", "ch2", "--name", "c", "--key", "k"), 2, "SOURCE_DATE_EPOCH")


def test_completion_of_key_names(two):
    complete = ShellComplete(command, {}, "sealift-keys", "_SEALIFT_KEYS_COMPLETE")

    def values(*arguments, incomplete=""):
        return [item.value for item in complete.get_completions(list(arguments), incomplete)]

    assert values("revoke", "ch") == ["approver", "builder"]
    assert values("rotate", "ch", "--role", "root", "--remove", incomplete="b") == ["builder"]
    assert values("revoke", "nowhere") == []


def test_help_says_of_each_command_its_whole_sentence(keys):
    _, out, _ = keys("--help")
    assert "..." not in out.partition("Commands:")[2]
    assert "take the stolen key name out of every role of the channel dir, for good." in " ".join(out.lower().split())


def test_usage_help_and_completion_as_a_process():
    answer = subprocess.run([*PROGRAM, "--help"], capture_output=True, text=True, check=False)
    assert answer.returncode == 0
    assert "_SEALIFT_KEYS_COMPLETE=bash_source sealift-keys" in answer.stdout
    answer = subprocess.run([*PROGRAM, "sing"], capture_output=True, text=True, check=False)
    assert (answer.returncode, "did you mean 'sign'" in answer.stderr) == (2, True)


def test_without_a_terminal_a_missing_passphrase_is_an_error_and_not_a_hang(monkeypatch):
    monkeypatch.delenv("SEALIFT_PASSPHRASE")
    answer = subprocess.run(
        [*PROGRAM, "new", "k"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=30
    )
    assert (answer.returncode, answer.stdout) == (53, "")
    assert "no terminal to ask on; give --passphrase-file FILE or set SEALIFT_PASSPHRASE_K" in answer.stderr
    assert list(Path().iterdir()) == []


def test_on_a_terminal_the_passphrase_is_asked_twice_and_not_shown(monkeypatch):
    monkeypatch.delenv("SEALIFT_PASSPHRASE")
    child, terminal = pty.fork()
    if child == 0:
        os.execv(PROGRAM[0], [*PROGRAM, "new", "k"])  # noqa: S606 - our own interpreter
    seen = b""
    for expected in (b"New passphrase for k: ", b"again: "):
        while not seen.endswith(expected):
            seen += os.read(terminal, 1024)
        os.write(terminal, b"open sesame now\n")
    try:
        while chunk := os.read(terminal, 1024):
            seen += chunk
    except OSError:
        pass  # Linux: the other end of the terminal closed
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, seen
    os.close(terminal)
    assert b"sesame" not in seen
    assert b"wrote k" in seen
    monkeypatch.setenv("SEALIFT_PASSPHRASE", "open sesame now")
    assert run(command, "sealift-keys", ["init", "ch", "--name", "c", "--key", "k"]) == 0
