"""Assist a search that runs elsewhere: with the same code, rows, lock and processor, or a refusal that says which."""

import time

from sealift_pipeline.errors import ProjectError
from sealift_pipeline.settings.settings import Settings
from sealift_pipeline.snapshots.taking import take
from sealift_pipeline.training.making import inputs_of, shared_by
from sealift_pipeline.training.project.code import load_code
from sealift_pipeline.training.project.lock import Lock
from sealift_pipeline.training.project.settings import Project
from sealift_pipeline.training.rows import events_of, rows_of
from sealift_pipeline.training.search.sharing import Trials, assist, open_storage, studies_of
from sealift_pipeline.training.search.workers import working

_LOOK_S = 0.5


def assist_project(project: Project, settings: Settings, url: str, *, workers: int, wait_s: float) -> int | None:
    """Assist the newest search of a project; return how many trials were scored, None where no search began in time.

    Args:
        workers: how many processes score.
        wait_s: how long to wait for a search to begin.

    Raises:
        ProjectError: this machine has other code, rows, libraries or another processor; or the storage does not answer.
    """
    lock = Lock(project.lock)
    libraries, storage, end = lock.require_here(), open_storage(url), time.monotonic() + wait_s
    while not (found := studies_of(storage, project.name)):
        if time.monotonic() > end:
            return None
        time.sleep(_LOOK_S)
    name, wanted = list(found.items())[-1]
    snapshot = take(settings, settings.data_policy(), project.kind, wanted["upto"])
    here = shared_by(inputs_of(project, lock, snapshot), libraries, snapshot)
    other = sorted(key for key in here if here[key] != wanted.get(key))
    if other:
        raise ProjectError(
            f"this machine cannot assist {name}: {', '.join(other)} differ here from where it is searched"
        )
    code = load_code(project.code)
    table = events_of(settings.table_place, snapshot)
    rows = rows_of(code, table, validation=project.validation, test=project.test)
    search, trials = project.search, Trials(storage, name)
    with working(code, rows, seed=search.seed, metric=search.metric, number=workers) as processes:
        return assist(trials, processes, set(code.space))
