"""What several files of tests need and nobody changes, made once in a run: also where each runs in a process of its own."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return the folder that `make` filled, in whichever process of the run came first; the others wait for it.

    A folder whose making failed is not there, so that each test which needs it says why.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / "once" / name
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            making = folder.with_name(f"{name}.making.{os.getpid()}.{len(list(folder.parent.iterdir()))}")
            making.mkdir()
            make(making)
            making.rename(folder)
    return folder
