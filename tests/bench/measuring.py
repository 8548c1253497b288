"""Measure commands: processor time of a process and its children, peaks of memory, both sides in turn.

Both sides run in an environment as an instance has it: the base lock file, with byte code, without what only developers
install.
"""

import atexit
import functools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

# Fewer for a look, on a machine with little time; the page says how many.
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
# Of what takes half a minute and more each time.
FEW_ROUNDS = min(3, ROUNDS)
# The Python of an instance's environment that `make bench` made for all.
INSTANCE_PYTHON = "BENCH_INSTANCE_PYTHON"
ROOT = Path(__file__).resolve().parents[2]


class Cost(NamedTuple):
    """Costs of a command: seconds on the clock, and of processor time, its children's included."""

    clock_s: float
    processor_s: float


def cost(command: Iterable[object], environment: Mapping[str, str] | None = None, status: Iterable[int] = (0,)) -> Cost:
    """Run a command to its end.

    Args:
        environment: on top of this process's.
        status: exit statuses that are right.
    """
    words = [str(word) for word in command]
    # Some workplaces forbid byte code; then every start would compile us again, and nobody else.
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    quiet = subprocess.DEVNULL
    started = time.perf_counter()
    child = subprocess.Popen(words, env={**inherited, **(environment or {})}, stdout=quiet, stderr=quiet)
    _, ended, used = os.wait4(child.pid, 0)
    took = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(ended)
    assert child.returncode in status, (words, child.returncode)
    return Cost(took, used.ru_utime + used.ru_stime)


def in_turn(sides: Mapping[str, Callable[[], Cost]], rounds: int = ROUNDS) -> dict[str, list[Cost]]:
    """Measure every side once in each round, so that a busy moment of the machine meets all; once before it counts."""
    found: dict[str, list[Cost]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, run in sides.items():
            taken = run()
            if number:  # the first fills the page cache and writes byte code
                found[name].append(taken)
    return found


def processor_ratio(found: Mapping[str, list[Cost]], ours: str, theirs: str) -> float:
    """Return the ratio of the medians of processor time."""
    one, other = (statistics.median(taken.processor_s for taken in found[side]) for side in (ours, theirs))
    return one / other


def clock_ratio(found: Mapping[str, list[Cost]], ours: str, theirs: str) -> float:
    """Return the ratio of the medians of seconds on the clock."""
    one, other = (statistics.median(taken.clock_s for taken in found[side]) for side in (ours, theirs))
    return one / other


def make_instance(made: Path) -> Path:
    """Make an environment from the base lock file and this source in a folder; return its Python."""
    venv.create(made, with_pip=True)
    pip = [made / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--require-hashes", "--requirement", ROOT / "requirements/base.lock"], check=True)
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", made, ROOT]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*pip, next(made.glob("*.whl"))], check=True)
    return made / "bin/python"


@functools.cache
def instance_python() -> Path:
    """Return the Python of an environment as an instance has it."""
    if INSTANCE_PYTHON in os.environ:
        return Path(os.environ[INSTANCE_PYTHON])
    made = Path(tempfile.mkdtemp(prefix="sealift-bench-environment-"))
    atexit.register(shutil.rmtree, made)
    return make_instance(made)


def sealift() -> Path:
    """Return the command of that environment."""
    return instance_python().with_name("sealift")
