"""Hunt for silent errors: `python -m hunt --cases 2000 [--first 0] [--jobs 2]`, or one with details by `--seed 17`."""

import argparse
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

_SECONDS = 120


def _judged(seed: int) -> Any:
    from hunt.judge import CRASHES, Verdict, verdict

    # Processor time: how long a case takes on the clock says how busy the machine is.
    signal.signal(signal.SIGPROF, _too_long)
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    try:
        return verdict(seed)
    except Exception as error:  # noqa: BLE001 - a case that cannot be judged must be seen, and not end the hunt
        return Verdict(seed, "?", CRASHES, [f"the hunt itself: {type(error).__name__}: {error}"])
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _too_long(*_: object) -> None:
    raise TimeoutError(f"a case took more than {_SECONDS} s of processor time")


def _all(seeds: range, jobs: int) -> Iterator[Any]:
    with ProcessPoolExecutor(jobs) as pool:
        waiting = [pool.submit(_judged, seed) for seed in seeds]
        for future in as_completed(waiting):
            yield future.result()


def main() -> int:
    """Print what disagrees or crashes, with the line that runs it again, and the counts."""
    parser = argparse.ArgumentParser(prog="python -m hunt")
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="judge this one alone, with all details")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--refusals", action="store_true", help="print refusals too")
    options = parser.parse_args()
    if options.seed is not None:
        found = _judged(options.seed)
        print(f"{found.name}: {found.outcome}; rows: {dict(found.rows)}")
        print("\n".join(found.details))
        return 0 if found.outcome in ("agrees", "refused") else 1
    seeds = range(options.first, options.first + options.cases)
    start = time.monotonic()
    outcomes: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    for found in _all(seeds, options.jobs):
        outcomes[found.outcome] += 1
        rows.update(found.rows)
        if outcomes.total() % 100 == 0:
            print(f"{outcomes.total()} of {len(seeds)} cases: {dict(outcomes)}", flush=True)
        if found.outcome in ("disagrees", "crashes") or (options.refusals and found.outcome == "refused"):
            print(f"HUNT={found.seed} {found.outcome}: {found.name}: {' | '.join(found.details)[:700]}", flush=True)
    print(f"{len(seeds)} cases, seeds {seeds[0]} to {seeds[-1]}, {time.monotonic() - start:.0f} s: {dict(outcomes)}")
    print(f"rows: {dict(rows)}; one case again: make hunt HUNT=SEED")
    return 1 if outcomes["disagrees"] or outcomes["crashes"] else 0


if __name__ == "__main__":
    sys.exit(main())
