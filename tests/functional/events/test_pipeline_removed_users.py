"""A user who is removed from GitLab: from the system hook's event to rows that are gone, and what a wave does not do."""

import json
import time
from datetime import UTC, datetime

import pytest
from support.gitlab.events import Events, person
from support.gitlab.hook import Hook
from support.gitlab.pipeline import land, new_pipeline, put, receiver, rows

from sealift_pipeline.cli import command
from sealift_pipeline.data_policy.key_file import read_key
from sealift_pipeline.data_policy.protection import pseudonym
from sealift_pipeline.data_policy.record import system_key
from sealift_pipeline.erasure import journal
from sealift_pipeline.settings.settings import Settings

SYSTEM_TOKEN = "token-of-the-system-hook"


def configured(settings, *lines, system=True, hours=0):
    """Give the system hook its token, and `[erasure]` these lines."""
    path = settings.folder / "pipeline.toml"
    text = path.read_text().partition("[erasure]")[0]
    if system:
        (settings.folder / "system.token").write_text(SYSTEM_TOKEN)
        (settings.folder / "system.token").chmod(0o600)
        text = text.replace('# system_token_file = "system-hook.token"', 'system_token_file = "system.token"')
    path.write_text("\n".join([text, "[erasure]", f"wait_hours = {hours}", *lines, ""]))
    return Settings.load(settings.folder)


def issue_of(events, number):
    """An issue that is about one user alone."""
    event = events.make("issue", author_id=number, assignee_ids=[])
    return event | {"user": person(number), "assignees": []}


def removal(number):
    one = person(number)
    names = {name: one[name] for name in ("name", "username", "email")}
    return {"event_name": "user_destroy", "created_at": "2026-11-23T12:00:00Z", "user_id": number, **names}


@pytest.fixture
def settings(tmp_path):
    """Forty users with five issues each; nobody is removed yet."""
    settings = configured(new_pipeline(tmp_path / "p"), 'on_user_destroy = "apply"')
    events = Events(4, size=1_700)
    put(settings, [issue_of(events, 1 + number % 40) for number in range(200)])
    land(settings)
    return settings


def removed(settings, *numbers, token=SYSTEM_TOKEN, statuses=200):
    """Deliver the events of a system hook."""
    with receiver(settings) as server:
        hook = Hook(server.server_address[:2], token=token)
        assert {hook.send(removal(number)) for number in numbers} == {statuses}


def run(call, settings, *words, status=0):
    got, out, err = call(command, *words, "--pipeline", settings.folder)
    assert got == status, err
    return out, err


def left(settings):
    key = read_key(settings.key_file)
    names = {pseudonym(number, key): number for number in range(1, 41)}
    return {names[row["author"]] for row in rows(settings)}


def test_a_user_is_erased_by_the_lander_that_meets_the_event(settings, call):
    push = Events(9).make("push")
    push["commits"] = [push["commits"][0] | {"author": {"name": "x", "email": person(7)["email"]}}]
    put(settings, [push], first=500)
    removed(settings, 7)
    _, err = run(call, settings, "land", "--once")
    assert "erased 7 rows of users who were removed from GitLab" in err
    assert left(settings) == set(range(1, 41)) - {7}
    # A commit has nothing but the mail address.
    assert rows(settings, "push") == rows(settings, "user_destroy") == []
    (line,) = (settings.folder / journal.RECORD_FILE).read_text().splitlines()
    found = json.loads(line)
    assert (found["request"], found["automatic"], found["rows"]) == (
        "user_destroy",
        True,
        {"issue": 5, "push": 1, "user_destroy": 1},
    )
    assert "waits" not in run(call, settings, "status")[0]


def test_the_lander_waits_for_what_is_still_delivered_of_the_user(settings, call, monkeypatch):
    settings = configured(settings, 'on_user_destroy = "apply"', hours=24)
    removed(settings, 7)
    assert run(call, settings, "land", "--once")[1] == ""
    put(settings, [issue_of(Events(11, size=1_700), 7)], first=700)
    assert run(call, settings, "land", "--once")[1] == ""
    assert 7 in left(settings)
    real = time.time_ns()

    class Tomorrow(datetime):
        @classmethod
        def now(cls, zone=None):
            return cls.fromtimestamp(real / 1e9 + 25 * 3600, zone)

    monkeypatch.setattr("sealift_pipeline.erasure.destroyed.datetime", Tomorrow)
    assert "erased 7 rows" in run(call, settings, "land", "--once")[1]
    assert 7 not in left(settings)


def test_by_default_it_waits_and_is_listed_and_applied_by_hand(settings, call):
    settings = configured(settings)
    removed(settings, 3, 4)
    _, err = run(call, settings, "land", "--once")
    assert "erased" not in err
    assert len(left(settings)) == 40
    out, _ = run(call, settings, "erase", "--pending")
    first, second, _ = out.splitlines()
    key = read_key(settings.key_file)
    assert "5 rows (5 issue)" in first
    assert pseudonym(3, key) in first
    assert pseudonym(4, key) in second
    assert "any hook" not in out
    assert "2 users who were removed from GitLab wait" in run(call, settings, "status")[0]
    event = int(first.split()[1])
    out, _ = run(call, settings, "erase", "--pending", "--apply", "--event", event, "--request", "T-1")
    assert "erased 6 rows (5 issue, 1 user_destroy)" in out
    assert left(settings) == set(range(1, 41)) - {3}
    (one,) = json.loads(run(call, settings, "erase", "--pending", "--json")[0])
    assert (one["rows"], one["system_hook"]) == ({"issue": 5}, True)
    out, _ = run(call, settings, "erase", "--pending", "--dismiss", "--event", one["event"], "--request", "T-2")
    assert out == "dismissed 1 event; nobody else's rows were touched\n"
    assert "nobody who was removed" in run(call, settings, "erase", "--pending")[0]
    assert left(settings) == set(range(1, 41)) - {3}
    assert len((settings.folder / journal.RECORD_FILE).read_text().splitlines()) == 2


@pytest.mark.parametrize(("token", "status"), [("not the token", 401), (None, 200)])
def test_an_event_without_the_token_of_the_system_hook_erases_nothing(settings, call, token, status):
    """A maintainer of a project knows the token of its hook, and may not have anybody erased."""
    project = settings.token_file.read_text().strip()
    removed(settings, 7, token=token or project, statuses=status)
    run(call, settings, "land", "--once")
    assert len(left(settings)) == 40
    assert rows(settings, "user_destroy") == []


def test_a_key_that_claims_to_be_of_the_system_hook_is_not_believed(settings, call):
    settings = configured(settings, system=False)
    path = settings.folder / "pipeline.toml"
    path.write_text(path.read_text().replace('system_token_file = "system.token"', ""))
    settings = Settings.load(settings.folder)
    with receiver(settings) as server:
        hook = Hook(server.server_address[:2], token=settings.token_file.read_text().strip())
        assert hook.send(removal(7), key=system_key("x")) == 200
    run(call, settings, "land", "--once")
    assert "any hook could have sent it" in run(call, settings, "erase", "--pending")[0]
    # What came before the system hook had its token is never applied by itself.
    path.write_text(path.read_text().replace("[receiver]", '[receiver]\nsystem_token_file = "system.token"'))
    configured(settings, 'on_user_destroy = "apply"', system=False)
    run(call, settings, "land", "--once")
    assert len(left(settings)) == 40


@pytest.mark.parametrize(
    ("limits", "numbers", "said"),
    [
        (["most_users = 3", "most_percent = 100"], range(1, 5), "4 users were removed within a day, more than"),
        (
            [],
            [1, 2, 3, 4, 5],
            "25 of 200 rows of kind 'issue' are about users who were removed, more than most_percent = 5",
        ),
    ],
)
def test_a_wave_waits_and_says_so_and_a_person_decides(settings, call, limits, numbers, said):
    configured(settings, 'on_user_destroy = "apply"', *limits)
    settings = Settings.load(settings.folder)
    removed(settings, *numbers)
    _, err = run(call, settings, "land", "--once")
    assert said in err
    assert "erase --pending" in err
    assert len(left(settings)) == 40
    run(call, settings, "erase", "--pending", "--apply", "--request", "T-9")
    assert left(settings) == set(range(1, 41)) - set(numbers)


def test_a_slow_wave_is_counted_over_a_day(settings, call):
    settings = configured(settings, 'on_user_destroy = "apply"', "most_users = 2")
    for number in (1, 2):
        removed(settings, number)
        run(call, settings, "land", "--once")
    removed(settings, 3)
    assert "3 users were removed within a day" in run(call, settings, "land", "--once")[1]
    assert left(settings) == set(range(3, 41))
    path = settings.folder / journal.RECORD_FILE
    later = [json.loads(line) | {"at": "2020-01-01T00:00:00Z"} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in later) + '{"half a li')
    run(call, settings, "land", "--once")
    assert left(settings) == set(range(4, 41))


@pytest.mark.parametrize("step", ["remove", "vacuum", "append"])
def test_an_erasure_that_died_is_finished_by_the_lander(settings, call, step, monkeypatch):
    settings = configured(settings)
    removed(settings, 7)
    run(call, settings, "land", "--once")
    with monkeypatch.context() as patch:

        def die(*_, **__):
            raise ZeroDivisionError

        patch.setattr(f"sealift_pipeline.table.delta.EventTable.{step}", die)
        with pytest.raises(ZeroDivisionError):
            run(call, settings, "erase", "--pending", "--apply", "--request", "T-5")
    _, err = run(call, settings, "land", "--once")
    assert "finished an erasure that was interrupted: T-5" in err
    assert left(settings) == set(range(1, 41)) - {7}
    assert rows(settings, "user_destroy") == []
    assert not (settings.folder / journal.JOURNAL_FILE).exists()


def test_a_journal_that_no_erasure_wrote_is_told_and_events_are_landed(settings, call):
    (settings.folder / journal.JOURNAL_FILE).write_text('{"subjects": 5}')
    put(settings, Events(8).several(1, ["issue"]), first=900)
    out, err = run(call, settings, "land", "--once")
    assert "landed 1 issue" in out
    assert "is not what an erasure wrote" in err
    _, err = run(call, settings, "erase", "--user-id", 1, "--request", "T-1", status=76)
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--pending", "--user-id", "1"], "--pending is about users that events name"),
        (["--apply", "--request", "x"], "belong to --pending"),
        (["--pending", "--dismiss", "--request", "x"], "--dismiss and --event N name which events"),
        (["--pending", "--event", "1"], "--dismiss and --event N name which events"),
        (["--pending", "--apply"], "--request ID is needed"),
    ],
)
def test_words_that_do_not_go_together_are_refused(settings, call, words, said):
    _, err = run(call, settings, "erase", *words, status=2)
    assert said in err


def test_an_event_that_does_not_wait_is_told(settings, call):
    words = ("erase", "--pending", "--apply", "--event", 5, "--request", "x")
    assert "no removed user waits at event 5" in run(call, settings, *words, status=76)[1]


@pytest.mark.parametrize(
    ("lines", "system", "said"),
    [
        (['on_user_destroy = "now"'], True, "expected queue or apply"),
        (['on_user_destroy = "apply"'], False, "any hook could have a user erased"),
        (["wait_hours = -1"], True, "expected a number from 0 to 720"),
        (["most_users = 0"], True, "expected a number from 1 to"),
        (["most_percent = 101"], True, "expected a number from 1 to 100"),
        (["most_percent = true"], True, "expected a number from 1 to 100"),
        (["more = 1"], True, "more"),
    ],
)
def test_settings_that_cannot_be_name_their_line(tmp_path, call, lines, system, said):
    settings = new_pipeline(tmp_path / "p")
    path = settings.folder / "pipeline.toml"
    text = path.read_text().partition("[erasure]")[0]
    if system:
        text = text.replace("[receiver]", '[receiver]\nsystem_token_file = "x"')
    path.write_text("\n".join([text, "[erasure]", *lines, ""]))
    _, err = run(call, settings, "status", status=70)
    assert said in err


def test_the_system_hook_needs_a_token_of_its_own(settings, call):
    (settings.folder / "system.token").write_bytes(settings.token_file.read_bytes())
    _, err = run(call, settings, "receive", status=53)
    assert "give the system hook one of its own" in err


def test_a_clock_that_jumped_back_lets_no_second_wave_pass(settings):
    """What was erased at a time that lies ahead still counts."""
    line = {"at": "2099-01-01T00:00:00Z", "request": "user_destroy", "rows": {}, "automatic": True, "events": [1, 2]}
    (settings.folder / journal.RECORD_FILE).write_text(json.dumps(line) + "\n")
    assert journal.erased_automatically(settings.folder, datetime.fromtimestamp(time.time(), UTC)) == 2
