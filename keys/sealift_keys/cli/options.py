"""Options and lines that the commands which sign share."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from sealift_keys.signing import Signed
from sealift_keys.status import ChannelStatus

FILE = click.Path(path_type=Path)
# A reference is a path today; completing paths is right until other schemes exist.
KEY = click.Path()

passphrase_file_option: Callable[[Any], Any] = click.option(
    "--passphrase-file",
    "passphrase_files",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="File that holds the passphrase; give one for all keys, or one for each --key in order.",
)


def key_option(*, required: bool, text: str) -> Callable[[Any], Any]:
    """The repeatable `--key FILE`."""
    return click.option("--key", "keys", type=KEY, multiple=True, required=required, metavar="FILE", help=text)


def echo_signed(made: Sequence[Signed]) -> None:
    """Print one line for each signature that was added."""
    for one in made:
        click.echo(f"signed {one.role} {one.version} as {one.key_name!r}")


def echo_state(state: ChannelStatus) -> None:
    """Print each role's signatures, what else is wrong, and the next command."""
    for role in state.roles:
        click.echo(role.line())
    if state.inconsistent:
        click.echo(state.inconsistent)
    click.echo(f"next: {state.next_command()}")
