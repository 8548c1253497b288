"""Print the verdict on every estimator, or on those that are named: `python -m sweep [NAME…]`."""

import sys
import time

from sweep.estimators import names
from sweep.verdicts import AGREES, verdict


def main() -> None:
    """Print a line for each estimator and the counts."""
    counts: dict[str, int] = {}
    for name in sys.argv[1:] or names():
        start = time.monotonic()
        try:
            found = verdict(name)
        except Exception as error:  # noqa: BLE001 - a sweep goes on
            print(f"{name:32} ERROR {type(error).__name__}: {str(error)[:200]}", flush=True)
            counts["error"] = counts.get("error", 0) + 1
            continue
        counts[found.outcome] = counts.get(found.outcome, 0) + 1
        took = time.monotonic() - start
        if found.outcome != AGREES or took > 4:
            print(f"{name:32} {found.outcome} {took:.1f}s {found.detail[:260]}", flush=True)
    print(counts)


main()
