"""`reproduce`: a run comes out the same again, or the message says what is not as it was.

Here it runs in this environment; `make reproduce` makes a fresh one from the lock file.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from support.gitlab.pipeline import rows
from support.gitlab.training import CODE, TOML, Training, here
from support.release.workbench import Workbench

from sealift.errors import DigestError
from sealift_pipeline.cli import command
from sealift_pipeline.erasure.erasing import erase
from sealift_pipeline.erasure.journal import Erasure
from sealift_pipeline.errors import ProjectError, RetrainError
from sealift_pipeline.log.opening import open_log
from sealift_pipeline.training.reproducing import read_given, reproduce


@pytest.fixture(scope="module")
def training(tmp_path_factory) -> Training:
    """Two runs, the second one against a champion."""
    with pytest.MonkeyPatch.context() as patch:
        training = Training(Workbench(tmp_path_factory.mktemp("made"), patch), 560)
        training.retrain()
        training.release()
        training.land(900, rule=lambda weight, estimate: weight > 4 or estimate > 60)
        training.retrain()
        # What comes later changes nothing.
        training.land(50)
        yield training


@pytest.fixture
def given(training, monkeypatch):
    monkeypatch.chdir(training.folder)
    training.write(code=CODE, toml=TOML)
    return read_given(training.settings.folder / "runs" / "triage" / "run.json")


def again(training, given):
    reproduce(given, training.project, training.settings, open_workers=here)


def test_a_run_comes_out_the_same(training, given) -> None:
    assert given.run.champion["version"] == "1.0.0"
    again(training, given)


@pytest.mark.parametrize(
    ("code", "toml", "message"),
    [
        (CODE + "\n", TOML, r"triage\.py is sha256:\w+, and triage:?.?1\.1\.0 was made with sha256"),
        (CODE, TOML + "\n", r"triage\.toml is sha256:\w+, and triage"),
    ],
    ids=["code", "project"],
)
def test_another_file(training, given, code, toml, message) -> None:
    training.write(code=code, toml=toml)
    with pytest.raises(ProjectError, match=message):
        again(training, given)


def test_a_run_of_another_lock_is_refused_before_anything_is_installed(training, given, call, monkeypatch) -> None:
    lock = training.folder / "requirements.lock"
    right = lock.read_bytes()
    monkeypatch.setattr("sealift_pipeline.training.reproducing.in_fresh_environment", None)
    lock.write_bytes(right + b"# another\n")
    status, _, err = call(
        command, "reproduce", "events/runs/triage/run.json", "--project", "triage.toml", "--pipeline", "events"
    )
    lock.write_bytes(right)
    assert (status, "requirements.lock is sha256:" in err) == (77, True), err


def test_what_came_out_differently_is_named(training, given) -> None:
    run = given.run
    wrong = replace(run, files={**run.files, "model.onnx": "sha256:" + "0" * 64})
    with pytest.raises(DigestError, match=r"model\.onnx came out as sha256:\w+, and the run made sha256:0000"):
        again(training, replace(given, run=wrong))
    with pytest.raises(DigestError, match=r"run\.json came out differently in params$"):
        again(training, replace(given, run=replace(run, params={"max_depth": 77})))
    machine = {**run.machine, "architecture": "s390x"}
    with pytest.raises(DigestError, match=r"differently in machine; it was made on a machine with another processor"):
        again(training, replace(given, run=replace(run, machine=machine)))
    with pytest.raises(RetrainError, match=r"was compared with triage 0\.9\.0, which 'ch' does not have|does not have"):
        again(training, replace(given, run=replace(run, champion={"digest": "sha256:1", "version": "0.9.0"})))


def test_another_data_snapshot_beside_it(training, given, tmp_path: Path) -> None:
    folder = training.settings.folder / "runs" / "triage"
    (tmp_path / "run.json").write_bytes((folder / "run.json").read_bytes())
    other = (folder / "data-snapshot.json").read_bytes().replace(b'"rows":1460', b'"rows":1459')
    (tmp_path / "data-snapshot.json").write_bytes(other)
    with pytest.raises(DigestError, match=r"data-snapshot\.json beside run\.json is sha256:\w+, and the run used"):
        read_given(tmp_path / "run.json")


def test_erased_rows_do_not_come_back(training, given) -> None:
    """The last one: it changes what the others share."""
    settings = training.settings
    who = next(row["subjects"][0] for row in rows(settings) if row["subjects"])
    with open_log(settings) as log:
        erase(settings, settings.data_policy(), log, Erasure("t", (who,)))
    with pytest.raises(RetrainError, match=r"\d+ of the rows of triage\S*.1\.1\.0 were erased since; .*: retrain"):
        again(training, given)
