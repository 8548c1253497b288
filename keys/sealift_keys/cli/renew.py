"""`sealift-keys renew`: new expiry dates."""

from pathlib import Path

import click

from sealift_keys.ceremony.rotation import renew
from sealift_keys.channel.directory import Channel
from sealift_keys.cli.options import (
    directory_argument,
    json_option,
    key_option,
    passphrase_file_option,
    report_change,
    role_option,
    sign_option_text,
)
from sealift_keys.keyfiles.signers import open_signers

WITHOUT_ROOT = ("targets", "snapshot", "timestamp")


@click.command()
@directory_argument
@role_option(required=False, text="The role to renew; repeat for several. By default all but root.")
@click.option("--expires-days", "days", type=int, metavar="N", help="Valid for N days; by default what root records.")
@key_option(required=False, text=sign_option_text)
@passphrase_file_option
@json_option
def command(
    *,
    directory: Path,
    roles: tuple[str, ...],
    days: int | None,
    keys: tuple[str, ...],
    passphrase_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Give roles of the channel DIR new versions with new expiry dates; their content does not change.

    A new targets needs a new snapshot, and that a new timestamp; `--role timestamp` renews it alone.
    With `--role root`, N is recorded and counts for later roots too.
    """
    channel = Channel.open(directory)
    changed = renew(channel, roles or WITHOUT_ROOT, days=days, signers=open_signers(keys, passphrase_files))
    report_change(channel, changed, as_json=as_json)
