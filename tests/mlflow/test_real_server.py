"""The client's calls against MLflow's own server: `make mlflow`. MLFLOW_PYTHON is the Python that has it."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from support import registry_calls
from support.gitlab.trained import write_recipe
from support.servers.mlflow_server import call, mlflow_server

from sealift.limits import LIMITS
from sealift.registry.access import Access
from sealift.registry.models.answers import RegisteredFile
from sealift.registry.models.client import open_registry
from sealift.registry.models.place import RegistryPlace
from sealift_bundler.cli import command


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
    # The server says of no file how long it is.
    data = b"\x5a" * (LIMITS.http_unsized_bytes + 3)
    registry.put_file(registry.run(version.run_id).artifact_uri, "large.bin", len(data), lambda: [data])
    given = registry.chunks(registry.folder("triage", version), RegisteredFile("large.bin", len(data)))
    assert hashlib.sha256(b"".join(given)).digest() == hashlib.sha256(data).digest()


TRAIN = """
import mlflow, sys
from mlflow import MlflowClient
import numpy as np
from sklearn.linear_model import LogisticRegression
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("sources")
rows = np.random.default_rng(1).normal(size=(60, 2))
with mlflow.start_run():
    model = LogisticRegression().fit(rows, rows[:, 0] > 0)
    mlflow.sklearn.log_model(model, name="model", registered_model_name="logged", serialization_format="pickle")
"""


def test_a_model_that_mlflows_own_client_logged_becomes_a_release(python, url, tmp_path, call, channel, monkeypatch):
    """With the library of the training job, and the scikit-learn of ours."""
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    done = subprocess.run([python, "-c", TRAIN, url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    recipe = write_recipe(tmp_path, url, None, "mlflow://models/logged/1")
    status, _, err = call(command, "add", recipe, "--channel", channel.directory)
    assert (status, 'source_digest = "sha256:' in err) == (56, True), err
    digest = err.partition('source_digest = "')[2][:71]
    recipe = write_recipe(tmp_path, url, digest, "mlflow://models/logged/1")
    status, out, err = call(command, "add", recipe, "--channel", channel.directory)
    assert status == 0, err
    assert "rows agree with the trained model itself" in out
