"""The pages about events, typed into a shell: a hook, a receiver, GitLab's lists behind a private CA, an erasure."""

import shutil
from pathlib import Path

import pytest
from support.gitlab.api import TOKEN, gitlab_api, issue_of
from support.gitlab.events import Events, person
from support.gitlab.hook import Hook
from support.gitlab.pipeline import land, new_pipeline, put, rows
from support.pages.admin_page import Page
from support.servers.nats_server import nats_server
from support.servers.registry_server import free_port, private_ca

from sealift_pipeline.data_policy.protection import pseudonym
from sealift_pipeline.settings.settings import Settings
from sealift_pipeline.snapshots.taking import take

pytestmark = pytest.mark.slow


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page(tmp_path)


def test_receive_events_of_gitlab(page: Page, tmp_path: Path, require_tool) -> None:
    require_tool("curl")
    (tmp_path / "ca").mkdir()
    ca = private_ca(tmp_path / "ca")
    (page.work / "certs").mkdir()
    shutil.copy(ca / "ca.pem", page.work / "certs" / "ca.crt")
    events = Events(2, size=1_700)
    # Nobody answered three deliveries, and what happened while the hook was off is in the list of issues alone.
    missed = Hook(("127.0.0.1", free_port()), token="not shown")
    assert [missed.send(events.make("issue")) for _ in range(3)] == [0, 0, 0]
    with gitlab_api((ca / "server.pem", ca / "server.key")) as gitlab:
        gitlab.sent = lambda: missed.sent
        gitlab.issues = [issue_of(events.make("issue", updated_at="2099-11-01 08:00:00 UTC")) for _ in range(2)]
        page.set(GITLAB=f"127.0.0.1:{gitlab.server_address[1]}", RECEIVER=f"127.0.0.1:{free_port()}", TOKEN=TOKEN)
        page.follow("receive-events-of-gitlab.md")
    settings = Settings.load(page.work / "events")
    assert len(rows(settings)) == 6
    assert rows(settings)[0]["description"] == "Ask <mention>, or <e-mail>"


def test_erase_a_person(page: Page, require_tool) -> None:
    require_tool("jq")
    settings = new_pipeline(page.work / "events")
    put(settings, Events(4, size=1_700, users=20).several(120, ["issue", "note", "push"]))
    removed = [Events().make("user_destroy", **{**person(number), "user_id": number}) for number in (13, 14)]
    put(settings, removed, first=500)
    land(settings)
    snapshot = take(settings, settings.data_policy(), "issue")
    (settings.folder / "snapshots").mkdir()
    (settings.folder / "snapshots" / "issue-120.json").write_bytes(snapshot.to_bytes())
    one, key = person(12), bytes.fromhex(settings.key_file.read_text())
    assert (one["username"], one["email"]) == ("chioma.invented12", "chioma12@invented.invented.example")
    hidden = {pseudonym(who, key) for who in (12, one["username"], one["email"])}
    kinds = ("issue", "note", "push")
    assert all(any(hidden & set(row["subjects"]) for row in rows(settings, kind)) for kind in kinds)
    page.follow("erase-a-person.md")
    assert not any(hidden & set(row["subjects"]) for kind in kinds for row in rows(settings, kind))
    # One was dismissed and keeps the rows, the other was erased.
    dismissed, erased = pseudonym(13, key), pseudonym(14, key)
    left = {one for kind in kinds for row in rows(settings, kind) for one in row["subjects"]}
    assert dismissed in left
    assert erased not in left
    assert Settings.load(settings.folder).erasure.is_automatic


def test_change_the_key_of_pseudonyms(page: Page) -> None:
    settings = new_pipeline(page.work / "events")
    put(settings, [Events(3).make("issue", author_id=12) for _ in range(2)])
    before = settings.key_file.read_text()
    page.follow("change-the-key-of-pseudonyms.md")
    new, old = settings.key_file.read_text().splitlines()
    assert old == before.strip() != new
    assert rows(settings) == []


def test_outgrow_one_machine(page: Page, tmp_path: Path) -> None:
    settings = new_pipeline(page.work / "events")
    before = list(Events(4, size=1_700).several(12, ["issue"]))
    put(settings, before)
    with nats_server(tmp_path / "nats", authorization={"token": "correct-horse-battery"}) as server:
        page.set(NATS=server.url, NATS_TOKEN="correct-horse-battery")
        page.follow("outgrow-one-machine.md")
        settings = Settings.load(page.work / "events")
        assert settings.nats is not None
        # What the old log had landed comes once more, and three new ones.
        put(settings, [*before, *Events(5, size=1_700).several(3, ["issue"])])
        assert land(settings).rows == {"issue": 3}
    assert [row["key"] for row in rows(settings)] == [f"key-{number}" for number in range(15)]
