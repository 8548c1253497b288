"""A kit is installed, gives way to a newer one, and comes back; what it installed makes kits too."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.kits.real import HERE, PLATFORM, install, name_of, refuses, seal, unpack
from support.kits.stand_in import make_kit

import sealift

pytestmark = pytest.mark.slow


def lack_the_runtime(folder: Path) -> None:
    """Make of it a kit whose Sealift finds a problem, with all hashes as they must be."""
    (requirements,) = folder.glob("requirements/*.txt")
    text = requirements.read_text()
    requirements.write_text(re.sub(r"^(onnxruntime|numpy)==.*\n(?: .*\n)*", "", text, flags=re.MULTILINE))
    assert requirements.read_text() != text
    seal(folder)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Where the kit is installed, with the store and the links."""
    return tmp_path_factory.mktemp("installed")


@pytest.fixture(scope="module")
def words(place) -> list[object]:
    links = ("--bin", place / "bin", "--man", place / "man", "--completion", place / "completion")
    return ["--prefix", place / "opt", *links]


@pytest.fixture(scope="module")
def places(place) -> dict[str, str]:
    return {"SEALIFT_STORE": str(place / "store"), "SEALIFT_TRUST": str(place / "etc")}


@pytest.fixture(scope="module")
def prefix(place, unpacked, words, places) -> Path:
    """The kit, installed where settings would keep pip from installing anything, if they reached it."""
    hostile = {"PIP_REQUIRE_VIRTUALENV": "1", "PIP_TARGET": str(place / "else")}
    done = install(unpacked, *words, **places, **hostile)
    assert done.returncode == 0, done.stderr
    return place / "opt"


def test_a_newer_kit_takes_over_only_when_it_works_and_the_older_one_comes_back(
    place, prefix, words, places, unpacked, own_kit, pip, tmp_path
):
    """The newer Sealift is a stand-in; `make bare` upgrades a real one to a real one."""
    assert not (place / "else").exists()
    one = os.readlink(prefix / "current")
    said = subprocess.run([place / "bin" / "sealift", "--version"], capture_output=True, text=True, check=True).stdout
    assert said == f"sealift {sealift.__version__}\n"
    page = place / "man" / "man1" / "sealift.1"
    assert page.read_bytes() == (unpacked / "man" / "man1" / "sealift.1").read_bytes()
    assert "_SEALIFT_KEYS_COMPLETE" in (place / "completion" / "sealift-keys").read_text()
    unit = "deploy/systemd/sealift-serve.service"
    assert (prefix / "current" / "share" / "sealift" / unit).read_bytes() == (unpacked / unit).read_bytes()
    assert not list((prefix / "current").glob("lib/python*/site-packages/pip"))

    # The same kit again changes nothing, and takes what an interrupted run left for what it is.
    before = (prefix / one).stat().st_ino
    again = install(unpacked, *words, **places)
    assert (again.returncode, os.readlink(prefix / "current"), (prefix / one).stat().st_ino) == (0, one, before)
    refuses(install(unpacked, "--prefix", prefix, "--roll-back"), 3, "there is no earlier Sealift")

    lack_the_runtime(own_kit)
    refuses(
        install(own_kit, *words, **places),
        40,
        "the new Sealift has problems here, so nothing was switched: ",
        "ONNX Runtime",
    )
    assert os.readlink(prefix / "current") == one
    assert not (prefix / "previous").is_symlink()

    newer = make_kit(tmp_path / "newer", sealift.__version__, pip)
    half = prefix / "environments" / name_of(newer)
    half.mkdir()
    (half / "pyvenv.cfg").write_text("left by an interrupted run")
    second = install(newer, *words, **places)
    assert second.returncode == 0, second.stderr
    two = os.readlink(prefix / "current")
    assert two == f"environments/{name_of(newer)}"
    assert os.readlink(prefix / "previous") == one
    assert f"previous: {Path(one).name}" in second.stdout

    for expected in (one, two):
        # Without a kit, by the copy of the script that the environment has.
        back = install(prefix / "current", "--prefix", prefix, "--roll-back")
        assert (back.returncode, back.stderr) == (0, "")
        assert os.readlink(prefix / "current") == expected
    assert {path.name for path in prefix.iterdir()} == {".lock", "environments", "current", "previous"}


def test_an_installed_sealift_makes_kits_too(prefix, unpacked, tmp_path):
    """In an environment with nothing of the checkout; what making adds to the base install is put next to it."""
    beside = tmp_path / "beside"
    beside.mkdir()
    for name in ("markdown_it", "mdurl", "rfc8785"):
        module = sys.modules.get(name) or __import__(name)
        (beside / name).symlink_to(Path(str(module.__file__)).parent)
    environment = prefix / "environments" / name_of(unpacked)
    made = [environment / "bin" / "sealift-bundler", "kit", "--platform", PLATFORM, "--python", HERE]
    made += ["--wheels", unpacked / "wheels", "--root", unpacked / "1.root.json", "-o", tmp_path / "kit.tar"]
    variables = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(beside)}
    done = subprocess.run(made, env=variables, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    again = unpack(tmp_path / "kit.tar", tmp_path / "again")
    # Only Sealift's wheel is another zip, and what depends on its digest; inside it all is the same.
    changed = {"SHA256SUMS", "kit.json", f"requirements/cp{HERE.replace('.', '')}.txt"}
    for path in (path for path in unpacked.rglob("*") if path.is_file()):
        name = str(path.relative_to(unpacked))
        if name not in changed and not name.startswith("wheels/sealift-"):
            assert (again / name).read_bytes() == path.read_bytes(), name
    contents = []
    for folder in (unpacked, again):
        (wheel,) = folder.glob("wheels/sealift-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            contents.append({name: archive.read(name) for name in archive.namelist()})
    for files in contents:
        (record,) = (name for name in files if name.endswith("/RECORD"))
        files[record] = b"\n".join(sorted(files[record].splitlines()))
    assert contents[0] == contents[1]

    (edited,) = environment.glob("lib/python*/site-packages/sealift/limits.py")
    edited.write_text(edited.read_text() + "\n# edited on this machine\n")
    done = subprocess.run(made, env=variables, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 54
    assert "sealift/limits.py' is not what was installed" in done.stderr
