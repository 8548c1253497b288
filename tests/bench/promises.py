"""Say what was seen of a promise, on standard output and, in `make bench`, in one table for all.

Every promise is a ratio of ours and something else in the same run, so that it holds on any machine. What we promise is
never looser than 1.25 times what we aim at.
"""

import json
import os
from pathlib import Path
from typing import NamedTuple

# The file that `make bench` collects lines in.
COLLECTED = "BENCH_PROMISES"
_LOOSEST = 1.25
_HEAD = f"{'':66} {'seen':>7} {'promise':>8} {'aim':>7}"


class Promise(NamedTuple):
    """One line of the table.

    `what` says both sides, as "ours: theirs"; `seen` is the ratio. `promised` is the most that it may be, or the least
    where `at_least`, and `aim` is what we want.
    """

    what: str
    seen: float
    promised: float
    aim: float
    at_least: bool = False

    @property
    def kept(self) -> bool:
        """Return whether what was seen is what we promise."""
        return self.seen >= self.promised if self.at_least else self.seen <= self.promised

    @property
    def loose(self) -> bool:
        """Return whether we promise too little of what we aim at."""
        far = self.aim / self.promised if self.at_least else self.promised / self.aim
        return far > _LOOSEST + 1e-9

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        marks = ("" if self.kept else "  BROKEN") + ("  LOOSE" if self.loose else "")
        return f"{self.what:66} {shown(self.seen):>7} {sign}{shown(self.promised):>7} {shown(self.aim):>7}{marks}"


def shown(number: float) -> str:
    """Write a ratio with as many digits as it is worth."""
    return f"{number:.2f}" if number >= 0.1 else f"{number:.3f}"


def promise(what: str, seen: float, promised: float, aim: float | None = None, *, at_least: bool = False) -> bool:
    """Print one promise and what was seen of it; return whether it is kept and not too loose.

    Args:
        aim: what we want; None where we promise that.
    """
    said = Promise(what, seen, promised, promised if aim is None else aim, at_least)
    print(said, flush=True)
    if COLLECTED in os.environ:
        with Path(os.environ[COLLECTED]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(said) + "\n")
    return said.kept and not said.loose


def read(path: Path) -> list[Promise]:
    """Return the promises that were collected in a file, in their order."""
    return [Promise(*json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def table(promises: list[Promise]) -> str:
    """Return the one table for a terminal."""
    return "\n".join([_HEAD, *map(str, promises)])
