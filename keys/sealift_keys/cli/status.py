"""`sealift-keys status`: what of a channel is signed, and what is missing."""

from pathlib import Path

import click

from sealift_common import fingerprint
from sealift_common.console import print_json
from sealift_common.review.reviewers import demand_line
from sealift_keys.ceremony.pending import undecided
from sealift_keys.ceremony.quorum import next_command
from sealift_keys.ceremony.stating import reviewers_of
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.status import status
from sealift_keys.cli.options import FILE, contents_document, echo_contents, echo_roles, echo_root_changes


@click.command()
@click.argument("directory", metavar="DIR", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(directory: Path, as_json: bool) -> None:
    """Show who has signed the channel DIR and who has not; exit status 0 also when some are missing.

    A release that waits is shown with its models: what is new, withdrawn, or has other bytes.
    """
    channel = Channel.open(directory)
    state = status(channel)
    if as_json:
        print_json(
            {
                **state.to_dict(),
                "next": next_command(channel, state),
                "contents": contents_document(undecided(channel)),
            }
        )
        return
    waits = f" (release {state.release} waits for signatures)" if state.waits else ""
    click.echo(
        f"channel {state.channel!r}: {state.released} released{waits}, {state.staged} staged, "
        f"{state.withdrawn} withdrawn"
    )
    if state.root_fingerprint:
        click.echo(f"fingerprint of 1.root.json, which instances pin: {fingerprint.grouped(state.root_fingerprint)}")
    demanded = demand_line(reviewers_of(channel))
    if demanded:
        click.echo(demanded)
    if state.roles[0].missing:
        echo_root_changes(channel)
    # First what holds whatever the files of the models are: a damaged one ends this command.
    echo_roles(state)
    echo_contents(undecided(channel))
    click.echo(f"next: {next_command(channel, state)}")
    if state.expiring:
        click.echo(f"note: expires within 30 days: {', '.join(state.expiring)}", err=True)
