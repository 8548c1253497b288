"""Ten issues, and what is taken and erased of them."""

import shutil

import pytest
from support.gitlab.events import Events, person
from support.gitlab.pipeline import land, new_pipeline, put
from support.gitlab.snapshots import POLICY

from sealift_pipeline.settings.settings import Settings


@pytest.fixture(scope="session")
def ten_issues(tmp_path_factory):
    """Ten issues, of which users 1 to 5 wrote two each, landed in two rounds."""
    settings = new_pipeline(tmp_path_factory.mktemp("ten") / "pipeline", policy=POLICY)
    events, made = Events(7, size=1_700, users=1), []
    for number in range(10):
        event = events.make("issue", author_id=1 + number % 5, assignee_ids=[])
        made.append(event | {"user": person(1 + number % 5), "assignees": []})
    for half in (0, 5):
        put(settings, made[half : half + 5], first=half)
        land(settings)
    return settings.folder


@pytest.fixture
def settings(ten_issues, tmp_path):
    """A copy of its own for each test."""
    return Settings.load(shutil.copytree(ten_issues, tmp_path / "pipeline"))
