"""`sealift-pipeline retrain`: from new events to a staged model version."""

from pathlib import Path

import click

from sealift_common.console import print_json
from sealift_pipeline.cli.options import json_option, pipeline_option, project_argument, storage_option, workers_option
from sealift_pipeline.settings.settings import Settings


@click.command()
@project_argument
@pipeline_option
@workers_option
@storage_option
@click.option("--if-needed", is_flag=True, help="Train only on new rows, drift, or erased rows; see [retrain].")
@json_option
def command(*, project_file: Path, folder: Path, workers: int, storage: str, if_needed: bool, as_json: bool) -> None:
    """Train the model of PROJECT.toml on all landed events, and stage it if it passes the gate.

    The same events, files and environment give the same model: then nothing is trained, and it says "unchanged". A
    version that is not better than the released one is refused, exit 78, and its page says why.
    """
    from sealift_pipeline.gate.judging import NO_WORSE, told
    from sealift_pipeline.training.project.settings import Project
    from sealift_pipeline.training.retraining import STAGED, retrain

    project = Project.load(project_file)
    done = retrain(project, Settings.load(folder), workers=workers, if_needed=if_needed, storage=storage)
    if as_json:
        print_json(
            {
                "channel": str(done.channel),
                "digest": done.reference or None,
                "gate": None if done.judgement is None else done.judgement.document(),
                "model": None if done.model is None else done.model.name,
                "outcome": done.outcome,
                "page": None if done.page is None else str(done.page),
                "version": None if done.model is None else str(done.model.version),
            }
        )
        return
    click.echo(" ".join(str(one) for one in (done.outcome, done.model, done.reference) if one))
    if done.outcome == STAGED and done.judgement is not None:
        found, metric = done.judgement.overall, done.judgement.metric
        unseen = "rows for testing" if done.is_first else "rows that neither model saw"
        click.echo(f"  on {found.rows:,} {unseen}: {told(found, metric)}, p = {found.p_value:.3g}")
        if done.judgement.erased:
            gone = done.judgement.erased
            were = "row that the released version saw was" if gone == 1 else "rows that the released version saw were"
            click.echo(f"  by the rule {NO_WORSE}, for {gone:,} {were} erased")
        click.echo(f"  page of the run: {done.page}")
        click.echo(f"next: have it reviewed, then: sealift-bundler release --channel {done.channel} --key FILE")
