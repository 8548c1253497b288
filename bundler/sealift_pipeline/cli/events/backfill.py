"""`sealift-pipeline backfill`: bring what the receiver missed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from sealift.cli.options import access_options_of
from sealift_common.console import print_json
from sealift_common.wording import counted
from sealift_pipeline.cli.events.keys import note_keys
from sealift_pipeline.cli.options import json_option, pipeline_option
from sealift_pipeline.data_policy.key_file import read_keys
from sealift_pipeline.log.opening import open_log
from sealift_pipeline.settings.settings import Settings

# As long as GitLab keeps what a hook sent.
_DAYS = 7


@click.command()
@pipeline_option
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    default=None,
    metavar="DATE",
    help=f"Also bring issues that changed since then [default: {_DAYS} days ago].",
)
@click.option("--no-issues", is_flag=True, help="Bring only what the hook tried to deliver.")
@access_options_of("GitLab")
@json_option
def command(
    *, folder: Path, since: datetime | None, no_issues: bool, ca_file: Path | None, plain_http: bool, as_json: bool
) -> None:
    """Ask GitLab for what the hook sent in the last seven days and for issues, and keep what is not known yet.

    The token comes from GITLAB_TOKEN; it needs the right to read the project's hooks and issues.
    """
    from sealift.cli.progress import bytes_bar
    from sealift.registry.access import Access
    from sealift_pipeline.backfill.filling import from_hook, from_issues, known_issues
    from sealift_pipeline.backfill.gitlab_api import open_gitlab
    from sealift_pipeline.receiver.intake import Intake

    settings = Settings.load(folder)
    policy, keys = settings.data_policy(), read_keys(settings.key_file)
    start = since.replace(tzinfo=UTC) if since else datetime.now(UTC) - timedelta(days=_DAYS)
    with (
        open_log(settings) as log,
        bytes_bar(None, "asking GitLab") as progress,
        open_gitlab(settings, Access(ca_file, plain_http), progress) as project,
    ):
        note_keys(settings, keys)
        # A project's hook tells of no user that was removed.
        intake = Intake(log, policy, keys, knows_system_hook=True)
        try:
            done = [from_hook(project, intake)]
            known = None if no_issues else known_issues(settings, policy, log)
            if known is not None:
                done.append(from_issues(project, intake, known, start))
        finally:
            intake.committer.close()
    accepted = {name: number for one in done for name, number in one.accepted.items()}
    rejected = sum(one.results.get("rejected", 0) for one in done)
    beyond = project.beyond_limits
    if beyond:
        click.echo(f"note: passed over {counted(beyond, 'delivery', 'deliveries')} beyond the limits", err=True)
    if as_json:
        print_json({"accepted": accepted, "rejected": rejected})
        return
    origins = ", ".join(f"{number:,} from the {name}" for name, number in accepted.items())
    click.echo(f"brought {sum(accepted.values()):,} events that were not known: {origins}")
    if rejected:
        click.echo(f"note: {rejected:,} events do not fit the data policy; only their digests are kept", err=True)
