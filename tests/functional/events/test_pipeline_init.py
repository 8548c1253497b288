"""`sealift-pipeline init`: a folder that works as it is, for its owner alone, and units that systemd takes."""

import json
import os
import stat
import subprocess
from itertools import pairwise

import pytest

from sealift_pipeline.cli import command
from sealift_pipeline.settings.settings import Settings

FILES = ("pipeline.toml", "data-policy.toml", "pseudonym.key", "hook.token")


def test_the_folder_is_whole_and_closed_to_others(call, tmp_path):
    options = ("--gitlab", "https://gitlab.invented.example/", "--project", "group/app", "--hook", 7, "--json")
    status, out, err = call(command, "init", tmp_path / "p", *options)
    assert (status, err) == (0, "")
    made = json.loads(out)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "p").iterdir() if path.is_file()}
    assert modes == dict.fromkeys(FILES, 0o600) | {".gitlab-ci.yml": 0o644}
    assert stat.S_IMODE((tmp_path / "p").stat().st_mode) == 0o700
    assert all(os.path.isfile(path) for path in [*made.pop("units"), *made.values()])
    settings = Settings.load(tmp_path / "p")
    assert (settings.gitlab_url, settings.project, settings.hook) == ("https://gitlab.invented.example", "group/app", 7)
    assert set(settings.data_policy().kinds) == {"issue", "note", "merge_request", "push", "pipeline", "user_destroy"}


def test_two_folders_have_two_keys_and_the_next_command_is_named(call, tmp_path):
    for name in ("a", "b"):
        status, out, _ = call(command, "init", tmp_path / name)
        assert status == 0
        assert out.splitlines()[-1].startswith(f"next: sealift-pipeline receive --pipeline {tmp_path / name} ")
    for file in ("pseudonym.key", "hook.token"):
        assert (tmp_path / "a" / file).read_text() != (tmp_path / "b" / file).read_text()


def test_every_column_of_the_policy_is_explained(call, tmp_path):
    call(command, "init", tmp_path / "p")
    lines = (tmp_path / "p" / "data-policy.toml").read_text().splitlines()
    explained, columns = 0, 0
    for before, line in pairwise(lines):
        if " = { path" in line:
            columns += 1
            explained += before.startswith("#")
    assert columns == explained > 40


@pytest.mark.parametrize("folder", ["plain", "with space", "100% of $it"])
def test_systemd_takes_the_units(call, tmp_path, require_tool, folder):
    require_tool("systemd-analyze")
    assert call(command, "init", tmp_path / folder)[0] == 0
    units = sorted((tmp_path / folder / "systemd").iterdir())
    assert [unit.name for unit in units] == ["sealift-land.service", "sealift-receive.service"]
    check = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert (check.returncode, check.stderr) == (0, "")


@pytest.mark.parametrize("unit", ["receive", "land"])
def test_the_units_are_hardened(call, tmp_path, require_tool, unit):
    require_tool("systemd-analyze")
    call(command, "init", tmp_path / "p")
    path = tmp_path / "p" / "systemd" / f"sealift-{unit}.service"
    check = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=30", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert check.returncode == 0, check.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["--gitlab", "ftp://x"], 70, "'url' is 'ftp://x'; expected https://HOST without a login"),
        (["--gitlab", "https://ann:pw@x"], 70, "without a login"),
        (["--project", "../x y"], 70, "'project' is '../x y'"),
        (["--listen", "0.0.0.0:80"], 70, "expected 127.0.0.1 or [::1]"),
        (["--listen", "127.0.0.1"], 70, "expected ADDRESS:PORT"),
        (["--hook", "-1"], 2, "-1"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_stays(call, tmp_path, options, status, said):
    got, out, err = call(command, "init", tmp_path / "p", *options)
    assert (got, out, len(err.splitlines())) == (status, "", 1)
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_left_as_it_is(call, tmp_path):
    (tmp_path / "mine").write_text("x")
    status, _, err = call(command, "init", tmp_path)
    assert (status, len(err.splitlines())) == (2, 1)
    assert "is not empty" in err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_folder_that_is_no_pipeline_is_named_with_the_option(tmp_path, monkeypatch, call):
    """`verify BUNDLE` in any other folder once spoke of settings that could not be read."""
    monkeypatch.chdir(tmp_path)
    status, _, err = call(command, "verify", "b.tar")
    assert status == 70
    assert "folder '.' is not that of a pipeline: it has no pipeline.toml; give that one: --pipeline DIR" in err
