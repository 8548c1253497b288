"""`sealift-bundler unstage`: take a version out of the next release."""

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from sealift_bundler.cli.options import channel_option, json_option
from sealift_bundler.release.staging import unstage
from sealift_common.console import print_json, typed
from sealift_common.errors import Error
from sealift_common.names import ModelVersion
from sealift_keys.channel.directory import Channel


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name, then the version, of what is staged."""
    try:
        staged = Channel.open(ctx.params.get("directory") or ".").staged()
    except (Error, OSError):
        return []
    name = typed(ctx, "name")
    found = [one.name for one in staged]
    if param.name == "version":
        found = [str(one.version) for one in staged if one.name == name]
    return [CompletionItem(one) for one in dict.fromkeys(found) if one.startswith(incomplete)]


@click.command()
@click.argument("name", shell_complete=_complete)
@click.argument("version", shell_complete=_complete)
@channel_option
@json_option
def command(name: str, version: str, directory: Path, as_json: bool) -> None:
    """Take VERSION of model NAME out of the next release; it can be added again."""
    model = ModelVersion.parse(name, version)
    unstage(Channel.open(directory), model)
    if as_json:
        print_json({"model": model.name, "unstaged": True, "version": str(model.version)})
        return
    click.echo(f"unstaged {model}")
    click.echo(f"its files stay in the channel until: sealift-bundler sweep --channel {directory}")
