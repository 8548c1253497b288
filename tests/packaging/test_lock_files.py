"""The lock files pin everything, and name no place to fetch it from."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").rglob("*.lock"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BASE = PROJECT["dependencies"]
# Not in the lock files: keys in a cloud, which no test can reach, and what fills gigabytes.
UNLOCKED = {"awskms", "gcpkms", "azurekms", "vault", "torch", "keras"}
EXTRAS = PROJECT["optional-dependencies"]
EVERYTHING = [*BASE, *(line for name, lines in EXTRAS.items() if name not in UNLOCKED for line in lines)]

every_lock = pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)


def entries(lock: Path) -> list[str]:
    """Each requirement with its hashes on one line, comments dropped."""
    lines = [line for line in lock.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    return "\n".join(lines).replace("\\\n", " ").splitlines()


def pins(lock: Path) -> dict[str, str]:
    """Name to version, as pinned."""
    found = {}
    for entry in entries(lock):
        requirement = Requirement(entry.split("--hash")[0].strip())
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        name = canonicalize_name(requirement.name)
        assert name not in found, f"{name} is pinned twice"
        found[name] = pin.version
    return found


def test_there_is_one_lock_for_users_one_for_developers_some_for_kits_and_others_for_one_target() -> None:
    environments = [
        "helm",
        "kserve",
        "mlflow",
        "mlserver",
        "moto",
        "oldest",
        "packages",
        "pandas-2.2",
        "pandas-2.3",
        "tritonclient",
    ]
    names = ["base", "dev", *(f"environments/{name}" for name in environments), "kit", "serve", "text"]
    assert [str(lock.relative_to(ROOT / "requirements")) for lock in LOCKS] == [f"{name}.lock" for name in names]


@every_lock
def test_a_lock_carries_no_address_and_no_path(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert not re.findall(r"://|\S*/\S*|--(?!hash=)\S*|\bfile:", text)


def test_the_lock_of_the_component_s_test_does_so_too() -> None:
    """npm's form: names, versions and hashes; what lies beside the lock has none."""
    text = (ROOT / "requirements" / "environments" / "gitlab-ci-local" / "package-lock.json").read_text(
        encoding="utf-8"
    )
    assert "://" not in text
    packages = json.loads(text)["packages"]
    asked = packages.pop("")["dependencies"]
    assert packages["node_modules/gitlab-ci-local"]["version"] == asked["gitlab-ci-local"]
    assert packages.pop("re2")["version"] == "1.24.0"
    assert packages.pop("node_modules/re2") == {"resolved": "re2", "link": True}
    assert all(re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", one["integrity"]) for one in packages.values())
    assert not any("resolved" in one for one in packages.values())


@every_lock
def test_every_entry_has_a_sha256(lock: Path) -> None:
    for entry in entries(lock):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry.split()[0]
        assert len(re.findall(r"--hash=", entry)) == len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry))


@pytest.mark.parametrize(("name", "wanted"), [("base.lock", BASE), ("dev.lock", EVERYTHING)])
def test_a_lock_fits_what_the_project_asks_for(name: str, wanted: list[str]) -> None:
    pinned = pins(ROOT / "requirements" / name)
    for line in wanted:
        requirement = Requirement(line)
        version = pinned.get(canonicalize_name(requirement.name), "nothing")
        assert requirement.specifier.contains(version, prereleases=True), f"{line} but {version}; run: make lock"


def test_users_and_developers_get_the_same_versions() -> None:
    base, dev = (pins(ROOT / "requirements" / name) for name in ("base.lock", "dev.lock"))
    assert {name: version for name, version in base.items() if dev.get(name) != version} == {}


def test_the_build_back_end_is_locked() -> None:
    # `pip install --no-build-isolation` takes it from there, never unpinned from an index.
    assert "hatchling" in pins(ROOT / "requirements" / "dev.lock")
