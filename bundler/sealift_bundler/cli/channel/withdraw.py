"""`sealift-bundler withdraw`: take a released model version back."""

from pathlib import Path

import click

from sealift_bundler.cli.options import (
    channel_option,
    complete_names,
    complete_versions,
    json_option,
    open_release_signers,
    report,
    sign_option_text,
)
from sealift_bundler.release.staging import withdraw
from sealift_common.names import ModelVersion
from sealift_keys.channel.directory import Channel
from sealift_keys.cli.options import key_option, passphrase_file_option


@click.command()
@click.argument("name", shell_complete=complete_names)
@click.argument("version", shell_complete=complete_versions)
@channel_option
@click.option("--reason", required=True, help="One line that admins read; it is signed.")
@key_option(required=False, text=sign_option_text)
@passphrase_file_option
@json_option
def command(
    *,
    name: str,
    version: str,
    directory: Path,
    reason: str,
    keys: tuple[str, ...],
    passphrase_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Make a release without VERSION of model NAME; instances stop loading it, and it never returns."""
    model = ModelVersion.parse(name, version)
    channel = Channel.open(directory)
    made = withdraw(channel, model, reason, open_release_signers(channel, keys, passphrase_files))
    report(channel, made, as_json=as_json)
