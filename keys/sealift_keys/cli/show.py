"""`sealift-keys show`: who may sign a channel."""

from pathlib import Path

import click

from sealift_common import fingerprint
from sealift_common.columns import table
from sealift_common.console import print_json
from sealift_keys.ceremony.pending import undecided
from sealift_keys.ceremony.roster import roster
from sealift_keys.channel.directory import Channel
from sealift_keys.cli.options import contents_document, directory_argument, echo_contents, json_option


@click.command()
@directory_argument
@json_option
def command(*, directory: Path, as_json: bool) -> None:
    """Show the roles, keys, thresholds, expiry dates and fingerprints of the channel DIR, and what waits for them.

    What waits is a release that lacks signatures or that nobody made yet, with its models.
    """
    channel = Channel.open(directory)
    shown = roster(channel)
    if as_json:
        print_json({**shown.to_dict(), "contents": contents_document(undecided(channel))})
        return
    click.echo(f"channel {shown.channel!r}, root {shown.root_version}")
    if shown.root_fingerprint:
        click.echo(f"fingerprint of 1.root.json, which instances pin: {fingerprint.grouped(shown.root_fingerprint)}")
    rows = [
        [role.role, role.version, f"{role.threshold} of {len(role.keys)}", role.expires[:10], ", ".join(role.keys)]
        for role in shown.roles
    ]
    click.echo()
    click.echo(table(rows, ["role", "version", "must sign", "expires", "keys"]))
    keys = [[key.name, key.algorithm, ", ".join(key.roles), fingerprint.grouped(key.fingerprint)] for key in shown.keys]
    click.echo()
    click.echo(table(keys, ["key", "algorithm", "roles", "fingerprint"]))
    if shown.required_roles:
        exempt = f"; exempt, as released before: {', '.join(shown.exempt)}" if shown.exempt else ""
        click.echo(f"instances demand of every version: {', '.join(shown.required_roles)}{exempt}")
    for entry in shown.revoked:
        click.echo(f"revoked {entry['name']!r} at {entry['at']}: {entry['reason']!r}")
    summary = undecided(channel)
    if summary is not None:
        click.echo()
    echo_contents(summary)
