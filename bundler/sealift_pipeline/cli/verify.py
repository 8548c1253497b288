"""`sealift-pipeline verify`: check the rows of a data snapshot."""

from pathlib import Path

import click

from sealift_common.console import print_json
from sealift_common.files.secret_file import read_regular
from sealift_common.wording import counted
from sealift_pipeline.cli.options import json_option, pipeline_option
from sealift_pipeline.settings.settings import Settings

_MOST_BYTES = 64 * 1024 + 1


@click.command()
@click.argument("snapshot_file", metavar="FILE", type=click.Path(path_type=Path, readable=False))
@pipeline_option
@json_option
def command(*, snapshot_file: Path, folder: Path, as_json: bool) -> None:
    """Check each row of the data snapshot FILE, and the root over all; a row that changed is named, exit 26."""
    from sealift.cli.progress import bytes_bar
    from sealift_pipeline.snapshots.document import Snapshot
    from sealift_pipeline.snapshots.taking import verify
    from sealift_pipeline.table.delta import EventTable, files

    data, _ = read_regular(snapshot_file, _MOST_BYTES)
    snapshot = Snapshot.parse(data, snapshot_file.name)
    settings = Settings.load(folder)
    table = EventTable(settings.table_place, snapshot.kind).required()
    with bytes_bar(sum(size for *_, size in files(table)), "verifying") as progress:
        verified = verify(settings, snapshot, progress=progress)
    if as_json:
        print_json({**snapshot.document(), "verified": verified.rows, "erased_now": verified.erased})
        return
    erased = (
        f"; of {counted(verified.erased, 'row')} that was erased the leaf holds"
        if verified.erased == 1
        else (f"; of {counted(verified.erased, 'row')} that were erased the leaves hold" if verified.erased else "")
    )
    click.echo(
        f"{snapshot_file}: {counted(verified.rows, 'row')} of kind {snapshot.kind!r} as they were landed{erased}"
    )
