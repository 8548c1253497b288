"""`sealift status`: what this instance runs, and how old it is. Never "up to date": it cannot know."""

from datetime import UTC, datetime
from pathlib import Path

import click

from sealift.cli.options import json_option, store_options
from sealift_keys.console import print_json


@click.command("status")
@store_options
@json_option
def command(store_path: Path, trust_path: Path, as_json: bool) -> None:
    """Show the channel, the newest bundle installed here and its age."""
    from sealift.store import Store

    store = Store(store_path, trust=trust_path)
    release = store.release()
    generation = store.active()
    days = (datetime.now(UTC) - release.released).days
    withdrawn = sorted(str(model) for model in generation.models.values() if model not in release.models)
    if as_json:
        print_json(
            {
                "store": str(store_path),
                "channel": release.channel,
                "newest_bundle_installed": release.number,
                "released": f"{release.released:%Y-%m-%dT%H:%M:%SZ}",
                "age_days": days,
                "generation": generation.number,
                "generation_release": generation.release,
                "activated": generation.created,
                "models": {name: str(model.version) for name, model in generation.models.items()},
                "active_but_withdrawn": withdrawn,
            }
        )
        return
    click.echo(f"channel     {release.channel}")
    click.echo(f"newest bundle installed: {release.number}, released {release.released:%Y-%m-%d}, {days} days ago")
    click.echo(f"generation  {generation.number} of release {generation.release}, made {generation.created}")
    click.echo(f"models      {', '.join(str(model) for model in generation.models.values()) or 'none'}")
    click.echo(f"store       {store_path}")
    for model in withdrawn:
        click.echo(f"warning: {model} is active but withdrawn; it is not loaded any more")
