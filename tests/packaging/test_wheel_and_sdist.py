"""The distribution as a product: exactly what a user downloads, and nothing else."""

import subprocess
import sys
import tarfile
import zipfile
from configparser import ConfigParser
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGES = {"sealift", "sealift_bundler", "sealift_common", "sealift_keys", "sealift_pipeline"}
KIT = "sealift_bundler/kit/"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, and the wheel from the sdist, as a release does."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    build = subprocess.run(command, capture_output=True, text=True, check=False)
    assert build.returncode == 0, build.stdout + build.stderr
    return out


@pytest.fixture(scope="module")
def wheel(dist: Path) -> zipfile.ZipFile:
    (path,) = dist.glob("*.whl")
    assert path.name.endswith("-py3-none-any.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return HeaderParser().parsestr(wheel.read(name).decode())


def test_the_wheel_holds_the_five_packages_and_its_metadata(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert len(tops) == len(PACKAGES) + 1


def test_the_wheel_holds_source_and_type_markers_only(wheel: zipfile.ZipFile) -> None:
    files = [name for name in wheel.namelist() if ".dist-info/" not in name]
    markers = {f"{package}/py.typed" for package in PACKAGES}
    templates = (ROOT / "bundler" / "sealift_pipeline" / "settings" / "templates").iterdir()
    data = {"sealift_common/review/questionnaire.toml"}
    data |= {path.relative_to(ROOT / "bundler").as_posix() for path in templates}
    assert {name for name in files if not name.endswith(".py") and not name.startswith(KIT)} == markers | data
    assert not [name for name in files if {"test", "tests"} & set(name.split("/")) or "/test_" in name]


def test_the_wheel_holds_every_module_of_the_tree(wheel: zipfile.ZipFile) -> None:
    modules = {
        path.relative_to(wing).as_posix()
        for wing in (ROOT / "bundler", ROOT / "common", ROOT / "loader", ROOT / "keys")
        for path in wing.rglob("*.py")
    }
    assert modules == {name for name in wheel.namelist() if name.endswith(".py")}


def test_the_wheel_holds_what_a_kit_is_made_from(wheel: zipfile.ZipFile) -> None:
    carried = {name for name in wheel.namelist() if name.startswith(KIT) and not name.endswith(".py")}
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")}
    pages |= {
        path.relative_to(ROOT).as_posix() for kind in ("*.ipynb", "*.svg") for path in (ROOT / "docs").rglob(kind)
    }
    locks = {f"requirements/{lock}.lock" for lock in ("base", "kit", "serve", "text")}
    units = {path.relative_to(ROOT).as_posix() for path in (ROOT / "deploy" / "systemd").iterdir()}
    alerts = {path.relative_to(ROOT).as_posix() for path in (ROOT / "deploy").glob("prometheus-*.yml")}
    assert units
    assert alerts
    # They lie where the wheel has them.
    in_place = {KIT + "licenses/tokenizers.txt", KIT + "pages/search.js"}
    assert carried == {KIT + name for name in pages | locks | units | alerts} | in_place
    for name in carried - in_place:
        assert wheel.read(name) == (ROOT / name.removeprefix(KIT)).read_bytes()


def test_the_sdist_holds_the_source_and_nothing_of_the_workshop(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = archive.getnames()
    tops = {name.split("/")[1] for name in names}
    assert tops == {
        ".gitignore",
        "CHANGELOG.md",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "bundler",
        "common",
        "deploy",
        "docs",
        "keys",
        "loader",
        "pyproject.toml",
        "requirements",
    }


def test_the_sdist_holds_every_file_for_admins(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        carried = {name.partition("/")[2] for name in archive.getnames()}
        carried = {name for name in carried if name.startswith("deploy/")}
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "deploy").rglob("*") if path.is_file()}
    assert len(files) > 8
    assert carried == files


def test_the_console_scripts_are_the_four_commands(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))
    entry_points = ConfigParser()
    entry_points.read_string(wheel.read(name).decode())
    assert dict(entry_points["console_scripts"]) == {
        "sealift": "sealift.cli:main",
        "sealift-bundler": "sealift_bundler.cli:main",
        "sealift-keys": "sealift_keys.cli:main",
        "sealift-pipeline": "sealift_pipeline.cli:main",
    }


def test_the_license_travels_with_the_wheel(wheel: zipfile.ZipFile, metadata: Message) -> None:
    assert metadata["License-Expression"] == "MIT"
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/licenses/LICENSE"))
    assert wheel.read(name) == (ROOT / "LICENSE").read_bytes()


def test_the_version_is_the_one_that_the_package_says(metadata: Message) -> None:
    code = "import sealift; print(sealift.__version__)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert metadata["Version"] == said.stdout.strip()


def test_exactly_the_tested_python_versions_are_accepted(metadata: Message) -> None:
    accepted = SpecifierSet(metadata["Requires-Python"])
    assert [minor for minor in range(30) if f"3.{minor}.0" in accepted] == [11, 12, 13, 14]


def test_the_base_install_depends_on_exactly_the_documented_list(metadata: Message) -> None:
    requirements = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    base = {
        canonicalize_name(requirement.name)
        for requirement in requirements
        if "extra" not in str(requirement.marker or "")
    }
    assert base == {
        "backports-zstd",
        "click",
        "cryptography",
        "numpy",
        "onnxruntime",
        "packaging",
        "securesystemslib",
        "tuf",
        "urllib3",
    }


def test_the_extras_are_bundler_dev_serve_text_where_keys_live_and_where_models_come_from(metadata: Message) -> None:
    keys = {"hsm", "awskms", "gcpkms", "azurekms", "vault"}
    sources = {"xgboost", "lightgbm", "catboost", "skops", "torch", "keras"}
    pipeline = {"pipeline", "pipeline-nats", "pipeline-postgresql"}
    assert set(metadata.get_all("Provides-Extra", [])) == {
        "bundler",
        "dev",
        "serve",
        "text",
        *keys,
        *sources,
        *pipeline,
    }
