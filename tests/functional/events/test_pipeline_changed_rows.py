"""Data snapshots: what changed since is named, by row, number and root; a file that holds none is refused."""

import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from support.depth import DEPTH
from support.gitlab.pipeline import land, rows
from support.gitlab.snapshots import snapshot

from sealift.errors import DigestError, MalformedError
from sealift_pipeline.cli import command
from sealift_pipeline.snapshots.document import Snapshot
from sealift_pipeline.snapshots.taking import verify


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
