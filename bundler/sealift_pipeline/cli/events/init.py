"""`sealift-pipeline init`: make the folder of a pipeline."""

from pathlib import Path

import click

from sealift_common.console import print_json
from sealift_pipeline.cli.options import json_option
from sealift_pipeline.settings.making import CI_FILE, UNITS, UNITS_FOLDER, Origin, make
from sealift_pipeline.settings.settings import DEFAULT_LISTEN, FILE, KEY_FILE, POLICY_FILE, TOKEN_FILE


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, readable=False))
@click.option("--gitlab", "url", default="", metavar="URL", help="Address of the GitLab instance, for backfill.")
@click.option("--project", default="", metavar="ID|PATH", help="The project whose hook sends events.")
@click.option("--hook", type=click.IntRange(min=0), default=0, metavar="N", help="Number of the hook.")
@click.option("--listen", default=DEFAULT_LISTEN, show_default=True, metavar="ADDRESS:PORT", help="For the receiver.")
@json_option
def command(*, directory: Path, url: str, project: str, hook: int, listen: str, as_json: bool) -> None:
    """Make the folder DIR: settings, a data policy to edit, two secrets, units for systemd, a schedule for GitLab."""
    made = make(directory, Origin(url, project, hook), listen=listen)
    units = [str(directory / UNITS_FOLDER / name) for name in UNITS]
    if as_json:
        names = {"settings": FILE, "data_policy": POLICY_FILE, "pseudonym_key": KEY_FILE, "hook_token": TOKEN_FILE}
        names["schedule"] = CI_FILE
        print_json({**{name: str(directory / file) for name, file in names.items()}, "units": units})
        return
    click.echo(f"made the pipeline {directory}")
    click.echo(f"  {POLICY_FILE}: what of each event is kept; edit it before the first event")
    click.echo(f"  {TOKEN_FILE}: the secret token to give to the hook in GitLab")
    click.echo(f"  {KEY_FILE}: the key of pseudonyms; back it up, apart from the table")
    for unit in units:
        click.echo(f"  {Path(unit).relative_to(directory)}: copy it to /etc/systemd/system")
    click.echo(f"  {CI_FILE}: retrains models on a schedule of GitLab; copy it to the project that holds them")
    click.echo(f"next: sealift-pipeline receive --pipeline {directory} (listens on {made.host}:{made.port})")
