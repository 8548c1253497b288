"""`sealift` as an admin runs it, on a store, step by step."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.release.channel_simulator import toy_files

import sealift

TESTS = Path(__file__).parents[2]
SEALIFT = [sys.executable, "-c", "from sealift.cli import main; main()"]


@pytest.fixture
def bundle(channel, tmp_path):
    channel.add("alpha", "1.0.0")
    channel.add("beta", "0.1.0")
    channel.release()
    return channel.pack(tmp_path)


@pytest.fixture
def root_file(channel):
    return channel.channel.tuf_dir / "1.root.json"


def test_the_whole_story(bundle, root_file, channel, instance, sealift_command, tmp_path):
    status, out, _ = sealift_command("trust", "init", root_file, "--json")
    assert status == 0
    pinned = json.loads(out)
    assert pinned["channel"] == "sim"

    status, out, _ = sealift_command("verify", bundle, "--json")
    assert status == 0
    assert [model["name"] for model in json.loads(out)["models"]] == ["alpha", "beta"]
    assert not instance.store_path.exists()

    status, out, _ = sealift_command("install", bundle, "--dry-run", "--json")
    assert status == 0
    assert json.loads(out)["active"] == {"alpha": "1.0.0", "beta": "0.1.0"}
    assert not instance.store_path.exists()

    status, out, _ = sealift_command("install", bundle, "--json")
    assert status == 0
    report = json.loads(out)
    assert report["generation"] == 1
    assert report["signers"]["targets"] == ["targets-1"]
    assert report["examples_replayed"]["alpha:1.0.0"] > 0

    status, out, _ = sealift_command("install", bundle)
    assert status == 0
    assert "installed already; generation 1 stays active" in out

    channel.add("alpha", "1.1.0")
    channel.release()
    status, out, _ = sealift_command("install", channel.pack(tmp_path))
    assert status == 0
    assert "active as generation 2" in out

    status, out, _ = sealift_command("status", "--json")
    document = json.loads(out)
    assert (document["newest_bundle_installed"], document["age_days"], document["generation"]) == (3, 0, 2)
    assert document["models"] == {"alpha": "1.1.0", "beta": "0.1.0"}

    status, out, _ = sealift_command("list", "--json")
    assert [(model["name"], model["version"]) for model in json.loads(out)] == [("alpha", "1.1.0"), ("beta", "0.1.0")]

    status, out, _ = sealift_command("show", "alpha", "--json")
    assert status == 0
    assert json.loads(out)["card"] == "# alpha 1.1.0\n"

    status, out, _ = sealift_command("rollback", "alpha")
    assert status == 0
    assert "active alpha 1.0.0" in out
    assert sealift.Store(instance.store_path, trust=instance.trust_path).load("alpha").version == "1.0.0"

    status, out, _ = sealift_command("rollback", "--to", "2")
    assert status == 0
    status, out, _ = sealift_command("history", "--json")
    assert [entry["action"] for entry in json.loads(out)] == ["install", "install", "rollback", "rollback"]

    status, out, _ = sealift_command("path", "alpha")
    assert Path(out.strip()) == instance.store_path / "current" / "alpha"

    status, out, _ = sealift_command("trust", "show", "--json")
    document = json.loads(out)
    assert document["fingerprint"] == pinned["fingerprint"]
    assert document["roles"]["targets"]["accepted"] == 3


def test_inspect_needs_no_trust(bundle, sealift_command):
    status, out, _ = sealift_command("inspect", bundle, "--json")
    assert status == 0
    document = json.loads(out)
    assert document["trusted"] is False
    assert [model["version"] for model in document["models"]] == ["1.0.0", "0.1.0"]


@pytest.mark.parametrize("arguments", [["status"], ["list"], ["show", "x"], ["history"], ["trust", "show"]])
def test_people_read_tables(arguments, bundle, channel, instance, sealift_command):
    instance.pin(channel.root_bytes)
    instance.install(bundle)
    arguments = ["alpha" if argument == "x" else argument for argument in arguments]
    status, out, err = sealift_command(*arguments)
    assert status == 0
    assert out.strip()
    assert err == ""


def test_predict_from_a_file(bundle, channel, instance, sealift_command, tmp_path):
    instance.pin(channel.root_bytes)
    instance.install(bundle)
    rows = tmp_path / "rows.json"
    rows.write_text("[[2.0, 2.0, 0.0, 0.0], [-2.0, -2.0, 0.0, 0.0]]")
    status, out, _ = sealift_command("predict", "alpha", "--input", rows)
    assert status == 0
    assert out.split() == ["1", "0"]
    status, out, _ = sealift_command("predict", "alpha", "--input", rows, "--proba", "--json")
    document = json.loads(out)
    assert document["predict"] == [1, 0]
    assert np.allclose(np.sum(document["predict_proba"], axis=1), 1)


def test_a_program_that_knows_nothing_of_sealift(bundle, channel, instance):
    instance.pin(channel.root_bytes)
    instance.install(bundle)
    script = (
        "import sys, numpy, onnxruntime\n"
        "s = onnxruntime.InferenceSession(sys.argv[1])\n"
        "x = numpy.array([[2, 2, 0, 0], [-2, -2, 0, 0]], dtype=numpy.float32)\n"
        "print(s.run(None, {s.get_inputs()[0].name: x})[0].tolist())\n"
        "assert not [m for m in sys.modules if m.startswith('sealift')]\n"
    )
    path = instance.store_path / "current" / "alpha" / "model.onnx"
    result = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[1, 0]"


def test_no_internet_socket_and_no_write_elsewhere(bundle, channel, instance, tmp_path, require_tool):
    """A kernel filter kills the process on an internet socket; strace shows every path opened for writing."""
    strace = require_tool("strace")
    instance.pin(channel.root_bytes)
    log = tmp_path / "strace"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    home = tmp_path / "home"
    home.mkdir()
    environment = {**instance.environment, "HOME": str(home), "TMPDIR": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    calls = "trace=open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,symlink,symlinkat,link,linkat,truncate,socket"
    subprocess.run(
        [
            strace,
            "-f",
            "-y",
            "-qq",
            "-e",
            calls,
            "-o",
            str(log),
            sys.executable,
            str(TESTS / "support/machine/no_internet.py"),
            *SEALIFT,
            "install",
            str(bundle),
            "--tmpdir",
            str(scratch),
        ],
        check=True,
        env=environment,
        capture_output=True,
    )
    assert (instance.store_path / "current").exists()
    assert list(home.iterdir()) == []
    written = set()
    for line in log.read_text().splitlines():
        assert "socket(AF_INET" not in line
        writes = (
            "O_WRONLY" in line
            or "O_RDWR" in line
            or "O_CREAT" in line
            or not any(c in line for c in ("open", "socket"))
        )
        if writes and " = -1 " not in line and '"' in line:
            # A name that is relative to a directory descriptor, which strace prints with its path, or a whole path.
            directory = re.search(r"\(\d+<([^>]*)>, \"", line)
            written.add(os.path.join(directory[1] if directory else "", line.split('"')[1]))
    allowed = (str(instance.store_path), str(scratch), "/dev/", "/proc/self/")
    assert [path for path in written if not path.startswith(allowed)] == []
    assert any(path.startswith(str(instance.store_path)) for path in written)


def test_readable_by_everybody_whatever_the_umask(bundle, channel, instance):
    instance.pin(channel.root_bytes)
    script = "import os; os.umask(0o077); from sealift.cli import main; main()"
    subprocess.run(
        [sys.executable, "-c", script, "install", str(bundle)],
        check=True,
        env=instance.environment,
        capture_output=True,
    )
    for path in instance.store_path.rglob("*"):
        # Who can read the lock can hold it.
        if not path.is_symlink() and path.name != "lock":
            assert path.stat().st_mode & 0o444 == 0o444, path
            assert path.stat().st_mode & 0o022 == 0, path


def test_toy_files_carry_what_a_model_needs():
    assert {"model.onnx", "model.json", "golden.json"} <= set(toy_files())
