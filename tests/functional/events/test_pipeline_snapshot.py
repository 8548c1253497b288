"""Data snapshots: a root that holds through compaction, new columns and erasure, and a row that is named when it changed."""

import json
import random
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from support.depth import DEPTH
from support.gitlab.events import Events, person
from support.gitlab.pipeline import land, new_pipeline, put, rows

from sealift.errors import DigestError, MalformedError
from sealift_pipeline.cli import command
from sealift_pipeline.data_policy.key_file import read_key
from sealift_pipeline.data_policy.protection import pseudonym
from sealift_pipeline.erasure.erasing import erase, erased_since
from sealift_pipeline.erasure.journal import RECORD_FILE, Erasure
from sealift_pipeline.log.opening import open_log
from sealift_pipeline.settings.settings import Settings
from sealift_pipeline.snapshots.document import Snapshot
from sealift_pipeline.snapshots.taking import take, verify
from sealift_pipeline.table.delta import EventTable

POLICY = """\
format = 1
[issue]
id = { path = "object_attributes.id", type = "int" }
title = { path = "object_attributes.title", type = "text" }
weight = { path = "object_attributes.time_estimate", type = "float" }
labels = { path = "labels[].title", type = "list" }
updated_at = { path = "object_attributes.updated_at", type = "time" }
author = { path = "object_attributes.author_id", type = "person" }
"""


@pytest.fixture(scope="module")
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


def snapshot(settings, upto=None):
    return take(settings, settings.data_policy(), "issue", upto)


def erased(settings, *numbers):
    key = read_key(settings.key_file)
    with open_log(settings) as log:
        subjects = tuple(pseudonym(one, key) for one in numbers)
        return erase(settings, settings.data_policy(), log, Erasure("T-1", subjects))


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


# --- what changed is named ----------------------------------------------------------------------


def rewrite(settings, change):
    """Change rows in the newest data file, and leave everything else as it is."""
    (path,) = DeltaTable(settings.table_place + "/issue").file_uris()
    table = pq.read_table(path)
    found = table.to_pylist()
    found = change(found) or found
    pq.write_table(type(table).from_pylist(found, schema=table.schema), path)


def change_title(found):
    next(row for row in found if row["seq"] == 6)["title"] = "somebody else's"


def change_time(found):
    from datetime import timedelta

    next(row for row in found if row["seq"] == 6)["updated_at"] += timedelta(microseconds=1)


def change_label(found):
    next(row for row in found if row["seq"] == 6)["labels"].append("x")


def change_leaf(found):
    next(row for row in found if row["seq"] == 6)["leaf"] = bytes(32)


def cut_leaf(found):
    next(row for row in found if row["seq"] == 6)["leaf"] = b"short"


def null_salt(found):
    next(row for row in found if row["seq"] == 6)["salt"] = None


@pytest.mark.parametrize("change", [change_title, change_time, change_label, change_leaf, cut_leaf, null_salt])
def test_a_row_that_changed_is_named(settings, call, change):
    call(command, "snapshot", "issue", "-o", settings.folder / "s.json", "--pipeline", settings.folder)
    land(settings, compact=True)
    rewrite(settings, change)
    status, out, err = call(command, "verify", settings.folder / "s.json", "--pipeline", settings.folder)
    assert (status, out, len(err.splitlines())) == (26, "", 1)
    assert "row 6 of kind 'issue' is not what was landed" in err


def drop_row(found):
    return [row for row in found if row["seq"] != 6]


def swap_numbers(found):
    """Rows that are each whole, in another order."""
    from sealift_pipeline.table.leaves import leaf, row_document

    one, other = (next(row for row in found if row["seq"] == number) for number in (6, 7))
    one["seq"], other["seq"] = other["seq"], one["seq"]
    for row in (one, other):
        times = {name: int(row[name].timestamp() * 1_000_000) for name in ("received", "updated_at")}
        columns = {name: row[name] for name in ("id", "title", "weight", "labels", "author")}
        columns["updated_at"] = times["updated_at"]
        document = row_document("issue", row["seq"], row["key"], times["received"], row["subjects"], columns)
        row["leaf"] = leaf(row["salt"], document)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (drop_row, "holds 9 rows and leaves of kind 'issue' up to 10; the snapshot has 10"),
        (swap_numbers, "the root is"),
    ],
)
def test_rows_that_are_gone_or_exchanged_are_seen_by_number_and_root(settings, change, said):
    one = snapshot(settings)
    land(settings, compact=True)
    rewrite(settings, change)
    with pytest.raises(DigestError, match=said):
        verify(settings, one)


def test_a_file_that_is_gone_is_named(settings, call):
    one = snapshot(settings)
    land(settings, compact=True)
    (path,) = DeltaTable(settings.table_place + "/issue").file_uris()
    Path(path).unlink()
    with pytest.raises(DigestError, match=r"rows 1 to 10 of kind 'issue' cannot be read \(file 'part-"):
        verify(settings, one)
    status, _, err = call(command, "snapshot", "issue", "--pipeline", settings.folder)
    assert (status, len(err.splitlines())) == (26, 1)


def test_a_page_that_cannot_be_decoded_names_the_rows_of_its_group(settings, monkeypatch):
    monkeypatch.setattr("sealift_pipeline.table.delta.ROWS_OF_A_GROUP", 4)
    # The newer file comes first: 6 to 9, then 10 and 1 to 3, then 4 and 5.
    land(settings, compact=True)
    one = snapshot(settings)
    (path,) = (Path(path) for path in DeltaTable(settings.table_place + "/issue").file_uris())
    data, footer = path.read_bytes(), pq.read_metadata(path)
    columns = {name: place for place, name in enumerate(footer.schema.to_arrow_schema().names)}
    assert [footer.row_group(place).num_rows for place in range(footer.num_row_groups)] == [4, 4, 2]
    said = {}
    for name, group in (("title", 1), ("seq", 2), ("title", 0)):
        chunk = footer.row_group(group).column(columns[name])
        begin = chunk.dictionary_page_offset or chunk.data_page_offset
        changed = bytearray(data)
        for place in range(begin, begin + chunk.total_compressed_size):
            changed[place] ^= 0xA5
        path.write_bytes(changed)
        with pytest.raises(DigestError) as refusal:
            verify(settings, one)
        said[name, group] = str(refusal.value).partition(" of kind")[0]
    assert said == {
        ("title", 1): "4 rows from 1 to 10 (column title)",
        # Their own numbers are what is lost.
        ("seq", 2): "2 rows from 1 to 10 (column seq)",
        ("title", 0): "4 rows from 6 to 9 (column title)",
    }


def test_any_flipped_byte_of_a_file_is_seen_or_changes_nothing_that_is_kept(settings):
    """Most bytes are values; some, such as those of statistics, say nothing about a row."""
    one = snapshot(settings)
    land(settings, compact=True)
    (path,) = (Path(path) for path in DeltaTable(settings.table_place + "/issue").file_uris())
    data, before, chosen = path.read_bytes(), rows(settings), random.Random(1)
    said = []
    for place in [chosen.randrange(4, len(data)) for _ in range(40 * DEPTH)]:
        changed = bytearray(data)
        changed[place] ^= 1 << chosen.randrange(8)
        path.write_bytes(changed)
        try:
            verify(settings, one)
        except DigestError as error:
            said.append(str(error))
        else:
            assert rows(settings) == before, place
    assert len(said) > 20
    assert [line for line in said if "row" not in line or "\n" in line] == []


# --- the file of a snapshot ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda text: text.replace('"format":1', '"format":2'), 11),
        (lambda text: text.replace('"rows":10', '"rows":10.0'), 10),
        (lambda text: text.replace('"rows":10', '"rows": 10'), 10),
        (lambda text: text.replace('"rows":10', '"rows":-1'), 10),
        (lambda text: text.replace('"rows":10', '"rows":"10"'), 10),
        (lambda text: text.replace('"erased":0', '"erased":11'), 10),
        (lambda text: text.replace('"kind":"issue"', '"kind":"../x y"'), 10),
        (lambda text: text.replace("sha256:", "sha512:"), 10),
        (lambda text: text.replace('"upto"', '"more":1,"upto"'), 10),
        (lambda text: text.replace('"kind":"issue"', '"kind":"note"'), 72),
        (lambda text: text.replace('"table":"', '"table":"0'), 72),
        (lambda text: text.replace('"rows":10', '"rows":11'), 26),
        (lambda text: text[:-1], 10),
        (lambda _text: "", 10),
        (lambda _text: "[]", 10),
        (lambda _text: "x" * 70_000, 12),
    ],
    ids=range(16),
)
def test_a_snapshot_that_was_changed_is_refused_in_one_line(settings, call, change, status):
    path = settings.folder / "s.json"
    path.write_text(change(snapshot(settings).to_bytes().decode()))
    got, out, err = call(command, "verify", path, "--pipeline", settings.folder)
    assert (got, out, len(err.splitlines())) == (status, "", 1), err


def test_a_file_that_is_no_snapshot_raises_one_class():
    with pytest.raises(MalformedError, match="is not a data snapshot"):
        Snapshot.parse(b"{}")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["deployment"], 75, "kind 'deployment' has no table; it is not named in the data policy"),
        (["issue", "--upto", "11"], 2, "--upto 11 lies beyond the newest row of kind 'issue', 10; land first"),
        (["issue", "-o", "no/such/folder/x"], 2, "does not exist; make it first"),
    ],
)
def test_a_snapshot_of_what_is_not_there_is_refused(settings, call, arguments, status, said):
    got, out, err = call(command, "snapshot", *arguments, "--pipeline", settings.folder)
    assert (got, out, len(err.splitlines())) == (status, "", 1)
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
