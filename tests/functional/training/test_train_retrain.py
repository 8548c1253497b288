"""`retrain`: from landed events to a staged version, the same every time, and refused where it is not better."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.gitlab.pipeline import rows
from support.gitlab.training import TOML, Training
from support.release.workbench import Workbench

from sealift_common.contents.reading import file_bytes
from sealift_pipeline.cli import command
from sealift_pipeline.erasure.erasing import erase
from sealift_pipeline.erasure.journal import Erasure
from sealift_pipeline.errors import ChallengerError, RetrainError
from sealift_pipeline.log.opening import open_log
from sealift_pipeline.runs.document import Run, digest
from sealift_pipeline.runs.handed_over import trained_in
from sealift_pipeline.training import retraining
from sealift_pipeline.training.champions.champion import open_model


@pytest.fixture
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Training:
    return Training(Workbench(tmp_path, monkeypatch))


def subject_of(training):
    """Somebody of whom there are rows, and how many there are."""
    return next(row["subjects"][0] for row in rows(training.settings) if row["subjects"])


def erase_somebody(training):
    with open_log(training.settings) as log:
        return erase(training.settings, training.settings.data_policy(), log, Erasure("t", (subject_of(training),)))


def test_a_first_version_a_better_one_and_one_that_is_not(training) -> None:
    # One label for all rows is right for all of a slice of it, and so a first version is judged without slices.
    training.write(toml=TOML + '[gate]\nslices = ["label"]\n')
    first = training.retrain()
    assert first.judgement.slices == ()
    assert (first.outcome, str(first.model)) == ("staged", "triage 1.0.0")
    assert first.judgement.overall.champion < 0.65
    assert first.judgement.overall.challenger > 0.8
    (staged,) = trained_in(training.channel)
    assert (staged.run.model, staged.released, staged.blob.digest) == (first.model, False, first.reference)
    assert staged.run.inputs["data_snapshot"] == staged.snapshot.digest
    assert (staged.snapshot.rows, staged.snapshot.upto) == (600, 600)
    assert staged.manifest.descriptor["revision"] == digest(staged.run.to_bytes())
    # The time of the newest event, not of this test.
    assert staged.manifest.descriptor["createdAt"].startswith("2026-11-23T")
    with open_model(staged) as model:
        assert model.predict({"weight": [9.0, 0.0], "estimate": [1.0, 1.0], "spent": [0.0, 0.0]}).tolist() == [
            "bug",
            "feature",
        ]
    golden = json.loads(file_bytes(staged.manifest, "golden.json", training.channel.blob))
    assert golden["examples"]
    described = json.loads(file_bytes(staged.manifest, "model.json", training.channel.blob))
    assert described["conversion"]["golden"] == "generated"
    # The same again, staged and released: nothing is trained.
    assert training.retrain(open_workers=None).outcome == "unchanged"
    training.release()
    assert training.retrain(open_workers=None).outcome == "unchanged"
    # More rows of the same kind make no better model.
    training.land(400)
    before = training.bench.plain()
    with pytest.raises(ChallengerError, match=r"triage 1\.1\.0 was not staged: not (surely )?better"):
        training.retrain()
    with pytest.raises(ChallengerError, match=r"^unchanged: triage 1\.1\.0 was refused before: not"):
        training.retrain(open_workers=None)
    assert training.bench.plain() == before
    folder = training.settings.folder / "runs" / "triage"
    refused = Run.parse((folder / "run.json").read_bytes())
    assert not refused.gate["passed"]
    assert refused.champion == {"digest": first.reference, "version": "1.0.0"}
    assert "Refused: not" in (folder / "run.html").read_text()
    # Other labels than before make the champion worse in every slice, and a better one passes.
    training.land(1_500, rule=lambda weight, _estimate: weight <= 4)
    training.write(toml=TOML + '[gate]\nslices = ["label"]\n')
    second = training.retrain()
    assert [one.value for one in second.judgement.slices] == ["bug", "feature"]
    assert str(second.model) == "triage 1.1.0"
    assert second.judgement.overall.low > 0
    page = second.page.read_text()
    assert "Passed the gate" in page
    assert "labels" in page
    assert page.count("<svg") == 2


def test_unchanged_is_said_without_a_library_that_trains(training) -> None:
    """A timer starts it every hour, and importing them takes seconds on a busy machine."""
    training.retrain()
    program = (
        "import json, sys\nfrom sealift_pipeline.cli import command\n"
        "command(['retrain', 'triage.toml', '--pipeline', 'events'], standalone_mode=False)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    said, modules = child.stdout.splitlines()
    assert said.startswith("unchanged triage 1.0.0 sha256:")
    heavy = {"pandas", "scipy", "sklearn", "skl2onnx", "onnx", "onnxruntime", "optuna", "pyarrow.dataset"}
    assert heavy & set(json.loads(modules)) == set()


def test_no_row_is_for_training_once_and_for_testing_another_time(training) -> None:
    from sealift_pipeline.snapshots.taking import take
    from sealift_pipeline.training.project.code import load_code
    from sealift_pipeline.training.rows import events_of, rows_of

    def parts():
        snapshot = take(training.settings, training.settings.data_policy(), "issue")
        table = events_of(training.settings.table_place, snapshot)
        assert not {"salt", "leaf"} & set(table.column_names)
        rows = rows_of(load_code(training.folder / "triage.py"), table, validation=0.1, test=0.2)
        return dict(zip(rows.ids, rows.parts.tolist(), strict=True)), rows.counts

    before, counts = parts()
    assert counts == {"train": 425, "validation": 61, "test": 114}
    training.land(200)
    after, _ = parts()
    assert {name: after[name] for name in before} == before


def test_rows_erased_during_a_retrain_are_refused_at_the_hand_over(training, monkeypatch) -> None:
    judged = retraining.hand_over

    def erased_first(*arguments):
        assert erase_somebody(training).rows["issue"] > 0
        return judged(*arguments)

    monkeypatch.setattr(retraining, "hand_over", erased_first)
    before = training.bench.plain()
    with pytest.raises(
        RetrainError, match=r"of the rows that triage 1\.0\.0 was trained on were erased meanwhile; .*: retrain"
    ):
        training.retrain()
    assert training.bench.plain() == before
    assert not training.channel.staged()
    monkeypatch.undo()


def test_an_erasure_names_the_models_that_saw_the_rows_and_no_others(training, call) -> None:
    training.retrain()
    training.release()
    # The second one was trained on more; who is only among those touches it alone.
    training.write(toml=TOML + '[gate]\nrule = "no_worse"\nmargin = 0.2\n')
    training.land(60, users=60, seed=77)
    training.retrain()
    named = erase_somebody_of(training, after=600)
    assert [str(one.model) for one in named.models.models] == ["triage 1.1.0"]
    assert [one.released for one in named.models.models] == [False]
    status, out, _ = call(
        command, "erase", "--pipeline", training.settings.folder, "--user-id", "9999", "--request", "t2"
    )
    assert (status, "was trained on" in out) == (0, False)
    done = erase_of(training, subject_of(training))
    assert [str(one.model) for one in done.models.models] == ["triage 1.0.0", "triage 1.1.0"]
    lines = list(done.models.lines())
    assert lines[0].endswith("was trained on erased rows: retrain it, then withdraw triage 1.0.0")
    assert lines[1].endswith("was trained on erased rows: retrain it, before it is released")
    # A channel that is gone is named, for nobody can say what it holds.
    (training.folder / "ch").rename(training.folder / "elsewhere")
    gone = erase_of(training, subject_of(training))
    assert "look there yourself" in next(gone.models.lines())


def erase_of(training, subject):
    with open_log(training.settings) as log:
        return erase(training.settings, training.settings.data_policy(), log, Erasure("t", (subject,)))


def erase_somebody_of(training, *, after):
    """Erase somebody who has rows behind a number, and none before."""
    found = rows(training.settings)
    early = {one for row in found if row["seq"] <= after for one in row["subjects"]}
    late = [one for row in found if row["seq"] > after for one in row["subjects"] if one not in early]
    return erase_of(training, late[0])
