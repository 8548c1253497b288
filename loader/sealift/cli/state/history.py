"""`sealift history`: who changed the store, when, and on whose word."""

from pathlib import Path

import click

from sealift.cli.options import json_option, store_option
from sealift_common.console import plain, print_json


@click.command("history")
@store_option
@json_option
def command(store_path: Path, as_json: bool) -> None:
    """Show every change and every export, oldest first."""
    from sealift.store import Store
    from sealift.store.contents import history
    from sealift.store.contents.layout import StoreLayout

    entries = history.read(StoreLayout(store_path).history)
    if not entries:
        # A mistyped path, or a store in which nothing was installed, as every other command says it.
        Store(store_path).active()
    if as_json:
        print_json(entries)
        return
    for entry in entries:
        models = ", ".join(f"{name} {version}" for name, version in entry.get("models", {}).items())
        signers = ", ".join(entry.get("signers", {}).get("targets", []))
        # A restored history is text from elsewhere.
        line = (
            f"{entry['time']}  {entry['action']:<8}"
            + (f"  release {entry['release']}" if "release" in entry else "")
            + (f"  generation {entry['generation']}" if "generation" in entry else "")
            + f"  by {entry['user']}"
            + (f"  signed by {signers}" if signers else "")
            + (f"  [{models}]" if models else "")
        )
        click.echo(plain(line))
        for what in ("repaired", "removed"):
            if entry.get(what):
                click.echo(plain(f"    {what}: {', '.join(map(str, entry[what]))}"))
        if entry.get("generations"):
            click.echo(plain(f"    removed generations: {', '.join(map(str, entry['generations']))}"))
        if "reason" in entry:
            click.echo(f"    reason: {entry['reason']!r}")
        if "accepted_expired" in entry:
            click.echo(f"    expiry was overridden: {entry['accepted_expired']!r}")
