"""`.ci/run` fails where any of its steps does, also in a lane beside another one."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / ".ci" / "run"
LINES = re.findall(r"^(?:lane|step make) (.+?)(?: >.*| \|\|.*| [A-Z_]+=.*)?$", RUN.read_text("utf-8"), re.MULTILINE)
TARGETS = [target for line in LINES for target in line.split()]


def run(tmp_path: Path, failing: str) -> "subprocess.CompletedProcess[str]":
    """Run it with a Makefile of which one target fails, and nothing else happens."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(RUN, tmp_path / ".ci" / "run")
    packages = tmp_path / ".ci" / "debian-packages"
    packages.write_text("#!/bin/sh\n")
    packages.chmod(0o755)
    (tmp_path / "Makefile").write_text(f"{' '.join(TARGETS)}:\n\t@[ $@ != {failing} ]\n")
    return subprocess.run([tmp_path / ".ci" / "run"], capture_output=True, text=True, check=False)


def test_it_passes_where_every_step_does(tmp_path: Path) -> None:
    assert {"test", "lint", "types", "tune", "fuzz"} <= set(TARGETS)
    done = run(tmp_path, "nothing")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "=== all passed")


@pytest.mark.parametrize("failing", TARGETS)
def test_it_fails_where_one_step_does(tmp_path: Path, failing: str) -> None:
    done = run(tmp_path, failing)
    assert done.returncode != 0
    assert "all passed" not in done.stdout
