"""Two landers that no lock keeps apart, as on two machines: each event is landed once, and no file is lost."""

import shutil

import pytest
from support.gitlab.events import Events
from support.gitlab.pipeline import land, new_pipeline, put, rows

from sealift_pipeline.errors import EventLogError, TableError
from sealift_pipeline.settings.settings import Settings
from sealift_pipeline.table.delta import EventTable


@pytest.fixture
def two(tmp_path):
    """Two folders of one log and one table, each with a lock of its own."""
    one = new_pipeline(tmp_path / "one")
    other = shutil.copytree(one.folder, tmp_path / "two")
    text = (other / "pipeline.toml").read_text()
    text = text.replace("sqlite:log/", "sqlite:../one/log/").replace('url = "table"', 'url = "../one/table"')
    (other / "pipeline.toml").write_text(text)
    return one, Settings.load(other)


def meanwhile(monkeypatch, name, act):
    """Let somebody else act before a method of a table, once."""
    real, acted = getattr(EventTable, name), []

    def method(table, *arguments, **options):
        if not acted:
            acted.append(True)
            act()
        return real(table, *arguments, **options)

    monkeypatch.setattr(EventTable, name, method)


@pytest.mark.parametrize("before", [0, 3], ids=["the table is made", "the table is there"])
@pytest.mark.parametrize("step", ["append", "opened_or_new"])
def test_what_another_lander_landed_is_not_landed_again(two, monkeypatch, before, step):
    one, other = two
    events = Events(2, size=1_700)
    sent = put(one, events.several(before, ["issue"]))
    if before:
        land(one)
    sent += put(one, events.several(5, ["issue"]), first=50)
    meanwhile(monkeypatch, step, lambda: land(other))
    # The one that comes second writes nothing; where the other came before the table was there, it sees all.
    if step == "append":
        with pytest.raises(TableError, match="newer version"):
            land(one)
    else:
        land(one)
    land(one)
    land(other)
    assert [row["key"] for row in rows(one)] == sent


@pytest.fixture
def in_between(two):
    """A table of six rows in three files, and what lets somebody act between its opening and a commit to it."""
    one, _ = two
    events = Events(2, size=1_700)
    for number in range(3):
        put(one, events.several(2, ["issue"]), first=10 * number)
        land(one)
    table = EventTable(one.table_place, "issue")
    real = table.required

    def act(what):
        def required():
            opened = real()
            table.required = real
            what()
            return opened

        table.required = required

    return table, act


def test_rows_that_come_while_others_are_removed_stay(two, in_between):
    (one, other), (table, act) = two, in_between
    put(other, Events(5, size=1_700).several(2, ["issue"]), first=90)
    act(lambda: land(other))
    with pytest.raises(TableError, match="newer version"):
        table.remove([1])
    assert len(rows(one)) == 8
    table.remove([1])
    assert len(rows(one)) == 7


def test_rows_that_come_while_a_table_is_compacted_stay(two, in_between):
    (one, other), (table, act) = two, in_between
    put(other, Events(5, size=1_700).several(2, ["issue"]), first=90)
    act(lambda: land(other))
    table.compact()
    assert len(rows(one)) == 8


def test_a_compaction_gives_way_to_a_vacuum(two, in_between):
    """Its new file is one that no version names yet."""
    (one, _), (table, act) = two, in_between
    left_over = one.folder / "table" / "issue" / "part-left-over.parquet"
    left_over.write_bytes(b"PAR1")
    act(lambda: EventTable(one.table_place, "issue").vacuum(everything=True))
    with pytest.raises(TableError, match="newer version"):
        table.compact()
    assert len(rows(one)) == 6
    assert not left_over.exists()


def test_a_vacuum_takes_no_file_that_is_about_to_be_committed(two):
    """Of a file that no version names, nobody knows whether it is left over or will be committed in a moment."""
    one, _ = two
    put(one, Events(2, size=1_700).several(2, ["issue"]))
    land(one)
    table = EventTable(one.table_place, "issue")
    opened, folder = table.required(), one.folder / "table" / "issue"
    (path,) = folder.glob("*.parquet")
    shutil.copy(path, folder / "part-uncommitted.parquet")
    table.vacuum(everything=True)
    assert [path.name for path in folder.glob("*.parquet")] == [path.name]
    with pytest.raises(TableError, match="newer version"):
        table.append(opened, opened.to_pyarrow_table(), writer="late", upto=9)
    assert len(rows(one)) == 2
    # With nothing to delete, nobody has to give way.
    opened = table.required()
    table.vacuum(everything=False)
    table.append(opened, opened.to_pyarrow_table(), writer="late", upto=9)


def test_a_folder_that_was_copied_loses_no_event_in_silence(tmp_path):
    """Both receivers number from the same number on, and the tables have the rows of one of them."""
    one = new_pipeline(tmp_path / "one")
    put(one, Events(2).several(2, ["issue"]))
    land(one)
    other = Settings.load(shutil.copytree(one.folder, tmp_path / "two"))
    shutil.rmtree(other.folder / "table")
    (other.folder / "pipeline.toml").write_text(
        (other.folder / "pipeline.toml").read_text().replace('url = "table"', 'url = "../one/table"')
    )
    other = Settings.load(other.folder)
    put(one, Events(3).several(1, ["issue"]), first=10)
    put(other, Events(4).several(1, ["issue"]), first=20)
    land(one)
    with pytest.raises(EventLogError, match="event 3 was landed from another copy of this log"):
        land(other)
