"""`sealift-pipeline drift`: how far new rows are from those that the model learned from."""

from pathlib import Path

import click

from sealift_common.columns import table
from sealift_common.console import print_json
from sealift_pipeline.cli.options import json_option, pipeline_option, project_argument
from sealift_pipeline.settings.settings import Settings


@click.command()
@project_argument
@pipeline_option
@json_option
def command(*, project_file: Path, folder: Path, as_json: bool) -> None:
    """Compare the events since the newest version of PROJECT.toml's model with those that it learned from."""
    from sealift_pipeline.snapshots.taking import take
    from sealift_pipeline.training.champions.channels import open_channels
    from sealift_pipeline.training.drift.need import needed, require_trained
    from sealift_pipeline.training.project.settings import Project

    project, settings = Project.load(project_file), Settings.load(folder)
    snapshot = take(settings, settings.data_policy(), project.kind)
    found = needed(project, settings, open_channels(project, settings), snapshot)
    since = require_trained(found, project)
    if as_json:
        print_json(
            {
                "measures": [one.document() for one in found.measured],
                "model": since.model.name,
                "needed": bool(found.reasons),
                "new_rows": found.new_rows,
                "reasons": list(found.reasons),
                "version": str(since.model.version),
            }
        )
        return
    click.echo(f"{found.new_rows:,} new events since {since.model} (up to event {since.snapshot.upto})")
    if found.measured:
        rows = [
            [one.column, one.measure, f"{one.value:.4f}", f"{one.limit:g}", "drift" if one.is_drift else ""]
            for one in found.measured
        ]
        click.echo(table(rows, ["column", "measure", "value", "limit", ""]))
    for reason in found.reasons:
        click.echo(f"retrain: {reason}")
    if not found.reasons:
        click.echo("nothing speaks for training again")
