"""Tables on an S3 interface, as moto plays it: `make pipeline-s3` runs this."""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.gitlab.events import Events
from support.gitlab.pipeline import land, new_pipeline, put, rows
from support.servers.registry_server import free_port

import sealift_pipeline
from sealift_pipeline.cli import command
from sealift_pipeline.data_policy.key_file import read_key
from sealift_pipeline.errors import TableError
from sealift_pipeline.log.opening import open_log
from sealift_pipeline.settings.settings import Settings
from sealift_pipeline.table.delta import EventTable, files
from sealift_pipeline.table.places import log_files, tables_in

PERSON = 4_711
ROUNDS = """
import sys
from pathlib import Path
from sealift_pipeline.errors import TableError
from sealift_pipeline.landing import lander
from sealift_pipeline.log.opening import open_log
from sealift_pipeline.settings.settings import Settings

lander.MOST_ROWS = 7
settings = Settings.load(Path(sys.argv[1]))
with open_log(settings) as log, lander.writing(settings.folder):
    while log.position().waiting:
        try:
            lander.Lander(settings, settings.data_policy(), log).land()
        except TableError as error:
            print(error, flush=True)
"""


def ask(port, method, name, data=b""):
    """Ask moto for one object of the bucket; it checks no signature."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, f"/events/{name}", data, {"Authorization": "AWS invented:unchecked"})
    answer = connection.getresponse()
    assert answer.status == 200
    return answer.read()


@pytest.fixture(scope="module")
def storage():
    """An address of object storage with one bucket."""
    program, port = Path(os.environ["MOTO_SERVER"]).absolute(), free_port()
    process = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(1000):
            assert process.poll() is None
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        ask(port, "PUT", "")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def settings(storage, tmp_path, monkeypatch):
    for name, value in {
        "AWS_ENDPOINT_URL": storage,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "invented",
        "AWS_SECRET_ACCESS_KEY": "invented",
        "AWS_REGION": "eu-north-1",
    }.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "p"
    new_pipeline(folder)
    path = folder / "pipeline.toml"
    path.write_text(path.read_text().replace('url = "table"', f'url = "s3://events/{tmp_path.name}"'))
    return Settings.load(folder)


def events(number, seed=1):
    """Issues, every fifth of one person."""
    found = list(Events(seed).several(number, ["issue"]))
    for one in found[::5]:
        one["object_attributes"]["author_id"] = PERSON
    return found


def run(call, settings, *arguments):
    status, output, error = call(command, *arguments, "--pipeline", settings.folder)
    assert status == 0, error
    return output


def test_events_are_landed_cited_verified_and_erased(settings, call):
    put(settings, events(50))
    assert land(settings).rows == {"issue": 50}
    put(settings, events(10, seed=2), first=100)
    assert land(settings, compact=True).rows == {"issue": 10}
    assert not (settings.folder / "table").exists()
    run(call, settings, "snapshot", "issue")
    file = settings.folder / "snapshots" / "issue-60.json"
    assert "60 rows of kind 'issue' as they were landed" in run(call, settings, "verify", file)
    assert "erased 12 rows" in run(call, settings, "erase", "--user-id", PERSON, "--request", "T-1")
    assert "48 rows of kind 'issue' as they were landed; of 12 rows" in run(call, settings, "verify", file)
    hidden = sealift_pipeline.pseudonym(PERSON, read_key(settings.key_file))
    assert len(rows(settings)) == 48
    assert all(hidden not in row["subjects"] for row in rows(settings))
    logs = list(log_files(f"{settings.table_place}/issue"))
    assert logs
    assert all(hidden.encode() not in data for _, data in logs)
    assert sealift_pipeline.events(settings.table_place, "issue").count_rows() == 48


def test_two_landers_on_two_machines_land_each_event_once(settings, tmp_path):
    """No lock keeps them apart: the storage takes each version of a table once."""
    folders = [settings.folder]
    for name in ("two", "three"):
        folders.append(shutil.copytree(settings.folder, tmp_path / name))
        path = folders[-1] / "pipeline.toml"
        path.write_text(path.read_text().replace("sqlite:log/", f"sqlite:{settings.folder}/log/"))
    sent = put(settings, events(300))
    # Few a round, so that all three find something to land.
    program = [sys.executable, "-c", ROUNDS]
    landers = [subprocess.Popen([*program, folder], stdout=subprocess.PIPE, text=True) for folder in folders]
    outputs = [lander.communicate(timeout=300)[0] for lander in landers]
    assert [lander.returncode for lander in landers] == [0, 0, 0]
    assert [row["key"] for row in rows(settings)] == sent
    # They did meet.
    assert any("newer version" in output for output in outputs)


def test_a_vacuum_takes_no_file_that_another_machine_is_about_to_commit(storage, settings):
    put(settings, events(5))
    land(settings)
    table = EventTable(settings.table_place, "issue")
    opened = table.required()
    port, place = int(storage.rpartition(":")[2]), settings.table_place.removeprefix("s3://events/")
    ask(port, "PUT", f"{place}/issue/part-uncommitted.parquet", b"PAR1")
    table.vacuum(everything=True)
    with pytest.raises(TableError, match="newer version"):
        table.append(opened, opened.to_pyarrow_table(), writer="late", upto=9)
    assert len(rows(settings)) == 5


def test_a_person_is_erased_from_a_kind_that_the_data_policy_no_longer_names(settings, call):
    put(settings, events(10))
    land(settings)
    (settings.folder / "data-policy.toml").write_text(
        'format = 1\n[note]\nid = { path = "object_attributes.id", type = "int" }\n'
    )
    assert tables_in(settings.table_place) == ["issue"]
    assert "erased 2 rows" in run(call, settings, "erase", "--user-id", PERSON, "--request", "T-2")
    assert len(rows(settings)) == 8


def test_storage_that_is_away_is_one_line_and_nothing_is_lost(settings, call, monkeypatch):
    put(settings, events(5))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_RETRIES", "0")
    status, _, error = call(command, "land", "--once", "--pipeline", settings.folder)
    assert status == 72
    assert len(error.strip().splitlines()) <= 2
    with open_log(settings) as log:
        assert log.position().waiting == 5


def test_a_changed_byte_is_named(storage, settings, call):
    put(settings, events(5))
    land(settings)
    run(call, settings, "snapshot", "issue")
    ((path, *_),) = files(EventTable(settings.table_place, "issue").required())
    port, name = int(storage.rpartition(":")[2]), f"{settings.table_place.removeprefix('s3://events/')}/issue/{path}"
    data = bytearray(ask(port, "GET", name))
    data[len(data) // 3] ^= 1
    ask(port, "PUT", name, bytes(data))
    status, _, error = call(
        command, "verify", settings.folder / "snapshots" / "issue-5.json", "--pipeline", settings.folder
    )
    assert status == 26
    assert "of kind 'issue'" in error
