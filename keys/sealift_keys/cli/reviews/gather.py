"""`sealift-keys gather`: one's approvals in few statements, so that a channel of many versions stays small."""

from pathlib import Path

import click

from sealift_common.console import print_json
from sealift_common.wording import counted
from sealift_keys.ceremony.stating import gather
from sealift_keys.channel.directory import Channel
from sealift_keys.cli.options import (
    KEY,
    directory_argument,
    json_option,
    passphrase_file_option,
    pkcs11_option,
    review_document,
)
from sealift_keys.keyfiles.signers import open_signers


@click.command()
@directory_argument
@click.option("--role", required=True, help="The role that you review for, for example security.")
@click.option("--key", required=True, type=KEY, metavar="FILE", help="Your private key.")
@pkcs11_option
@passphrase_file_option
@json_option
def command(*, directory: Path, role: str, key: str, passphrase_files: tuple[Path, ...], as_json: bool) -> None:
    """Sign again, in few statements, all that you approved among what the channel DIR has released.

    Nothing is approved that was not, and nothing for longer. The next release then takes less room.
    """
    channel = Channel.open(directory)
    (signer,) = open_signers((key,), passphrase_files)
    made = gather(channel, role, signer)
    if as_json:
        print_json({"reviews": [review_document(one) for one in made]})
        return
    subjects = sum(len(one.subjects) for one in made)
    click.echo(f"gathered {counted(subjects, 'approval')} in {counted(len(made), 'statement')}")
    if made:
        click.echo(f"next: take it back to the channel, and there: sealift-keys merge CHANNEL {directory}")
