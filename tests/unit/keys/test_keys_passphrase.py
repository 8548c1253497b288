"""Passphrases: where they come from, in which order, and never an empty one."""

from pathlib import Path

import pytest

from sealift_common.errors import KeyFileError, LocalError, UsageError
from sealift_keys.keyfiles.passphrase import PassphraseSource, variable_of

KEY = Path("keys/approver-2.pem")


def secret(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    path.chmod(0o600)
    return path


def source(**values):
    return PassphraseSource(**{"environment": {}, "prompt": None, **values})


def test_the_variable_of_a_key_comes_from_its_file_name():
    assert variable_of(KEY) == "SEALIFT_PASSPHRASE_APPROVER_2"


def test_order_is_file_own_variable_common_variable_terminal(tmp_path):
    file = secret(tmp_path / "p", "from file\n")
    environment = {"SEALIFT_PASSPHRASE_APPROVER_2": "own", "SEALIFT_PASSPHRASE": "common"}
    everything = {"environment": environment, "prompt": lambda _: "typed"}
    assert source(files=(file,), **everything).existing(KEY) == b"from file"
    assert source(**everything).existing(KEY) == b"own"
    assert source(**everything).existing(Path("other")) == b"common"
    assert source(prompt=lambda _: "typed").existing(KEY) == b"typed"


def test_several_files_serve_the_keys_in_order(tmp_path):
    for name in "ab":
        secret(tmp_path / name, f"secret of {name}")
    given = source(files=(tmp_path / "a", tmp_path / "b"), keys=("k1", "k2"))
    assert (given.existing(Path("k2")), given.existing(Path("k1"))) == (b"secret of b", b"secret of a")
    with pytest.raises(UsageError, match="2 passphrase files for 3 keys"):
        source(files=(tmp_path / "a", tmp_path / "b"), keys=("1", "2", "3"))


def test_a_new_passphrase_is_typed_twice():
    answers = iter(["one and a half", "one and a half", *["one and a half", "two and a half"] * 3])
    asking = source(prompt=lambda _: next(answers))
    assert asking.new(KEY) == b"one and a half"
    with pytest.raises(KeyFileError, match="differ; nothing was written"):
        asking.new(KEY)
    assert not list(answers)


def test_who_mistypes_a_new_passphrase_is_asked_again(capsys):
    answers = iter(["too short", "long enough now", "long enough", "long enough now", "long enough now"])
    assert source(prompt=lambda _: next(answers)).new(KEY) == b"long enough now"
    assert capsys.readouterr().err.splitlines() == [
        "the passphrase typed has 9 characters; expected 12 or more; once more",
        "the two passphrases for 'keys/approver-2.pem' differ; nothing was written; once more",
    ]


def test_a_short_passphrase_of_a_script_is_refused(tmp_path):
    with pytest.raises(KeyFileError, match="has 7 characters; expected 12 or more"):
        source(environment={"SEALIFT_PASSPHRASE": "hunter2"}).new(KEY)
    file = secret(tmp_path / "p", "żółć żółć żó\n")
    assert source(files=(file,)).new(KEY).decode() == "żółć żółć żó"
    assert source(environment={"SEALIFT_PASSPHRASE": "pw"}).existing(KEY) == b"pw"


def test_who_mistypes_the_passphrase_of_a_key_is_asked_again(capsys):
    def open_(passphrase):
        if passphrase != b"right":
            raise ValueError("bad decrypt")
        return passphrase

    answers = iter(["wrong", "right", "wrong", "wrong", "wrong", "right"])
    asking = source(prompt=lambda _: next(answers))
    assert asking.opening(KEY, open_) == b"right"
    assert "once more" in capsys.readouterr().err
    with pytest.raises(ValueError, match="bad decrypt"):
        asking.opening(KEY, open_)
    with pytest.raises(ValueError, match="bad decrypt"):
        source(environment={"SEALIFT_PASSPHRASE": "wrong"}).opening(KEY, open_)


@pytest.mark.parametrize("text", ["", "\n", "\r\n"])
def test_empty_passphrase_file(tmp_path, text):
    secret(tmp_path / "p", text)
    with pytest.raises(KeyFileError, match="is empty"):
        source(files=(tmp_path / "p",)).existing(KEY)


def test_empty_variable_and_empty_answer():
    with pytest.raises(KeyFileError, match="variable SEALIFT_PASSPHRASE is empty"):
        source(environment={"SEALIFT_PASSPHRASE": ""}).new(KEY)
    with pytest.raises(KeyFileError, match="typed is empty"):
        source(prompt=lambda _: "").existing(KEY)


def test_no_terminal_and_nothing_given_names_every_way():
    with pytest.raises(
        KeyFileError, match=r"--passphrase-file FILE or set SEALIFT_PASSPHRASE_APPROVER_2 or SEALIFT_PA"
    ):
        source().existing(KEY)


def test_unusable_passphrase_files(tmp_path):
    with pytest.raises(LocalError, match="absent"):
        source(files=(tmp_path / "absent",)).existing(KEY)
    with pytest.raises(LocalError, match="directory"):
        source(files=(tmp_path,)).existing(KEY)
    secret(tmp_path / "two", "one\ntwo\n")
    with pytest.raises(KeyFileError, match="one line"):
        source(files=(tmp_path / "two",)).existing(KEY)
