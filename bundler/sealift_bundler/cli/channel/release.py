"""`sealift-bundler release`: make the channel's next release."""

from pathlib import Path

import click

from sealift_bundler.cli.options import channel_option, json_option, open_release_signers, report, sign_option_text
from sealift_bundler.release.staging import release
from sealift_keys.channel.directory import Channel
from sealift_keys.cli.options import key_option, passphrase_file_option


@click.command()
@channel_option
@key_option(required=False, text=sign_option_text)
@passphrase_file_option
@click.option("--refresh", is_flag=True, help="Release although nothing is staged, for new expiry dates.")
@json_option
def command(
    directory: Path, keys: tuple[str, ...], passphrase_files: tuple[Path, ...], refresh: bool, as_json: bool
) -> None:
    """Make a release of everything released before and everything staged, and sign it."""
    channel = Channel.open(directory)
    made = release(channel, open_release_signers(channel, keys, passphrase_files), refresh=refresh)
    report(channel, made, as_json=as_json)
