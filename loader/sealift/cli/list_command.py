"""`sealift list`: the active models."""

from pathlib import Path

import click

from sealift.cli.options import json_option, store_options
from sealift_common.console import print_json, table
from sealift_common.wording import human


@click.command("list")
@store_options
@json_option
def command(store_path: Path, trust_path: Path, as_json: bool) -> None:
    """List the models that applications get, with version, size and digest."""
    from sealift.store import Store

    store = Store(store_path, trust=trust_path)
    generation, release = moment = store.moment()
    installed = [
        store.find(name, moment=moment) for name, model in generation.models.items() if model in release.models
    ]
    if as_json:
        print_json(
            [
                {
                    "name": found.model.name,
                    "version": str(found.model.version),
                    "size": found.manifest.size,
                    "digest": found.manifest.digest,
                    "path": str(found.path),
                }
                for found in installed
            ]
        )
        return
    rows = [[f.model.name, f.model.version, human(f.manifest.size), f.manifest.digest[:19]] for f in installed]
    click.echo(table(rows, ["model", "version", "size", "digest"]))
