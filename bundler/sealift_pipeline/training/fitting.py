"""From rows to a proven model and its judgement: search, fit, convert, compare with the champion."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import Error
from sealift_common.names import ModelVersion
from sealift_pipeline.errors import ChallengerError, ProjectError
from sealift_pipeline.gate.judging import Judgement, judge
from sealift_pipeline.gate.metrics import pairs_of
from sealift_pipeline.reading import TEST, TRAIN, VALIDATION, split
from sealift_pipeline.runs.handed_over import Trained
from sealift_pipeline.training.champions.champion import Constant, open_model
from sealift_pipeline.training.project.code import Code
from sealift_pipeline.training.project.settings import Project
from sealift_pipeline.training.rows import Rows
from sealift_pipeline.training.search.asking import Found, new_study, search
from sealift_pipeline.training.search.scoring import require_metric
from sealift_pipeline.training.search.space import distributions
from sealift_pipeline.training.search.workers import working

if TYPE_CHECKING:
    from optuna.study import Study

    from sealift_bundler.proof.conversion import Conversion

# More of them make the proof slower, and no stronger than the rows that edge cases add.
_SAMPLE_ROWS = 5_000
OpenStudy = Callable[[int], "Study"]
OpenWorkers = Callable[..., AbstractContextManager[Any]]


@dataclass(frozen=True)
class Fitted:
    """The best model of a search: what was tried, and the estimator."""

    found: Found
    estimator: Any


def fit(
    project: Project,
    code: Code,
    rows: Rows,
    *,
    workers: int,
    open_study: OpenStudy = new_study,
    open_workers: OpenWorkers = working,
) -> Fitted:
    """Search parameters, and fit a model of the best on all rows but those for testing.

    Args:
        workers: how many processes score parameters; any number gives the same model.

    Raises:
        ProjectError: the space has no room, the author's code raises, or a score is not a number.
    """
    space = distributions(code.space, project.search.trials, f"SPACE of {code.path.name}")
    require_metric(project.search.metric)
    study = open_study(project.search.seed)
    settings = project.search
    with open_workers(code, rows, seed=settings.seed, metric=settings.metric, number=workers) as processes:
        found = search(space, settings, processes.score, study)
        return Fitted(found, processes.fitted(found.best.params))


def proven(project: Project, estimator: Any, rows: Rows, model: ModelVersion) -> "Conversion":
    """Convert a fitted estimator; no row of the training travels.

    Raises:
        ConversionError, ParityError, SourceError: as `sealift_bundler.convert`.
    """
    import warnings

    from sealift_bundler import DisclosureWarning, convert

    # Where the channel asks for a review, it is told what a probe finds.
    probe = project.answers is not None
    samples = rows.part(TRAIN, VALIDATION).first(_SAMPLE_ROWS)
    holdout = rows.part(TEST).first(_SAMPLE_ROWS).frame if probe else None
    with warnings.catch_warnings():
        # What it warns of is refused where it is staged, with the documents.
        warnings.simplefilter("ignore", DisclosureWarning)
        return convert(
            estimator,
            samples.frame,
            name=model.name,
            version=str(model.version),
            golden="generated" if project.golden is None else str(project.golden),
            probe=probe,
            holdout=holdout,
        )


def judged(
    project: Project, rows: Rows, conversion: "Conversion", champion: Trained | None, *, erased: int = 0
) -> Judgement:
    """Judge the converted challenger against the released champion, on rows that neither saw.

    A first version is judged against a constant answer, on all rows alone.

    Args:
        erased: rows that the champion saw and that are erased; see `judge`.

    Raises:
        ChallengerError: no row is left that neither saw, or the champion does not take this project's rows, or does
            not answer with what the metric compares.
    """
    unseen = rows.chosen(_unseen(project, rows, champion))
    if not len(unseen.labels):
        raise ChallengerError("no row is left that neither model saw; land more events")
    # One label is right for all of a slice of it: no first version could be compared with that.
    slices = () if champion is None else project.gate.slices
    columns = {name: unseen.column(name) or () for name in slices}
    labels = unseen.labels.tolist()
    if champion is None:
        before = Constant(rows.part(TRAIN, VALIDATION).labels.tolist(), project.gate.metric).predict(unseen.frame)
    else:
        try:
            with open_model(champion) as model:
                before = model.predict(unseen.frame)
        except Error as error:
            raise ChallengerError(
                f"the champion {champion.model} does not take the rows of this project: {error}; train under a new name"
            ) from error
    with conversion.open() as challenger:
        answers = challenger.predict(unseen.frame)
    gate = project.gate
    try:
        pairs = pairs_of(gate.metric, answers, before, labels)
    except ValueError as error:
        raise ChallengerError(f"the two models cannot be compared by {gate.metric}: {error}") from error
    return judge(
        pairs, columns, rule=gate.rule, margin=gate.margin, metric=gate.metric, erased=erased, is_first=champion is None
    )


def require_slices(project: Project, rows: Rows) -> None:
    """Check that the frame has every column that the project wants slices of.

    Raises:
        ProjectError: it lacks one.
    """
    for name in project.gate.slices:
        if rows.column(name) is None:
            raise ProjectError(f"{project.path.name}: [gate] slices names {name!r}; expected a column of the frame")


def _unseen(project: Project, rows: Rows, champion: Trained | None) -> NDArray[np.bool_]:
    """Return which rows neither model saw: those for testing by the smaller of both shares."""
    test = project.test if champion is None else min(project.test, float(champion.run.split["test"]))
    mask: NDArray[np.bool_] = np.array(split(rows.ids, validation=0, test=test)) == TEST
    return mask
