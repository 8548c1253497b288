"""`sealift-keys expiry`: what expires when, for cron."""

from pathlib import Path

import click

from sealift_common.console import print_json
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.expiry import expiry
from sealift_keys.cli.options import directory_argument, json_option


@click.command()
@directory_argument
@json_option
def command(*, directory: Path, as_json: bool) -> None:
    """Say when the metadata of the channel DIR expires, the nearest first.

    Exit status 0: nothing within 90 days. 57: within 90 days. 58: within 30 days. 59: within 7 days,
    or expired. One line on stderr then says what to run; with status 0 stderr stays empty.
    """
    report = expiry(Channel.open(directory))
    if as_json:
        print_json(report.to_dict())
    else:
        for role in report.roles:
            click.echo(role.line())
    error = report.error()
    if error is not None:
        raise error
