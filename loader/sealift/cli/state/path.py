"""`sealift path`: the stable path that other languages open."""

from pathlib import Path

import click

from sealift.cli.options import json_option, model_argument, store_options
from sealift_common.console import print_json


@click.command("path")
@model_argument
@store_options
@json_option
def command(name: str, store_path: Path, trust_path: Path, as_json: bool) -> None:
    """Check a model's files and print the directory that always holds its active version."""
    from sealift.store import Store
    from sealift.store.contents import files

    store = Store(store_path, trust=trust_path)
    moment = store.moment()
    found = store.find(name, moment=moment)
    store.require_approved(found, moment[1])
    files.check_files(store.layout, found.manifest)
    stable = (store.layout.current / name).absolute()
    if as_json:
        print_json(
            {
                "name": name,
                "version": str(found.model.version),
                "path": str(stable),
                "directory": str(found.path.absolute()),
            }
        )
        return
    click.echo(stable)
