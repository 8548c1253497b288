"""What the author of an application gets wrong on the first day, and the line that says what to do."""

import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import sealift
from sealift.cli import cli
from sealift.errors import InputError, LocalError, NotInstalledError, NoTrustError, UsageError
from sealift.model.documents.description import ModelDescription
from sealift.rows.source import Source
from sealift.testing import ToyModel, toy_store

TRIAGE = ToyModel(columns={"title": "str", "comments": "int"}, version="1.4.0")


@pytest.fixture(scope="module")
def toys():
    with toy_store(models={"issue-triage": TRIAGE}) as made:
        yield made


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        ("issue-triage", 1.4, r"version is 1\.4 \(float\); expected text such as '>=1\.4,<2'"),
        ("issue-triage", ("1.4.0",), r"version is \('1\.4\.0',\) \(tuple\); expected text"),
        (None, None, r"name is None \(NoneType\); expected text such as 'issue-triage'"),
        (b"issue-triage", None, r"name is b'issue-triage' \(bytes\); expected text"),
    ],
)
def test_a_name_or_version_that_is_no_text(toys, name, version, message):
    with pytest.raises(UsageError, match=message):
        sealift.load(name, version=version)
    with pytest.raises(UsageError, match=message):
        toys.store.find(name, version)


def test_a_version_behind_the_name(toys, call):
    status, _, said = call(cli, "predict", "issue-triage:1.4.0", "--input", "-")
    assert status == NotInstalledError.exit_code
    assert "give the version by itself, with --version or version=" in said
    with pytest.raises(NotInstalledError, match="give the version by itself, with --version or version="):
        sealift.load("issue-triage:1.4.0")


@pytest.mark.parametrize("path", ["current", "generations/1/.generation.json", "trust/1/targets.json"])
def test_what_this_user_may_not_read_is_said_of_the_list_too(toys, path, monkeypatch):
    # The tests may run as root, who may read everything.
    original = {name: getattr(os, name) for name in ("open", "readlink")}

    def refusing(name):
        def refuse(file, *args, **kwargs):
            if str(toys.store.layout.root / path).endswith(str(file)):
                raise PermissionError(13, "Permission denied", str(file))
            return original[name](file, *args, **kwargs)

        return refuse

    for name in original:
        monkeypatch.setattr(os, name, refusing(name))
    with pytest.raises(
        LocalError, match=r"cannot list the models of .*Permission denied.*must be readable by this user"
    ):
        sealift.models()


def test_a_generation_is_not_a_store(toys):
    root = toys.store.layout.root
    for inside in (root / "current", (root / "current").resolve()):
        with pytest.raises(NotInstalledError, match=rf"is not a store, but a generation .* give the store: '{root}'"):
            sealift.load("issue-triage", store=inside)


def test_the_store_was_named_and_the_root_forgotten(toys, tmp_path, monkeypatch):
    monkeypatch.setenv("SEALIFT_TRUST", str(tmp_path))
    with pytest.raises(NoTrustError, match=r"or name its folder by SEALIFT_TRUST \(trust=\)"):
        sealift.load("issue-triage")


@pytest.mark.parametrize("text", ['[{"title":"a","comments":1}]', '\n\n {"title": "a", "comments": 1}\n'])
def test_json_on_standard_input_is_not_taken_for_csv(text, monkeypatch):
    description = ModelDescription.parse(TRIAGE.files("issue-triage")["model.json"])
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.encode())))
    with (
        pytest.raises(InputError, match=r"standard input was read as csv.*give --input-format json or jsonl"),
        Source(Path("-")).batches(description) as batches,
    ):
        list(batches)


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "sealift", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("sealift ")
