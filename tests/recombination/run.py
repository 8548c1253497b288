"""Run many lives and count what came of them."""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from recombination.instance import BrokenPromiseError
from recombination.life import Life

_MEMORY = Path("/dev/shm")  # noqa: S108 - an install waits for the disk dozens of times; a private folder is made in it


@dataclass
class Result:
    """What came of the lives: how many, how their compositions ended, and what must not have happened."""

    lives: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    violations: list[BrokenPromiseError] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        counted = ", ".join(f"{name} {count:,}" for name, count in self.outcomes.most_common())
        return (
            f"{self.lives:,} lives, {self.outcomes.total():,} compositions in {self.seconds:.0f} s of processor time: "
            f"{counted}; {len(self.violations)} violations"
        )


def run(seeds: Iterable[int], *, enough: Callable[[BrokenPromiseError], bool] = lambda _: False) -> Result:
    """Run the lives of `seeds`; a violation ends its life.

    Args:
        enough: whether a violation ends the run too.
    """
    result, began = Result(), time.process_time()
    for seed in seeds:
        with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as directory:
            life = Life(seed, Path(directory))
            try:
                life.live()
            except BrokenPromiseError as violation:
                result.violations.append(violation)
        result.lives += 1
        result.outcomes += life.outcomes
        if any(map(enough, result.violations[-1:])):
            break
    result.seconds = time.process_time() - began
    return result
