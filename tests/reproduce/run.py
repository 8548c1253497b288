"""Train a model with two workers, and make its run again with one, in a fresh environment of the lock file."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from support.gitlab.training import Training
from support.release.workbench import Workbench


def command(*arguments: str) -> float:
    """Run `sealift-pipeline`; give the seconds that it took."""
    print("$ sealift-pipeline", *arguments, flush=True)
    began = time.monotonic()
    done = subprocess.run(["sealift-pipeline", *arguments], check=False, env={**os.environ, "OMP_NUM_THREADS": "2"})
    if done.returncode:
        sys.exit(f"exit {done.returncode}")
    return time.monotonic() - began


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        training = Training(Workbench(Path(folder), patch), 560)
        command("retrain", "triage.toml", "--pipeline", "events", "--workers", "2")
        training.release()
        unchanged = command("retrain", "triage.toml", "--pipeline", "events")
        seconds = command(
            "reproduce", "events/runs/triage/run.json", "--project", "triage.toml", "--pipeline", "events"
        )
        print(f"unchanged in {unchanged:.1f} s; equal in a fresh environment after {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
