"""Print a verdict on every pipeline of the suite, or on every estimator: `python -m sweep KIND [NAME…]`.

Kinds: pipelines, estimators; pickles opens both as `pickle` and joblib save them.
"""

import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sweep import estimators, pipelines
from sweep.pickles import problem_of
from sweep.verdicts import AGREES, DISAGREES, judged, verdict


def _estimators() -> Iterator[tuple[str, Callable[[], tuple[str, str]]]]:
    for name in estimators.names():

        def judge(name: str = name) -> tuple[str, str]:
            found = verdict(name)
            return found.outcome, found.detail

        yield name, judge


def _pipelines() -> Iterator[tuple[str, Callable[[], tuple[str, str]]]]:
    for case in pipelines.cases():
        yield case.name, lambda case=case: judged(*pipelines.fitted(case))


def _pickles() -> Iterator[tuple[str, Callable[[], tuple[str, str]]]]:
    def judge(fitted: Callable[[], Any]) -> tuple[str, str]:
        with tempfile.TemporaryDirectory() as folder:
            problem = problem_of(fitted(), Path(folder))
        return (DISAGREES, problem) if problem else (AGREES, "")

    for name in estimators.names():
        yield name, lambda name=name: judge(lambda: [estimator for estimator, _ in estimators.fitted(name)])
    for case in pipelines.cases():
        yield case.name, lambda case=case: judge(lambda: pipelines.fitted(case)[0])


def main() -> int:
    """Print a line for each one that does not agree, and the counts."""
    warnings.simplefilter("ignore")
    kind, *wanted = sys.argv[1:] or ["pipelines"]
    counts: Counter[str] = Counter()
    for name, judge in {"estimators": _estimators, "pipelines": _pipelines, "pickles": _pickles}[kind]():
        if wanted and not any(part in name for part in wanted):
            continue
        start = time.monotonic()
        outcome, detail = judge()
        counts[outcome] += 1
        if outcome != AGREES:
            print(f"{name}: {outcome} after {time.monotonic() - start:.1f} s: {detail}", flush=True)
    print(f"{counts.total()} {kind}: {dict(counts)}")
    return 1 if counts[DISAGREES] else 0


sys.exit(main())
