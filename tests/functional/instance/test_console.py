"""What every command does with its output and with a wrong call: real processes, real pipes."""

import json
import subprocess
import sys
from datetime import timedelta

import pytest

SEALIFT = "from sealift.cli import main; main()"
BUNDLER = "from sealift_bundler.cli import main; main()"
KEYS = "from sealift_keys.cli import main; main()"


def shell(command, **options):
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize("program", [SEALIFT, BUNDLER, KEYS], ids=["sealift", "bundler", "keys"])
def test_a_reader_that_leaves_is_no_error(program):
    result = shell(f'set -o pipefail; "{sys.executable}" -c "{program}" --help | true')
    assert (result.returncode, result.stderr) == (0, "")


def test_output_to_a_full_disk_is_one_line():
    result = shell(f'"{sys.executable}" -c "{SEALIFT}" --help > /dev/full')
    assert result.returncode == 3
    assert len(result.stderr.splitlines()) == 1
    assert "No space left on device" in result.stderr


@pytest.mark.parametrize(
    ("program", "arguments", "words"),
    [
        (SEALIFT, "isntall x", "did you mean 'install'"),
        (SEALIFT, "install", "see `sealift install --help`"),
        (SEALIFT, "trust shwo", "shwo"),
        (BUNDLER, "convert m --versoin 1", "--versoin"),
        (BUNDLER, "add recipe.toml", "--channel"),
        (KEYS, "sgin", "did you mean 'sign'"),
    ],
)
def test_a_wrong_call_is_one_line(program, arguments, words):
    result = shell(f'"{sys.executable}" -c "{program}" {arguments}')
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert words in result.stderr
    assert result.stderr.endswith("[usage]\n")


def test_a_missing_package_is_named(tmp_path):
    (tmp_path / "m.joblib").write_bytes(b"x")
    program = f"import sys; sys.modules['rfc8785'] = None; {BUNDLER}"
    result = shell(f'"{sys.executable}" -c "{program}" convert m.joblib --samples m.joblib -o out', cwd=tmp_path)
    assert result.returncode == 3
    assert "'rfc8785' is not installed" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_report_that_ends_with_an_error_is_one_json_document(channel):
    def lapse(signed):
        signed.expires = channel.now + timedelta(days=5)

    channel.change("timestamp", lapse)
    result = shell(f'"{sys.executable}" -c "{KEYS}" expiry {channel.directory} --json')
    assert result.returncode == 59
    assert json.loads(result.stdout)["warning"] == 7
    result = shell(f'"{sys.executable}" -c "{KEYS}" expiry {channel.directory / "none"} --json')
    assert json.loads(result.stdout)["error"]["code"] == "channel"


def test_no_message_acts_on_the_terminal():
    result = shell(f'"{sys.executable}" -c "{SEALIFT}" verify $\'no\\x1b[2J\\u202e.tar\'')
    assert result.returncode == 3
    assert result.stderr.isascii() or "\N{REPLACEMENT CHARACTER}" in result.stderr
    assert "\x1b" not in result.stderr
    assert "\u202e" not in result.stderr
