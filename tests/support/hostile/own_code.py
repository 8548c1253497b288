"""A module of a team's own, for what a child does with code that the caller trusts."""

import os
from pathlib import Path

import pytest
from support.hostile.pickles import call, file_of

NAME = "own_code"
FULL = f"{NAME}.run"


def own_pickle(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> bytes:
    """Put a module with a function `run` of this body on the path; return a pickle that calls it when it is opened."""
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    (folder / f"{NAME}.py").write_text(f"def run():\n{lines}\n")
    places = os.environ.get("PYTHONPATH", "")
    if str(folder) not in places.split(os.pathsep):
        monkeypatch.setenv("PYTHONPATH", f"{places}{os.pathsep}{folder}" if places else str(folder))
    return file_of(call(NAME, "run"))
