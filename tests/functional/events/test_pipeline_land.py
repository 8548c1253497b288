"""The lander: each event once in its table, durable before the log forgets it, whatever is interrupted."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from support.gitlab.events import KINDS, Events
from support.gitlab.pipeline import land, new_pipeline, put, rows

from sealift_pipeline.cli import command
from sealift_pipeline.errors import TableError
from sealift_pipeline.landing.lander import Lander, only_lander, writing
from sealift_pipeline.log.opening import open_log

POLICY = """\
format = 1
[issue]
id = { path = "object_attributes.id", type = "int" }
title = { path = "object_attributes.title", type = "text" }
updated_at = { path = "object_attributes.updated_at", type = "time" }
"""


@pytest.fixture
def settings(tmp_path):
    return new_pipeline(tmp_path / "pipeline", policy=POLICY)


@pytest.fixture
def issues():
    return Events(5, size=1_700)


def keys(settings):
    return [row["key"] for row in rows(settings)]


def commits(settings):
    return sorted(Path(settings.table_place, "issue", "_delta_log").glob("*.json"))


def test_every_kind_has_a_table_with_what_the_policy_names(tmp_path):
    settings = new_pipeline(tmp_path / "whole")
    put(settings, Events(2).several(12))
    assert land(settings).rows == dict.fromkeys(KINDS, 2)
    for kind in KINDS:
        first, second = rows(settings, kind)
        columns = [column.name for column in settings.data_policy().kinds[kind].columns]
        assert list(first) == ["seq", "key", "received", "subjects", *columns, "salt", "leaf"]
        assert (len(first["salt"]), len(first["leaf"])) == (16, 32)
        assert first["salt"] != second["salt"]
    assert rows(settings, "issue")[0]["created_at"].isoformat() == "2026-11-01T08:07:00+00:00"
    assert rows(settings, "pipeline")[0]["jobs"] == ["compile", "rspec", "jest", "package", "deploy"]


def test_what_was_landed_is_gone_from_the_log_and_never_lands_again(settings, issues):
    sent = put(settings, issues.several(5, ["issue"]))
    assert land(settings).clean
    assert keys(settings) == sent
    assert land(settings).rows == {}
    with open_log(settings) as log:
        assert log.position() == (5, 5, 0, 0)
    # The same keys once more.
    put(settings, issues.several(5, ["issue"]))
    land(settings)
    assert keys(settings) == sent


@pytest.mark.parametrize("step", ["synced", "save", "trim"])
def test_a_lander_that_dies_after_any_step_lands_each_event_once(settings, issues, step, monkeypatch):
    sent = put(settings, issues.several(5, ["issue"]))
    place = {
        "synced": "sealift_pipeline.landing.lander.Lander.synced",
        "save": "sealift_pipeline.landing.state.State.save",
        "trim": "sealift_pipeline.log.sqlite_log.SqliteLog.trim",
    }[step]

    def die(*_, **__):
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(place, die)
        with pytest.raises(ZeroDivisionError):
            land(settings)
    assert keys(settings) == sent
    sent += put(settings, issues.several(2, ["issue"]), first=5)
    land(settings)
    assert keys(settings) == sent


# --- power cuts ---------------------------------------------------------------------------------


def lose_commit(log_folder, commit):
    commit.unlink()


def empty_commit(log_folder, commit):
    commit.write_bytes(b"")


def half_commit(log_folder, commit):
    commit.write_bytes(commit.read_bytes()[:200])


def zeros_in_commit(log_folder, commit):
    commit.write_bytes(bytes(commit.stat().st_size))


def _data(log_folder, commit):
    (path,) = re.findall(r'"path":"([^"]+)"', commit.read_text())
    return log_folder.parent / path


def lose_data(log_folder, commit):
    _data(log_folder, commit).unlink()


def half_data(log_folder, commit):
    path = _data(log_folder, commit)
    path.write_bytes(path.read_bytes()[:300])


def zeros_in_data(log_folder, commit):
    path = _data(log_folder, commit)
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize(
    "damage", [lose_commit, empty_commit, half_commit, zeros_in_commit, lose_data, half_data, zeros_in_data]
)
@pytest.mark.parametrize("before", [0, 1], ids=["first commit", "second commit"])
def test_a_commit_that_a_power_cut_took_is_landed_again_once(settings, issues, damage, before, monkeypatch):
    """Nothing of the last round was synced, so nothing of it was trimmed."""
    sent = []
    for _ in range(before):
        sent += put(settings, issues.several(3, ["issue"]))
        land(settings)
    sent += put(settings, issues.several(4, ["issue"]), first=10)
    with monkeypatch.context() as patch:
        patch.setattr("sealift_pipeline.landing.lander.durability.sync", lambda _table, after: after)
        patch.setattr("sealift_pipeline.log.sqlite_log.SqliteLog.trim", lambda *_: True)
        with open_log(settings) as log, writing(settings.folder):
            Lander(settings, settings.data_policy(), log).land()
    newest = commits(settings)[-1]
    damage(newest.parent, newest)
    done = land(settings)
    assert done.taken_back == (0 if damage is lose_commit else 1)
    assert keys(settings) == sent
    assert land(settings).rows == {}


def test_a_whole_commit_that_was_not_trimmed_stays(settings, issues, monkeypatch):
    sent = put(settings, issues.several(3, ["issue"]))
    with monkeypatch.context() as patch:
        patch.setattr("sealift_pipeline.log.sqlite_log.SqliteLog.trim", lambda *_: True)
        with open_log(settings) as log, writing(settings.folder):
            Lander(settings, settings.data_policy(), log).land()
    assert land(settings).taken_back == 0
    assert keys(settings) == sent
    # The one that made the table, and one of rows.
    assert len(commits(settings)) == 2


@pytest.mark.slow
def test_data_commit_and_folders_are_synced_before_the_log_is_trimmed(settings, issues, require_tool, tmp_path):
    strace = require_tool("strace")
    put(settings, issues.several(3, ["issue"]))
    trace, program = tmp_path / "trace", Path(sys.executable).with_name("sealift-pipeline")
    calls = "trace=fsync,fdatasync,write,pwrite64,rename,renameat,renameat2"
    subprocess.run(
        [strace, "-f", "-y", "-qq", "-o", trace, "-e", calls, program, "land", "--once", "--pipeline", settings.folder],
        check=True,
        capture_output=True,
    )
    lines = trace.read_text().splitlines()
    # The log is opened first, and writes what every opening writes; the trim is the last write to it.
    trim = max(place for place, line in enumerate(lines) if "write" in line and "events.db-wal" in line)
    synced = [line for line in lines[:trim] if " fsync(" in line or " fdatasync(" in line]
    for wanted in (r"\.parquet", r"_delta_log/0{20}\.json", r"/table/issue/_delta_log", r"/table/issue", r"/table"):
        assert any(re.search(wanted + ">", line) for line in synced), wanted
    state = max(place for place, line in enumerate(lines) if "landed.json" in line and "rename" in line)
    assert state < trim


# --- a lost log, other policies -----------------------------------------------------------------


def test_a_new_log_in_the_place_of_a_lost_one_goes_on_above_it(settings, issues):
    sent = put(settings, issues.several(7, ["issue"]))
    land(settings)
    shutil.rmtree(settings.log_path.parent)
    sent += put(settings, issues.several(3, ["issue"]), first=100)
    land(settings)
    assert keys(settings) == sent
    assert [row["seq"] for row in rows(settings, "issue", "seq")] == [*range(1, 11)]
    sent += put(settings, issues.several(2, ["issue"]), first=200)
    land(settings)
    assert keys(settings) == sent


def test_a_new_column_is_null_in_old_rows(settings, issues):
    put(settings, issues.several(2, ["issue"]))
    land(settings)
    path = settings.folder / "data-policy.toml"
    path.write_text(POLICY + 'state = { path = "object_attributes.state", type = "str" }\n')
    put(settings, issues.several(2, ["issue"]), first=9)
    land(settings)
    assert [row["state"] for row in rows(settings)] == [None, None, "opened", "opened"]
    path.write_text(POLICY)
    put(settings, issues.several(1, ["issue"]), first=19)
    land(settings)
    assert [row["state"] for row in rows(settings)] == [None, None, "opened", "opened", None]


def test_a_column_of_another_type_is_refused_and_nothing_is_lost(settings, issues, call):
    put(settings, issues.several(2, ["issue"]))
    land(settings)
    (settings.folder / "data-policy.toml").write_text(POLICY.replace('id", type = "int"', 'id", type = "float"'))
    put(settings, issues.several(1, ["issue"]), first=9)
    status, _, err = call(command, "land", "--once", "--pipeline", settings.folder)
    assert (status, len(err.splitlines())) == (72, 1)
    assert "column 'id' of kind 'issue' is int64 in the table and double in the data policy" in err
    with open_log(settings) as log:
        assert log.position().waiting == 1


def test_a_kind_that_the_policy_no_longer_names_and_that_has_no_table_is_dropped(settings, issues):
    put(settings, issues.several(2, ["issue"]))
    (settings.folder / "data-policy.toml").write_text(POLICY.replace("[issue]", "[note]"))
    land(settings)
    assert rows(settings) == []
    with open_log(settings) as log:
        assert log.position().waiting == 0


# --- tables that are not ours -------------------------------------------------------------------


def newer_protocol(table):
    path = Path(table, "_delta_log", f"{0:020}.json")
    path.write_text(path.read_text().replace('"minReaderVersion":1', '"minReaderVersion":9'))


def newer_writer(table):
    path = Path(table, "_delta_log", f"{0:020}.json")
    path.write_text(path.read_text().replace('"minWriterVersion":2', '"minWriterVersion":9'))


def newer_format(table):
    path = Path(table, "_delta_log", f"{0:020}.json")
    path.write_text(path.read_text().replace('"description":"format 1"', '"description":"format 2"'))


@pytest.mark.parametrize("change", [newer_protocol, newer_writer, newer_format])
def test_a_table_of_a_newer_format_is_one_to_upgrade_for(settings, issues, call, change):
    put(settings, issues.several(2, ["issue"]))
    land(settings)
    change(settings.table_place + "/issue")
    for arguments in (["land", "--once"], ["snapshot", "issue"], ["status"]):
        if arguments[0] == "land":
            put(settings, issues.several(1, ["issue"]), first=9)
        status, _, err = call(command, *arguments, "--pipeline", settings.folder)
        assert (status, len(err.splitlines())) == (11, 1), err
        assert "this Sealift knows format 1, Delta reader 1 and writer 2: upgrade it" in err
    with open_log(settings) as log:
        assert log.position().waiting == 1


def test_a_table_of_somebody_else_is_refused(settings, issues, call):
    write_deltalake(settings.table_place + "/issue", pa.table({"a": [1]}))
    put(settings, issues.several(2, ["issue"]))
    status, _, err = call(command, "land", "--once", "--pipeline", settings.folder)
    assert (status, len(err.splitlines())) == (72, 1)
    assert "is not one of events that Sealift wrote" in err
    assert DeltaTable(settings.table_place + "/issue").to_pyarrow_table().to_pydict() == {"a": [1]}


# --- one at a time ------------------------------------------------------------------------------


def test_a_second_lander_is_refused(settings, call):
    with only_lander(settings.folder):
        program = Path(sys.executable).with_name("sealift-pipeline")
        done = subprocess.run(
            [program, "land", "--once", "--pipeline", settings.folder], capture_output=True, text=True, check=False
        )
    assert (done.returncode, len(done.stderr.splitlines())) == (73, 1)
    assert "is landing events of" in done.stderr


def test_the_command_says_what_it_landed(settings, issues, call):
    put(settings, issues.several(3, ["issue"]))
    assert call(command, "land", "--once", "--pipeline", settings.folder) == (0, "landed 3 issue; up to event 3\n", "")
    assert call(command, "land", "--once", "--pipeline", settings.folder)[1] == "landed nothing new; up to event 3\n"
    put(settings, issues.several(1, ["issue"]), first=8)
    status, out, _ = call(command, "land", "--once", "--compact", "--json", "--pipeline", settings.folder)
    assert (status, json.loads(out)) == (0, {"compacted": True, "last": 4, "rows": {"issue": 1}})
    status, out, _ = call(command, "status", "--json", "--pipeline", settings.folder)
    said = json.loads(out)
    assert said["log"] == {"last": 4, "trimmed": 4, "waiting": 0, "rejected": 0}
    assert {name: said["kinds"]["issue"][name] for name in ("rows", "files", "last")} == {
        "rows": 4,
        "files": 1,
        "last": 4,
    }


def test_compaction_keeps_every_row_and_few_files(settings, issues):
    sent = []
    for first in range(0, 12, 3):
        sent += put(settings, issues.several(3, ["issue"]), first=first)
        land(settings)
    before = rows(settings)
    land(settings, compact=True)
    assert rows(settings) == before
    assert len(DeltaTable(settings.table_place + "/issue").file_uris()) == 1


def test_no_text_of_a_row_is_in_the_log_of_its_table(settings, issues):
    put(settings, [issues.make("issue", title="N0B0DYS-TITLE")])
    land(settings)
    put(settings, [issues.make("issue", title="N0B0DYS-TITLE")], first=4)
    land(settings, compact=True)
    written = b"".join(path.read_bytes() for path in commits(settings))
    assert b"minValues" in written
    assert b"N0B0DYS-TITLE" not in written


@pytest.mark.parametrize("text", ["{", "[]", '{"last": "x"}', '{"last": 1, "versions": 3, "compacted": 0}'])
def test_a_state_that_the_lander_did_not_write_is_told(settings, issues, text):
    (settings.folder / "landed.json").write_text(text)
    put(settings, issues.several(1, ["issue"]))
    with pytest.raises(TableError, match=r"landed\.json.* is not what the lander wrote; remove it"):
        land(settings)


def test_a_state_that_is_lost_costs_nothing(settings, issues):
    sent = put(settings, issues.several(3, ["issue"]))
    land(settings)
    (settings.folder / "landed.json").unlink()
    sent += put(settings, issues.several(1, ["issue"]), first=7)
    land(settings)
    assert keys(settings) == sent


def test_the_clock_decides_over_nothing(settings, issues, monkeypatch):
    """A clock that jumps back or ahead changes what a row says of its time, and neither its number nor its place."""
    for first, moment in enumerate([4_000_000_000.0, 1_000.0, 1_800_000_000.0]):
        monkeypatch.setattr("time.time", lambda moment=moment: moment)
        put(settings, issues.several(1, ["issue"]), first=first)
        land(settings, compact=True)
    assert [row["seq"] for row in rows(settings, "issue", "seq")] == [1, 2, 3]
