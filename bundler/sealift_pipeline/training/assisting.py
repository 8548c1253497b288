"""Assist a search that runs elsewhere: with the same code, rows, lock and processor, or a refusal that says which."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sealift.errors import UsageError
from sealift_pipeline.errors import ProjectError
from sealift_pipeline.settings.settings import Settings
from sealift_pipeline.snapshots.document import Snapshot
from sealift_pipeline.snapshots.taking import take
from sealift_pipeline.training.inputs import inputs_of, shared_by
from sealift_pipeline.training.project.code import load_code
from sealift_pipeline.training.project.lock import Lock
from sealift_pipeline.training.project.settings import Project
from sealift_pipeline.training.rows import events_of, rows_of
from sealift_pipeline.training.search.sharing import Trials, assist, open_storage, studies_of
from sealift_pipeline.training.search.workers import working

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

_LOOK_S = 0.5


class _Searches:
    """The searches of a project that run elsewhere, as this machine sees them."""

    def __init__(self, project: Project, settings: Settings, storage: "RDBStorage") -> None:
        self._project, self._settings, self.storage = project, settings, storage
        self._lock = Lock(project.lock)
        self._libraries = self._lock.require_here()
        # What differs, by the name of each search that does not agree.
        self.others: dict[str, list[str]] = {}

    def agreeing(self) -> tuple[str, Snapshot] | None:
        """Return the newest search that agrees with this machine, and its rows."""
        for name, wanted in reversed(studies_of(self.storage, self._project.name).items()):
            if name not in self.others:
                snapshot, differing = self._compared(wanted)
                if snapshot and not differing:
                    return name, snapshot
                self.others[name] = differing
        return None

    def _compared(self, wanted: Mapping[str, Any]) -> tuple[Snapshot | None, list[str]]:
        try:
            snapshot = take(self._settings, self._settings.data_policy(), self._project.kind, wanted["upto"])
        except UsageError:  # rows that are not landed here
            return None, ["data_snapshot"]
        here = shared_by(inputs_of(self._project, self._lock, snapshot), self._libraries, snapshot)
        return snapshot, sorted(key for key in here if here[key] != wanted.get(key))


def assist_project(project: Project, settings: Settings, url: str, *, workers: int, wait_s: float) -> int | None:
    """Assist the search of a project that agrees with this machine; return how many trials were scored.

    One that does not agree is refused when `wait_s` is over and no other began. One that is interrupted, and then begun
    again in time, is assisted again.

    Args:
        workers: how many processes score.
        wait_s: how long to wait for a search to begin; None is returned where none did.

    Raises:
        ProjectError: this machine has other code, rows, libraries or another processor; or the storage does not answer.
    """
    searches, end = _Searches(project, settings, open_storage(url)), time.monotonic() + wait_s
    while True:
        while not (found := searches.agreeing()):
            if time.monotonic() > end:
                if not searches.others:
                    return None
                name, differing = list(searches.others.items())[-1]
                raise ProjectError(
                    f"this machine cannot assist {name}: {', '.join(differing)} differ here from where it is searched"
                )
            time.sleep(_LOOK_S)
        scored = _assist(project, settings, searches.storage, *found, workers=workers)
        if scored is not None:
            return scored


def _assist(
    project: Project, settings: Settings, storage: "RDBStorage", name: str, snapshot: Snapshot, *, workers: int
) -> int | None:
    """Assist one search to its end; None where it was begun again meanwhile."""
    code = load_code(project.code)
    table = events_of(settings.table_place, snapshot)
    rows = rows_of(code, table, validation=project.validation, test=project.test)
    search = project.search
    with working(code, rows, seed=search.seed, metric=search.metric, number=workers) as processes:
        try:
            trials = Trials(storage, name)
        except KeyError:
            return None
        scored = assist(trials, processes, set(code.space))
        return scored if trials.finished else None
