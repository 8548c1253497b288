"""What is kept: no planted secret, at a price that is known; and a data snapshot of a million rows in bounded memory."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
from support.gitlab.events import Events
from support.gitlab.killing import PROGRAM
from support.gitlab.pipeline import new_pipeline, put
from support.gitlab.secrets import PLANTED, carried, found, unprotected

from sealift_pipeline.data_policy.record import Record
from sealift_pipeline.landing.lander import Lander, writing
from sealift_pipeline.log.base import Entry
from sealift_pipeline.log.opening import open_log
from sealift_pipeline.table import durability
from sealift_pipeline.table.delta import EventTable
from sealift_pipeline.table.schema import columns_for, to_table

PLANTED_EVENTS, WRITTEN, ROUND, ROWS = 10_000, 50_000, 5_000, 1_000_000
MOST_TIMES, LEAST_ROWS, MOST_MB = 2.0, 4_000, 500
_SMALL = """import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""
_POLICY = """format = 1
[issue]
id = { path = "object_attributes.id", type = "int" }
title = { path = "object_attributes.title", type = "text" }
author = { path = "object_attributes.author_id", type = "person" }
"""


def secrets(folder):
    """10,000 events with 50 planted mails, names, tokens and addresses."""
    settings = new_pipeline(folder / "protected")
    carried(settings, PLANTED_EVENTS)
    with open_log(settings):
        hits = found(settings.folder)
    yield not hits, f"{PLANTED_EVENTS:,} events, {len(PLANTED)} planted: {len(hits)} found in log, tables and snapshots"
    settings = new_pipeline(folder / "unprotected")
    policy = Path(settings.folder, "data-policy.toml")
    policy.write_text(unprotected(policy.read_text()))
    carried(settings, PLANTED_EVENTS)
    hits = found(settings.folder)
    yield hits == set(PLANTED), f"the same search without protection: {len(hits)} of {len(PLANTED)} found"


def write(folder):
    """The same rows as a durable Delta commit and as a plain Parquet file that is synced; then all that landing does."""
    settings = new_pipeline(folder / "write")
    for first in range(0, WRITTEN, ROUND):
        put(settings, Events(first, size=5_000).several(ROUND, ["issue"]), first=first)
    kind, table = settings.data_policy().kinds["issue"], EventTable(str(folder / "compared"), "issue")
    (folder / "plain").mkdir()
    (folder / "compared").mkdir()
    ours = plain = 0.0
    with open_log(settings) as log:
        after, version = 0, -1
        while entries := log.read(after, ROUND):
            after = entries[-1].seq
            rows = to_table("issue", entries, columns_for(kind, None))
            begin = time.perf_counter()
            table.append(table.opened_or_new(rows.schema), rows, writer="compared", upto=after)
            version = durability.sync(table.path, version)
            middle = time.perf_counter()
            _plain(rows, folder / "plain" / f"{after}.parquet")
            ours, plain = ours + middle - begin, plain + time.perf_counter() - middle
    both = f"{ours:.2f} s as durable commits, {plain:.2f} s as plain Parquet"
    yield ours < MOST_TIMES * plain, f"{WRITTEN:,} rows: {both}: {ours / plain:.2f} times, at most {MOST_TIMES:g}"
    with open_log(settings) as log, writing(settings.folder):
        begin = time.process_time()
        done = Lander(settings, settings.data_policy(), log).land_all()
        speed = done.rows["issue"] / (time.process_time() - begin)
    yield speed >= LEAST_ROWS, f"landing with leaves: {speed:,.0f} rows a CPU second, at least {LEAST_ROWS:,}"


def _plain(rows, path):
    with path.open("wb") as file:
        pq.write_table(rows, file, compression="zstd", compression_level=3)
        file.flush()
        os.fsync(file.fileno())
    descriptor = os.open(path.parent, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def snapshot(folder):
    """A data snapshot of 1,000,000 rows, taken and verified by the command; memory is that of the whole process."""
    settings = new_pipeline(folder / "million", policy=_POLICY)
    kind, table = settings.data_policy().kinds["issue"], EventTable(settings.table_place, "issue")
    settings.folder.joinpath("table").mkdir()
    for first in range(0, ROWS, 50_000):
        entries = [Entry(seq, _record(seq)) for seq in range(first + 1, first + 50_001)]
        rows = to_table("issue", entries, columns_for(kind, None))
        table.append(table.opened_or_new(rows.schema), rows, writer="made", upto=entries[-1].seq)
    for words in (["snapshot", "issue"], ["verify", str(settings.folder / "snapshots" / f"issue-{ROWS}.json")]):
        begin = time.perf_counter()
        status, document, megabytes = measured([*words, "--json", "--pipeline", str(settings.folder)])
        took = time.perf_counter() - begin
        good = status == 0 and document["rows"] == ROWS and megabytes < MOST_MB
        yield good, f"{words[0]} of {ROWS:,} rows: {megabytes:.0f} MB, at most {MOST_MB}; {took:.1f} s"


def _record(seq):
    who = f"u_{seq % 997:024x}"
    columns = {"id": 100_000 + seq, "title": f"the job of runner {seq} fails with a timeout", "author": who}
    return Record("issue", f"key-{seq}", 1_795_435_200_000_000 + seq, (who,), columns)


def measured(words):
    """Return status, the document that a command prints, and the most memory that it held, in MB."""
    # By way of a small process: what a child held counts from its fork, and so with all of this process.
    with subprocess.Popen(
        [sys.executable, "-c", _SMALL, PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        text, said = process.communicate()
    return process.returncode, json.loads(text), int(said.splitlines()[-1]) / 1_000
