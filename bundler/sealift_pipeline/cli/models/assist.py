"""`sealift-pipeline assist`: score parameters for a search that runs on another machine."""

from pathlib import Path

import click

from sealift_common.console import print_json
from sealift_common.errors import UsageError
from sealift_common.wording import counted
from sealift_pipeline.cli.options import (
    json_option,
    pipeline_option,
    project_argument,
    storage_option,
    workers_option,
)
from sealift_pipeline.settings.settings import Settings


@click.command()
@project_argument
@pipeline_option
@storage_option
@workers_option
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for a search to begin.",
)
@json_option
def command(*, project_file: Path, folder: Path, storage: str, workers: int, wait_s: float, as_json: bool) -> None:
    """Score parameters for the search of PROJECT.toml that `retrain` runs elsewhere; ends with the search.

    The pipeline's table, the project's files, the lock and the processor have to be the same as there.
    """
    from sealift_pipeline.training.assisting import assist_project
    from sealift_pipeline.training.project.settings import Project

    if not storage:
        raise UsageError("say where the search is shared: give --storage URL, or set SEALIFT_SEARCH_STORAGE")
    project, settings = Project.load(project_file), Settings.load(folder)
    scored = assist_project(project, settings, storage, workers=workers, wait_s=wait_s)
    if as_json:
        print_json({"scored": scored})
    elif scored is None:
        click.echo("no search began")
    else:
        click.echo(f"scored {counted(scored, 'trial')}")
