"""Make a version of a data snapshot: rows, search, proof, judgement. Nothing is written; equal inputs, equal bytes.

What a run depends on is told by `inputs_of`; the champion is all that may differ besides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealift_common.names import ModelVersion
from sealift_pipeline.erasure.erasing import erased_since
from sealift_pipeline.errors import RetrainError
from sealift_pipeline.gate.judging import Judgement
from sealift_pipeline.gate.metrics import OF_NUMBERS
from sealift_pipeline.reading import TRAIN, VALIDATION
from sealift_pipeline.runs.document import Run, digest
from sealift_pipeline.runs.handed_over import Trained
from sealift_pipeline.settings.settings import Settings
from sealift_pipeline.snapshots.document import Snapshot
from sealift_pipeline.training.drift.profile import profile_of
from sealift_pipeline.training.fitting import Fitted, OpenStudy, OpenWorkers, fit, judged, proven, require_slices
from sealift_pipeline.training.inputs import champion_document
from sealift_pipeline.training.machine import machine_of
from sealift_pipeline.training.project.code import Code, load_code
from sealift_pipeline.training.project.settings import Project
from sealift_pipeline.training.rows import Rows, events_of, newest_time, require_learnable, rows_of
from sealift_pipeline.training.search.asking import new_study
from sealift_pipeline.training.search.workers import working

if TYPE_CHECKING:
    from sealift_bundler.proof.conversion import Conversion


@dataclass(frozen=True)
class Made:
    """A trained model that is proven and judged, and what it is made of."""

    run: Run
    rows: Rows
    conversion: "Conversion"
    judgement: Judgement
    created_at: str


def make(
    project: Project,
    settings: Settings,
    snapshot: Snapshot,
    model: ModelVersion,
    *,
    inputs: Mapping[str, str],
    libraries: Mapping[str, str],
    champion: Trained | None,
    workers: int,
    open_study: OpenStudy = new_study,
    open_workers: OpenWorkers = working,
) -> Made:
    """Train, convert and judge; nothing is written. See `retrain` for the errors."""
    code = load_code(project.code)
    table = events_of(settings.table_place, snapshot)
    rows = rows_of(code, table, validation=project.validation, test=project.test)  # 4
    require_learnable(rows, code.path.name, numbers=project.gate.metric in OF_NUMBERS)
    require_slices(project, rows)
    fitted = fit(project, code, rows, workers=workers, open_study=open_study, open_workers=open_workers)  # 5
    conversion = proven(project, fitted.estimator, rows, model)
    judgement = judged(project, rows, conversion, champion, erased=_erased(settings, snapshot, champion))  # 6
    _require_same_code(code, inputs)
    run = _run(project, model, inputs, libraries, rows, fitted, conversion, judgement, champion)
    return Made(run, rows, conversion, judgement, newest_time(table))


def _run(
    project: Project,
    model: ModelVersion,
    inputs: Mapping[str, str],
    libraries: Mapping[str, str],
    rows: Rows,
    fitted: Fitted,
    conversion: "Conversion",
    judgement: Judgement,
    champion: Trained | None,
) -> Run:
    learned = rows.part(TRAIN, VALIDATION)
    return Run(
        model=model,
        inputs=inputs,
        machine=machine_of(libraries),
        split={"rows": rows.counts, "test": project.test, "validation": project.validation},
        search={
            "best": fitted.found.best.number,
            "metric": project.search.metric,
            "seed": project.search.seed,
            "trials": [one.document() for one in fitted.found.trials],
        },
        params=fitted.found.best.params,
        gate=judgement.document(),
        champion=champion_document(champion),
        profile=profile_of(learned.frame, learned.labels.tolist(), numbers=project.gate.metric in OF_NUMBERS),
        # model.json depends on the names of all files of the version, this one's among them.
        files={name: digest(data) for name, data in sorted(conversion.files.items()) if name != "model.json"},
    )


def _erased(settings: Settings, snapshot: Snapshot, champion: Trained | None) -> int:
    """Return how many rows that the champion saw are erased; 0 where it saw another table."""
    if champion is None or champion.snapshot.table != snapshot.table:
        return 0
    return erased_since(settings, champion.snapshot)


def _require_same_code(code: Code, inputs: Mapping[str, str]) -> None:
    if code.digest != inputs["code"]:
        raise RetrainError(f"{code.path.name} changed while it was trained; nothing was staged")
