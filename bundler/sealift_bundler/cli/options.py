"""Options and lines that the commands which change a channel share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sealift_bundler.release import Made
from sealift_keys.channel import Channel
from sealift_keys.cli.options import echo_signed, echo_state
from sealift_keys.console import print_json
from sealift_keys.status import status

channel_option: Callable[[Any], Any] = click.option(
    "--channel",
    "directory",
    type=click.Path(path_type=Path, readable=False),
    required=True,
    metavar="DIR",
    help="The channel directory, made by: sealift-keys init.",
)
json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
benchmark_option: Callable[[Any], Any] = click.option(
    "--benchmark",
    is_flag=True,
    help="Record in model.json how fast the model answers here; its bytes then differ from run to run.",
)


def report(channel: Channel, made: Made, *, as_json: bool) -> None:
    """Say what a new release changed, what it still lacks, and the next command."""
    state = status(channel)
    if as_json:
        print_json(
            {
                **state.to_dict(),
                "release": made.number,
                "added": [str(model.reference) for model in made.added],
                "removed": [str(model.reference) for model in made.withdrawn],
                "signed": [{"key": one.key_name, "role": one.role, "version": one.version} for one in made.signed],
            }
        )
        return
    click.echo(f"made release {made.number} of channel {state.channel!r}: {state.released} model versions")
    for model in made.added:
        click.echo(f"  added {model}")
    for model in made.withdrawn:
        click.echo(f"  withdrew {model}")
    echo_signed(made.signed)
    echo_state(state)
