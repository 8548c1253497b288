"""What cannot be trained is refused in one line that names the file and the way out, and nothing is staged."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.gitlab.training import CODE, TOML, Training, here
from support.release.workbench import Workbench

from sealift.errors import ChannelError
from sealift_bundler.errors import DisclosureError
from sealift_bundler.release.staging import withdraw
from sealift_common.names import ModelVersion
from sealift_pipeline.cli import command
from sealift_pipeline.errors import ChallengerError, ProjectError, RetrainError, UnknownKindError
from sealift_pipeline.snapshots.taking import take
from sealift_pipeline.training.making import make


@pytest.fixture(scope="module")
def landed(tmp_path_factory) -> Iterator[Training]:
    """Made once: what is refused leaves nothing behind."""
    with pytest.MonkeyPatch.context() as patch:
        yield Training(Workbench(tmp_path_factory.mktemp("landed"), patch), 160)


@pytest.fixture
def training(landed, monkeypatch) -> Training:
    monkeypatch.chdir(landed.folder)
    landed.write(code=CODE, toml=TOML)
    return landed


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Training:
    """For tests that stage something."""
    return Training(Workbench(tmp_path, monkeypatch), 560)


def refused(training, error, match):
    """Assert that a retraining is refused, that its message is one line, and that the channel stays as it was."""
    before = training.bench.plain()
    with pytest.raises(error, match=match) as caught:
        training.retrain()
    assert "\n" not in str(caught.value)
    assert training.bench.plain() == before


def changed(old, new, text=CODE):
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import nothing_of_the_kind\n", r"triage\.py:1 raises when it is run: ModuleNotFoundError"),
        ("x = (\n", r"triage\.py:1 raises when it is run: SyntaxError"),
        ("raise SystemExit(3)\n", r"triage\.py:1 raises when it is run: SystemExit: 3"),
        (changed("def rows", "def other"), r"triage\.py has no function 'rows'"),
        (changed("SPACE =", "ROOM ="), r"triage\.py has no dictionary SPACE"),
        (changed("table = ", "table = events.nothing\n    table = "), r"triage\.py:8 raises in rows\(events\): Attr"),
        (changed('labels, table["id"]', "labels"), r"gives tuple; expected \(frame, labels, ids\)"),
        (
            changed('labels, table["id"]', 'labels[1:], table["id"]'),
            r"gives 160 rows, labels of shape \(159,\) and 160 ids",
        ),
        (
            changed('labels, table["id"]', '[None] * 160, table["id"]'),
            r"label 1 of rows\(events\) of triage\.py is None",
        ),
        (changed('.astype("float64")', "[:0]"), r"gives 0 rows, labels of shape \(160,\)"),
        (changed('"bug" if', '"feature" if'), r"every label to learn from is 'feature'; expected at least two classes"),
        (
            changed("return DecisionTreeClassifier(", "raise OSError("),
            r"triage\.py:\d+ raises in build\(max_depth=\d\): ",
        ),
        (changed('{"low": 1, "high": 6}', "[]"), r"SPACE of triage\.py\['max_depth'\] has no room: 0 choices"),
        (changed('{"low": 1, "high": 6}', "[3]"), r"SPACE of triage\.py has no room: every parameter has one value"),
        (changed('"low": 1, "high": 6', '"low": 7, "high": 6'), r"has no room: low 7 is above high 6"),
        (changed('"low": 1, "high": 6', '"low": 0, "high": 6, "log": True'), r"has low 0; expected a number above 0"),
        (changed('{"max_depth": {"low": 1, "high": 6}}', "{}"), r"has no room: every parameter has one value"),
        (changed('{"low": 1, "high": 6}', '[float("nan"), 1]'), r"offers nan; expected numbers, texts"),
    ],
    ids=lambda value: str(value)[:60] if "\n" not in str(value) else "code",
)
def test_code_that_cannot_be_trained(training, code, message):
    training.write(code=code)
    refused(training, ProjectError, message)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("format = 2\n", "format is 2; this Sealift knows 1"),
        (TOML + "[gate]\nrule = 'best'\n", r"triage\.toml:12: 'rule' is 'best'; expected one of: better, no_worse"),
        (TOML + "[gates]\n", r"unknown key 'gates'; did you mean 'gate'\?"),
        (TOML.replace("trials = 4", "trials = 0"), r"triage\.toml:9: 'trials' is 0; expected a whole number from 1"),
        (TOML.replace("trials = 4", "trails = 4"), r"unknown key 'trails' in \[search\]; did you mean 'trials'\?"),
        (TOML + "[split]\ntest = 0.95\n", "leave no rows; expected shares above 0"),
        (TOML.replace('"triage.py"', '"missing.py"'), "'code' names .*missing.py', which is not a file"),
        (TOML.replace('kind = "issue"\n', ""), r"triage\.toml lacks 'kind'"),
        (TOML.replace("batch = 2", 'metric = "acuracy"'), r"no scorer 'acuracy'; did you mean 'accuracy'\?"),
        (TOML + '[gate]\nslices = ["colour"]\n', r"\[gate\] slices names 'colour'; expected a column of the frame"),
        (TOML.replace('"triage"', '"Triage"'), "model name 'Triage' is not allowed"),
        (TOML.replace('channel = "ch"\n', ""), "lacks 'channel'"),
        (TOML + '[gate.champion]\nregistry = "x.tar"\n', r"triage\.toml:12: 'registry' lacks 'root'"),
        (TOML + '[gate.champion]\nroot = "root.json"\n', "'champion' lacks 'registry'"),
        (TOML + '[gate.champion]\nregistri = "x"\n', r"unknown key 'registri' in \[gate\.champion\]; did you mean"),
        (TOML + "[gate]\nmetric = 'r2'\n", r"triage\.toml:12: 'metric' is 'r2'; expected one of: accuracy, balanced"),
        (
            TOML + "[gate]\nmetric = 'mae'\n",
            r"labels of rows\(events\) of triage\.py begin with \['feature'\]; .* needs num",
        ),
        (TOML + "[gate]\nchampion = 3\n", "'champion' is 3; expected a version"),
        (TOML + '[gate.champion]\nregistry = "x"\nroot = 3\n', "expected texts, and true or false"),
    ],
    ids=lambda value: str(value)[:60] if "\n" not in str(value) else "toml",
)
def test_a_project_that_is_not_as_it_should_be(training, call, toml, message):
    training.write(toml=toml)
    before = training.bench.plain()
    status, out, err = call(command, "retrain", "triage.toml", "--pipeline", "events")
    assert status == (11 if toml.startswith("format = 2") else 77), err
    assert re.search(message, err), err
    assert (out, err.count("\n")) == ("", 1)
    assert training.bench.plain() == before


@pytest.mark.filterwarnings("ignore")
def test_a_metric_that_is_nan(training):
    # One class among the rows for validation: no curve has an area.
    training.write(
        code=changed(
            "    return table[[",
            "    from sealift_pipeline import split\n"
            "    parts = split(table['id'], validation=0.1, test=0.2)\n"
            "    labels = ['bug' if part == 'validation' else one for part, one in zip(parts, labels)]\n"
            "    return table[[",
        ),
        toml=TOML + 'metric = "roc_auc"\n',
    )
    refused(
        training,
        ProjectError,
        r"roc_auc of trial 0 is nan with \{'max_depth': \d\}; expected a number: take another metric",
    )


def test_a_kind_without_a_table(training):
    training.write(toml=TOML.replace('"issue"', '"note"'))
    refused(training, UnknownKindError, "kind 'note' has no table")


def test_a_channel_that_is_not_there(training):
    training.write(toml=TOML.replace('"ch"', '"nowhere"'))
    with pytest.raises(ChannelError, match="is not a directory"):
        training.retrain()


def test_a_champion_that_is_withdrawn(own):
    made = own.retrain()
    own.release()
    withdraw(own.channel, made.model, "wrong answers")
    own.land(50)
    refused(
        own,
        ChallengerError,
        r"every version of triage was withdrawn, the last for 'wrong answers': no champion is left",
    )
    own.write(toml=TOML + '[gate]\nchampion = "1.0.0"\n')
    refused(own, ChallengerError, r"the champion triage:?.?1\.0\.0 was withdrawn at .*: 'wrong answers'; name another")
    own.write(toml=TOML + '[gate]\nchampion = "0.9.0"\n')
    refused(own, ChallengerError, r"the champion triage 0\.9\.0 is not released in 'ch'|is not released in")


def test_a_champion_that_nobody_trained_here(own):
    bench = own.bench
    import pandas as pd
    from sklearn.tree import DecisionTreeClassifier

    rows = pd.DataFrame({"a": [0.0, 1.0] * 10})
    bench.recipe(DecisionTreeClassifier().fit(rows, [0, 1] * 10), bench.put("rows", rows), 'golden = "generated"')
    text = (own.folder / "recipe.toml").read_text().replace('name = "m"', 'name = "triage"')
    (own.folder / "recipe.toml").write_text(text)
    assert bench.add()[0] == 0
    own.release()
    refused(own, ChallengerError, "triage 1.0.0 was not made by `retrain`: nobody knows which rows it saw")


def test_too_few_rows_to_judge(training):
    refused(
        training, ChallengerError, r"only 32 rows for testing; expected at least 100: land more events, or raise test"
    )


def _pin_of(lock, name):
    return next(one for one in re.split(r"(?m)^(?=[a-z])", lock) if one.startswith(f"{name}=="))


def test_an_environment_of_another_lock(training):
    lock = training.folder / "requirements.lock"
    right = lock.read_text()
    lock.write_text(right.replace("optuna==", "optuna==1.0."))
    refused(
        training,
        ProjectError,
        r"optuna is \S+ here and 1\.0\.\S+ in requirements\.lock: not the environment of the lock",
    )
    lock.write_text("".join(re.split(r"(?m)^(?=[a-z])", right)[:1]) + _pin_of(right, "numpy"))
    refused(
        training, ProjectError, r"onnx is not installed, or requirements\.lock does not pin it; lock it, install it"
    )
    lock.write_text("numpy==2.4.6\n")
    refused(
        training,
        ProjectError,
        r"requirements\.lock': the lock file has no hash for 'numpy==2\.4\.6'; write it with `uv pip compile",
    )
    lock.write_text("numpy>=2\n")
    refused(
        training,
        ProjectError,
        r"requirements\.lock': the lock file pins 'numpy>=2' without exact version .*; write it with `uv pip",
    )
    lock.write_text("# nothing\n")
    refused(training, ProjectError, "pins no package; write it with `uv pip compile --generate-hashes")
    lock.write_text(right)


def test_a_model_that_discloses_is_refused_with_every_finding(own):
    """What no data policy hid ends up in a vocabulary, and stops there."""
    secret = "glpat-" + "Inv3nted" + "N0tR3al" + "T0ken7Xy"
    own.write(
        toml=TOML.replace("[search]", f'description = "its token is {secret}"\n[search]'),
    )
    refused(
        own,
        DisclosureError,
        r"triage[: ]1\.0\.0 would disclose .*; nothing was staged.*accept each finding in '.*triage\.toml'",
    )


def test_the_code_changes_while_it_is_trained(training):
    snapshot = take(training.settings, training.settings.data_policy(), "issue")
    inputs = {"code": "sha256:" + "0" * 64, "data_snapshot": snapshot.digest, "lock": "", "project": "", "python": ""}
    with pytest.raises(RetrainError, match=r"triage\.py changed while it was trained"):
        make(
            training.project,
            training.settings,
            snapshot,
            ModelVersion.parse("triage", "1.0.0"),
            inputs=inputs,
            libraries={},
            champion=None,
            workers=1,
            open_workers=here,
        )
