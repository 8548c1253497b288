"""Filling gaps: what the hook tried to deliver, and issues that it never tried because it was off."""

import json
import time

import pytest
from support.gitlab.api import TOKEN, gitlab_api, issue_of
from support.gitlab.events import Events
from support.gitlab.hook import Hook
from support.gitlab.pipeline import land, new_pipeline, receiver, rows

from sealift_pipeline.cli import command
from sealift_pipeline.log.opening import open_log


@pytest.fixture
def api(monkeypatch):
    monkeypatch.setenv("GITLAB_TOKEN", TOKEN)
    with gitlab_api() as api:
        yield api


@pytest.fixture
def settings(tmp_path, api):
    return new_pipeline(tmp_path / "pipeline", url=api.url, project="group/app", hook=3)


@pytest.fixture
def backfill(call, settings):
    def backfill(*options):
        return call(command, "backfill", "--since", "2026-10-01", *options, "--pipeline", settings.folder)

    return backfill


def kept(settings):
    with open_log(settings) as log:
        return [entry.record.key for entry in log.read(0, 10_000)]


def test_a_receiver_that_was_down_for_a_hundred_events_gets_exactly_those(settings, api, backfill):
    """The hook goes off after four failures; the other 96 are in no list of the hook."""
    events = Events(4, size=1_700).several(120, ["issue"])
    now = [time.time()]
    token = settings.token_file.read_text().strip()
    with receiver(settings) as server:
        hook = Hook(server.server_address[:2], token=token, clock=lambda: now[0])
        api.sent = lambda: hook.sent
        assert [hook.send(event) for event in events[:10]] == [200] * 10
    assert [hook.send(event) for event in events[10:110]] == [0] * 4 + [None] * 96
    now[0] += 61
    with receiver(settings) as server:
        hook.address = server.server_address[:2]
        assert [hook.send(event) for event in events[110:]] == [200] * 10
        api.issues = [issue_of(event) for event in events]
        status, out, err = backfill()
    assert (status, err) == (0, "")
    assert out == "brought 100 events that were not known: 4 from the hook, 96 from the issues\n"
    assert len(set(kept(settings))) == 120
    land(settings)
    found = rows(settings)
    assert sorted(row["id"] for row in found) == [event["object_attributes"]["id"] for event in events]
    # Also once they are landed.
    assert backfill()[1].startswith("brought 0 events ")


def test_what_comes_from_the_list_is_what_the_hook_would_have_brought(settings, api, backfill):
    event = Events(4, size=1_700).make("issue")
    api.issues = [issue_of(event)]
    backfill()
    land(settings)
    (row,) = rows(settings)
    attributes = event["object_attributes"]
    assert (row["id"], row["title"], row["state"]) == (attributes["id"], attributes["title"], "opened")
    assert row["labels"] == [label["title"] for label in event["labels"]]
    assert row["actor"] is None
    assert row["author"] in row["subjects"]


def test_an_issue_that_changed_since_is_brought_again(settings, api, backfill):
    event = Events(4, size=1_700).make("issue")
    api.issues = [issue_of(event)]
    assert "1 from the issues" in backfill()[1]
    api.issues[0]["updated_at"] = "2026-11-02T10:00:00.000Z"
    assert "1 from the issues" in backfill()[1]
    assert "0 from the issues" in backfill()[1]


def test_confidential_issues_stay_where_they_are(settings, api, backfill):
    api.issues = [issue_of(Events(4).make("issue", confidential=True))]
    assert "0 from the issues" in backfill()[1]
    assert kept(settings) == []


def test_only_the_hook_where_that_is_asked_for_and_json(settings, api, backfill):
    api.issues = [issue_of(Events(4).make("issue"))]
    status, out, _ = backfill("--no-issues", "--json")
    assert (status, json.loads(out)) == (0, {"accepted": {"hook": 0}, "rejected": 0})
    assert not any("/issues" in path for path in api.asked)


def test_an_event_that_does_not_fit_is_counted_and_not_brought(settings, api, backfill):
    entry = {"request_headers": {"Idempotency-Key": "k"}, "request_data": {"object_kind": "issue"}}
    api.sent = lambda: [entry]
    status, out, err = backfill()
    assert (status, len(err.splitlines())) == (0, 1)
    assert "brought 0 events" in out
    assert "1 events do not fit the data policy" in err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("token", "requires a token, and refuses the one given"),
        ("project", "HTTP 404"),
        ("html", "is not JSON"),
        ("object", "answers with something other than a list"),
        ("entry", "an entry without request_headers and request_data"),
        ("unset", "[gitlab] lacks url, hook; backfill needs the address, project and hook"),
        ("remote", "which is without TLS; if that is meant, use --plain-http"),
    ],
)
def test_what_gitlab_refuses_is_told_in_one_line(settings, api, backfill, monkeypatch, change, said):
    path = settings.folder / "pipeline.toml"
    if change == "token":
        monkeypatch.setenv("GITLAB_TOKEN", "another")
    elif change == "project":
        path.write_text(path.read_text().replace("group/app", "group/other"))
    elif change == "unset":
        path.write_text(path.read_text().replace(api.url, "").replace("hook = 3", "hook = 0"))
    elif change == "remote":
        path.write_text(path.read_text().replace(api.url, "http://gitlab.invented.example"))
    else:
        api.answer = {"html": b"<html>", "object": b"{}", "entry": b'[{"id": 1}]'}[change]
    status, out, err = backfill()
    assert (status, out, len(err.splitlines())) == (74, "", 1), err
    assert said in err
    assert kept(settings) == []


def delivery(number, event):
    headers = {"Idempotency-Key": f"key-{number}", "X-Gitlab-Token": "[REDACTED]"}
    return {"id": number, "request_headers": headers, "request_data": event, "response_status": "internal error"}


def test_a_page_beyond_the_limits_is_asked_for_one_by_one(settings, api, backfill, monkeypatch):
    """One delivery that cannot be read must not keep the others away."""
    monkeypatch.setattr("sealift_pipeline.backfill.gitlab_api._PAGE_BYTES", 30_000)
    made = [delivery(number, event) for number, event in enumerate(Events(4, size=3_000).several(50, ["issue"]))]
    made[17]["request_data"] |= {"changes": "x" * 40_000}
    api.sent = lambda: made
    status, out, err = backfill("--no-issues")
    assert (status, err) == (0, "note: passed over 1 delivery beyond the limits\n")
    assert out.startswith("brought 49 events ")
    assert kept(settings) == [f"key-{number}" for number in range(50) if number != 17]


def test_what_comes_while_the_list_is_read_leaves_nothing_out(settings, api, backfill, monkeypatch):
    """Each new delivery moves all others to later places of the list."""
    monkeypatch.setattr("sealift_pipeline.backfill.gitlab_api._HELD_BYTES", 0)
    events = Events(4, size=1_700)
    made = [delivery(number, events.make("issue")) for number in range(70)]

    def sent():
        shown = list(made)
        made.append(delivery(len(made), events.make("issue")))
        return shown

    api.sent = sent
    assert backfill("--no-issues")[0] == 0
    assert {f"key-{number}" for number in range(70)} <= set(kept(settings))


def test_an_issue_that_changes_while_the_list_is_read_hides_no_other(settings, api, backfill):
    """It moves to the end, and all others one place forward."""
    events = Events(4, size=1_700)
    made = [issue_of(events.make("issue")) for _ in range(250)]

    class Moving(list):
        def __iter__(self):
            yield from list.__iter__(self)
            self[0]["updated_at"] = "2026-12-01T00:00:00.000Z"
            self.sort(key=lambda one: one["updated_at"])

    api.issues = Moving(sorted(made, key=lambda one: one["updated_at"]))
    assert backfill()[0] == 0
    land(settings)
    assert {row["id"] for row in rows(settings)} == {one["id"] for one in made}


def test_more_issues_than_a_page_that_changed_at_one_moment_are_all_brought(settings, api, backfill):
    events = Events(4, size=1_700)
    api.issues = [issue_of(events.make("issue")) | {"updated_at": "2026-11-02T10:00:00.000Z"} for _ in range(230)]
    assert "230 from the issues" in backfill()[1]
    assert "0 from the issues" in backfill()[1]
