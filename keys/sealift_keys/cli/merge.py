"""`sealift-keys merge`: take the signatures of a copy of the channel."""

from pathlib import Path

import click

from sealift_common.console import print_json
from sealift_keys.ceremony.merging import merge
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.status import status
from sealift_keys.cli.options import (
    FILE,
    directory_argument,
    echo_fingerprint,
    echo_state,
    json_option,
    review_document,
    review_line,
    signed_documents,
)


@click.command()
@directory_argument
@click.argument("other", metavar="COPY", type=FILE)
@json_option
def command(*, directory: Path, other: Path, as_json: bool) -> None:
    """Add to the channel DIR the signatures and reviews that were made on COPY, on another machine.

    Nothing else is taken: COPY must say the same as DIR, and each signature must verify.
    """
    channel = Channel.open(directory)
    merged = merge(channel, Channel.open(other))
    state = status(channel)
    if as_json:
        taken, refused = signed_documents(merged.taken), signed_documents(merged.refused)
        reviews = [review_document(one) for one in merged.statements]
        print_json({**state.to_dict(), "refused": refused, "reviews": reviews, "taken": taken})
        return
    for statement in merged.statements:
        click.echo(f"took the review: {review_line(statement)}")
    for name in merged.strange:
        click.echo(f"left the review {name}: nobody signed it who reviews for this channel", err=True)
    if merged.only_statements:
        click.echo(f"took no signature: {merged.only_statements}", err=True)
    for one in merged.taken:
        click.echo(f"took the signature of {one.key_name!r} for {one.role} {one.version}")
    for one in merged.refused:
        click.echo(f"left the signature of {one.key_name!r} for {one.role} {one.version}: it does not verify", err=True)
    if not merged.taken and not merged.statements:
        click.echo("nothing to take: the copy has no signature that is missing here")
    echo_state(state)
    echo_fingerprint(state, merged.taken)
