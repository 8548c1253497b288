"""What the packages ship, as recipes, and their own answers beside those of an instance; runs where they are installed.

`prepare FOLDER` writes for each model a folder with its graphs, side files, samples and recipe. `compare FOLDER` loads
what an instance installed, lets the package's own code ask it in place of its own sessions, and says how far the
answers are apart.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import encoders
import numpy as np
import rapid
import romanizer
import silero

INPUTS = 50


class Original(NamedTuple):
    """One model: how it becomes a recipe, and the pairs of answers, theirs and ours, for a number of inputs."""

    prepare: Callable[[Path], Mapping[str, Any]]
    compare: Callable[[Any, Path, int], Iterator[tuple[Any, Any]]]
    most_apart: float


# Graphs that a package ships run as they are: the same answers, bit for bit. Exported ones are compared with PyTorch.
ORIGINALS = {
    "silero-vad": Original(silero.prepare, silero.compare, 0.0),
    "rapidocr": Original(rapid.prepare, rapid.compare, 0.0),
    "arabic-name-romanizer": Original(romanizer.prepare_arabic, romanizer.compare, 0.0),
    "persian-name-romanizer": Original(romanizer.prepare_persian, romanizer.compare, 0.0),
    "minilm": Original(encoders.prepare_minilm, encoders.compare_minilm, 2e-6),
    "tiny-bert": Original(encoders.prepare_tiny, encoders.compare_tiny, 2e-6),
}


def recipe(name: str, parts: Mapping[str, Any]) -> str:
    """Write a recipe: tables of `parts` become tables of TOML, the rest lines at its top."""
    lines = [f'name = "{name}"', 'version = "1.0.0"', 'licenses = ["MIT"]']
    lines += [f"{key} = {json.dumps(value)}" for key, value in parts.items() if not isinstance(value, dict)]
    for table, values in parts.items():
        if isinstance(values, dict):
            lines += [f"[{table}]", *(f'"{key}" = {json.dumps(value)}' for key, value in values.items())]
    return "\n".join(lines) + "\n"


def prepare(work: Path) -> None:
    for name, original in ORIGINALS.items():
        folder = work / name
        folder.mkdir()
        (folder / "recipe.toml").write_text(recipe(name, original.prepare(folder)), "utf-8")


def compare(work: Path) -> bool:
    import sealift

    kept = True
    for name, original in ORIGINALS.items():
        started = time.monotonic()
        with sealift.load(name, threads=1) as model:
            pairs = list(original.compare(model, work / name, INPUTS))
        apart = max(distance(theirs, ours) for theirs, ours in pairs)
        fine = len(pairs) >= INPUTS and apart <= original.most_apart
        kept &= fine
        print(
            f"{time.monotonic() - started:6.1f} s  {name:24} {len(pairs):4} inputs, answers at most {apart:.1e} apart; promised: {original.most_apart:.0e}"
            + ("" if fine else "  BROKEN"),
            flush=True,
        )
    return kept


def distance(theirs: Any, ours: Any) -> float:
    """The largest difference between numbers; infinite where anything else differs."""
    if isinstance(theirs, list | tuple):
        pairs = list(zip(theirs, ours, strict=True))
        return max((distance(*pair) for pair in pairs), default=0.0)
    if not isinstance(theirs, np.ndarray | np.generic | float):
        return 0.0 if theirs == ours else float("inf")
    one, other = np.asarray(theirs), np.asarray(ours)
    if one.shape != other.shape or one.dtype != other.dtype:
        return float("inf")
    return float(np.abs(one.astype(np.float64) - other).max(initial=0.0))


if __name__ == "__main__":
    command, place = sys.argv[1:]
    sys.exit(0 if {"prepare": prepare, "compare": compare}[command](Path(place)) is not False else 1)
