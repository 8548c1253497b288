"""`sealift-keys rotate`: exchange keys of any role."""

from pathlib import Path

import click

from sealift_keys.ceremony.rotation import rotate
from sealift_keys.channel.directory import Channel
from sealift_keys.cli.options import (
    FILE,
    SEVERAL,
    complete_keys,
    directory_argument,
    json_option,
    key_option,
    passphrase_file_option,
    report_change,
    role_option,
    sign_option_text,
)
from sealift_keys.keyfiles.public import load_public
from sealift_keys.keyfiles.signers import open_signers


@click.command()
@directory_argument
@role_option(required=True, text="The role whose keys change; repeat for several in one new root.")
@click.option(
    "--remove",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_keys,
    help=f"Key that leaves these roles; {SEVERAL}. `show` lists the names.",
)
@click.option("--add", type=FILE, multiple=True, metavar="PUB", help=f"Public key that joins these roles; {SEVERAL}.")
@key_option(required=False, text=sign_option_text)
@passphrase_file_option
@json_option
def command(
    *,
    directory: Path,
    roles: tuple[str, ...],
    remove: tuple[str, ...],
    add: tuple[Path, ...],
    keys: tuple[str, ...],
    passphrase_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Take keys out of roles of the channel DIR and put others in.

    This makes a new version of root, which the old and the new threshold of root keys sign, and new
    versions of the roles whose keys change. Instances follow when they get the next bundle.
    """
    channel = Channel.open(directory)
    added = [load_public(path) for path in add]
    signers = open_signers(keys, passphrase_files)
    report_change(channel, rotate(channel, roles, remove=remove, add=added, signers=signers), as_json=as_json)
