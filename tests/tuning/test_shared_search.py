"""A search on several machines: real PostgreSQL, processes that assist, one that is killed; the same bytes as alone."""

import os
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.gitlab.training import CODE, TOML, Training
from support.pages.admin_page import Page
from support.release.workbench import Workbench
from support.servers.postgresql_server import postgresql_server

from sealift_pipeline.cli import command
from sealift_pipeline.errors import ProjectError
from sealift_pipeline.runs.document import Run
from sealift_pipeline.training.assisting import assist_project

MORE = TOML.replace("trials = 4", "trials = 16").replace("batch = 2", "batch = 8")


@contextmanager
def served():
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        Path(folder).chmod(0o755)
        with postgresql_server(Path(folder) / "s") as url:
            yield url


@pytest.fixture(scope="module")
def database():
    with served() as url:
        yield url


@pytest.fixture
def empty_database():
    """One in which no search was left behind, which machines that assist would take for the one to come."""
    with served() as url:
        yield url


@pytest.fixture
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Training:
    return Training(Workbench(tmp_path, monkeypatch), 560, toml=MORE)


def assisting(training, database):
    """Another machine: a process of its own."""
    return subprocess.Popen(
        ["sealift-pipeline", "assist", "triage.toml", "--pipeline", "events", "--wait", "120"],
        cwd=training.folder,
        env={**os.environ, "SEALIFT_SEARCH_STORAGE": database},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_machines_that_assist_and_one_that_dies_lead_to_the_bytes_of_one(training, database, call) -> None:
    alone = training.retrain()
    folder = training.settings.folder / "runs" / "triage"
    run = (folder / "run.json").read_bytes()
    training.channel.unstage(alone.model)
    others = [assisting(training, database) for _ in range(3)]
    status, _, err = call(command, "retrain", "triage.toml", "--pipeline", "events", "--storage", database)
    others[0].kill()
    assert status == 0, err
    said = [one.communicate(timeout=120)[0] for one in others]
    assert (folder / "run.json").read_bytes() == run
    assert len(Run.parse(run).search["trials"]) == 16
    assert [one.returncode for one in others[1:]] == [0, 0]
    assert all(one.startswith("scored ") for one in said[1:])


def test_machines_that_start_at_the_same_moment_make_the_tables_once(empty_database) -> None:
    open_it = f"from sealift_pipeline.training.search.sharing import open_storage; open_storage({empty_database!r})"
    started = [subprocess.Popen([sys.executable, "-c", open_it], stderr=subprocess.PIPE, text=True) for _ in range(6)]
    said = [one.communicate(timeout=120)[1] for one in started]
    assert [one.returncode for one in started] == [0] * 6, said


def test_a_search_that_was_interrupted_is_neither_taken_for_the_one_to_come_nor_refused(training, empty_database):
    interrupted = searched(training, empty_database)
    with pytest.raises(ProjectError, match="is searched already, by another retrain"):
        searched(training, empty_database)
    interrupted._turn.close()  # as its death does
    training.land(20)
    assert assist_project(training.project, training.settings, empty_database, workers=1, wait_s=0) is None
    other = assisting(training, empty_database)
    training.retrain(storage=empty_database)
    assert other.wait(timeout=120) == 0
    assert other.stdout.read().startswith("scored ")


def test_a_search_whose_process_dies_lets_those_who_assist_it_go(training, empty_database) -> None:
    search = searched(training, empty_database)
    threading.Timer(3.0, search._turn.close).start()
    assert assist_project(training.project, training.settings, empty_database, workers=1, wait_s=1) is None


def test_machines_that_would_score_something_else_are_refused(training, database) -> None:
    search = searched(training, database)
    # Rows that come later are left out by the number of the last event.
    training.land(20)
    training.write(code=CODE + "\n")
    with pytest.raises(ProjectError, match=rf"cannot assist {search.name}: code differ"):
        assist_project(training.project, training.settings, database, workers=1, wait_s=0)
    search._turn.close()
    assert assist_project_of_nobody(training, database) is None


def searched(training, database):
    """A search that runs: its study is open, and nothing was asked yet."""
    from sealift_pipeline.snapshots.taking import take
    from sealift_pipeline.training.inputs import inputs_of, shared_by
    from sealift_pipeline.training.project.lock import Lock
    from sealift_pipeline.training.search.sharing import SharedSearch

    lock = Lock(training.project.lock)
    snapshot = take(training.settings, training.settings.data_policy(), "issue")
    wanted = shared_by(inputs_of(training.project, lock, snapshot), lock.require_here(), snapshot)
    search = SharedSearch(database, "triage", wanted)
    search.open_study(1)
    return search


def assist_project_of_nobody(training, database):
    training.write(toml=MORE.replace('"triage"', '"other"'))
    return assist_project(training.project, training.settings, database, workers=1, wait_s=0)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:///x.db", r"--storage is sqlite://…; expected postgresql\+psycopg://USER@HOST/DATABASE"),
        (
            "postgresql+psycopg://me:secret@db/x",
            r"expected postgresql\+psycopg://USER@HOST/DATABASE without a password",
        ),
        ("postgresql+psycopg://me@/x?host=/nowhere", r"the storage of the search does not answer: "),
    ],
    ids=["another", "password", "nobody there"],
)
def test_a_storage_that_is_none(training, url, message) -> None:
    with pytest.raises(ProjectError, match=message) as caught:
        training.retrain(storage=url)
    assert "secret" not in str(caught.value)
    assert not training.channel.staged()


def test_the_page_about_several_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_database) -> None:
    page = Page(tmp_path)
    Training(Workbench(page.work, monkeypatch), 560, toml=MORE)
    page.set(DATABASE=empty_database)
    page.follow("tune-on-several-machines.md")
