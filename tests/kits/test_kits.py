"""Kits for other Pythons and for another processor, installed and used: run by `make kits`, not by `make test`."""

import os
import platform
import subprocess
import sys
import tarfile
from pathlib import Path
from shutil import which

import pytest
from support.machine.bare_system import debian, emulated_debian
from support.machine.unpacking import unpack_tar
from support.pages.kit_journey import leads_to_a_prediction, release, triage

from sealift_bundler.kit.target import Target

# No release of Debian has it.
OTHER = "3.12"


@pytest.mark.parametrize("suite", ["bookworm", "trixie", "testing"])
def test_the_page_leads_to_a_prediction_on_aarch64(suite, tmp_path, require_tool):
    with emulated_debian(tmp_path / "bare", suite, require_tool) as system:
        leads_to_a_prediction(system, tmp_path)


@pytest.mark.parametrize("suite", ["trixie", "testing"])
def test_the_page_leads_to_a_prediction_on_a_newer_debian(suite, tmp_path, require_tool):
    with debian(tmp_path / "bare", suite, require_tool) as system:
        leads_to_a_prediction(system, tmp_path)


def other_python() -> str:
    """Its path, from PATH or pyenv, whose shims may be on PATH and lead nowhere."""
    name, pyenv = f"python{OTHER}", Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for path in (which(name), *sorted(pyenv.glob(f"versions/{OTHER}.*/bin/{name}"))):
        if path and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return str(path)
    pytest.fail(f"{name} is neither on PATH nor installed by pyenv, so its kit cannot be tried; install it")


def made(place: Path, *words: object) -> Path:
    """Make a kit with the installed command, and unpack it."""
    bundler = Path(sys.executable).parent / "sealift-bundler"
    command = [bundler, "kit", *words, "--python", OTHER, "-o", place / "kit.tar"]
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(place / "kit.tar") as archive:
        unpack_tar(archive, place / "kit")
    (folder,) = (place / "kit").iterdir()
    return folder


def test_pip_finds_all_that_the_python_that_no_debian_has_needs_on_aarch64(tmp_path):
    kit = made(tmp_path, "--platform", "linux-aarch64")
    target = Target("linux-aarch64", OTHER)
    there = [f"--platform={tag}" for tag in target.platform_tags]
    there += ["--python-version", OTHER, "--implementation", "cp", "--only-binary", ":all:"]
    within = ["--isolated", "--no-index", "--no-cache-dir", "--find-links", "wheels", "--require-hashes"]
    within += ["-r", f"requirements/{target.interpreter}.txt"]
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--target", tmp_path / "unused", *within, *there]
    done = subprocess.run(list(map(str, pip)), cwd=kit, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    would_install = done.stdout.splitlines()[-1]
    for package in ("sealift", "onnxruntime", "numpy", "cryptography"):
        assert f" {package}-" in would_install


def test_a_kit_for_the_python_that_no_debian_has_leads_to_a_prediction(tmp_path, require_tool):
    python, (issues, model), channel = other_python(), triage(), release(tmp_path / "channel")
    channel.pack(tmp_path / "models.tar")
    (tmp_path / "new-issues.csv").write_text(issues.to_csv(index=False))
    kit = made(tmp_path, "--platform", f"linux-{platform.machine()}", "--channel", channel.directory)
    places = {"SEALIFT_STORE": str(tmp_path / "store"), "SEALIFT_TRUST": str(tmp_path / "etc")}

    def types(*command: object) -> str:
        return subprocess.run(
            [require_tool("unshare"), "--net", *map(str, command)],
            env={"PATH": "/usr/bin:/bin", **places},
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    prefix = tmp_path / "opt"
    sealift = prefix / "current" / "bin" / "sealift"
    assert f" for Python {OTHER}." in types(python, "-I", kit / "install.py", "--prefix", prefix)
    types(sealift, "trust", "init", kit / "1.root.json")
    assert "active issue-triage 1.4.0" in types(sealift, "install", "models.tar")
    answers = types(sealift, "predict", "issue-triage", "--input", "new-issues.csv")
    assert answers.splitlines() == model.predict(issues).tolist()
