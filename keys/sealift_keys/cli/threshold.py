"""`sealift-keys threshold`: how many keys of a role must sign."""

from pathlib import Path

import click

from sealift_keys.ceremony.rotation import set_threshold
from sealift_keys.channel.directory import ROLES, Channel
from sealift_keys.cli.options import (
    directory_argument,
    json_option,
    key_option,
    passphrase_file_option,
    report_change,
    sign_option_text,
)
from sealift_keys.keyfiles.signers import open_signers


@click.command()
@directory_argument
@click.option("--role", type=click.Choice(ROLES), required=True, help="The role.")
@click.argument("number", metavar="N", type=int)
@key_option(required=False, text=sign_option_text)
@passphrase_file_option
@json_option
def command(
    *,
    directory: Path,
    role: str,
    number: int,
    keys: tuple[str, ...],
    passphrase_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Demand N signatures for a role of the channel DIR.

    This makes a new version of root. Signatures that the role has keep counting; where the threshold
    grows, `status` shows who has to sign as well.
    """
    channel = Channel.open(directory)
    changed = set_threshold(channel, role, number, open_signers(keys, passphrase_files))
    report_change(channel, changed, as_json=as_json)
