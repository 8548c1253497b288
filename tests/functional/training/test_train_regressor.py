"""A regressor: tuned, gated by its errors, converted and staged; and a classifier whose classes count alike."""

import json
from pathlib import Path

import pytest
from support.gitlab.training import CODE, TOML, Training
from support.release.workbench import Workbench

from sealift_pipeline.cli import command
from sealift_pipeline.errors import ChallengerError
from sealift_pipeline.runs.document import Run
from sealift_pipeline.runs.handed_over import trained_in
from sealift_pipeline.training.champions.champion import open_model

# How long an issue takes follows from its weight, and a little from nothing.
REGRESSOR = CODE.replace("DecisionTreeClassifier", "DecisionTreeRegressor").replace(
    '    labels = ["bug" if "type::bug" in one else "feature" for one in table["labels"]]\n',
    '    labels = table["weight"] * 1.5 + table["spent"] * 0.01 + BIAS\n',
)
MAE = TOML + '[gate]\nmetric = "mae"\n'


def regressor(bias=0.0, depth=6):
    return REGRESSOR.replace("BIAS", str(bias)).replace('"high": 6', f'"high": {depth}')


@pytest.fixture
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Training:
    return Training(Workbench(tmp_path, monkeypatch), 600, code=regressor(depth=2), toml=MAE)


def test_a_regressor_from_a_first_version_to_a_better_and_a_worse_one(training, call) -> None:
    first = training.retrain()
    assert (first.outcome, first.judgement.metric) == ("staged", "mae")
    assert first.judgement.overall.challenger < first.judgement.overall.champion
    (staged,) = trained_in(training.channel)
    assert staged.run.search["metric"] == "neg_mean_absolute_error"
    with open_model(staged) as model:
        (low, high) = model.predict({"weight": [0.0, 9.0], "estimate": [1.0, 1.0], "spent": [0.0, 0.0]}).ravel()
    assert low < high
    # Labels are values of rows, and travel no more than those do.
    assert set(staged.run.profile["labels"]) == {"edges", "kind", "missing", "shares"}
    page = first.page.read_text()
    assert "mean absolute error" in page
    assert "a constant" in page
    training.release()
    # A deeper tree is better, and the other way round it is refused.
    training.write(code=regressor(depth=6))
    better = training.retrain()
    assert (str(better.model), better.judgement.overall.low > 0) == ("triage 1.1.0", True)
    training.release()
    training.write(code=regressor(depth=2) + "# as it was, and worse than what is released now\n")
    with pytest.raises(ChallengerError, match=r"was not staged: not better: mean absolute error \d.* against 0"):
        training.retrain()
    # Labels that moved are drift.
    training.write(code=regressor(bias=30.0))
    training.land(150)
    status, out, err = call(command, "drift", "triage.toml", "--json", "--pipeline", "events")
    assert status == 0, err
    assert [one.partition(" is ")[0] for one in json.loads(out)["reasons"]] == ["labels of label"]


def test_a_classifier_by_macro_f1(training) -> None:
    training.write(code=CODE, toml=TOML + '[gate]\nmetric = "macro_f1"\nslices = ["label"]\n')
    done = training.retrain()
    assert (done.outcome, done.judgement.metric) == ("staged", "macro_f1")
    run = Run.parse((done.page.parent / "run.json").read_bytes())
    assert run.search["metric"] == "f1_macro"
    assert run.gate["overall"]["champion"] < 0.5 < run.gate["overall"]["challenger"]
    assert "macro F1" in done.page.read_text()


def test_a_champion_that_answers_with_classes_is_not_compared_by_errors(training) -> None:
    training.write(code=CODE, toml=TOML)
    training.retrain()
    training.release()
    training.write(code=regressor(), toml=MAE)
    with pytest.raises(ChallengerError, match="cannot be compared by mae: errors need finite numbers; got"):
        training.retrain()
