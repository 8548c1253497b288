"""The champion of a registry: verified as an instance does, and a job without the channel retrains against it."""

import json
from pathlib import Path
from shutil import copytree, rmtree

import pytest
from support.gitlab.training import TOML, Training
from support.release.workbench import Workbench
from support.servers.registry_server import docker_registry

from sealift.cli import cli
from sealift.errors import Error, RollbackError, RootError, UnreviewedError
from sealift_pipeline.cli import command
from sealift_pipeline.runs.document import Run
from sealift_pipeline.training.champions import fetching

CHAMPION = """
[gate]
rule = "no_worse"
margin = 0.2

[gate.champion]
registry = "%s"
root = "root.json"
"""
ELSEWHERE = TOML.replace('channel = "ch"\n', "")


@pytest.fixture
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Training:
    """A first version is released and packed, and the job has its root and no channel."""
    made = Training(Workbench(tmp_path, monkeypatch), 560)
    made.retrain()
    made.release()
    assert made.bench.bundler("pack", "--channel", "ch", "-o", "one.tar")[0] == 0
    (tmp_path / "root.json").write_bytes((tmp_path / "ch/tuf/1.root.json").read_bytes())
    return made


def without_channel(training, address):
    (training.folder / "ch").rename(training.folder / "away")
    training.write(toml=ELSEWHERE + CHAMPION % address)


def copy_of(training):
    return training.settings.folder / "champions" / "triage"


def test_a_job_without_the_channel_retrains_against_a_registry(training, tmp_path, call) -> None:
    with docker_registry(tmp_path / "registry") as server:
        address = f"oci://{server.host}/models/triage"
        status, _, err = call(cli, "push", "one.tar", address)
        assert status == 0, err
        released = training.channel.released()
        without_channel(training, address)
        # What is released has the same inputs but for the project's file, which names the registry now.
        training.land(60)
        done = training.retrain()
        assert (done.outcome, str(done.model), done.channel) == ("staged", "triage 1.1.0", copy_of(training))
        run = Run.parse((training.settings.folder / "runs/triage/run.json").read_bytes())
        (model, blob), *_ = released.items()
        assert run.champion == {"digest": blob.digest, "version": str(model.version)}
        status, out, err = call(command, "retrain", "triage.toml", "--pipeline", "events", "--json")
        assert (status, json.loads(out)["outcome"]) == (0, "unchanged"), err
        status, out, err = call(command, "drift", "triage.toml", "--pipeline", "events", "--json")
        assert (status, json.loads(out)["version"]) == (0, "1.1.0"), err
    # What it staged is carried to where the keys are, and released there.
    (tmp_path / "away").rename(tmp_path / "ch")
    for part in ("staged", "blobs"):
        copytree(copy_of(training) / part, tmp_path / "ch" / part, dirs_exist_ok=True)
    training.release()
    assert [str(one) for one in training.channel.released()] == ["triage 1.0.0", "triage 1.1.0"]


def test_a_channel_of_its_own_is_staged_in_and_compared_with_the_registry(training) -> None:
    training.write(toml=TOML + CHAMPION % "one.tar")
    training.land(60)
    done = training.retrain()
    assert (str(done.model), done.channel) == ("triage 1.1.0", training.folder / "ch")
    assert not (copy_of(training) / "staged").exists()


def test_an_older_release_than_was_seen_is_refused_and_changes_nothing(training) -> None:
    first = (training.folder / "one.tar").read_bytes()
    training.write(toml=TOML + CHAMPION % "one.tar")
    training.land(60)
    training.retrain()
    training.release()
    assert training.bench.bundler("pack", "--channel", "ch", "-o", "two.tar")[0] == 0
    (training.folder / "one.tar").write_bytes((training.folder / "two.tar").read_bytes())
    training.land(20)
    training.retrain()
    before = below(copy_of(training))
    (training.folder / "one.tar").write_bytes(first)
    training.land(20)
    refused(training, RollbackError, "already accepted version", before)


def test_another_root_and_a_changed_byte(training, channel) -> None:
    training.write(toml=TOML + CHAMPION % "one.tar")
    training.land(20)
    (training.folder / "root.json").write_bytes(channel.root_bytes)
    refused(training, RootError, "root", {})
    (training.folder / "root.json").write_bytes((training.folder / "ch/tuf/1.root.json").read_bytes())
    data = bytearray((training.folder / "one.tar").read_bytes())
    data[-2_000] ^= 1
    (training.folder / "one.tar").write_bytes(data)
    with pytest.raises(Error) as caught:
        training.retrain()
    assert caught.value.exit_code in range(10, 30)
    assert not list(copy_of(training).rglob("*.json"))


def test_a_blob_of_the_copy_that_somebody_changed_is_not_opened(training) -> None:
    training.write(toml=TOML + CHAMPION % "one.tar")
    training.land(60)
    training.retrain()
    rmtree(training.folder / "ch" / "staged")
    folder = copy_of(training) / "blobs" / "sha256"
    largest = max(folder.iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.write_bytes(data)
    # Fetched again, whole.
    training.land(20)
    assert training.retrain().outcome == "staged"


def test_a_version_that_root_does_not_let_through_is_no_champion(training, monkeypatch) -> None:
    """What root requires of reviews is judged as an install judges it; test_root_demands has the judgement itself."""
    training.write(toml=TOML + CHAMPION % "one.tar")
    training.land(20)
    monkeypatch.setattr(fetching, "unmet", lambda policy, *_: [f"policy {policy.digest!r}: lacks the role legal"])
    refused(training, UnreviewedError, "1 version not approved .* triage 1.0.0: policy '': lacks the role legal", {})


def below(folder):
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()} if folder.exists() else {}


def refused(training, error, match, before):
    plain = training.bench.plain()
    with pytest.raises(error, match=match):
        training.retrain()
    assert below(copy_of(training)) == before
    assert training.bench.plain() == plain
