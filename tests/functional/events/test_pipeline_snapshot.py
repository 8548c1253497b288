"""Data snapshots: a root that holds through compaction, new columns and erasure, and what the commands say."""

import json

import pyarrow.parquet as pq
import pytest
from support.gitlab.events import Events
from support.gitlab.pipeline import land, put, rows
from support.gitlab.snapshots import POLICY, erased, snapshot

from sealift_pipeline.cli import command
from sealift_pipeline.data_policy.key_file import read_key
from sealift_pipeline.data_policy.protection import pseudonym
from sealift_pipeline.erasure.erasing import erased_since
from sealift_pipeline.erasure.journal import RECORD_FILE
from sealift_pipeline.snapshots.document import Snapshot
from sealift_pipeline.snapshots.taking import verify
from sealift_pipeline.table.delta import EventTable


def test_the_same_rows_give_the_same_bytes(settings):
    one = snapshot(settings)
    assert one.to_bytes() == snapshot(settings).to_bytes()
    assert Snapshot.parse(one.to_bytes()) == one
    assert (one.rows, one.upto, one.erased) == (10, 10, 0)
    assert snapshot(settings, 4).rows == 4
    assert snapshot(settings, 4).root != one.root


def test_an_old_root_holds_through_all_that_happens_to_a_table(settings):
    old, part = snapshot(settings), snapshot(settings, 7)

    def holds(live, gone):
        for one, rows_of_it in ((old, live), (part, None)):
            verified = verify(settings, one)
            assert verified.rows + verified.erased == one.rows
            assert rows_of_it is None or (verified.rows, verified.erased) == (rows_of_it, gone)
        assert snapshot(settings, 10).root == old.root

    holds(10, 0)
    land(settings, compact=True)
    holds(10, 0)
    EventTable(settings.table_place, "issue").vacuum(everything=True)
    holds(10, 0)
    path = settings.folder / "data-policy.toml"
    path.write_text(POLICY + 'state = { path = "object_attributes.state", type = "str" }\n')
    put(settings, Events(8, size=1_700, users=1).several(2, ["issue"]), first=50)
    land(settings)
    holds(10, 0)
    erased(settings, 3)
    holds(8, 2)
    land(settings, compact=True)
    erased(settings, 4, 5)
    holds(4, 6)
    assert snapshot(settings).rows == 12


def test_an_erasure_leaves_nothing_of_the_person_and_everything_of_the_others(settings, tmp_path):
    before = rows(settings)
    key = read_key(settings.key_file)
    gone = [row for row in before if pseudonym(2, key) in row["subjects"]]
    assert len(gone) == 2
    put(settings, [Events(9, users=1).make("issue", author_id=2, assignee_ids=[]) | {"assignees": []}], first=90)
    done = erased(settings, 2)
    assert done.rows == {"issue": 3}
    left = rows(settings)
    assert left == [row for row in before if row not in gone]
    searched = [path for path in settings.folder.rglob("*") if path.is_file() and path.suffix != ".key"]
    for path in searched:
        data = path.read_bytes()
        assert pseudonym(2, key).encode() not in data, path
    # Read back, for Parquet is compressed: no file that is left holds one of the salts, or the person.
    for path in (path for path in searched if path.suffix == ".parquet" and "_delta_log" not in path.parts):
        found = pq.read_table(path).to_pylist()
        assert not {row["salt"] for row in gone} & {row.get("salt") for row in found}
    (line,) = (settings.folder / RECORD_FILE).read_text().splitlines()
    assert {name: json.loads(line)[name] for name in ("request", "rows")} == {"request": "T-1", "rows": {"issue": 3}}


@pytest.mark.parametrize("step", ["remove", "vacuum"])
def test_an_erasure_that_was_interrupted_goes_on(settings, step, monkeypatch):
    old = snapshot(settings)

    def die(*_, **__):
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(f"sealift_pipeline.table.delta.EventTable.{step}", die)
        with pytest.raises(ZeroDivisionError):
            erased(settings, 2)
    verify(settings, old)
    erased(settings, 2)
    verified = verify(settings, old)
    assert (verified.rows, verified.erased) == (8, 2)


def test_an_erasure_names_the_snapshots_that_cite_the_rows(settings, call):
    for upto in (1, 10):
        assert call(command, "snapshot", "issue", "--upto", upto, "--pipeline", settings.folder)[0] == 0
    status, out, err = call(command, "erase", "--user-id", 2, "--request", "T-1", "--pipeline", settings.folder)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "erased 2 rows (2 issue); nothing of them is left in the log",
        "  issue-10.json cites erased rows; its root holds: train again what was trained on it",
    ]
    status, out, _ = call(
        command, "erase", "--user-id", 2, "--name", "ada", "--request", "T-2", "--json", "--pipeline", settings.folder
    )
    assert (status, json.loads(out)) == (
        0,
        {"models": [], "request": "T-2", "rows": {}, "snapshots": [], "unread_channels": []},
    )


def test_an_erasure_says_which_data_snapshots_have_seen_its_rows(settings):
    """By this a model is found that was trained on them, wherever its data snapshot lies."""
    before, early = snapshot(settings), snapshot(settings, 1)
    assert erased_since(settings, before) == 0
    done = erased(settings, 2)
    assert (done.rows_in(before), done.rows_in(early)) == (2, 0)
    assert (erased_since(settings, before), erased_since(settings, early)) == (2, 0)
    after = snapshot(settings)
    assert (after.erased, erased_since(settings, after)) == (2, 0)
    done = erased(settings, 3)
    assert (done.rows_in(after), erased_since(settings, after), erased_since(settings, before)) == (2, 2, 4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--request", "x"], "name the person to erase: give --user-id"),
        (["--user-id", "0", "--request", "x"], "0"),
        (["--user-id", "1"], "--request"),
        (["--user-id", "1", "--request", "a\nb"], "one line of text"),
    ],
)
def test_an_erasure_that_says_too_little_is_refused(settings, call, arguments, said):
    status, out, err = call(command, "erase", *arguments, "--pipeline", settings.folder)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert said in err


def test_the_commands_say_what_they_did(settings, call):
    status, out, _ = call(command, "snapshot", "issue", "--pipeline", settings.folder)
    path = settings.folder / "snapshots" / "issue-10.json"
    root = json.loads(path.read_text())["root"]
    assert (status, out.splitlines()) == (0, [f"{path}: 10 rows of kind 'issue' up to event 10", f"root {root}"])
    status, out, _ = call(command, "verify", path, "--pipeline", settings.folder)
    assert (status, out) == (0, f"{path}: 10 rows of kind 'issue' as they were landed\n")
    status, out, _ = call(command, "verify", path, "--json", "--pipeline", settings.folder)
    assert json.loads(out)["verified"] == 10
    status, out, _ = call(command, "snapshot", "issue", "-o", "/dev/stdout", "--json", "--pipeline", settings.folder)
    assert status == 0


def test_the_shell_completes_kinds(settings):
    from click.shell_completion import ShellComplete

    complete = ShellComplete(command, {}, "sealift-pipeline", "_SEALIFT_PIPELINE_COMPLETE")
    found = complete.get_completions(["snapshot", "--pipeline", str(settings.folder)], "i")
    assert [item.value for item in found] == ["issue"]
