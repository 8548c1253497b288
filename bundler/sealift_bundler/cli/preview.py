"""`sealift-bundler preview`: look at a release before it is made or signed."""

from pathlib import Path

import click

from sealift_bundler.cli.options import channel_option, json_option
from sealift_common.console import print_json
from sealift_common.contents.summary import lines, summary_document
from sealift_common.files.output import PAGE, require_place, write
from sealift_keys.ceremony.pending import coming
from sealift_keys.ceremony.quorum import next_command
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.status import status


@click.command()
@channel_option
@click.option(
    "--html",
    "html",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Write the same as a page that needs nothing else.",
)
@json_option
def command(directory: Path, html: Path | None, as_json: bool) -> None:
    """Show what the next release changes: models that are new or withdrawn, their proofs and sizes.

    That is the release that lacks signatures; else what `release` would make of what is staged; else the last one. The
    last line is the digest of the targets, which `sealift-keys sign --expect` takes; a release that is not made yet has
    none.
    """
    channel = Channel.open(directory)
    if html is not None:
        require_place(html, device=True, kind=PAGE)
    summary = coming(channel)
    if html is not None:
        from sealift_bundler.release.preview_page import preview_html

        write(html, preview_html(summary).encode("utf-8"))
    if as_json:
        print_json(summary_document(summary))
        return
    for line in lines(summary):
        click.echo(line)
    if not summary.digest:
        click.echo(f"next: {next_command(channel, status(channel))}")
