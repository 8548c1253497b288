"""Hunt for silent errors: `python -m hunt --cases 2000 [--kind far] [--first 0] [--jobs 2]`, or one by `--seed 17`."""

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


def _judged(seed: int, kind: str) -> Any:
    from hunt.judge import CRASHES, Verdict, verdict

    # Processor time: how long a case takes on the clock says how busy the machine is.
    signal.signal(signal.SIGPROF, _too_long)
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    try:
        return verdict(seed, kind)
    except Exception as error:  # noqa: BLE001 - a case that cannot be judged must be seen, and not end the hunt
        return Verdict(seed, "?", CRASHES, [f"the hunt itself: {type(error).__name__}: {error}"])
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _too_long(*_: object) -> None:
    raise TimeoutError(f"a case took more than {_SECONDS} s of processor time")


def _all(seeds: range, kind: str, jobs: int) -> Iterator[Any]:
    if jobs == 1:
        yield from (_judged(seed, kind) for seed in seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        waiting = [pool.submit(_judged, seed, kind) for seed in seeds]
        for future in as_completed(waiting):
            yield future.result()


def _hunt(kind: str, seeds: range, options: argparse.Namespace) -> Counter[str]:
    """Hunt for one kind, print what disagrees or crashes and the counts, and return them."""
    start, used = time.monotonic(), time.process_time()
    outcomes: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    for found in _all(seeds, kind, options.jobs):
        outcomes[found.outcome] += 1
        rows.update(found.rows)
        if sum(outcomes.values()) % 100 == 0:
            print(f"{kind}: {outcomes.total()} of {len(seeds)} cases: {dict(outcomes)}", flush=True)
        if found.outcome in ("disagrees", "crashes") or (options.refusals and found.outcome == "refused"):
            again = f"HUNT={found.seed} KIND={kind}"
            print(f"{again} {found.outcome}: {found.name}: {' | '.join(found.details)[:700]}", flush=True)
            if options.until_found and _is_example(kind, found):
                outcomes["examples"] += 1
                break
    took = f"{time.monotonic() - start:.0f} s, {time.process_time() - used:.0f} s of this process's processor time"
    print(f"{kind}: {outcomes.total()} cases, seeds {seeds[0]} to {seeds[-1]}, {took}: {dict(outcomes)}")
    print(f"{kind}: rows: {dict(rows)}; one case again: make hunt HUNT=SEED KIND={kind}", flush=True)
    return outcomes


def main() -> int:
    """Print what disagrees or crashes, with the line that runs it again, and the counts."""
    from hunt.kinds import EXPORTS, KINDS

    parser = argparse.ArgumentParser(prog="python -m hunt")
    parser.add_argument("--kind", action="append", choices=[*KINDS, EXPORTS], help="may be repeated; else all")
    parser.add_argument("--cases", type=int, default=2000, help="of each kind")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="judge this one alone, with all details")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--refusals", action="store_true", help="print refusals too")
    parser.add_argument("--until-found", action="store_true", help="end a kind at an example of it; fail without one")
    options = parser.parse_args()
    kinds = options.kind or [*KINDS, EXPORTS]
    if options.seed is not None:
        found = _judged(options.seed, kinds[0])
        print(f"{found.name}: {found.outcome}; rows: {dict(found.rows)}")
        print("\n".join(found.details))
        return 0 if found.outcome in ("agrees", "refused") else 1
    seeds = range(options.first, options.first + options.cases)
    outcomes = {kind: _hunt(kind, seeds, options) for kind in kinds}
    if options.until_found:
        silent = [kind for kind, found in outcomes.items() if not found["examples"]]
        print(f"nothing was found of: {', '.join(silent) or 'no kind'}")
        return 1 if silent else 0
    return 1 if any(found["disagrees"] or found["crashes"] for found in outcomes.values()) else 0


def _is_example(kind: str, found: Any) -> bool:
    from hunt.kinds import KINDS

    example = KINDS[kind].example if kind in KINDS else ""
    return found.outcome == "disagrees" and any(example in detail for detail in found.details)


if __name__ == "__main__":
    sys.exit(main())
