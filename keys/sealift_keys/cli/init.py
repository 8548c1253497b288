"""`sealift-keys init`: make a channel."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from securesystemslib.signer import Signer, SSlibKey

from sealift_common import fingerprint
from sealift_common.console import print_json
from sealift_common.errors import UsageError
from sealift_keys.ceremony.beginning import init
from sealift_keys.ceremony.plan import DEFAULT_EXPIRES_DAYS, RolePlan
from sealift_keys.channel.directory import ROLES, Channel
from sealift_keys.channel.status import status
from sealift_keys.cli.options import FILE, SEVERAL, echo_signed, echo_state, key_option, passphrase_file_option
from sealift_keys.keyfiles.public import load_public
from sealift_keys.keyfiles.signers import open_signers


@click.command()
@click.argument("directory", metavar="DIR", type=FILE)
@click.option("--name", required=True, metavar="CHANNEL", help="The channel's name, for example gitlab-models.")
@click.option(
    "--root-key",
    "root_keys",
    type=FILE,
    multiple=True,
    metavar="PUB",
    help=f"Key that may change who signs; {SEVERAL}.",
)
@click.option("--root-threshold", type=int, default=1, show_default=True, help="How many of them must sign.")
@click.option(
    "--targets-key",
    "targets_keys",
    type=FILE,
    multiple=True,
    metavar="PUB",
    help=f"Key that releases models; {SEVERAL}.",
)
@click.option("--targets-threshold", type=int, default=1, show_default=True, help="How many of them must sign.")
@click.option(
    "--snapshot-key",
    "snapshot_keys",
    type=FILE,
    multiple=True,
    metavar="PUB",
    help=f"Key of the build machine; {SEVERAL}.",
)
@click.option("--snapshot-threshold", type=int, default=1, show_default=True, help="How many of them must sign.")
@click.option(
    "--timestamp-key",
    "timestamp_keys",
    type=FILE,
    multiple=True,
    metavar="PUB",
    help=f"Key of the build machine; {SEVERAL}.",
)
@click.option("--timestamp-threshold", type=int, default=1, show_default=True, help="How many of them must sign.")
@click.option(
    "--expires-days",
    multiple=True,
    metavar="ROLE=N",
    help="How long a version of ROLE is valid; by default "
    + ", ".join(f"{role}={days}" for role, days in DEFAULT_EXPIRES_DAYS.items())
    + ".",
)
@key_option(
    required=False,
    text=f"Private key to sign with right away; {SEVERAL}. Alone, it is the one key of all four roles.",
)
@passphrase_file_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    *,
    directory: Path,
    name: str,
    root_keys: tuple[Path, ...],
    root_threshold: int,
    targets_keys: tuple[Path, ...],
    targets_threshold: int,
    snapshot_keys: tuple[Path, ...],
    snapshot_threshold: int,
    timestamp_keys: tuple[Path, ...],
    timestamp_threshold: int,
    expires_days: tuple[str, ...],
    keys: tuple[str, ...],
    passphrase_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Make the channel DIR: its root, and an empty first release.

    PUB is the public half of a key (FILE.pub). With --key alone, that key signs everything: fine
    for a trial. For real use give root and targets two keys or more and a threshold of 2.
    """
    days = _days(expires_days)
    public = dict(zip(ROLES, (root_keys, targets_keys, snapshot_keys, timestamp_keys), strict=True))
    thresholds = dict(
        zip(ROLES, (root_threshold, targets_threshold, snapshot_threshold, timestamp_threshold), strict=True)
    )
    signers = open_signers(keys, passphrase_files)
    shared = _shared_keys(public, signers)
    plans = {
        role: RolePlan([load_public(path) for path in public[role]] or shared, thresholds[role], days[role])
        for role in ROLES
    }
    made = init(directory, name, plans, signers)
    channel = Channel.open(directory)
    state = status(channel)
    if as_json:
        print_json(state.to_dict())
        return
    click.echo(f"made channel {name!r} in {directory}")
    echo_signed(made)
    echo_state(state)
    if state.root_fingerprint:
        click.echo(f"root fingerprint, to publish out of band: {fingerprint.grouped(state.root_fingerprint)}")
    if plans["root"].threshold < 2 or plans["targets"].threshold < 2:
        click.echo(
            "note: thresholds of 2 are recommended for root and targets; one stolen key is enough here", err=True
        )


def _shared_keys(public: Mapping[str, Sequence[Path]], signers: Sequence[Signer]) -> list[SSlibKey]:
    """The keys of a channel for which only `--key` was given; none when any role has keys of its own."""
    if any(public.values()):
        return []
    if not signers:
        raise UsageError("no keys given; give --key FILE for a trial, or --root-key, --targets-key, … with public keys")
    return [signer.public_key for signer in signers if isinstance(signer.public_key, SSlibKey)]


def _days(given: Sequence[str]) -> dict[str, int]:
    days = dict(DEFAULT_EXPIRES_DAYS)
    for entry in given:
        role, _, number = entry.partition("=")
        if role not in days or not (number.isascii() and number.removeprefix("-").isdigit()):
            raise UsageError(f"--expires-days {entry!r}: expected ROLE=DAYS with ROLE one of {', '.join(ROLES)}")
        days[role] = int(number)
    return days
