"""What is refused while a kit is made, and what its script refuses."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.kits.real import ELSEWHERE, HERE, OTHER, PLATFORM, install, kit, refuses, seal

from sealift_bundler.kit import carried

pytestmark = pytest.mark.slow


# --- while it is made ---------------------------------------------------------------------------


def test_a_wheel_with_other_bytes_is_refused_and_named(unpacked, tmp_path, capsys):
    wheels = Path(shutil.copytree(unpacked / "wheels", tmp_path / "wheels"))
    (victim,) = wheels.glob("click-*.whl")
    victim.write_bytes(victim.read_bytes() + b"\0")
    out = tmp_path / "out"
    out.mkdir()
    kit("--platform", PLATFORM, "--python", HERE, "--wheels", wheels, "-o", out, status=54)
    assert f"{str(victim)!r} is not a wheel that the lock file lists for click " in capsys.readouterr().err
    assert list(out.iterdir()) == []


def test_a_missing_wheel_names_package_platform_and_python(unpacked, tmp_path, capsys):
    words = ("--platform", ELSEWHERE, "--python", HERE, "--wheels", unpacked / "wheels", "-o", tmp_path, "--json")
    kit(*words, status=54)
    said = capsys.readouterr()
    assert f"no wheel of backports-zstd 1.8.0 for {ELSEWHERE}, Python {HERE} in " in said.err
    assert json.loads(said.out)["error"]["code"] == "gate"
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_the_index_lacks_is_named(tmp_path, monkeypatch, capsys):
    lock = tmp_path / "base.lock"
    lock.write_text(f"click==0.0.0.1 --hash=sha256:{'0' * 64}\n")
    monkeypatch.setattr(carried, "lock", lambda _name: lock)
    kit("--platform", PLATFORM, "--python", HERE, "-o", tmp_path / "kit.tar", status=54)
    assert f"pip finds no wheel of click 0.0.0.1 for {PLATFORM}, Python {HERE}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--channel", "a", "--root", "b"], 2, "give one of them"),
        (["--channel", "nowhere"], 55, "is not a directory"),
        (["--root", "nowhere"], 3, "nowhere"),
        (["--wheels", "nowhere"], 2, "does not exist"),
    ],
)
def test_a_path_that_is_not_there_is_one_line(words, status, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    kit("--platform", PLATFORM, "--python", HERE, "-o", "kit.tar", *words, status=status)
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_root_does_not_travel(tmp_path):
    (tmp_path / "1.root.json").write_text("{}")
    kit(
        "--platform",
        PLATFORM,
        "--python",
        HERE,
        "-o",
        tmp_path / "k",
        "--root",
        tmp_path / "1.root.json",
        status=10,
    )
    assert not (tmp_path / "k").exists()


# --- by its script ------------------------------------------------------------------------------


def test_a_wrong_python_is_refused_in_one_line(for_another_machine, tmp_path):
    done = install(for_another_machine, "--prefix", tmp_path / "opt")
    refuses(done, 40, f"this kit is for Python {OTHER}, and this is CPython {HERE}", "[incompatible]")
    assert not (tmp_path / "opt").exists()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("machine", "riscv64", "this kit is for riscv64, and this machine is "),
        ("glibc", [9, 99], "this kit needs glibc 9.99 or newer, and this machine has glibc 2."),
        ("schema", "sealift.kit/2", "this kit is not of the form 'sealift.kit/1'"),
    ],
)
def test_a_wrong_machine_is_refused_in_one_line(own_kit, tmp_path, key, value, said):
    described = json.loads((own_kit / "kit.json").read_text()) | {key: value}
    (own_kit / "kit.json").write_text(json.dumps(described))
    seal(own_kit)
    refuses(install(own_kit, "--prefix", tmp_path / "opt"), 40, said)
    assert not (tmp_path / "opt").exists()


def test_a_file_that_changed_is_found_by_the_documented_check_and_by_the_script(own_kit, tmp_path):
    (victim,) = own_kit.glob("wheels/onnxruntime-*.whl")
    with victim.open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"oops")
    name = str(victim.relative_to(own_kit))
    check = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    by_hand = subprocess.run(check, cwd=own_kit, capture_output=True, text=True, check=False)
    assert by_hand.returncode != 0
    assert by_hand.stdout == f"{name}: FAILED\n"
    refuses(install(own_kit, "--prefix", tmp_path / "opt"), 26, repr(name), "do not use this kit", "[digest]")
    victim.unlink()
    refuses(install(own_kit, "--prefix", tmp_path / "opt"), 10, repr(name), "is missing", "[malformed]")
    assert not (tmp_path / "opt").exists()


def test_a_link_never_replaces_what_somebody_else_put_there(unpacked, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sealift-keys").write_text("mine")
    done = install(unpacked, "--prefix", tmp_path / "opt", "--bin", tmp_path / "bin")
    refuses(done, 3, str(tmp_path / "bin" / "sealift-keys"), "is there and is not the link to")
    assert os.listdir(tmp_path / "bin") == ["sealift-keys"]
    assert not (tmp_path / "opt").exists()
