"""The client's calls against GitLab's routes; `make mlflow` makes the same against MLflow's own server."""

import hashlib
from functools import partialmethod

import pytest
from support import registry_calls
from support.gitlab.model_registry import READS, WRITES, Fault, Handler, model_registry

from sealift.errors import LocalError, UsageError
from sealift.limits import LIMITS
from sealift.registry.access import Access
from sealift.registry.models import client
from sealift.registry.models.answers import RegisteredFile
from sealift.registry.models.client import open_registry
from sealift.registry.models.place import RegistryPlace


@pytest.fixture
def gitlab():
    with model_registry() as server:
        yield server


@pytest.fixture
def registry(gitlab):
    with open_registry(RegistryPlace.parse(gitlab.address), Access(), environment={"GITLAB_TOKEN": WRITES}) as found:
        yield found


def test_the_calls(registry):
    version = registry_calls.make(registry, lambda: ("", ""))
    # What GitLab's answers call the version is a number of the whole instance, which its own `get` does not find.
    assert version.number == "731"
    assert registry.version("triage", version.number) is None
    registry_calls.check(registry, version, "1.4.0")


def test_files_come_from_object_storage_which_gets_no_token(registry, gitlab):
    version = registry_calls.make(registry, lambda: ("", ""))
    gitlab.elsewhere = True
    registry_calls.check(registry, version, "1.4.0")
    stored = [headers for _, path, headers, _ in gitlab.asked if path.startswith("/storage/")]
    assert len(stored) == 3
    assert not any("Authorization" in headers for headers in stored)


def test_a_large_file_from_a_server_that_says_no_length(registry, gitlab):
    """As MLflow's own server gives it; bounded by the length in its list."""
    version = registry_calls.make(registry, lambda: ("", ""))
    data = b"\x5a" * (LIMITS.http_unsized_bytes + 3)
    gitlab.models.version("triage", "1.4.0")["run"].files["large.bin"] = data
    gitlab.unsized = True
    folder, seen, most = registry.folder("triage", version), hashlib.sha256(), 0
    for piece in registry.chunks(folder, RegisteredFile("large.bin", len(data))):
        seen.update(piece)
        most = max(most, len(piece))
    assert seen.digest() == hashlib.sha256(data).digest()
    assert most <= 1024 * 1024
    with pytest.raises(LocalError, match="which is longer than its 5 bytes in the list"):
        list(registry.chunks(folder, RegisteredFile("large.bin", 5)))
    with pytest.raises(LocalError, match="3 bytes shorter than its"):
        list(registry.chunks(folder, RegisteredFile("large.bin", len(data) + 3)))


def test_a_server_that_gives_a_file_byte_by_byte_is_bounded(registry, gitlab, monkeypatch):
    version = registry_calls.make(registry, lambda: ("", ""))
    data = b"\x5a" * 20_000
    gitlab.models.version("triage", "1.4.0")["run"].files["large.bin"] = data
    gitlab.unsized = True
    monkeypatch.setattr(Handler, "say_in_chunks", partialmethod(Handler.say_in_chunks, size=1))
    monkeypatch.setattr(client, "LIMITS", LIMITS._replace(http_unsized_bytes=1))
    with pytest.raises(LocalError, match=r"'large\.bin' in too small pieces"):
        list(registry.chunks(registry.folder("triage", version), RegisteredFile("large.bin", len(data))))


def test_a_model_without_versions(registry):
    registry.create_model("triage", "")
    assert registry.latest("triage") is None


def test_a_version_that_is_there_is_not_made_twice(registry):
    registry.create_model("triage", "")
    assert registry.create_version("triage", {"gitlab.version": "1.0.0"}, "")
    assert registry.create_version("triage", {"gitlab.version": "1.0.0"}, "") is None
    with pytest.raises(LocalError, match="Version must be semantic version"):
        registry.create_version("triage", {"gitlab.version": "1.0"}, "")


def test_the_newest_is_the_highest_semver(registry):
    registry.create_model("triage", "")
    for version in ("1.10.0", "1.9.0"):
        registry.create_version("triage", {"gitlab.version": version}, "")
    assert registry.latest("triage").version == "1.10.0"


def test_the_tracking_address_of_a_project_is_the_same_registry(gitlab, registry):
    registry.create_model("triage", "")
    place = RegistryPlace.parse(f"{gitlab.url}/api/v4/projects/models%2Ftriage/ml/mlflow/")
    assert place.is_gitlab
    with open_registry(place, Access(), environment={"MLFLOW_TRACKING_TOKEN": READS}) as reader:
        assert reader.latest("triage") is None
        with pytest.raises(LocalError, match="refuses the one given"):
            reader.create_model("other", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gitlab://host/a%2Fb/package", "names a package"),
        ("https://user:secret@host/mlflow", "takes no login"),
        ("gitlab://user:secret@host/a%2Fb", "takes no user"),
        ("ftp://host/", "not a registry"),
        ("https:///x", "not a registry"),
        ("https://host/a?token=x", "not a registry"),
        ("https://host:99999/", "not a registry"),
        ("https://host/%2e%2e/admin", "not a registry"),
        ("host/a", "not a registry"),
    ],
)
def test_addresses_that_are_none(text, said):
    with pytest.raises(UsageError, match=said) as refused:
        RegistryPlace.parse(text)
    assert "secret" not in str(refused.value)


def test_a_server_that_asks_to_wait_gets_its_way(registry, gitlab, monkeypatch):
    waited = []
    monkeypatch.setattr("sealift.registry.session.time.sleep", waited.append)
    gitlab.faults.append(Fault("POST", "registered-models/create", 429, headers={"Retry-After": "7"}, times=2))
    assert registry.create_model("triage", "")
    assert waited == [7.0, 7.0]
    gitlab.faults.append(Fault("GET", "model-versions/get", 429, headers={"Retry-After": "3600"}))
    with pytest.raises(LocalError, match=r"is busy \(HTTP 429.* asks to come back in 3,600 s"):
        registry.version("triage", "1.0.0")
