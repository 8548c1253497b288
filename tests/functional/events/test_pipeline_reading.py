"""The helpers of a notebook, and a table that pyarrow, DuckDB and Dask read alike."""

import os

import pytest
from support.gitlab.events import Events
from support.gitlab.pipeline import land, new_pipeline, put

import sealift_pipeline
from sealift.errors import KeyFileError
from sealift_pipeline.errors import TableError


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    settings = new_pipeline(tmp_path_factory.mktemp("read") / "pipeline")
    for first in (0, 20):
        put(settings, Events(first, size=1_700).several(20, ["issue"]), first=first)
        land(settings)
    return settings


def part(uri, path):
    """Read one file of a table, in a process of Dask's own."""
    import pyarrow.parquet as pq

    return os.getpid(), pq.read_table(f"{uri}/{path}", columns=["seq"]).column("seq").to_pylist()


def test_events_are_an_arrow_dataset(settings):
    data = sealift_pipeline.events(settings.table_place, "issue")
    assert data.count_rows() == 40
    few = sealift_pipeline.events(settings.table_place, "issue", upto=7, columns=["title", "labels"])
    assert sorted(few.to_table().column("seq").to_pylist()) == [*range(1, 8)]
    assert few.to_table().column_names == ["title", "labels", "seq"]
    with pytest.raises(TableError, match="does not exist; land events of it first"):
        sealift_pipeline.events(settings.table_place, "note")


def test_duckdb_reads_the_dataset(settings):
    import duckdb

    data = sealift_pipeline.events(settings.table_place, "issue", upto=30)
    connection = duckdb.connect()
    connection.register("issues", data)
    asked = "SELECT count(*), max(seq), count(DISTINCT author) > 1, min(octet_length(leaf)) FROM issues WHERE state = 'opened'"
    assert connection.sql(asked).fetchall() == [(30, 30, True, 32)]


@pytest.mark.slow
def test_dask_reads_the_table_with_two_processes(settings):
    import dask
    from deltalake import DeltaTable

    uris = DeltaTable(f"{settings.table_place}/issue").file_uris()
    assert len(uris) == 2
    tasks = [dask.delayed(part)(*uri.rsplit("/", 1)) for uri in uris]
    done = dask.compute(*tasks, scheduler="processes", num_workers=2)
    assert sorted(seq for _, found in done for seq in found) == [*range(1, 41)]
    assert os.getpid() not in {process for process, _ in done}


def test_an_object_never_changes_sides():
    before = sealift_pipeline.split(range(2_000))
    assert sealift_pipeline.split([*range(5_000, 6_000), *range(2_000)])[1_000:] == before
    assert sealift_pipeline.split(["7"]) == sealift_pipeline.split([7])
    shares = [before.count(name) / 2_000 for name in ("train", "validation", "test")]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.03)
    assert set(sealift_pipeline.split(range(99), validation=0, test=1)) == {"test"}
    with pytest.raises(ValueError, match="at most 1"):
        sealift_pipeline.split([1], validation=0.9, test=0.2)


def test_a_pseudonym_of_a_notebook_is_the_one_of_the_table(settings):
    row = sealift_pipeline.events(settings.table_place, "issue").head(1).to_pylist()[0]
    found = [one for one in range(1, 41) if sealift_pipeline.pseudonym(one, settings.key_file) == row["author"]]
    assert len(found) == 1
    settings.key_file.chmod(0o640)
    with pytest.raises(KeyFileError, match="others may read it"):
        sealift_pipeline.pseudonym(1, settings.key_file)
    settings.key_file.chmod(0o600)


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'evnts'"):
        sealift_pipeline.evnts  # noqa: B018 - asked for, not used
    assert sealift_pipeline.scrub("ask @ann") == "ask <mention>"
    assert sealift_pipeline.Snapshot.__module__ == "sealift_pipeline.snapshots.document"
