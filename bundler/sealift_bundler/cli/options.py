"""Options and lines that the commands which change a channel share."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem
from securesystemslib.signer import Signer

from sealift.cli.options import parse_size
from sealift_bundler.release.recipes.recipe import GOLDEN_CHOICES
from sealift_bundler.release.staging import Made
from sealift_common.console import print_json
from sealift_common.errors import Error
from sealift_common.names import ModelVersion
from sealift_common.wording import counted, human
from sealift_keys.ceremony.signing import require_signing
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.status import status
from sealift_keys.cli.options import echo_signed, echo_state
from sealift_keys.keyfiles.signers import open_signers

channel_option: Callable[[Any], Any] = click.option(
    "--channel",
    "directory",
    type=click.Path(path_type=Path, readable=False),
    required=True,
    envvar="SEALIFT_CHANNEL",
    show_envvar=True,
    metavar="DIR",
    help="The channel directory, made by: sealift-bundler init.",
)
sign_option_text = "Private key to sign with; repeat for several. Others sign later with: sealift-keys sign."
json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
benchmark_option: Callable[[Any], Any] = click.option(
    "--benchmark",
    is_flag=True,
    help="Record in model.json how fast the model answers here; its bytes then differ from run to run.",
)

trust_global_option: Callable[[Any], Any] = click.option(
    "--trust-global",
    "trust_globals",
    multiple=True,
    metavar="MODULE.NAME",
    help="A class or function of your own that a pickle may use, and call with any arguments.",
)


def _released(ctx: click.Context) -> list[ModelVersion]:
    try:
        return sorted(Channel.open(ctx.params.get("directory") or ".").released(), reverse=True)
    except (Error, OSError):
        return []


def complete_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the names of models that the channel has released."""
    return sorted({model.name for model in _released(ctx) if model.name.startswith(incomplete)})


def complete_versions(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the released versions of the model that was named before, newest first."""
    versions = [str(model.version) for model in _released(ctx) if model.name == ctx.params.get("name")]
    return [version for version in versions if version.startswith(incomplete)]


def complete_references(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Complete `NAME:VERSION` of released models, newest first."""
    return [model.reference for model in _released(ctx) if model.reference.startswith(incomplete)]


def complete_all_references(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Complete `NAME:VERSION` of released and staged models, newest first."""
    try:
        channel = Channel.open(ctx.params.get("directory") or ".")
        models = {**channel.released(), **channel.staged()}
    except (Error, OSError):
        return []
    return [one.reference for one in sorted(models, reverse=True) if one.reference.startswith(incomplete)]


def complete_golden(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete whose rows travel, or else a file."""
    choices = [CompletionItem(choice) for choice in GOLDEN_CHOICES if choice.startswith(incomplete)]
    return choices or [CompletionItem(incomplete, type="file")]


def echo_parts(parts: Sequence[Path]) -> None:
    """Name the parts of a bundle, and what to do with them."""
    for path in parts:
        click.echo(f"{path}: {human(path.stat().st_size)}")
    click.echo("next: carry all parts into one folder, then: sealift install FOLDER (`sealift verify PART` checks one)")


part_size_option: Callable[[Any], Any] = click.option(
    "--part-size",
    "part_size",
    callback=parse_size,
    default=None,
    metavar="SIZE",
    help="At most this much in a file, for example 4GB.",
)


def open_release_signers(channel: Channel, keys: tuple[str, ...], passphrase_files: tuple[Path, ...]) -> list[Signer]:
    """Open the keys of a release, before anything of it is written.

    Raises:
        KeyFileError: a key cannot be opened, or signs nothing of a release.
        ChannelError: the root is missing or damaged.
    """
    signers = open_signers(keys, passphrase_files)
    require_signing(channel.root().signed, [signer.public_key for signer in signers])
    return signers


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
                "notes": list(made.notes),
                "signed": [{"key": one.key_name, "role": one.role, "version": one.version} for one in made.signed],
            }
        )
        return
    click.echo(f"made release {made.number} of channel {state.channel!r}: {counted(state.released, 'model version')}")
    for model in made.added:
        click.echo(f"  added {model}")
    for model in made.withdrawn:
        click.echo(f"  withdrew {model}")
    echo_signed(made.signed)
    if not made.signed:
        click.echo("note: nobody has signed this release yet, because no --key was given", err=True)
    for note in made.notes:
        click.echo(f"note: {note}", err=True)
    echo_state(state)
