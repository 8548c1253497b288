"""`sealift-pipeline erase`: remove the rows of a person."""

from pathlib import Path

import click

from sealift_common.console import print_json
from sealift_common.errors import UsageError
from sealift_common.wording import counted
from sealift_pipeline.cli.options import json_option, pipeline_option
from sealift_pipeline.data_policy.key_file import read_key
from sealift_pipeline.data_policy.protection import pseudonym
from sealift_pipeline.log.opening import open_log
from sealift_pipeline.settings.settings import Settings


@click.command()
@pipeline_option
@click.option(
    "--user-id", "numbers", type=click.IntRange(min=1), multiple=True, metavar="N", help="Number of the user."
)
@click.option(
    "--name", "names", multiple=True, metavar="NAME|MAIL", help="A user name or mail address that events have of them."
)
@click.option("--request", required=True, metavar="ID", help="What the record of erasures names, for example a ticket.")
@json_option
def command(*, folder: Path, numbers: tuple[int, ...], names: tuple[str, ...], request: str, as_json: bool) -> None:
    """Remove every row about a person from tables and log; leaves stay, so the roots of snapshots hold.

    Running it again does what is left. A lander may go on running.
    """
    from sealift_pipeline.erasure.erasing import erase

    if not numbers and not names:
        raise UsageError("say who is erased: give --user-id, or --name for a person whom events only name")
    if not (request.strip() and request.isprintable()):
        raise UsageError("--request needs one line of text; it goes into the record of erasures")
    settings = Settings.load(folder)
    policy, key = settings.data_policy(), read_key(settings.key_file)
    subjects = [*(pseudonym(one, key) for one in numbers), *(pseudonym(one, key) for one in names)]
    with open_log(settings) as log:
        done = erase(settings, policy, log, subjects, request)
    total = sum(done.rows.values())
    if as_json:
        print_json({"request": request, "rows": dict(done.rows), "snapshots": list(done.snapshots)})
        return
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in done.rows.items())
    click.echo(f"erased {counted(total, 'row')}{f' ({kinds})' if kinds else ''}; nothing of them is left in the log")
    for name in done.snapshots:
        click.echo(f"  {name} cites erased rows; its root holds: train again what was trained on it")
