"""`sealift-pipeline status`: where log and tables stand."""

from pathlib import Path
from typing import Any

import click

from sealift_common.columns import table
from sealift_common.console import print_json
from sealift_common.wording import counted, human
from sealift_pipeline.cli.options import json_option, pipeline_option
from sealift_pipeline.log.opening import open_log
from sealift_pipeline.settings.settings import SNAPSHOT_FOLDER, Settings


@click.command()
@pipeline_option
@json_option
def command(*, folder: Path, as_json: bool) -> None:
    """Show how many events wait in the log, and what each table holds."""
    from sealift_pipeline.erasure.destroyed import waiting
    from sealift_pipeline.landing.lander import ERASED, kinds_of
    from sealift_pipeline.table.delta import EventTable, counts

    settings = Settings.load(folder)
    policy = settings.data_policy()
    with open_log(settings) as log:
        position = log.position()
    kinds: dict[str, Any] = {}
    for kind in kinds_of(settings, policy):
        opened = EventTable(settings.table_place, kind).open()
        kinds[kind] = {"rows": 0, "files": 0, "size": 0, "last": 0} if opened is None else counts(opened)
    erased = EventTable(settings.table_place, ERASED).open()
    snapshots = sorted(path.name for path in (folder / SNAPSHOT_FOLDER).glob("*.json"))
    document: dict[str, Any] = {
        "log": dict(position._asdict()),
        "kinds": kinds,
        "erased": 0 if erased is None else int(erased.count()),
        "removed_users": len(waiting(settings)),
        "snapshots": snapshots,
        "data_policy": policy.digest,
    }
    if as_json:
        print_json(document)
        return
    click.echo(
        f"log: {position.waiting:,} waiting, newest event {position.last:,}, landed up to {position.trimmed:,}, "
        f"{position.rejected:,} rejected"
    )
    rows = [[kind, f"{one['rows']:,}", one["files"], human(one["size"]), one["last"]] for kind, one in kinds.items()]
    click.echo(table(rows, ["kind", "rows", "files", "size", "last event"]))
    click.echo(f"erased rows: {document['erased']:,}; snapshots: {len(snapshots)}")
    if document["removed_users"]:
        users = counted(document["removed_users"], "user")
        click.echo(f"{users} who were removed from GitLab wait: see sealift-pipeline erase --pending")
