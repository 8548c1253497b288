"""An erasure that is killed at any of its steps: roots hold, and the next lander finishes it."""

import os
import signal
import subprocess
import sys

import pytest
from support.gitlab.events import Events
from support.gitlab.pipeline import land, new_pipeline, put, rows

from sealift_pipeline.cli import command
from sealift_pipeline.data_policy.key_file import read_key
from sealift_pipeline.data_policy.protection import pseudonym
from sealift_pipeline.erasure.journal import JOURNAL_FILE, RECORD_FILE
from sealift_pipeline.snapshots.taking import take, verify

pytestmark = pytest.mark.slow

# What is killed before it runs, or right after.
STEPS = [
    ("sealift_pipeline.erasure.journal", "begin", "after"),
    ("sealift_pipeline.table.delta.EventTable", "append", "after"),
    ("sealift_pipeline.table.delta.EventTable", "remove", "before"),
    ("sealift_pipeline.table.delta.EventTable", "remove", "after"),
    ("sealift_pipeline.table.delta.EventTable", "vacuum", "after"),
    ("sealift_pipeline.erasure.journal", "end", "before"),
]
KILLED = """
import os, pkgutil, signal, sys

owner, name, moment = pkgutil.resolve_name(sys.argv[1]), sys.argv[2], sys.argv[3]
real = getattr(owner, name)

def dying(*arguments, **options):
    if moment == "after":
        real(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, dying)
from sealift_pipeline.cli import main
sys.argv = ["sealift-pipeline", *sys.argv[4:]]
main()
"""


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step[2]} {step[1]}")
def test_the_lander_finishes_what_was_killed(tmp_path, call, step):
    settings = new_pipeline(tmp_path / "p")
    events = Events(4, size=1_700)
    made = [events.make("issue", author_id=1 + number % 4, assignee_ids=[]) for number in range(12)]
    put(settings, [event | {"user": None, "assignees": []} for event in made])
    land(settings)
    before = take(settings, settings.data_policy(), "issue")
    words = ["erase", "--user-id", "2", "--request", "T-1", "--pipeline", str(settings.folder)]
    program = [sys.executable, "-c", KILLED, *step, *words]
    done = subprocess.run(program, env=os.environ, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    verify(settings, before)
    status, _, err = call(command, "land", "--once", "--pipeline", settings.folder)
    assert status == 0
    assert "finished an erasure that was interrupted: T-1" in err
    verified = verify(settings, before)
    assert (verified.rows, verified.erased) == (9, 3)
    hidden = pseudonym(2, read_key(settings.key_file))
    assert all(hidden not in row["subjects"] for row in rows(settings))
    for path in settings.folder.rglob("*"):
        assert not path.is_file() or hidden.encode() not in path.read_bytes(), path
    assert not (settings.folder / JOURNAL_FILE).exists()
    assert "T-1" in (settings.folder / RECORD_FILE).read_text()
