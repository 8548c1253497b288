"""`sealift-bundler sweep`: remove blobs that belong to no version of a channel."""

from pathlib import Path

import click

from sealift_bundler.cli.options import channel_option, json_option
from sealift_bundler.packing.sweeping import sweep
from sealift_common.console import print_json
from sealift_common.wording import counted, human
from sealift_keys.channel.directory import Channel


@click.command()
@channel_option
@click.option("--dry-run", is_flag=True, help="Say what would be removed; remove nothing.")
@json_option
def command(directory: Path, dry_run: bool, as_json: bool) -> None:
    """Remove blobs that no version names which is staged or was ever released.

    They are left by versions that were added again with other bytes, or unstaged, and by runs that were cut off.
    """
    found = sweep(Channel.open(directory), dry_run=dry_run)
    if as_json:
        print_json({"blobs": list(found.blobs), "dry_run": dry_run, "size": found.size})
        return
    verb = "would remove" if dry_run else "removed"
    click.echo(f"{verb} {counted(len(found.blobs), 'blob')} of {human(found.size)}")
