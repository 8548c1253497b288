"""`sealift-keys sign`: add signatures to a channel."""

from pathlib import Path

import click

from sealift_common.console import print_json
from sealift_keys.ceremony.beginning import sign
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.status import status
from sealift_keys.cli.options import (
    FILE,
    echo_root_changes,
    echo_signed,
    echo_state,
    key_option,
    passphrase_file_option,
)
from sealift_keys.keyfiles.signers import open_signers


@click.command()
@click.argument("directory", metavar="DIR", type=FILE)
@key_option(required=True, text="Private key to sign with; repeat for several.")
@passphrase_file_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(directory: Path, keys: tuple[str, ...], passphrase_files: tuple[Path, ...], as_json: bool) -> None:
    """Sign all metadata of the channel DIR that the given keys may sign and have not signed yet.

    Nobody else's signature is touched. What a release lists and what a new root changes is printed, so
    that signers see it; `status` shows what a root changes before it is signed.
    """
    channel = Channel.open(directory)
    made = sign(channel, open_signers(keys, passphrase_files))
    state = status(channel)
    if as_json:
        signed = [{"key": one.key_name, "role": one.role, "version": one.version} for one in made]
        print_json({**state.to_dict(), "signed": signed})
        return
    echo_signed(made)
    if not made:
        click.echo("nothing to sign: these keys have signed all that they may")
    if any(one.role == "root" for one in made):
        echo_root_changes(channel)
    if any(one.role == "targets" for one in made):
        for model, reference in channel.released().items():
            click.echo(f"  {model} {reference.digest}")
        for entry in channel.release().withdrawn:
            click.echo(f"  withdrawn: {entry.model}: {entry.reason!r}")
    echo_state(state)
