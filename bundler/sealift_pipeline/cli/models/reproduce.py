"""`sealift-pipeline reproduce`: make a run again and compare it byte by byte."""

from pathlib import Path

import click

from sealift_common.console import print_json
from sealift_pipeline.cli.options import json_option, pipeline_option, workers_option
from sealift_pipeline.settings.settings import Settings


@click.command()
@click.argument("run_file", metavar="RUN.json", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--project",
    "project_file",
    required=True,
    type=click.Path(path_type=Path, readable=False),
    metavar="PROJECT.toml",
    help="The project that it was made with.",
)
@pipeline_option
@workers_option
@click.option("--here", is_flag=True, help="In this environment, if it is that of the lock; no package is installed.")
@json_option
def command(*, run_file: Path, project_file: Path, folder: Path, workers: int, here: bool, as_json: bool) -> None:
    """Train again what RUN.json says, and compare run and model; data-snapshot.json lies beside it.

    A new environment is made from the project's lock file, with pip and its configuration, and removed at the end.
    """
    from sealift_pipeline.training.project.settings import Project
    from sealift_pipeline.training.reproducing import in_fresh_environment, read_given, reproduce, require_inputs

    project, settings = Project.load(project_file), Settings.load(folder)
    given = read_given(run_file)
    if not here:
        # What cannot come out is refused before anything is installed.
        require_inputs(given, project, settings)
        arguments = ["reproduce", str(run_file.absolute()), "--project", str(project_file.absolute())]
        arguments += ["--pipeline", str(folder.absolute()), "--workers", str(workers), "--here"]
        click.get_current_context().exit(in_fresh_environment(project, [*arguments, *(["--json"] if as_json else [])]))
    reproduce(given, project, settings, workers=workers)
    model = given.run.files["model.onnx"]
    if as_json:
        print_json(
            {
                "equal": True,
                "model": given.run.model.name,
                "model_onnx": model,
                "version": str(given.run.model.version),
            }
        )
        return
    click.echo(f"{given.run.model} came out the same: run.json and model.onnx {model}")
