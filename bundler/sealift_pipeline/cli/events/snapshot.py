"""`sealift-pipeline snapshot`: cite the rows of a kind."""

from pathlib import Path

import click

from sealift_common.console import print_json
from sealift_common.files import durable
from sealift_common.files import output as _output
from sealift_common.wording import counted
from sealift_pipeline.cli.options import complete_kinds, json_option, pipeline_option
from sealift_pipeline.settings.settings import SNAPSHOT_FOLDER, Settings


@click.command()
@click.argument("kind", shell_complete=complete_kinds)
@pipeline_option
@click.option("--upto", type=click.IntRange(min=0), default=None, metavar="N", help="Last event [default: the newest].")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, readable=False),
    default=None,
    help="File to write [default: snapshots/KIND-N.json in the pipeline's folder].",
)
@json_option
def command(*, kind: str, folder: Path, upto: int | None, output: Path | None, as_json: bool) -> None:
    """Write a data snapshot of KIND: which rows, and one root that holds over all of them."""
    from sealift_pipeline.snapshots.taking import take

    if output is not None:
        _output.require_place(output, device=True)
    settings = Settings.load(folder)
    snapshot = take(settings, settings.data_policy(), kind, upto)
    if output is None:
        output = folder / SNAPSHOT_FOLDER / f"{kind}-{snapshot.upto}.json"
        durable.make_directory(output.parent)
    _output.write(output, snapshot.to_bytes())
    if as_json:
        print_json({**snapshot.document(), "file": str(output), "digest": snapshot.digest})
        return
    erased = f", {snapshot.erased} of them erased" if snapshot.erased else ""
    click.echo(f"{output}: {counted(snapshot.rows, 'row')} of kind {kind!r} up to event {snapshot.upto}{erased}")
    click.echo(f"root {snapshot.root}")
