"""Share a search with other machines, through Optuna's tables in PostgreSQL.

`retrain` asks and tells, and scores the trials of a batch from the first on; `assist`, on other machines, scores them
from the last on. The machine that has a score writes it beside the trial. A trial that nobody has scored when
`retrain` comes to it is scored there, so no machine is waited for: one that dies costs nothing, and two that score the
same trial agree, for a machine may only assist if its inputs, processor and libraries are the same.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sealift_pipeline.errors import ProjectError
from sealift_pipeline.runs.document import digest
from sealift_pipeline.training.project.code import Code
from sealift_pipeline.training.rows import Rows
from sealift_pipeline.training.search.asking import sampler_of
from sealift_pipeline.training.search.turns import begin, is_searched, making_tables
from sealift_pipeline.training.search.workers import Workers, working

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.study import Study
    from sqlalchemy import Connection

_SCHEME = "postgresql+psycopg"
_SCORE, _ABOUT, _DONE = "score", "about", "done"
_LOOK_S = 0.2


def require_address(url: str) -> None:
    """Check the address of a storage.

    Raises:
        ProjectError: it is none of PostgreSQL, or holds a password, which a list of processes would show.
    """
    parts = urlsplit(url)
    if parts.scheme != _SCHEME or parts.password:
        raise ProjectError(
            f"--storage is {parts.scheme[:40]}://…; expected {_SCHEME}://USER@HOST/DATABASE without a password: it "
            "stands in the file that PGPASSFILE names"
        )


@contextmanager
def answering() -> Iterator[None]:
    """Turn what the storage refuses into one line, without its address.

    Raises:
        ProjectError: it does not answer, or psycopg is not installed.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except ImportError as error:
        raise ProjectError(f"no driver of the storage: {error}; pip install 'sealift[pipeline-postgresql]'") from error
    except (SQLAlchemyError, StorageInternalError) as error:
        reason = " ".join(str(getattr(error, "orig", None) or error).split())[:200]
        raise ProjectError(f"the storage of the search does not answer: {reason}") from error


def open_storage(url: str) -> "RDBStorage":
    """Open a storage; its tables are made where there are none.

    Raises:
        ProjectError: as `require_address` and `answering`.
    """
    import optuna

    require_address(url)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with answering(), making_tables(url):
        return optuna.storages.RDBStorage(url, engine_kwargs={"pool_pre_ping": True})


class SharedSearch:
    """A search that other machines may assist; its two methods stand in for `new_study` and `working`.

    Args:
        url: of the storage.
        model: name of the model.
        about: what all machines have to agree on: inputs, machine, and the data snapshot's last event.
    """

    def __init__(self, url: str, model: str, about: Mapping[str, Any]) -> None:
        self._storage = open_storage(url)
        self._about = json.dumps(about, sort_keys=True)
        self._turn: Connection | None = None
        self.name = f"{model}-{digest(self._about.encode('utf-8'))[7:23]}"

    def open_study(self, seed: int) -> "Study":
        """Return a new study; one that an interrupted run left is forgotten.

        Raises:
            ProjectError: the storage does not answer, or another process makes the same search.
        """
        import optuna

        with answering():
            self._turn = begin(self._storage.engine, self.name)
            if self._turn is None:
                raise ProjectError(f"{self.name} is searched already, by another retrain; `assist` helps it")
            with suppress(KeyError):
                optuna.delete_study(study_name=self.name, storage=self._storage)
            study = optuna.create_study(
                study_name=self.name, storage=self._storage, direction="maximize", sampler=sampler_of(seed)
            )
            study.set_user_attr(_ABOUT, self._about)
            return study

    @contextmanager
    def open_workers(self, code: Code, rows: Rows, *, seed: int, metric: str, number: int) -> Iterator["_Shared"]:
        """Give workers that score what nobody else has scored."""
        with working(code, rows, seed=seed, metric=metric, number=number) as processes:
            trials = Trials(self._storage, self.name)
            try:
                yield _Shared(processes, trials, number)
            finally:
                with suppress(ProjectError):
                    trials.finish()
                if self._turn is not None:
                    self._turn.close()


class Trials:
    """The trials of a shared study that are asked and not told, and their scores.

    Args:
        storage: where they are.
        name: of the study.

    Raises:
        KeyError: the study is gone.
        ProjectError: the storage does not answer.
    """

    def __init__(self, storage: "RDBStorage", name: str) -> None:
        with answering():
            self._storage, self._name, self._study = storage, name, storage.get_study_id_from_name(name)

    def asked(self) -> dict[int, Mapping[str, Any]]:
        """Return the parameters of the trials that are asked, by number, in order."""
        return {one.number: one.params for one in self._running()}

    def unscored(self) -> dict[int, Mapping[str, Any]]:
        """Return those of them that have no score."""
        return {one.number: one.params for one in self._running() if _SCORE not in one.user_attrs}

    def score_of(self, number: int) -> float | None:
        """Return the score of a trial; None where it has none."""
        found = next((one.user_attrs.get(_SCORE) for one in self._running() if one.number == number), None)
        return None if found is None else float(found)

    def put(self, number: int, score: float) -> None:
        """Write a score beside its trial; one that was told meanwhile is left as it is."""
        from optuna.exceptions import UpdateFinishedTrialError

        with answering(), suppress(UpdateFinishedTrialError):
            trial = self._storage.get_trial_id_from_study_id_trial_number(self._study, number)
            # As text: a database may refuse what is not a number.
            self._storage.set_trial_user_attr(trial, _SCORE, repr(score))

    def finish(self) -> None:
        """Say that nothing more is asked."""
        with answering():
            self._storage.set_study_user_attr(self._study, _DONE, value=True)

    @property
    def finished(self) -> bool | None:
        """Whether nothing more is asked; None where the search was interrupted: its process or the study is gone."""
        with answering():
            try:
                done = bool(self._storage.get_study_user_attrs(self._study).get(_DONE))
            except KeyError:
                return None
            return done or (False if is_searched(self._storage.engine, self._name) else None)

    def _running(self) -> list[Any]:
        from optuna.trial import TrialState

        with answering():
            try:
                found = self._storage.get_all_trials(self._study, deepcopy=False, states=(TrialState.RUNNING,))
            except KeyError:
                return []
        return sorted(found, key=lambda one: one.number)


class _Shared:
    """Workers here, whose batch others may help with."""

    def __init__(self, processes: Workers, trials: Trials, number: int) -> None:
        self._processes, self._trials, self._number = processes, trials, number

    def score(self, asked: Sequence[Mapping[str, Any]]) -> list[float]:
        """Return the score of each set of parameters, in their order; see `Workers.score`."""
        numbers = list(self._trials.asked())[-len(asked) :]

        def scored(pair: tuple[int, Mapping[str, Any]]) -> float:
            number, params = pair
            found = self._trials.score_of(number)
            if found is None:
                (found,) = self._processes.score([params])
                self._trials.put(number, found)
            return found

        with ThreadPoolExecutor(self._number) as pool:
            return list(pool.map(scored, zip(numbers, asked, strict=True)))

    def fitted(self, params: Mapping[str, Any]) -> Any:
        """Return a fitted estimator; see `Workers.fitted`."""
        return self._processes.fitted(params)


def studies_of(storage: "RDBStorage", model: str) -> dict[str, dict[str, Any]]:
    """Return what each search of a model that runs is about, by its name, the newest last.

    A search that was interrupted stays in the storage until its like begins; it is not among them.

    Raises:
        ProjectError: the storage does not answer.
    """
    import optuna

    with answering():
        summaries = optuna.get_all_study_summaries(storage)
        found = {}
        for one in summaries:
            name, attributes = one.study_name, one.user_attrs
            ours = name.rpartition("-")[0] == model and _ABOUT in attributes and not attributes.get(_DONE)
            if ours and is_searched(storage.engine, name):
                found[name] = dict(json.loads(attributes[_ABOUT]))
        return found


def assist(trials: Trials, processes: Workers, names: set[str]) -> int:
    """Score what is asked, from the last trial on, until nothing more is asked; return how many scores were written.

    Args:
        names: of all parameters: a trial is there before its parameters are.

    Raises:
        ProjectError: the storage does not answer, or the author's code raises here.
    """
    done: set[int] = set()
    while trials.finished is False:
        unscored = trials.unscored().items()
        waiting = {number: params for number, params in unscored if number not in done and set(params) == names}
        if not waiting:
            time.sleep(_LOOK_S)
            continue
        number = max(waiting)
        (score,) = processes.score([waiting[number]])
        trials.put(number, score)
        done.add(number)
    return len(done)
