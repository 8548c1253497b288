"""`sealift-bundler status`: which versions a channel has released and staged, what is signed, and what comes next."""

from pathlib import Path
from typing import Any

import click

from sealift_bundler.cli.options import channel_option, json_option
from sealift_bundler.packing.sweeping import Unnamed, unnamed
from sealift_common.blob import Blob
from sealift_common.clock import rfc3339
from sealift_common.console import plain, print_json
from sealift_common.names import ModelVersion
from sealift_common.wording import counted, human
from sealift_keys.ceremony.quorum import next_command
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.status import status
from sealift_keys.cli.options import echo_state


@click.command()
@channel_option
@json_option
def command(directory: Path, as_json: bool) -> None:
    """Show which model versions are released, staged and withdrawn, who has signed, and the next command."""
    channel = Channel.open(directory)
    state, release, staged, left = status(channel), channel.release(), channel.staged(), unnamed(channel)
    following = next_command(channel, state)
    if as_json:
        print_json(
            {
                **state.to_dict(),
                "next": following,
                "release": release.number,
                "released": [_document(*one) for one in sorted(release.models.items())],
                "staged": [_document(*one) for one in staged.items()],
                "withdrawn": [
                    {"model": one.model.name, "version": str(one.model.version), "at": one.at, "reason": one.reason}
                    for one in release.withdrawn
                ],
                "released_at": rfc3339(release.released),
                "unnamed_blobs": {"count": len(left.blobs), "size": left.size},
            }
        )
        return
    waits = ", which waits for signatures and is not released yet" if state.waits else ""
    click.echo(f"channel {state.channel!r}, release {release.number} of {release.released:%Y-%m-%d}{waits}")
    for word, models in (
        ("in it" if waits else "released", sorted(release.models.items())),
        ("staged", list(staged.items())),
    ):
        for model, blob in models:
            click.echo(f"  {word:<10} {model}  {blob.digest}")
    for entry in release.withdrawn:
        click.echo(plain(f"  {'withdrawn':<10} {entry.model}: {entry.reason}"))
    if not release.models and not staged:
        click.echo("  no model version yet")
    if left.blobs:
        click.echo(_left_line(left, directory))
    echo_state(state, following)


def _document(model: ModelVersion, blob: Blob) -> dict[str, Any]:
    return {"model": model.name, "version": str(model.version), "digest": blob.digest}


def _left_line(left: Unnamed, directory: Path) -> str:
    return (
        f"{counted(len(left.blobs), 'blob')} of {human(left.size)} belong to no version; "
        f"remove them with: sealift-bundler sweep --channel {directory}"
    )
