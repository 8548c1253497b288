"""`sealift-keys reviewer`: who reviews for a channel."""

from pathlib import Path

import click

from sealift_keys.ceremony.reviewing import change_reviewers
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
    sign_option_text,
)
from sealift_keys.keyfiles.public import load_public
from sealift_keys.keyfiles.signers import open_signers


@click.command()
@directory_argument
@click.option("--role", default="", help="The role of these reviewers, for example security, legal or privacy.")
@click.option("--add", type=FILE, multiple=True, metavar="PUB", help=f"Public key that joins the role; {SEVERAL}.")
@click.option(
    "--remove",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_keys,
    help=f"Key that retires: what it signed so far goes on counting; {SEVERAL}.",
)
@click.option("--threshold", type=int, metavar="N", help="How many of them must approve a version; 1 at first.")
@click.option(
    "--require/--no-require",
    default=None,
    help="Let every instance demand this role of every version; what is released now and lacks it is exempt.",
)
@click.option(
    "--void",
    multiple=True,
    metavar="SHA256",
    help=f"Questionnaire that no longer counts, nor what was approved by it; {SEVERAL}.",
)
@click.option("--yes", is_flag=True, help="Change it although released versions lose an approval that they need.")
@key_option(required=False, text=sign_option_text)
@passphrase_file_option
@json_option
def command(
    *,
    directory: Path,
    role: str,
    add: tuple[Path, ...],
    remove: tuple[str, ...],
    threshold: int | None,
    require: bool | None,
    void: tuple[str, ...],
    yes: bool,
    keys: tuple[str, ...],
    passphrase_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Say who reviews model versions of the channel DIR, in a new version of root.

    From then on `sealift-bundler release` asks for the approvals that the channel's questionnaire names, whose digest
    root records as well. A reviewer's key signs nothing else. For a stolen key see `sealift-keys revoke`.
    """
    channel = Channel.open(directory)
    added = [load_public(path) for path in add]
    signers = open_signers(keys, passphrase_files)
    changed = change_reviewers(
        channel,
        role,
        add=added,
        remove=remove,
        threshold=threshold,
        require=require,
        void=void,
        accept_loss=yes,
        signers=signers,
    )
    report_change(channel, changed, as_json=as_json)
