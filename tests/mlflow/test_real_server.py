"""The client's calls against MLflow's own server: `make mlflow`. MLFLOW_PYTHON is the Python that has it."""

import os
from pathlib import Path

import pytest
from support import registry_calls
from support.servers.mlflow_server import call, mlflow_server

from sealift.registry.access import Access
from sealift.registry.models.client import open_registry
from sealift.registry.models.place import RegistryPlace


@pytest.fixture(scope="module")
def python():
    return Path(os.environ["MLFLOW_PYTHON"]).absolute()


@pytest.fixture(scope="module")
def url(python, tmp_path_factory):
    with mlflow_server(python, tmp_path_factory.mktemp("mlflow") / "server") as url:
        yield url


@pytest.fixture
def registry(url):
    with open_registry(RegistryPlace.parse(url), Access(), environment={}) as found:
        yield found


def test_the_calls(registry, url):
    def begin_run():
        experiment = call(url, "experiments/create", {"name": "triage"})["experiment_id"]
        info = call(url, "runs/create", {"experiment_id": experiment})["run"]["info"]
        return info["artifact_uri"], info["run_id"]

    version = registry_calls.make(registry, begin_run)
    registry_calls.check(registry, version, "1")
