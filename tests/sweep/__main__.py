"""Print a verdict on every pipeline of the suite, or on every estimator: `python -m sweep pipelines|estimators [NAME…]`."""

import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator

from sweep import estimators, pipelines
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


def main() -> int:
    """Print a line for each one that does not agree, and the counts."""
    warnings.simplefilter("ignore")
    kind, *wanted = sys.argv[1:] or ["pipelines"]
    counts: Counter[str] = Counter()
    for name, judge in {"estimators": _estimators, "pipelines": _pipelines}[kind]():
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
