"""Ask Optuna for parameters in batches, and tell it their scores in order.

What is asked next depends on what was told before and on nothing else: any number of processes, of any speed, on any
machine, lead to the same trials. (Optuna's own `n_jobs` tells in the order of the clock.)
"""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sealift_pipeline.errors import ProjectError
from sealift_pipeline.training.project.settings import Search

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study

Score = Callable[[Sequence[Mapping[str, Any]]], Sequence[float]]


@dataclass(frozen=True)
class Trial:
    """One set of parameters and its score on the validation rows."""

    number: int
    params: Mapping[str, Any]
    score: float

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"number": self.number, "params": dict(self.params), "score": self.score}


@dataclass(frozen=True)
class Found:
    """All trials in order, and the best: of equal ones the first."""

    trials: tuple[Trial, ...]
    best: Trial


def new_study(seed: int) -> "Study":
    """Return a study in memory."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(direction="maximize", sampler=sampler_of(seed))


def sampler_of(seed: int) -> Any:
    """Return the sampler: Parzen estimators (Bergstra and others, 2011) that see what is asked and not told."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, constant_liar=True)


def search(space: "Mapping[str, BaseDistribution]", settings: Search, score: Score, study: "Study") -> Found:
    """Search a space.

    Args:
        space: name to distribution.
        score: returns the score of each set of parameters, in their order.
        study: a new one.

    Raises:
        ProjectError: a score is not a number.
    """
    done: list[Trial] = []
    while len(done) < settings.trials:
        asked = [study.ask(dict(space)) for _ in range(min(settings.batch, settings.trials - len(done)))]
        scores = score([trial.params for trial in asked])
        for trial, value in zip(asked, scores, strict=True):
            if not math.isfinite(value):
                raise ProjectError(
                    f"{settings.metric} of trial {trial.number} is {value} with {dict(trial.params)!r:.200}; expected "
                    "a number: take another metric, or more validation rows"
                )
            study.tell(trial, value)
            done.append(Trial(trial.number, trial.params, value))
    return Found(tuple(done), max(done, key=lambda trial: (trial.score, -trial.number)))
