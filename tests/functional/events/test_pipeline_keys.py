"""The key of pseudonyms changes: old rows keep their names, and an erasure finds a person under every key."""

import secrets

import pytest
from support.gitlab.events import Events, person
from support.gitlab.hook import Hook
from support.gitlab.pipeline import land, new_pipeline, put, receiver, rows

from sealift_common.errors import KeyFileError
from sealift_pipeline.cli import command
from sealift_pipeline.cli.events.keys import note_keys
from sealift_pipeline.data_policy import keys_used
from sealift_pipeline.data_policy.key_file import read_key, read_keys
from sealift_pipeline.data_policy.protection import pseudonym


@pytest.fixture
def settings(tmp_path):
    """Two issues of user 5, named with the first key."""
    settings = new_pipeline(tmp_path / "p")
    note_keys(settings, read_keys(settings.key_file))
    events = Events(3, size=1_700)
    put(settings, [events.make("issue", author_id=5) for _ in range(2)])
    land(settings)
    return settings


def rotate(settings, *, keep=True):
    """Write a new key, above the old ones or in their place."""
    before = settings.key_file.read_text() if keep else ""
    settings.key_file.write_text(secrets.token_hex(32) + "\n" + before)


def erase(call, settings, status=0):
    got, out, err = call(command, "erase", "--user-id", 5, "--request", "T-1", "--pipeline", settings.folder)
    assert got == status, err
    return out + err


def test_a_new_key_names_new_rows_and_an_erasure_finds_both(settings, call):
    before = {row["author"] for row in rows(settings)}
    rotate(settings)
    assert len(read_keys(settings.key_file)) == 2
    note_keys(settings, read_keys(settings.key_file))
    put(settings, [Events(8, size=1_700).make("issue", author_id=5)], first=70)
    land(settings)
    after = {row["author"] for row in rows(settings)}
    assert before < after
    assert after - before == {pseudonym(5, read_key(settings.key_file))}
    assert "erased 3 rows" in erase(call, settings)
    assert rows(settings) == []
    assert len(keys_used.used(settings.folder)) == 2


def test_a_removed_user_is_erased_under_every_key(settings, call):
    rotate(settings)
    with receiver(settings) as server:
        hook = Hook(server.server_address[:2], token=settings.token_file.read_text().strip())
        names = {name: person(5)[name] for name in ("name", "username", "email")}
        assert hook.send({"event_name": "user_destroy", "user_id": 5, **names}) == 200
    land(settings)
    (row,) = rows(settings, "user_destroy")
    # A number, a user name and a mail address, under two keys.
    assert len(row["subjects"]) == 6
    words = ("erase", "--pending", "--apply", "--request", "T-1", "--pipeline", settings.folder)
    assert "erased 3 rows (2 issue, 1 user_destroy)" in call(command, *words)[1]


def test_a_key_that_took_the_place_of_another_makes_no_false_promise(settings, call, capsys):
    old = settings.key_file.read_text()
    rotate(settings, keep=False)
    note_keys(settings, read_keys(settings.key_file))
    assert "lacks the key" in capsys.readouterr().err
    said = erase(call, settings, status=76)
    assert len(said.splitlines()) == 1
    assert "lacks the key" in said
    assert len(rows(settings)) == 2
    settings.key_file.write_text(settings.key_file.read_text() + old)
    assert "erased 2 rows" in erase(call, settings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1 to 32 lines"),
        ("ab" * 31 + "\n", "1 to 32 lines"),
        ("ab" * 32 + "\n\n" + "cd" * 32 + "\n", "1 to 32 lines"),
        (("ab" * 32 + "\n") * 33, "1 to 32 lines"),
        ("ab" * 32 + " " + "cd" * 32, "1 to 32 lines"),
        ("x" * 9_000, ""),
    ],
    ids=range(6),
)
def test_a_file_that_is_no_key_file_is_refused(settings, call, text, said):
    settings.key_file.write_text(text)
    assert said in erase(call, settings, status=53)


@pytest.mark.parametrize("text", ["{}", "[1]", '["short"]', "not JSON"])
def test_a_record_of_keys_that_nobody_wrote_is_refused(settings, text):
    (settings.folder / keys_used.FILE).write_text(text)
    with pytest.raises(KeyFileError, match="from a backup"):
        note_keys(settings, read_keys(settings.key_file))


def test_two_lines_may_end_as_on_windows(settings):
    settings.key_file.write_bytes(b"ab" * 32 + b"\r\n" + b"cd" * 32 + b"\r\n")
    assert read_keys(settings.key_file) == (b"\xab" * 32, b"\xcd" * 32)
