"""Real workers: any number of them leads to the same bytes; what they see, and what ends them."""

import json
from pathlib import Path

import pytest
from support.gitlab.training import CODE, TEXT_CODE, TOML, Training, here
from support.release.workbench import Workbench

from sealift_common.names import ModelVersion
from sealift_pipeline.errors import ProjectError
from sealift_pipeline.snapshots.taking import take
from sealift_pipeline.training.inputs import inputs_of
from sealift_pipeline.training.making import make
from sealift_pipeline.training.project.lock import Lock
from sealift_pipeline.training.search.workers import working


@pytest.fixture(scope="module")
def training(tmp_path_factory) -> Training:
    with pytest.MonkeyPatch.context() as patch:
        yield Training(Workbench(tmp_path_factory.mktemp("landed"), patch), 560)


@pytest.fixture(autouse=True)
def there(training, monkeypatch) -> None:
    monkeypatch.chdir(training.folder)
    training.write(code=CODE, toml=TOML)


def made(training, workers, open_workers=working):
    """Train as `retrain` does, and stage nothing."""
    snapshot = take(training.settings, training.settings.data_policy(), "issue")
    lock = Lock(training.project.lock)
    return make(
        training.project,
        training.settings,
        snapshot,
        ModelVersion.parse("triage", "1.0.0"),
        inputs=inputs_of(training.project, lock, snapshot),
        libraries=lock.require_here(),
        champion=None,
        workers=workers,
        open_workers=open_workers,
    )


@pytest.mark.slow
def test_one_and_three_workers_make_the_same_run_and_model_and_so_does_none(training) -> None:
    training.write(code=TEXT_CODE, toml=TOML.replace("trials = 4", "trials = 12").replace("batch = 2", "batch = 4"))
    runs = [made(training, 1, here), *(made(training, number) for number in (1, 3))]
    assert len({one.run.to_bytes() for one in runs}) == 1
    assert len({one.conversion.files["model.onnx"] for one in runs}) == 1
    trials = runs[0].run.search["trials"]
    assert [one["number"] for one in trials] == list(range(12))
    # The search does not stand still: what was told leads to something else.
    assert len({json.dumps(one["params"], sort_keys=True) for one in trials}) > 6


def test_a_worker_sees_no_secret_one_thread_and_no_row_for_testing(training, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEALIFT_PASSPHRASE", "hunter2")
    monkeypatch.setenv("GITLAB_TOKEN", "hunter2")
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    seen = tmp_path / "seen.json"
    look = (
        f"import json, os, pathlib; pathlib.Path({str(seen)!r}).write_text(json.dumps([dict(os.environ), len(frame)]))"
    )
    code = CODE.replace(
        "    return DecisionTree", "    print('between answers')\n    return _Seen() if False else DecisionTree"
    )
    training.write(
        code=code.replace(
            "def build(params, seed):", f"def build(params, seed):\n    frame = LOOK()\n    {look}"
        ).replace(
            "SPACE =",
            "def LOOK():\n    import gc\n    from sealift_pipeline.training.rows import Rows\n"
            "    return max((one.ids for one in gc.get_objects() if isinstance(one, Rows)), key=len)\n\n\nSPACE =",
        ),
    )
    found = made(training, 1)
    environment, rows = json.loads(seen.read_text())
    assert "hunter2" not in json.dumps(environment)
    assert environment["OMP_NUM_THREADS"] == "1"
    counts = found.run.split["rows"]
    assert rows == counts["train"] + counts["validation"] < 560


@pytest.mark.parametrize(
    ("workers", "line", "message"),
    [
        (
            1,
            "raise ValueError('no such depth')",
            r"triage\.py:\d+ raises in build\(max_depth=\d\): ValueError: no such depth",
        ),
        (2, "import os; os.write(2, b'out of luck'); os._exit(9)", "ended with status 9: out of luck"),
    ],
    ids=["raises", "ends"],
)
def test_a_worker_that_fails_ends_the_run(training, workers, line, message) -> None:
    training.write(code=CODE.replace("def build(params, seed):", f"def build(params, seed):\n    {line}"))
    with pytest.raises(ProjectError, match=message):
        made(training, workers)
