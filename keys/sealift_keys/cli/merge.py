"""`sealift-keys merge`: take the signatures of a copy of the channel."""

from pathlib import Path

import click

from sealift_common.console import print_json
from sealift_keys.ceremony.merging import merge
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.status import status
from sealift_keys.cli.options import FILE, directory_argument, echo_state, json_option, signed_documents


@click.command()
@directory_argument
@click.argument("other", metavar="COPY", type=FILE)
@json_option
def command(*, directory: Path, other: Path, as_json: bool) -> None:
    """Add to the channel DIR the signatures that were made on COPY, on another machine.

    Nothing but signatures is taken: COPY must say the same as DIR, and each signature must verify.
    """
    channel = Channel.open(directory)
    merged = merge(channel, Channel.open(other))
    state = status(channel)
    if as_json:
        taken, refused = signed_documents(merged.taken), signed_documents(merged.refused)
        print_json({**state.to_dict(), "refused": refused, "taken": taken})
        return
    for one in merged.taken:
        click.echo(f"took the signature of {one.key_name!r} for {one.role} {one.version}")
    for one in merged.refused:
        click.echo(f"left the signature of {one.key_name!r} for {one.role} {one.version}: it does not verify", err=True)
    if not merged.taken:
        click.echo("nothing to take: the copy has no signature that is missing here")
    echo_state(state)
